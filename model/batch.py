"""Files of many pictures: a NumPy array, or a .zip of picture files."""

import io
import stat
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from model.limits import LIMITS, Limits
from model.mlp import N_PIXELS, SIZE
from model.picture import PictureError

ARRAY = "(N, 28, 28) or (N, 784)"
DAMAGED = (zipfile.BadZipFile, ValueError, OSError, EOFError)
# The errors that NumPy is known to raise for a header, which it parses as Python.
HEADERS = (
    ValueError, EOFError, TypeError, SyntaxError, OverflowError, RecursionError, MemoryError,
    tokenize.TokenError,
)  # fmt: skip
# Files that Windows and macOS add to folders, in lower case; other files of macOS begin with a dot.
JUNK = ("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r")
ENTRY = b"PK\x01\x02"  # begins each entry of a zip's directory


@dataclass(frozen=True, eq=False)
class ArrayBatch:
    """Pictures in one array."""

    images: np.ndarray  # (N, 28, 28) uint8

    names = None

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, eq=False)
class ZipBatch:
    """Pictures in a .zip, of any size and format that `preprocess` accepts."""

    archive: zipfile.ZipFile
    entries: Sequence[zipfile.ZipInfo]  # in the order of the .zip

    @property
    def names(self) -> list[str]:
        return [entry.filename for entry in self.entries]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[tuple[str, io.BytesIO]]:
        """Unpack one picture after the other in memory; yield its name and its bytes.

        Raises:
            PictureError: a file is damaged.
        """
        for entry in self.entries:
            yield entry.filename, io.BytesIO(_unpack(self.archive, entry))


def open_batch(path: str | Path, *, limits: Limits = LIMITS) -> ArrayBatch | ZipBatch:
    """Open a file of pictures; pictures in a .zip are not unpacked yet.

    A .npy holds one array, uint8, (N, 28, 28) or (N, 784). A .npz holds one such array; if it has
    several arrays, the pictures are named `images`. A .zip holds picture files, in folders or not.
    The type is detected from the content, not from the name. Nothing is unpickled, and nothing is
    unpacked to disk.

    Raises:
        PictureError: it is another file, is damaged, or exceeds the limits.
    """
    data = Path(path).read_bytes()
    if data.startswith(b"\x93NUMPY"):
        return _array(data, limits)
    if data.startswith(b"PK"):
        return _zip(data, limits)
    raise PictureError(
        f"A batch is a .npy or .npz of uint8, {ARRAY}, or a .zip of pictures; this is none of them."
    )


def _array(data: bytes, limits: Limits) -> ArrayBatch:
    file = io.BytesIO(data)
    try:
        if np.lib.format.read_magic(file) != (1, 0):  # as NumPy writes arrays without named fields
            raise ValueError("unknown version")
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        if any(type(side) is not int or side < 0 for side in shape):  # bool is a subclass of int
            raise ValueError("not a shape")
    except HEADERS as error:
        raise PictureError(f"The array's header is damaged; send uint8, {ARRAY}.") from error
    if dtype != np.uint8 or shape[1:] not in ((SIZE, SIZE), (N_PIXELS,)):
        hint = " Multiply by 255, perhaps." if dtype.kind == "f" else ""
        raise PictureError(f"Got {dtype} {shape}; a batch is uint8, {ARRAY}."[:300] + hint)
    _check_count(shape[0], limits)
    pixels = np.frombuffer(data, np.uint8, offset=file.tell())
    if len(pixels) != shape[0] * N_PIXELS:
        raise PictureError(f"The array says {shape}, and has {len(pixels):,} bytes.")
    images = pixels.reshape(shape, order="F" if fortran_order else "C")
    return ArrayBatch(images.reshape(-1, SIZE, SIZE))


def _zip(data: bytes, limits: Limits) -> ArrayBatch | ZipBatch:
    # Checked before Python creates an object for each entry.
    if data.count(ENTRY) > 2 * limits.max_pictures + 10:  # folders are entries as well
        raise PictureError(_many("more files than that", limits))
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (*DAMAGED, NotImplementedError) as error:
        raise PictureError("The .zip is damaged.") from error
    files = [entry for entry in archive.infolist() if _is_picture(entry)]
    total = sum(entry.file_size for entry in files)
    if total > limits.max_unpacked:
        raise PictureError(
            f"The .zip unpacks to {total:,} bytes; at most {limits.max_unpacked:,} are read."
        )
    if not files:
        raise PictureError("The .zip has no pictures in it.")
    if all(entry.filename.endswith(".npy") for entry in files):
        return _npz(archive, files, limits)
    _check_count(len(files), limits)
    return ZipBatch(archive, files)


def _is_picture(entry: zipfile.ZipInfo) -> bool:
    """Return whether an entry is a picture, and not a folder or an operating system's file.

    Raises:
        PictureError: the entry is not allowed in a .zip of pictures.
    """
    if not entry.filename:
        raise PictureError("A file in the .zip has no name.")
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    name = short(entry.filename)
    hidden = "__MACOSX" in path.parts or path.name.startswith(".")
    if entry.is_dir() or hidden or path.name.lower() in JUNK:
        return False
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise PictureError(f"{name} in the .zip is a path outside of it.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise PictureError(f"{name} in the .zip is a link; send the picture itself.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise PictureError(f"{name} in the .zip has an unsupported compression: use deflate.")
    if entry.flag_bits & 1:
        raise PictureError(f"{name} in the .zip is encrypted.")
    return True


def _npz(archive: zipfile.ZipFile, files: Sequence[zipfile.ZipInfo], limits: Limits) -> ArrayBatch:
    named = [entry for entry in files if entry.filename == "images.npy"] or files
    if len(named) > 1:
        found = ", ".join(short(entry.filename.removesuffix(".npy")) for entry in files[:5])
        raise PictureError(f"The .npz has several arrays ({found}): call the pictures `images`.")
    return _array(_unpack(archive, named[0]), limits)


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(entry) as file:
            # With a size, zlib unpacks no more than that; read() alone would unpack everything.
            return file.read(entry.file_size)
    # The errors that zipfile and its decompressors are known to raise for damaged files.
    except (*DAMAGED, RuntimeError, zlib.error) as error:
        raise PictureError(f"{short(entry.filename)} in the .zip is damaged.") from error


def _check_count(count: int, limits: Limits) -> None:
    if count > limits.max_pictures:
        raise PictureError(_many(f"{count:,} pictures", limits))


def _many(what: str, limits: Limits) -> str:
    return f"A batch has at most {limits.max_pictures:,} pictures; this has {what}."


def short(name: str) -> str:
    """Return an untrusted name as it can be printed: quoted and shortened."""
    return repr(name if len(name) <= 60 else f"{name[:57]}...")
