import gzip
import hashlib
import re
import socket
import time

import numpy as np
import pytest
import torch

from lesson.data import load_mnist
from model import mnist
from tests.rough_hub import head, listening
from training import data, subset
from training.data import (
    SHA256,
    DataError,
    fetch,
    import_torchvision,
    load_test,
    load_train_val,
)


def test_the_split_is_the_tutorials(mnist_dir):
    train, val = load_train_val(mnist_dir, seed=42)
    assert train.images.shape == (50_000, 784)
    assert val.images.shape == (10_000, 784)
    assert train.images.dtype == torch.uint8
    assert train.labels.dtype == torch.int64
    everything = import_torchvision().datasets.MNIST(mnist_dir)
    together = torch.cat([train.images, val.images]).double().mean()
    assert together == pytest.approx(everything.data.double().mean())
    again, other = load_train_val(mnist_dir, seed=42), load_train_val(mnist_dir, seed=43)
    assert torch.equal(again[1].images, val.images)
    assert not torch.equal(other[1].images, val.images)


def test_no_writer_is_trained_on_and_validated_on(mnist_dir):
    writers = np.load(data.WRITERS_FILE)["train"]
    assert len(writers) == 60_000
    everything, _ = load_train_val(mnist_dir, seed=1, split="all")
    folds = [load_train_val(mnist_dir, seed=seed, split="writers") for seed in range(6)]
    assert sum(len(val.labels) for _, val in folds) == len(everything.labels) == 60_000
    for seed, (train, val) in enumerate(folds):
        held_out = data._held_out_writers(seed).numpy()
        assert not set(writers[held_out]) & set(writers[~held_out])
        assert 9_000 < len(val.labels) == held_out.sum() < 11_000
        assert torch.equal(val.images, everything.images[torch.from_numpy(held_out)])
        assert len(train.labels) + len(val.labels) == 60_000


def test_what_the_lesson_ships_is_mnists_and_made_by_its_command(mnist_dir, tmp_path):
    shipped = np.load(subset.OUT / "mnist.npz")
    n_train, n_val = len(shipped["train_images"]), len(shipped["val_images"])
    for name, split in zip(("train", "val"), load_train_val(mnist_dir, seed=42), strict=True):
        images, labels = shipped[f"{name}_images"], shipped[f"{name}_labels"]
        assert (images.dtype, labels.dtype) == (np.uint8, np.uint8)
        assert (images == split.images[: len(images)].numpy()).all()
        assert (labels == split.labels[: len(labels)].numpy()).all()
    subset.write_subset(tmp_path, data_dir=mnist_dir, n_train=n_train, n_val=n_val)
    assert np.load(tmp_path / "mnist.npz")["train_images"].shape == (n_train, 784)
    shown, again = np.load(subset.OUT / "samples.npz"), np.load(tmp_path / "samples.npz")
    for name in ("distorted", "pens"):  # of a level, another processor may round otherwise
        assert np.abs(shown[name].astype(int) - again[name]).max() <= 1
    with pytest.raises(DataError, match="--n-val: expected 1 to 10,000, found 0"):
        subset.write_subset(tmp_path, data_dir=mnist_dir, n_train=1, n_val=0)


def test_the_test_set_begins_with_the_fixture(mnist_dir, mnist):
    test = load_test(mnist_dir)
    assert test.images.shape == (10_000, 784)
    assert (test.images[:500].numpy() == mnist[0].reshape(500, 784)).all()
    assert (test.labels[:500].numpy() == mnist[1]).all()


FORMS = {  # how mirrors name t10k-images-idx3-ubyte, and where people put it
    "plain": "MNIST/raw/{}-idx{}-ubyte",
    "dotted": "MNIST/raw/{}.idx{}-ubyte",
    "compressed": "MNIST/raw/{}-idx{}-ubyte.gz",
    "dotted and compressed, in the folder itself": "{}.idx{}-ubyte.gz",
}


def place(source, folder, form, names=SHA256):
    """Put MNIST's files into a folder in one of the forms."""
    for name in names:
        stem, rank = re.fullmatch(r"(.*)-idx(\d)-ubyte", name).groups()
        path = folder / FORMS[form].format(stem, rank)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = mnist.read(source, name)
        path.write_bytes(gzip.compress(content, 0) if path.suffix == ".gz" else content)


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("form", FORMS)
def test_files_are_accepted_as_mirrors_provide_them(mnist_dir, tmp_path, form):
    place(mnist_dir, tmp_path, form)
    before = files_in(tmp_path)
    assert mnist.has_train(tmp_path)
    for found, expected in (
        (load_test(tmp_path), load_test(mnist_dir)),
        (load_mnist(tmp_path)[1], load_mnist(mnist_dir)[1]),
    ):
        assert torch.equal(found.images, expected.images)
        assert torch.equal(found.labels, expected.labels)
    assert files_in(tmp_path) == before  # the folder may be read-only
    fetch(tmp_path)
    original = import_torchvision().datasets.MNIST(tmp_path)
    assert torch.equal(original.data[:100].flatten(1), _first_images(mnist_dir))


def _first_images(mnist_dir):
    return import_torchvision().datasets.MNIST(mnist_dir).data[:100].flatten(1)


def damages(content):
    """Ways in which a file may have been damaged on its way."""
    changed = content[:5_000] + bytes([content[5_000] ^ 1]) + content[5_001:]
    return changed, content[:-1], b"<html>", b""


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_file_is_refused(tmp_path, form):
    path = tmp_path / FORMS[form].format("t10k-images", 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = np.random.default_rng(0).bytes(20_000)
    packed = gzip.compress(content) if path.suffix == ".gz" else content
    (path.parent / path.name.replace("images", "labels").replace("idx3", "idx1")).touch()
    for damaged in damages(packed):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"(is not MNIST's|cannot be read).*Delete") as caught:
            load_test(tmp_path)
        assert str(caught.value).startswith(str(path))


def test_one_changed_byte_is_found(mnist_dir, tmp_path):
    place(mnist_dir, tmp_path, "plain", names=mnist.TEST)
    images = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    images.write_bytes(damages(images.read_bytes())[0])
    message = r"t10k-images-idx3-ubyte is not MNIST's: SHA-256 .*Delete"
    with pytest.raises(DataError, match=message):
        load_test(tmp_path)


@pytest.fixture
def torchvisions(monkeypatch):
    """Torchvision's MNIST, to be pointed at another mirror."""
    cls = import_torchvision().datasets.MNIST

    def at(url, **attributes):
        monkeypatch.setattr(cls, "mirrors", [f"{url}/"])
        for name, value in attributes.items():
            monkeypatch.setattr(cls, name, value)

    return at


def test_it_is_downloaded_from_a_mirror(mnist_dir, tmp_path, torchvisions):
    packed = {f"{name}.gz": gzip.compress(mnist.read(mnist_dir, name), 0) for name in SHA256}

    def answer(connection, line):
        body = packed[line.split()[1].rpartition("/")[2]]
        connection.sendall(head("200 OK", length=len(body)) + body)

    with listening(answer) as url:
        sums = [(name, hashlib.md5(body).hexdigest()) for name, body in packed.items()]
        torchvisions(url, resources=sums)
        assert torch.equal(load_test(tmp_path).labels, load_test(mnist_dir).labels)
    assert [path.name for path in files_in(tmp_path)] == sorted(SHA256)
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"]


BAD_MIRRORS = {
    "a login page": lambda connection, line: connection.sendall(
        head("200 OK", length=6) + b"<html>"
    ),
    "a blocking proxy": lambda connection, line: connection.sendall(head("403 Forbidden")),
    "part of a file": lambda connection, line: (
        connection.sendall(head("200 OK", length=10**6) + b"part"),
        connection.close(),
    ),
    "silence": lambda connection, line: time.sleep(30),
}


@pytest.mark.parametrize("kind", BAD_MIRRORS)
def test_a_download_that_fails_leaves_nothing(tmp_path, torchvisions, monkeypatch, kind):
    monkeypatch.setattr("training.data.TIMEOUT", 0.3)
    with listening(BAD_MIRRORS[kind]) as url:
        torchvisions(url)
        with pytest.raises(DataError, match="could not be downloaded"):
            fetch(tmp_path)
    assert files_in(tmp_path) == []
    assert socket.getdefaulttimeout() is None


def test_without_files_and_network_it_says_what_to_do(tmp_path, torchvisions):
    torchvisions("http://127.0.0.1:9")
    with pytest.raises(DataError, match="Put these four files there") as caught:
        load_test(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "MNIST" / "raw") in str(caught.value)
    assert all(name in str(caught.value) for name in SHA256)


def test_a_folder_that_cannot_be_written_is_said(tmp_path, torchvisions):
    torchvisions("http://127.0.0.1:9")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="could not be downloaded"):
        load_test(tmp_path / "file" / "data")
