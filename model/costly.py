"""Files that would cost far more to read than a picture does: told by how they are built.

Pillow bounds the pixels, but not what stands around them. A few megabytes can hold thousands of
colour profiles of a megabyte each (38 s), comments that are joined one by one (minutes), tags that
all hold the same bytes (gigabytes), or a JPEG of which every scan is a whole picture.
"""

import struct
from collections.abc import Callable

MAX_PARTS = 10_000  # chunks, blocks or segments of a file; an animation has hundreds
MAX_PACKED = 100  # of them that are unpacked, to 1 MB at most
# A telephone's photo has 50 million pixels, in one scan that is decoded small. A JPEG of several
# scans is held as a whole, 6 bytes a pixel, and each scan goes over all of it.
ONE_SCAN = 16  # times the pixels that are read
SCANS = 40  # times as many, over all scans, of which there usually are ten
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}


def is_costly(data: bytes, *, max_pixels: int) -> bool:
    """Say whether a file should rather not be decoded; it need not be a picture at all.

    Sources: the PNG, GIF89a, JPEG (ITU T.81), TIFF 6.0, BMP and WebP specifications.
    """
    try:
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data, max_pixels)
        return any(data.startswith(start) and look(data) for start, look in LOOKS.items())
    except (struct.error, IndexError):
        return False  # it is cut off: Pillow will find so


def _png(data: bytes) -> bool:
    at, parts, packed = 8, 0, 0
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        parts += 1
        packed += kind in (b"iCCP", b"zTXt", b"iTXt")
        exif = data[at + 8 : at + 8 + length] if kind == b"eXIf" else b""
        if parts > MAX_PARTS or packed > MAX_PACKED or _tags(exif):
            return True
        at += 12 + length
    return False


def _gif(data: bytes) -> bool:
    """Look at what stands before the first picture: no more of them is read."""
    at, parts = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0), 0
    while data[at] not in b",;":
        parts += 1
        if parts > MAX_PARTS:
            return True
        if data[at] != ord("!"):
            at += 1
            continue
        at += 2
        while data[at]:
            at += 1 + data[at]
            parts += 1
            if parts > MAX_PARTS:
                return True
        at += 1
    return False


def _jpeg(data: bytes, max_pixels: int) -> bool:
    at, parts, exif, pixels, channels, progressive = 2, 0, b"", 0, 0, False
    while data[at + 1] != 0xDA:
        marker = data[at + 1]
        parts += 1
        if parts > MAX_PARTS:
            return True
        if data[at] != 0xFF or marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD9:
            at += 1  # filled up, or without a length
            continue
        [length] = struct.unpack_from(">H", data, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, channels = struct.unpack_from(">HHB", data, at + 5)
            pixels = max(pixels, width * height)
            progressive |= marker in (0xC2, 0xC6, 0xCA, 0xCE)
        elif marker == 0xE1 and data.startswith(b"Exif\0\0", at + 4):
            exif += data[at + 10 : at + 2 + length]
        at += 2 + max(length, 2)
    scans = data.count(b"\xff\xda", at)
    if progressive or scans > 1 or data[at + 4] < channels:
        costly = pixels * max(scans, 10) > SCANS * max_pixels
    else:
        costly = pixels > ONE_SCAN * max_pixels
    return costly or _tags(exif)


def _webp(data: bytes) -> bool:
    at, parts = 12, 0
    while at < len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        parts += 1
        if parts > MAX_PARTS or (kind == b"EXIF" and _tags(data[at + 8 : at + 8 + length])):
            return True
        at += 8 + length + length % 2
    return False


def _bmp(data: bytes) -> bool:
    """Look for runs, which Pillow unpacks in Python: 4 s for 4 million pixels."""
    [header] = struct.unpack_from("<I", data, 14)
    return header >= 40 and struct.unpack_from("<I", data, 30)[0] in (1, 2)


def _tags(data: bytes) -> bool:
    """Say whether the tags of a TIFF, or of EXIF, hold far more than there are bytes."""
    data = data.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if not order:
        return data[:2] in (b"II", b"MM")  # of 64 bits, or in the wrong order
    start = struct.unpack_from(f"{order}I", data, 4)[0]
    [count] = struct.unpack_from(f"{order}H", data, start)
    total = 0
    for entry in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        kind, length = struct.unpack_from(f"{order}HI", data, entry + 2)
        total += SIZES.get(kind, 0) * length
    return total > 4 * len(data)


LOOKS: dict[bytes, Callable[[bytes], bool]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"GIF8": _gif,
    b"RIFF": _webp,
    b"BM": _bmp,
    b"II": _tags,
    b"MM": _tags,
}
