"""A file of many pictures: an array of NumPy's, or a .zip of picture files."""

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
# All that NumPy is known to raise on a header, which it reads as Python's own.
HEADERS = (
    ValueError, EOFError, TypeError, SyntaxError, OverflowError, RecursionError, MemoryError,
    tokenize.TokenError,
)  # fmt: skip
# Files that Windows and macOS add to folders, in lower case; others of macOS begin with a dot.
JUNK = ("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r")
ENTRY = b"PK\x01\x02"  # before each file in a zip's directory


@dataclass(frozen=True, eq=False)
class ArrayBatch:
    """Pictures in one array."""

    images: np.ndarray  # (N, 28, 28) uint8

    names = None

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, eq=False)
class ZipBatch:
    """Pictures in a .zip, of any size and format that `preprocess` takes."""

    archive: zipfile.ZipFile
    entries: Sequence[zipfile.ZipInfo]  # in the order of the .zip

    @property
    def names(self) -> list[str]:
        return [entry.filename for entry in self.entries]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[tuple[str, io.BytesIO]]:
        """Unpack one picture after the other, in memory; yield its name and its bytes.

        Raises:
            PictureError: a file is damaged.
        """
        for entry in self.entries:
            yield entry.filename, io.BytesIO(_unpack(self.archive, entry))


def open_batch(path: str | Path, *, limits: Limits = LIMITS) -> ArrayBatch | ZipBatch:
    """Open a file of pictures, and unpack nothing yet but an array.

    A .npy holds one array, uint8, (N, 28, 28) or (N, 784); a .npz one of that kind, named
    `images` where it has several; a .zip holds picture files, in folders or not. What it is, is
    told by its content, not by its name. Nothing is unpickled, nothing is unpacked to disk.

    Raises:
        PictureError: it is none of them, damaged, or larger than the limits.
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
        if np.lib.format.read_magic(file) != (1, 0):  # as NumPy writes what has no named fields
            raise ValueError("another version")
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        if any(type(side) is not int or side < 0 for side in shape):  # True is no side
            raise ValueError("not a shape")
    except HEADERS as error:
        raise PictureError(f"The array's header is damaged; send uint8, {ARRAY}.") from error
    if dtype != np.uint8 or shape[1:] not in ((SIZE, SIZE), (N_PIXELS,)):
        hint = " Multiply by 255, perhaps." if dtype.kind == "f" else ""
        raise PictureError(f"Got {dtype} {shape}; a batch is uint8, {ARRAY}."[:300] + hint)
    _refuse_many(shape[0], limits)
    pixels = np.frombuffer(data, np.uint8, offset=file.tell())
    if len(pixels) != shape[0] * N_PIXELS:
        raise PictureError(f"The array says {shape}, and has {len(pixels):,} bytes.")
    images = pixels.reshape(shape, order="F" if fortran_order else "C")
    return ArrayBatch(images.reshape(-1, SIZE, SIZE))


def _zip(data: bytes, limits: Limits) -> ArrayBatch | ZipBatch:
    # Counted before Python builds an object for each entry.
    if data.count(ENTRY) > 2 * limits.max_pictures + 10:  # folders are entries, too
        raise PictureError(_many("more files than that", limits))
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (*DAMAGED, NotImplementedError) as error:
        raise PictureError("The .zip is damaged.") from error
    files = [entry for entry in archive.infolist() if _counts(entry)]
    total = sum(entry.file_size for entry in files)
    if total > limits.max_unpacked:
        raise PictureError(
            f"The .zip unpacks to {total:,} bytes; at most {limits.max_unpacked:,} are read."
        )
    if not files:
        raise PictureError("The .zip has no pictures in it.")
    if all(entry.filename.endswith(".npy") for entry in files):
        return _npz(archive, files, limits)
    _refuse_many(len(files), limits)
    return ZipBatch(archive, files)


def _counts(entry: zipfile.ZipInfo) -> bool:
    """Return whether an entry is a picture: not a folder, and not a file of an operating system.

    Raises:
        PictureError: it is something that has no business in a .zip of pictures.
    """
    if not entry.filename:
        raise PictureError("A file in the .zip has no name.")
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    name = short(entry.filename)
    hidden = "__MACOSX" in path.parts or path.name.startswith(".")
    if entry.is_dir() or hidden or path.name.lower() in JUNK:
        return False
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise PictureError(f"{name} in the .zip points out of it.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise PictureError(f"{name} in the .zip is a link; send the picture itself.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise PictureError(f"{name} in the .zip is packed in a rare way: use deflate.")
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
            # Told how much is wanted, zlib unpacks no more; read() would unpack all there is.
            return file.read(entry.file_size)
    # All that zipfile and its decompressors are known to raise on damaged or hostile files.
    except (*DAMAGED, RuntimeError, zlib.error) as error:
        raise PictureError(f"{short(entry.filename)} in the .zip is damaged.") from error


def _refuse_many(count: int, limits: Limits) -> None:
    if count > limits.max_pictures:
        raise PictureError(_many(f"{count:,} pictures", limits))


def _many(what: str, limits: Limits) -> str:
    return f"A batch has at most {limits.max_pictures:,} pictures; this has {what}."


def short(name: str) -> str:
    """Return a name that may come from anyone, fit for a message."""
    return repr(name if len(name) <= 60 else f"{name[:57]}...")
