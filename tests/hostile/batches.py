"""Cases: damaged, costly and unsupported batch files."""

import io
import pickle
import struct
from collections.abc import Callable, Iterator

import numpy as np

from tests.hostile.caller import ANSWERED, Answer, Caller, Case, Send, zipped
from tests.hostile.pictures import png

WANTED = "uint8, (N, 28, 28) or (N, 784)"
HEADER = "header is damaged"
RARE = "has an unsupported compression: use deflate"
DAMAGED = "is damaged"
READ_MANY = '"verdicts"'
Make = Callable[[], bytes]


def patched(archive: bytes, at: int, value: bytes, *, local: int | None = None) -> bytes:
    """Return a .zip of one file with bytes changed in its directory and, at `local`, its header."""
    start = archive.rindex(b"PK\x01\x02") + at
    archive = archive[:start] + value + archive[start + len(value) :]
    if local is not None:
        archive = archive[:local] + value + archive[local + len(value) :]
    return archive


def npy(header: str, data: bytes = b"", *, version: bytes = b"\1\0") -> bytes:
    """Return an .npy file with the given header."""
    text = header.encode("latin-1") + b"\n"
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text + data


def described(
    shape: str = "(1, 28, 28)", *, dtype: str = "'|u1'", fortran: str = "False", size: int = 784
) -> bytes:
    header = f"{{'descr': {dtype}, 'fortran_order': {fortran}, 'shape': {shape}, }}"
    return npy(header, bytes(size))


def saved(array: np.ndarray, **options: bool) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def savedz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore
    return out.getvalue()


def blank(count: int) -> np.ndarray:
    return np.zeros((count, 28, 28), np.uint8)


def nested(depth: int) -> bytes:
    """Return a .zip of .zip files, `depth` levels deep."""
    inner = bytes(1_000_000)
    for i in range(depth):
        inner = zipped(*((f"{i}-{j}.zip", inner) for j in range(4)))
    return inner


def overlapping(count: int) -> bytes:
    """Return a .zip whose directory lists one file of 1 MB many times."""
    one = zipped(("a.png", bytes(1_000_000)))
    start = one.rindex(b"PK\x01\x02")
    end = one.rindex(b"PK\x05\x06")
    entries = b"".join(
        one[start : start + 46] + b"%05d" % i + one[start + 51 : end] for i in range(count)
    )
    return _directory(one[:start], entries, count)


def many_entries(count: int) -> bytes:
    """Return a .zip whose directory lists files that are missing."""
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    return _directory(b"PK\x03\x04" + bytes(26), entry * count, min(count, 65_535))


def _directory(before: bytes, entries: bytes, count: int) -> bytes:
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(entries), len(before), 0)
    return before + entries + b"PK\x05\x06" + end


def lying(size: int) -> bytes:
    """Return a .zip of a 1 MB file whose directory states another size."""
    return patched(zipped(("a.png", bytes(1_000_000))), 24, struct.pack("<I", size))


def zip64(size: int) -> bytes:
    """Return a .zip whose directory states a size of 64 bits in an extra field."""
    extra = struct.pack("<HHQQ", 1, 16, size, size)
    entry = b"PK\x01\x02" + bytes(16) + b"\xff" * 8 + struct.pack("<HH", 5, len(extra))
    entry += bytes(14) + b"a.png" + extra
    return _directory(b"PK\x03\x04" + bytes(26), entry, 1)


def one(name: str, **options: int) -> bytes:
    return zipped((name, png()), **options)


HOSTILE: dict[str, tuple[Make, str]] = {
    "npy of pickled objects": (lambda: saved(np.array([{}], object), allow_pickle=True), WANTED),
    "npy of 10^18 pictures": (lambda: described("(1000000000000000000, 28, 28)"), "at most 10,000"),
    "npy of 10^30 pictures": (lambda: described(f"({10**30}, 28, 28)"), "at most 10,000"),
    "npy of -1 pictures": (lambda: described("(-1, 28, 28)"), ""),
    "npy of -1 × 784, without bytes": (lambda: described("(-1, 784)", size=0), ""),
    "npy of half a picture": (lambda: described("(0.5, 28, 28)"), ""),
    "npy of True pictures": (lambda: described("(True, 28, 28)"), ""),
    "npy without a shape": (lambda: described("()"), WANTED),
    "npy of 27 × 28": (lambda: described("(1, 27, 28)"), WANTED),
    "npy of 50 dimensions": (lambda: described(f"({'1, ' * 50})"), WANTED),
    "npy of floats": (lambda: saved(np.zeros((1, 28, 28))), WANTED),
    "npy of dates": (lambda: described(dtype="'<M8[s]'"), WANTED),
    "npy of structures": (lambda: described(dtype="[('a', '|u1', (9,) * 9)]"), ""),
    "npy of an unknown type": (lambda: described(dtype="'evil'"), HEADER),
    "npy of endless structures": (lambda: described(dtype="[('a', " * 90 + "'u1'" + ")]" * 90), ""),
    "npy of version 2": (
        lambda: npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 28, 28)}", bytes(784),
                    version=b"\2\0"),
        "",
    ),
    "npy of version 9": (lambda: described().replace(b"NUMPY\1", b"NUMPY\x09"), HEADER),
    "npy with a header of 60 kB": (lambda: npy("{'descr': '|u1'}" + " " * 60_000), HEADER),
    "npy with code in its header": (lambda: npy("__import__('os')._exit(1)"), HEADER),
    "npy with a header of 30,000 brackets": (lambda: npy("(" * 30_000), HEADER),
    "npy with a header of 9,000 brackets": (lambda: npy("(" * 9_000), HEADER),
    "npy with a header of -s": (lambda: npy("-" * 9_000 + "1"), HEADER),
    "npy with a header of an unknown key": (lambda: npy("{'descr': '|u1', 'evil': 1}"), HEADER),
    "npy with an empty header": (lambda: npy(""), HEADER),
    "npy with a header of a NUL": (lambda: npy("\0"), HEADER),
    "npy with a header of 10^5000": (lambda: described(f"(1{'0' * 5_000}, 28, 28)"), ""),
    "npy truncated in its header": (lambda: described()[:40], HEADER),
    "npy truncated in its pixels": (lambda: described(size=700), "700 bytes"),
    "npy with more after it": (lambda: described(size=800), "800 bytes"),
    "npy of a signature": (lambda: b"\x93NUMPY", HEADER),
    "npy of 10,001 pictures": (lambda: saved(blank(10_001)), "10,001 pictures"),
    "npz of two arrays": (lambda: savedz(a=blank(1), b=blank(1)), "several arrays"),
    "npz of objects": (lambda: savedz(images=np.array([{}], object)), WANTED),
    "npz of a pickle": (lambda: zipped(("images.npy", pickle.dumps({}))), ""),
    "npz of 100 MB": (lambda: savedz(images=np.zeros((130_000, 784), np.uint8)), "unpacks to"),
    "npz of 10,001 pictures": (lambda: savedz(images=blank(10_001)), "10,001 pictures"),
    "npz in an npz": (lambda: zipped(("images.npy", savedz(images=blank(1)))), ""),
    "npz of an empty array file": (lambda: zipped(("images.npy", b"")), HEADER),
    "npz of two arrays of one name": (
        lambda: _twice("images.npy", saved(blank(1))), "several arrays",
    ),
    "empty zip": (lambda: zipped(), "no pictures"),
    "zip of folders": (lambda: zipped(("a/", b""), ("b/", b"")), "no pictures"),
    "zip of files that macOS adds": (lambda: zipped(("__MACOSX/._a.png", b"x")), "no pictures"),
    "zip of files that Windows adds": (
        lambda: zipped(("Thumbs.db", b"x"), ("a/desktop.ini", b"x")), "no pictures",
    ),
    "zip of a database among pictures": (
        lambda: zipped(("a.png", png()), ("pictures.db", b"x")), "'pictures.db' in the .zip",
    ),
    "zip of a name with .. and Thumbs.db": (
        lambda: zipped(("a.png", png()), ("../Thumbs.db/b.png", png())),
        "is a path outside",
    ),
    "zip of hidden files": (lambda: zipped((".DS", b""), ("a/.hidden", b"")), "no pictures"),
    "zip bomb of 100 MB": (lambda: zipped(("a.png", bytes(100_000_000))), "unpacks to"),
    "zip bomb of 70 files": (
        lambda: zipped(*((f"{i}.png", bytes(1_000_000)) for i in range(70))), "unpacks to",
    ),
    "zip bomb of overlapping files": (lambda: overlapping(1_000), "unpacks to"),
    "zip of 60 overlapping files": (lambda: overlapping(60), DAMAGED),
    "zip of 1 MB that states 10 bytes": (lambda: lying(10), ""),
    "zip of 1 MB that states 4 GB": (lambda: lying(2**32 - 2), "unpacks to"),
    "zip of 1 MB that states 60 MB": (lambda: lying(60_000_000), ""),
    "zip of zips of zips": (lambda: nested(4), "This is a .zip archive"),
    "zip of a name with ..": (lambda: one("../../evil.png"), "is a path outside"),
    "zip of a name with .. in it": (lambda: one("a/b/../../../evil.png"), "is a path outside"),
    "zip of an absolute name": (lambda: one("/etc/passwd"), "is a path outside"),
    "zip of a name with ..\\": (lambda: one("..\\evil.png"), "is a path outside"),
    "zip of a name with a drive": (lambda: one("C:\\evil.png"), "is a path outside"),
    "zip of a name of a network share": (lambda: one("\\\\host\\evil.png"), "is a path outside"),
    "zip of a link": (lambda: one("a.png", external_attr=0o120777 << 16), "is a link"),
    "zip marked encrypted": (
        lambda: patched(one("a.png"), 8, b"\1\0", local=6), "is encrypted",
    ),
    "zip of unknown compression": (lambda: patched(one("a.png"), 10, b"\x62\0", local=8), RARE),
    "zip marked as LZMA": (lambda: patched(one("a.png"), 10, b"\x0e\0", local=8), RARE),
    "zip marked as bzip2": (lambda: patched(one("a.png"), 10, b"\x0c\0", local=8), RARE),
    "zip of version 99": (lambda: patched(one("a.png"), 6, b"\xff\0"), DAMAGED),
    "zip with a wrong checksum": (lambda: patched(one("a.png"), 16, b"\0\0\0\0"), DAMAGED),
    "zip whose file is at 4 GB": (lambda: patched(one("a.png"), 42, b"\xfe\xff\xff\xff"), DAMAGED),
    "zip whose names differ": (lambda: one("a.png").replace(b"a.png", b"b.png", 1), DAMAGED),
    "zip of 200,000 files": (lambda: many_entries(200_000), "more files than that"),
    "zip of 65,535 files": (lambda: many_entries(65_535), "more files than that"),
    "zip of 10,001 pictures": (
        lambda: zipped(*((f"{i}.png", b"") for i in range(10_001))), "10,001 pictures",
    ),
    "zip of a text among pictures": (
        lambda: zipped(("a.png", png()), ("README.txt", b"hello")), "not a picture",
    ),
    "zip of an empty file": (lambda: zipped(("a.png", b"")), "not a picture"),
    "zip64 of 2^63": (lambda: zip64(2**63), "unpacks to"),
    "zip64 of size 0": (lambda: zip64(0), DAMAGED),
    "zip64 with a broken field": (
        lambda: zip64(0).replace(b"\1\0\x10\0", b"\1\0\x02\0"), DAMAGED,
    ),
    "zip with a directory at 4 GB": (
        lambda: one("a.png")[:-6] + b"\xff\xff\xff\xff\0\0", DAMAGED,
    ),
    "zip truncated": (lambda: one("a.png")[:60], DAMAGED),
    "zip without entries": (lambda: b"PK\x05\x06" + bytes(18), "no pictures"),
    "zip of two letters": (lambda: b"PK", DAMAGED),
    "zip with something before it": (lambda: b"GIF89a" + one("a.png"), "none of them"),
    "zip of a name of 60,000 letters": (lambda: one("x" * 60_000 + ".txt"), ""),
    "zip of a name with a NUL": (lambda: one("a.png\0.txt"), ""),
    "zip of a name that is /": (lambda: one("x").replace(b"x", b"/"), ""),
    "zip of a name that is not UTF-8": (
        lambda: patched(one("\N{SKULL}.png"), 46, b"\xff\xff\xff"), ""),
    "gzip": (lambda: b"\x1f\x8b\x08" + bytes(99), "none of them"),
    "tar": (lambda: b"a.png" + bytes(507), "none of them"),
    "7z": (lambda: b"7z\xbc\xaf\x27\x1c" + bytes(99), "none of them"),
    "hdf5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(99), "none of them"),
    "pickle": (lambda: pickle.dumps([1]), "none of them"),
    "csv": (lambda: b"0,0,0\n", "none of them"),
    "nothing": (lambda: b"", "none of them"),
}  # fmt: skip

READABLE: dict[str, Make] = {
    "npy of no pictures": lambda: saved(blank(0)),
    "npy of 10,000 pictures": lambda: saved(blank(10_000)),
    "npy in Fortran's order": lambda: saved(np.asfortranarray(blank(3))),
    "npz": lambda: savedz(images=blank(3), labels=np.arange(3)),
    "zip with something after it": lambda: one("a.png") + b"more",
    "zip of one name twice": lambda: _twice("a.png", png()),
    "zip with a comment": lambda: one("a.png")[:-2] + b"\x05\0" + b"abcde",
    "zip with files that macOS adds": lambda: zipped(("a.png", png()), ("__MACOSX/._a.png", b"")),
    "zip with files that Windows adds": lambda: zipped(
        ("a.png", png()),
        ("Thumbs.db", b"\xd0\xcf\x11\xe0"),
        ("b\\DESKTOP.INI", b"[x]"),
        ("b/.DS_Store", b"Bud1"),
        ("b/__MACOSX/._a.png", b"x"),
        ("Icon\r", b""),
    ),
    "zip of a name in Unicode": lambda: one("\N{SKULL}/\N{SKULL}.png"),
    "zip of a thousand pictures": lambda: zipped(*((f"{i}.png", png()) for i in range(1_000))),
}


def _twice(name: str, data: bytes) -> bytes:
    other = f"{name[:-1]}_"
    return zipped((name, data), (other, data)).replace(other.encode(), name.encode())


def by_upload(make: Make) -> Send:
    def send(caller: Caller) -> Answer:
        return caller.run("predict_batch", caller.uploaded(make(), "batch"), "mlp-32")

    return send


def by_queue(make: Make) -> Send:
    def send(caller: Caller) -> Answer:
        return caller.join("predict_batch", caller.uploaded(make(), "batch"), "mlp-32")

    return send


def cases() -> Iterator[Case]:
    for name, make in READABLE.items():
        yield Case(f"batch that is read: {name}", by_upload(make), ANSWERED, READ_MANY)
    for name, (make, says) in HOSTILE.items():
        yield Case(f"batch: {name}", by_upload(make), (422,) if says else (200, 422), says)
    for name in ("zip of a link", "npy of pickled objects", "zip of a text among pictures"):
        make, says = HOSTILE[name]
        yield Case(f"batch through the queue: {name}", by_queue(make), (422,), says)
