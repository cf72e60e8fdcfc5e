"""Tests of batch files: .npy, .npz and .zip."""

import io
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from model import PictureError
from model.batch import ArrayBatch, open_batch
from tests.conftest import run

BOMB = 500_000_000  # bytes


@pytest.mark.parametrize("shape", [(3, 28, 28), (3, 784), (0, 28, 28)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["npy", "npz", "several"])
def test_arrays_saved_by_numpy_are_read(tmp_path, shape, order, kind):
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8, order=order)
    path = tmp_path / "pictures.bin"  # the format is detected from the content
    with path.open("wb") as file:
        if kind == "npy":
            np.save(file, images)
        elif kind == "npz":
            np.savez_compressed(file, images)
        else:
            np.savez(file, labels=np.arange(3), images=images)
    batch = open_batch(path)
    assert isinstance(batch, ArrayBatch)
    assert np.array_equal(batch.images, images.reshape(-1, 28, 28))
    assert (len(batch), batch.names) == (shape[0], None)


def test_a_zip_keeps_names_and_order_and_skips_hidden_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in ("b/2.png", "a/1.png", "b/.hidden.png", "__MACOSX/a/1.png"):
            file = io.BytesIO()
            Image.new("L", (30, 30), 255).save(file, "PNG")
            archive.writestr(name, file.getvalue())
        archive.mkdir("empty")
    batch = open_batch(tmp_path / "x.zip")
    assert batch.names == ["b/2.png", "a/1.png"]
    assert [Image.open(file).size for _, file in batch] == [(30, 30)] * 2


@pytest.mark.parametrize(
    "junk",
    ["Thumbs.db", "a/THUMBS.DB", "ehthumbs.db", "desktop.ini", "a\\Desktop.ini", "a/.DS_Store",
     "Icon\r", "__MACOSX/._1.png", "a/__MACOSX/1.png"],
)  # fmt: skip
def test_files_added_by_operating_systems_are_skipped(tmp_path, junk):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(junk, b"\xd0\xcf\x11\xe0")
        archive.writestr("a/1.png", b"")
    assert open_batch(tmp_path / "x.zip").names == ["a/1.png"]


@pytest.mark.parametrize("name", ["README.txt", "labels.csv", "my thumbs.db", "desktop.ini.png"])
def test_other_files_in_a_zip_are_not_skipped(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(name, b"x")
    assert open_batch(tmp_path / "x.zip").names == [name]


def test_an_npz_without_one_array_of_images_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", train=np.zeros((1, 28, 28), np.uint8), test=np.zeros(3))
    with pytest.raises(PictureError, match="several arrays \\('train', 'test'\\)"):
        open_batch(tmp_path / "x.npz")


@pytest.mark.parametrize("method", ["ZIP_DEFLATED", "ZIP_BZIP2", "ZIP_LZMA"])
def test_a_zip_bomb_with_a_false_size_is_not_unpacked(tmp_path, method):
    """The directory states 100 bytes; the file unpacks to 500 MB."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", getattr(zipfile, method)) as archive:
        archive.writestr("a.png", bytes(BOMB))
    bomb, size = path.read_bytes(), BOMB.to_bytes(4, "little")
    crc = zlib.crc32(bytes(100)).to_bytes(4, "little")
    entry = archive.infolist()[0]
    bomb = bomb.replace(size, (100).to_bytes(4, "little"))
    path.write_bytes(bomb.replace(entry.CRC.to_bytes(4, "little"), crc))
    done = run(
        "-c",
        "import resource, sys\n"
        "from model import Reader\n"
        "from model.batch import open_batch\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000\n"
        "before = peak()\n"
        "try: print([len(file.read()) for _, file in open_batch(sys.argv[1])])\n"
        "except ValueError as error: print(error)\n"
        "print(peak() - before)\n",
        str(path),
    )
    assert done.returncode == 0, done.stderr
    printed, grown = done.stdout.splitlines()
    assert printed in ("[100]", "'a.png' in the .zip has an unsupported compression: use deflate.")
    assert int(grown) < 50  # MB
