"""Recognise decompression bombs: files that take far more work to decode than a picture.

Pillow limits the pixels of a picture, but not the data around them. A few megabytes can hold
thousands of colour profiles of a megabyte each (38 s to decode), comments that are joined one by
one (minutes), tags that all refer to the same bytes (gigabytes), or a JPEG with thousands of scans
that each cover the whole picture.
"""

import re
import struct
from collections.abc import Callable, Iterator

MAX_PARTS = 10_000  # chunks, blocks, segments or tags of a file; an animation has hundreds
MAX_PACKED = 100  # parts that are decompressed, each to 1 MB at most, or joined
# A JPEG with one scan is decoded row by row at an eighth of its width and height, so it may have
# this many times the maximum number of pixels.
ONE_SCAN = 8 * 8
# A JPEG with several scans is held in memory, at 6 bytes per pixel, and each scan covers all of it.
# Its pixels, counted once per scan, may be this many times the maximum. Ten scans are usual.
SCANS = 40
FULL_BLOCK = 128  # bytes: GIF encoders fill blocks with up to 255
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
# The markers of a JPEG, except stuffed zeros, fill bytes, restart markers and reserved markers.
# Inside a scan, libjpeg may ignore a reserved marker without skipping a payload.
MARKER = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")
SOI, EOI, SOS, APP1 = 0xD8, 0xD9, 0xDA, 0xE1
FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
NO_PAYLOAD = {SOI, EOI, 0xC8, *range(0xF0, 0xFE)}  # in Pillow; libjpeg rejects most of them


def is_bomb(data: bytes, *, max_pixels: int, frames: int = 1) -> bool:
    """Return whether a file takes too much work to decode; False for the formats not checked here.

    `frames` is the number of frames or pages that will be decoded.

    Sources: the PNG, GIF89a, JPEG (ITU T.81), TIFF 6.0, BMP and WebP specifications.
    """
    try:
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data, max_pixels)
        if data.startswith(b"GIF8"):
            return _gif(data, max_pixels, frames)
        if data.startswith((b"II", b"MM")):
            return _tags(data, pages=frames)
        return any(data.startswith(start) and look(data) for start, look in LOOKS.items())
    except (struct.error, IndexError):
        return False  # the file is cut off: Pillow reports that


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


def _gif(data: bytes, max_pixels: int, frames: int) -> bool:
    """Return whether there are too many blocks before the pixels of the last decoded frame.

    Also return True if an earlier frame is too large.
    """
    at, parts = 13 + _palette_size(data[10]), 0
    while data[at] != ord(";") and parts <= MAX_PARTS:
        parts += 1
        if data[at] == ord(","):
            frames -= 1
            if frames == 0:
                return False
            left, top, width, height, flags = struct.unpack_from("<4HB", data, at + 1)
            if (left + width) * (top + height) > max_pixels:
                return True
            at, small = _skip_blocks(data, at + 11 + _palette_size(flags), FULL_BLOCK)
        elif data[at] == ord("!"):
            at, small = _skip_blocks(data, at + 2, 256)
        else:
            at, small = at + 1, 0
        parts += small
    return parts > MAX_PARTS


def _palette_size(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_blocks(data: bytes, at: int, full: int) -> tuple[int, int]:
    """Return the end of a chain of GIF blocks, and the number of blocks shorter than `full`."""
    small = 0
    while data[at] and small <= MAX_PARTS:
        small += data[at] < full
        at += 1 + data[at]
    return at + 1, small


def _jpeg(data: bytes, max_pixels: int) -> bool:
    scans, pixels, channels, first, progressive = 0, 0, 0, 0, False
    exif: list[bytes] = []
    for parts, (marker, payload) in enumerate(_segments(data)):
        if parts == MAX_PARTS or len(exif) > MAX_PACKED:
            return True
        if marker in FRAME_HEADERS:
            height, width, channels = struct.unpack_from(">HHB", payload.ljust(6, b"\0"), 1)
            pixels = max(pixels, width * height)
            progressive |= marker in PROGRESSIVE
        elif marker == SOS:
            scans += 1
            first = first or int.from_bytes(payload[:1], "big")  # channels in the first scan
        elif marker == APP1 and payload.startswith(b"Exif\0\0"):
            exif.append(payload[6:])
    if progressive or scans > 1 or first < channels:
        is_bomb = pixels * max(scans, 10) > SCANS * max_pixels
    else:
        is_bomb = pixels > ONE_SCAN * max_pixels
    return is_bomb or _tags(b"".join(exif))


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the marker and the payload of each segment of a JPEG's first image.

    Data after the first image is not decoded: a gain map, a second view, or a video. Markers are
    found in the same way as in libjpeg, between segments and in the data of a scan.
    """
    at, started = 2, False
    while found := MARKER.search(data, at):
        [marker], at = found[1], found.end()
        if marker == EOI and started:
            return
        if marker in NO_PAYLOAD:
            yield marker, b""
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        yield marker, data[at + 2 : at + length]
        at += max(length, 2)
        started |= marker == SOS


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
    """Return whether pixels are run-length encoded: Pillow takes 4 s for 4 million of them."""
    [header] = struct.unpack_from("<I", data, 14)
    return header >= 40 and struct.unpack_from("<I", data, 30)[0] in (1, 2)


def _tags(data: bytes, pages: int = 1) -> bool:
    """Return whether the tags of a TIFF or of EXIF claim far more bytes than the file has."""
    data = data.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if not order:
        return data[:2] in (b"II", b"MM")  # BigTIFF, or the wrong byte order
    at, parts, total = 4, 0, 0  # `at` is where the offset of the next page's tags is
    for _ in range(pages):
        [start] = struct.unpack_from(f"{order}I", data, at)
        if not start:
            break
        [count] = struct.unpack_from(f"{order}H", data, start)
        parts += count
        at = start + 2 + 12 * count
        for entry in range(start + 2, min(at, len(data) - 11), 12):
            kind, length = struct.unpack_from(f"{order}HI", data, entry + 2)
            total += SIZES.get(kind, 0) * length
        if parts > MAX_PARTS or total > 4 * len(data):
            return True
    return False


LOOKS: dict[bytes, Callable[[bytes], bool]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"RIFF": _webp,
    b"BM": _bmp,
}
