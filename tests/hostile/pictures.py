"""Cases: damaged, costly and unsupported picture files."""

import io
import pickle
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from tests.hostile.caller import ANSWERED, READ, Answer, Caller, Case, Send, data_url, zipped

DAMAGED = "not a picture, or is damaged"
LARGE = "at most 4,000,000 are read"
VAST = "far more pixels than the 4,000,000 that are read"
COSTLY = "costs more to read than a picture does"
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int = 28,
    height: int = 28,
    *,
    bits: int = 8,
    colour: int = 0,
    interlaced: int = 0,
    between: bytes = b"",
    rows: bytes | None = None,
) -> bytes:
    """Return a blank PNG, with the chunks `between` before its pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    if rows is None:
        packer = zlib.compressobj(9)
        row = b"\0" * (1 + (width * bits * channels + 7) // 8)
        rows = b"".join([packer.compress(row) for _ in range(height)]) + packer.flush()
    body = chunk(b"IHDR", header) + between + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return SIGNATURE + body


def seven(kind: str = "PNG", mode: str = "L", **options: object) -> bytes:
    """Return a valid picture of a 7, in any format and mode."""
    grey = np.full((60, 60), 255, np.uint8)
    grey[10:16, 12:44] = 0
    grey[10:50, 38:44] = 0
    image = Image.fromarray(grey)
    if mode == "LAB":
        empty = Image.new("L", image.size, 128)
        image = Image.merge("LAB", (image, empty, empty))
    elif mode.startswith("I"):
        image = Image.fromarray((grey.astype(np.uint32) * 257).astype(np.uint16))
    else:
        image = image.convert(mode)
    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore
    return out.getvalue()


def ifd(entries: list[tuple[int, int, int, int]], *, after: bytes = b"", start: int = 8) -> bytes:
    """Return a TIFF with these tags: (number, type, count, value)."""
    body = struct.pack("<H", len(entries))
    body += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", start) + (body + after if start == 8 else after + body)


def tiff(*more: tuple[int, int, int, int], after: bytes = b"", **changed: int) -> bytes:
    """Return a blank TIFF of 28 × 28, with tags added or changed."""
    tags = {
        "width": (256, 4, 1, 28), "height": (257, 4, 1, 28), "bits": (258, 3, 1, 8),
        "compression": (259, 3, 1, 1), "photometric": (262, 3, 1, 1), "offset": (273, 4, 1, 0),
        "channels": (277, 3, 1, 1), "rows": (278, 4, 1, 28), "bytes": (279, 4, 1, 784),
    }  # fmt: skip
    for name, value in changed.items():
        tags[name] = (*tags[name][:3], value)
    return ifd([*tags.values(), *more], after=bytes(784) + after)


def overlapping_tags(count: int, size: int) -> bytes:
    """Return a TIFF whose tags all refer to the same `size` bytes."""
    entries = [(40_000 + i, 7, size, 8) for i in range(count)]
    return ifd([*entries], after=bytes(size), start=8 + size)


def gif(*blocks: bytes, width: int = 28, height: int = 28, frame: int = 28) -> bytes:
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    picture = b"," + struct.pack("<HHHHB", 0, 0, frame, frame, 0) + b"\x02\x02\x4c\x01\0"
    return b"GIF89a" + screen + b"".join(blocks) + picture + b";"


def frames(kind: str, count: int) -> bytes:
    images = [Image.new("L", (8, 8), 255 * (i % 2)) for i in range(count)]
    out = io.BytesIO()
    images[0].save(out, kind, save_all=True, append_images=images[1:])
    return out.getvalue()


def page_after(*pages: bytes) -> bytes:
    """Return a TIFF with a blank first page and more pages, each from `ifd` without its header."""
    first = tiff()
    offsets = [len(first)]
    for page in pages:
        offsets.append(offsets[-1] + len(page))
    chained = [
        page[:-4] + struct.pack("<I", at) for page, at in zip(pages, offsets[1:], strict=True)
    ]
    chained[-1] = chained[-1][:-4] + bytes(4)
    return _with_next_page(first, offsets[0]) + b"".join(chained)


def bmp(width: int, height: int, *, compression: int = 0, pixels: bytes = b"") -> bytes:
    palette = b"".join(bytes([i, i, i, 0]) for i in range(256))
    start = 54 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start)
    info = (40, width, height, 1, 8, compression, len(pixels), 0, 0, 256, 256)
    return head + struct.pack("<IiiHHIIiiII", *info) + palette + pixels


def webp(width: int, height: int) -> bytes:
    """Return an animation whose canvas is much larger than its frame."""
    frame = seven("WEBP")[12:]
    size = (59).to_bytes(3, "little") * 2
    shown = bytes(6) + size + bytes(4) + frame
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6)
    body += b"ANMF" + struct.pack("<I", len(shown)) + shown
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def large_jpeg(side: int, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("L", (side, side), 255).save(out, "JPEG", quality=20, **options)  # type: ignore
    return out.getvalue()


def many_scans() -> bytes:
    """Return a progressive JPEG that repeats its last scan two thousand times."""
    whole = _resized(seven("JPEG", progressive=True), 4_000)
    last = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * 2_000 + b"\xff\xd9"


def exif_jpeg(*tags: tuple[int, int, int, int], after: bytes = b"") -> bytes:
    return seven("JPEG", exif=b"Exif\0\0" + ifd([*tags], after=after))


def blank_gif(*more: bytes) -> bytes:
    """Return a GIF with a blank frame, followed by more blocks and frames."""
    out = io.BytesIO()
    Image.new("L", (28, 28), 255).save(out, "GIF")
    return out.getvalue()[:-1] + b"".join(more) + b";"


def blank_frame() -> bytes:
    whole = blank_gif()
    return whole[whole.index(b",\0\0\0\0\x1c\0\x1c\0") : -1]


def gif_frame(side: int) -> bytes:
    """Return a GIF frame whose header states this size."""
    return b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\x02\x02\x4c\x01\0"


def phone_jpeg(width: int, height: int, *, trailer: bytes) -> bytes:
    """Return a JPEG whose header states this size, with data after its end as phones append it."""
    small = seven("JPEG", "RGB")
    return _resized(small, height, width) + trailer


class Trap:
    """An object that ends the process when it is unpickled."""

    def __reduce__(self) -> tuple:
        return exec, ("import os; os._exit(1)",)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
BOMB = zlib.compress(bytes(60_000_000), 9)
MEGABYTE = zlib.compress(bytes(1_000_000), 9)
Make = Callable[[], bytes]

READABLE: dict[str, Make] = {
    "of 16 bits": lambda: seven(mode="I;16"),
    "of 1 bit": lambda: seven(mode="1"),
    "with a palette": lambda: seven(mode="P"),
    "grey with alpha": lambda: seven(mode="LA"),
    "with alpha": lambda: seven(mode="RGBA"),
    "jpeg in CMYK": lambda: seven("JPEG", "CMYK"),
    "tiff in CMYK": lambda: seven("TIFF", "CMYK"),
    "tiff in LAB": lambda: seven("TIFF", "LAB"),
    "tiff of floats": lambda: seven("TIFF", "F"),
    "tiff of 1 bit": lambda: seven("TIFF", "1"),
    "tiff with LZW compression": lambda: seven("TIFF", compression="tiff_lzw"),
    "webp": lambda: seven("WEBP"),
    "webp with alpha": lambda: seven("WEBP", "RGBA"),
    "bmp": lambda: seven("BMP"),
    "progressive jpeg": lambda: seven("JPEG", progressive=True),
    "gif of 2,000 frames": lambda: frames("GIF", 2_000),
    "apng of 1,000 frames": lambda: frames("PNG", 1_000),
    "webp of 200 frames": lambda: frames("WEBP", 200),
    "tiff of 200 pages": lambda: frames("TIFF", 200),
    "one pixel": lambda: png(1, 1),
    "one row": lambda: png(4_000, 1),
    "one column": lambda: png(1, 4_000),
    "as many pixels as the limit": lambda: png(2_000, 2_000),
    "a script after its end": lambda: png() + b"<script>alert(1)</script>",
    "a zip after its end": lambda: png() + zipped(("a.png", png())),
    "an unknown chunk": lambda: png(between=chunk(b"evIl", b"x" * 99)),
    "a script in its text": lambda: png(between=chunk(b"tEXt", b"k\0<script>alert(1)</script>")),
    "exif with a rotation": lambda: exif_jpeg((0x0112, 3, 1, 6)),
    "exif with an invalid rotation": lambda: exif_jpeg((0x0112, 3, 1, 99)),
    "exif that refers to itself": lambda: exif_jpeg((0x8769, 4, 1, 8), (0x0112, 3, 1, 3)),
    "empty exif": lambda: seven("JPEG", exif=b"Exif\0\0"),
    "invalid exif": lambda: seven("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
    "a jpeg of 8,000 a side": lambda: large_jpeg(8_000),
    "a jpeg of 50 megapixels with a gain map": (
        lambda: phone_jpeg(8_160, 6_120, trailer=seven("JPEG", progressive=True))
    ),
    "a jpeg of 200 megapixels with a video": (
        lambda: phone_jpeg(16_320, 12_240, trailer=b"\0\0\0\x18ftypmp42" + b"\xff\xda" * 9_999)
    ),
    "gif of 10,000 blank frames": lambda: blank_gif(blank_frame() * 9_999),
    "gif with a second frame of 13,000 a side": lambda: blank_gif(gif_frame(13_000)),
    "gif with a second frame of 13,000 a side, to be cleared": (
        lambda: blank_gif(b"!\xf9\x04\x08\0\0\0\0", gif_frame(13_000))
    ),
    "gif with a second frame of 65,535 a side": lambda: blank_gif(gif_frame(65_535)),
    "gif with 500,000 comments after its first frame": (
        lambda: blank_gif(b"!\xfe\x01x\0" * 500_000, gif_frame(28))
    ),
    "gif with a comment of 5 MB after its first frame": (
        lambda: blank_gif(b"!\xfe" + (b"\xff" + b"y" * 255) * 20_000 + b"\0", gif_frame(28))
    ),
    "gif with a frame in 2,000,000 blocks": (
        lambda: blank_gif(blank_frame()[:-1] + b"\x01\0" * 2_000_000 + b"\0", gif_frame(28))
    ),
    "gif that ends after an extension's first byte": lambda: blank_gif()[:-1] + b"!",
    "gif with a second frame that is truncated": lambda: blank_gif(gif_frame(28)[:-3]),
    "tiff with a second page of 13,000 a side": (
        lambda: page_after(ifd([(256, 4, 1, 13_000), (257, 4, 1, 13_000)])[8:])
    ),
    "tiff with a second page whose tags unpack to 2 GB": (
        lambda: page_after(ifd([(40_000 + i, 7, 2_000_000, 8) for i in range(1_000)])[8:])
    ),
    "tiff with pages of 4,000 tags": (
        lambda: page_after(*[ifd([(40_000 + i, 3, 1, 1) for i in range(4_000)])[8:]] * 100)
    ),
    "tiff whose second page is its first": lambda: _with_next_page(tiff(), 8),
    "wrong extension": lambda: seven("GIF"),
}

HOSTILE: dict[str, tuple[Make, str]] = {
    "png of 20,000 a side": (lambda: png(20_000, 20_000, bits=1), VAST),
    "png of 13,000 a side": (lambda: png(13_000, 13_000, bits=1), LARGE),
    "png of one pixel too many": (lambda: png(4_000_001, 1, bits=1), LARGE),
    "png of 2^31 - 1 a side": (lambda: png(2**31 - 1, 2**31 - 1, rows=b""), VAST),
    "png of width 0": (lambda: png(0, 28, rows=b""), DAMAGED),
    "png without pixels": (lambda: png(rows=b""), DAMAGED),
    "png of too few pixels": (lambda: png(rows=zlib.compress(b"\0" * 99)), DAMAGED),
    "png of an impossible depth": (lambda: png(bits=3), DAMAGED),
    "png of an impossible colour": (lambda: png(colour=5), DAMAGED),
    "png without its palette": (lambda: png(colour=3), ""),
    "png with pixels of noise": (lambda: png(rows=b"\xff" * 99), DAMAGED),
    "png truncated": (lambda: seven()[:90], DAMAGED),
    "png of a signature": (lambda: SIGNATURE, DAMAGED),
    "png with a wrong checksum": (
        lambda: png().replace(chunk(b"IHDR", png()[16:29])[-4:], b"\0\0\0\0"),
        DAMAGED,
    ),
    "png with a chunk of 2 GB": (lambda: SIGNATURE + b"\x7f\xff\xff\xffIHDR", DAMAGED),
    "png with two headers": (
        lambda: png(between=chunk(b"IHDR", struct.pack(">IIBBBBB", 9_000, 9_000, 8, 0, 0, 0, 0))),
        "",
    ),
    "png with a profile that unpacks to 60 MB": (
        lambda: png(between=chunk(b"iCCP", b"x\0\0" + BOMB)),
        "",
    ),
    "png with a text that unpacks to 60 MB": (
        lambda: png(between=chunk(b"zTXt", b"x\0\0" + BOMB)),
        DAMAGED,
    ),
    "png with an international text of 60 MB": (
        lambda: png(between=chunk(b"iTXt", b"x\0\1\0\0\0" + BOMB)),
        DAMAGED,
    ),
    "png with 3,000 profiles of 1 MB": (
        lambda: png(between=chunk(b"iCCP", b"x\0\0" + MEGABYTE) * 3_000),
        COSTLY,
    ),
    "png with 3,000 texts of 1 MB": (
        lambda: png(between=chunk(b"zTXt", b"x\0\0" + MEGABYTE) * 3_000),
        COSTLY,
    ),
    "png with 500,000 chunks": (lambda: png(between=chunk(b"tEXt", b"k\0") * 500_000), COSTLY),
    "png with exif that unpacks to 2 GB": (
        lambda: png(between=chunk(b"eXIf", overlapping_tags(1_000, 2_000_000))),
        COSTLY,
    ),
    "apng with 2^32 - 1 frames": (
        lambda: png(between=chunk(b"acTL", b"\xff" * 8)),
        "",
    ),
    "apng without its second frame": (
        lambda: png(between=chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", bytes(26))),
        "",
    ),
    "jpeg truncated": (lambda: seven("JPEG")[:300], DAMAGED),
    "jpeg of two bytes": (lambda: b"\xff\xd8", DAMAGED),
    "jpeg without an end": (lambda: seven("JPEG")[:-20], ""),
    "jpeg with a stated side of 65,500": (
        lambda: _resized(seven("JPEG"), 65_500),
        COSTLY,
    ),
    "progressive jpeg of 13,000 a side": (
        lambda: _resized(seven("JPEG", progressive=True), 13_000),
        COSTLY,
    ),
    "jpeg of 16 million pixels with 2,000 scans": (many_scans, COSTLY),
    "jpeg with 2,000 scans, with an end in a comment": (
        lambda: _with_comment(many_scans(), b"\xff\xd9" * 9),
        COSTLY,
    ),
    "jpeg with 2,000 scans, with stuffed ends between them": (
        lambda: _before_scans(many_scans(), b"\xff\x00\xd9\xff\xff\x00\xd9\xff\xd0"),
        COSTLY,
    ),
    "jpeg with 2,000 scans, with comments and fill bytes between them": (
        lambda: _before_scans(many_scans(), b"\xff\xff\xff\xfe\0\x04\xff\xd9"),
        COSTLY,
    ),
    "jpeg with 2,000 scans, with reserved markers between them": (
        lambda: _before_scans(many_scans(), b"\xff\x02\xff\xff"),
        COSTLY,
    ),
    "jpeg with 2,000 scans, truncated in a segment": (
        lambda: many_scans()[:-2] + b"\xff\xe1\xff",
        COSTLY,
    ),
    "jpeg with tags after a false end": (
        lambda: _with_segments(
            seven("JPEG"),
            b"Exif\0\0" + overlapping_tags(800, 50_000),
            1,
            first=b"\xff\xd9",
        ),
        COSTLY,
    ),
    "jpeg with tags after a marker without length": (
        lambda: _with_segments(
            seven("JPEG"),
            b"Exif\0\0" + overlapping_tags(800, 50_000),
            1,
            first=b"\xff\xf0",
        ),
        COSTLY,
    ),
    "jpeg with 9,000 segments of exif": (
        lambda: _with_segments(seven("JPEG"), b"Exif\0\0" + bytes(990), 9_000),
        COSTLY,
    ),
    "progressive jpeg of 50 megapixels": (
        lambda: _resized(seven("JPEG", progressive=True), 6_120, 8_160),
        "2,000 pixels a side",
    ),
    "jpeg with exif that unpacks to 300 MB": (
        lambda: seven("JPEG", exif=b"Exif\0\0" + overlapping_tags(2_000, 30_000)),
        COSTLY,
    ),
    "jpeg with 60 segments of exif": (
        lambda: _with_segments(seven("JPEG"), b"Exif\0\0" + overlapping_tags(800, 50_000), 60),
        COSTLY,
    ),
    "jpeg with segments of length 0": (lambda: b"\xff\xd8\xff\xe0\0\0" * 99, DAMAGED),
    "jpeg without tables": (
        lambda: seven("JPEG").replace(b"\xff\xdb", b"\xff\xfe"),
        DAMAGED,
    ),
    "gif truncated": (lambda: seven("GIF")[:60], DAMAGED),
    "gif of a header": (lambda: b"GIF89a", DAMAGED),
    "gif with a frame of 13,000 a side": (lambda: gif(frame=13_000), LARGE),
    "gif of 65,535 a side": (lambda: gif(width=65_535, height=65_535, frame=65_535), VAST),
    "gif with a comment of 5 MB": (
        lambda: gif(b"!\xfe" + (b"\xff" + b"y" * 255) * 20_000 + b"\0"),
        COSTLY,
    ),
    "gif with 500,000 comments": (lambda: gif(b"!\xfe\x01x\0" * 500_000), COSTLY),
    "gif with a code of 30 bits": (
        lambda: gif().replace(b"\x02\x02\x4c", b"\x1e\x02\x4c"),
        "",
    ),
    "webp truncated": (lambda: seven("WEBP")[:40], DAMAGED),
    "webp of a canvas of 16,383 a side": (lambda: webp(16_383, 16_383), VAST),
    "webp of a stated size of 4 GB": (
        lambda: b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff",
        DAMAGED,
    ),
    "webp with exif that unpacks to 1 GB": (
        lambda: seven("WEBP", exif=overlapping_tags(1_000, 1_000_000)),
        COSTLY,
    ),
    "bmp truncated": (lambda: seven("BMP")[:1_100], DAMAGED),
    "bmp of 13,000 a side": (lambda: bmp(13_000, 13_000), LARGE),
    "bmp of 2^31 - 1 a side": (lambda: bmp(2**31 - 1, 2**31 - 1), VAST),
    "bmp of negative height": (lambda: bmp(28, -(2**31)), VAST),
    "bmp packed into runs of one pixel": (
        lambda: bmp(2_000, 2_000, compression=1, pixels=b"\1\xff" * 3_000_000),
        COSTLY,
    ),
    "bmp packed into empty runs": (
        lambda: bmp(2_000, 2_000, compression=1, pixels=b"\0\0" * 3_000_000),
        COSTLY,
    ),
    "bmp with an unknown compression": (lambda: bmp(28, 28, compression=77), DAMAGED),
    "tiff truncated": (lambda: seven("TIFF")[:60], DAMAGED),
    "tiff of 13,000 a side": (lambda: tiff(width=13_000, height=13_000), LARGE),
    "tiff of 2^32 - 1 a side": (lambda: tiff(width=2**32 - 1, height=2**32 - 1), VAST),
    "tiff with a strip of 4 GB": (lambda: tiff(bytes=2**32 - 1), ""),
    "tiff with a strip at 4 GB": (lambda: tiff(offset=2**32 - 1), DAMAGED),
    "tiff with 2^32 - 1 channels": (lambda: tiff(channels=65_535), DAMAGED),
    "tiff of 0 rows a strip": (lambda: tiff(rows=0), ""),
    "tiff of 65,535 bits": (lambda: tiff(bits=65_535), DAMAGED),
    "tiff with an unknown compression": (lambda: tiff(compression=777), DAMAGED),
    "tiff with JPEG compression but no JPEG": (lambda: tiff(compression=7), DAMAGED),
    "tiff with LZMA compression but no LZMA data": (lambda: tiff(compression=34_925), DAMAGED),
    "tiff of unknown colours": (lambda: tiff(photometric=999), DAMAGED),
    "tiff whose tags unpack to 2 GB": (lambda: overlapping_tags(1_000, 2_000_000), COSTLY),
    "tiff with a tag of 4 billion numbers": (
        lambda: tiff((40_000, 12, 2**32 - 1, 8)),
        COSTLY,
    ),
    "tiff whose offsets point at its tags": (
        lambda: tiff().replace(
            struct.pack("<HHII", 273, 4, 1, 0), struct.pack("<HHII", 273, 4, 150, 8)
        ),
        "",
    ),
    "tiff without tags": (lambda: ifd([]), DAMAGED),
    "tiff that begins after its end": (lambda: ifd([], start=10**9), DAMAGED),
    "tiff of more than 4 GB": (lambda: b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**60), COSTLY),
    "tiff in big-endian order": (lambda: b"MM*\0" + bytes(99), COSTLY),
    "nothing": (lambda: b"", DAMAGED),
    "a zero": (lambda: b"\0", DAMAGED),
    "a megabyte of zeros": (lambda: bytes(1_000_000), DAMAGED),
    "svg": (lambda: SVG, "This is an SVG drawing, which is not read"),
    "pdf": (
        lambda: b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF",
        "This is a PDF document, which",
    ),
    "heic": (lambda: b"\0\0\0\x24ftypheic\0\0\0\0mif1" + bytes(99), "This is a HEIC file, as"),
    "video": (lambda: b"\0\0\0\x18ftypisom" + bytes(99), "This is a video, which is not read"),
    "eps": (
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n",
        "This is a PostScript file, which is not read",
    ),
    "html": (
        lambda: b"<!doctype html><script>alert(1)</script>",
        "This is a web page, which is not read",
    ),
    "pickle": (lambda: pickle.dumps(Trap()), DAMAGED),
    "program": (lambda: b"\x7fELF" + bytes(99), DAMAGED),
    "zip": (lambda: zipped(("a.png", png())), "This is a .zip archive, which is not read"),
    "icon": (
        lambda: b"\0\0\1\0\1\0\0\0\0\0\1\0\x20\0\xff\xff\0\0\x16\0\0\0",
        "This is an icon, which is not read",
    ),
    "photoshop": (lambda: b"8BPS\0\1" + bytes(99), "This is a Photoshop file, which is not read"),
    "ppm": (lambda: b"P6 28 28 255 " + bytes(2_352), "This is a PPM file, which is not read"),
    "fits": (lambda: b"SIMPLE  =                    T" + b" " * 2_850, DAMAGED),
    "wmf": (lambda: b"\xd7\xcd\xc6\x9a" + bytes(99), DAMAGED),
    "jpeg 2000": (
        lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99),
        "This is a JPEG 2000 file, which is not read",
    ),
    "avif": (lambda: b"\0\0\0\x1cftypavif" + bytes(99), "This is an AVIF file, which is not read"),
    "dds": (lambda: b"DDS \x7c\0\0\0" + b"\xff" * 124, "This is a DDS texture, which is not read"),
    "npy": (lambda: b"\x93NUMPY\1\0", "This is a NumPy array, which is not read"),
}

EVERYWHERE = (
    "png of 13,000 a side",
    "png truncated",
    "jpeg of 16 million pixels with 2,000 scans",
    "nothing",
    "svg",
)
NAMES = {
    "../../../etc/passwd": "has ..",
    "/etc/passwd": "is a path",
    "..\\\\..\\\\boot.ini": "has .. and backslashes",
    "a\0b.png": "has a NUL",
    "x" * 400 + ".png": "is very long",
    "\N{SKULL}\u202egnp.exe": "is in Unicode",
    "%2e%2e%2fpasswd": "is encoded",
    ".": "is a dot",
    "": "is empty",
    "CON.png": "is that of a Windows device",
    "<script>alert(1)</script>": "is a script",
    "a; rm -rf .png": "is a command",
    "\udcff".encode("utf-8", "surrogatepass").decode("latin-1"): "is a lone surrogate",
}


def _resized(jpeg: bytes, height: int, width: int | None = None) -> bytes:
    """Return a JPEG whose header states another size."""
    at = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2")) + 5
    return jpeg[:at] + struct.pack(">HH", height, width or height) + jpeg[at + 4 :]


def _with_next_page(data: bytes, at: int) -> bytes:
    """Return a TIFF of one page with the offset of a second page."""
    [count] = struct.unpack_from("<H", data, 8)
    link = 10 + 12 * count
    return data[:link] + struct.pack("<I", at) + data[link + 4 :]


def _with_segments(jpeg: bytes, exif: bytes, count: int, *, first: bytes = b"") -> bytes:
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    return jpeg[:2] + first + segment * count + jpeg[2:]


def _with_comment(jpeg: bytes, text: bytes) -> bytes:
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + jpeg[2:]


def _before_scans(jpeg: bytes, data: bytes) -> bytes:
    """Return a JPEG with data before each scan except the first."""
    first = jpeg.index(b"\xff\xda") + 2
    return jpeg[:first] + jpeg[first:].replace(b"\xff\xda", data + b"\xff\xda")


def by_upload(endpoint: str, make: Make, name: str = "digit.png") -> Send:
    def send(caller: Caller) -> Answer:
        return caller.run(endpoint, caller.uploaded(make(), name), "mlp-32")

    return send


def by_url(endpoint: str, make: Make) -> Send:
    return lambda caller: caller.call_named(endpoint, image={"url": data_url(make())})


def by_page(make: Make) -> Send:
    question = {"models": ["mlp-32"]}
    return lambda c: c.page("sketchpad", "read", question | {"picture": data_url(make())})


def by_zip(make: Make) -> Send:
    def send(caller: Caller) -> Answer:
        archive = zipped(("a.png", png()), ("b.png", make()))
        return caller.run("predict_batch", caller.uploaded(archive, "batch.zip"), "mlp-32")

    return send


def cases() -> Iterator[Case]:
    for name, make in READABLE.items():
        yield Case(f"picture that is read: {name}", by_upload("predict", make), ANSWERED, READ)
    for name, (make, says) in HOSTILE.items():
        status = (422,) if says else (200, 422)
        yield Case(f"picture: {name}", by_upload("predict", make), status, says)
    for name in EVERYWHERE:
        make, says = HOSTILE[name]
        yield Case(f"picture to explain: {name}", by_upload("explain", make), (422,), says)
        yield Case(f"picture as a data URL: {name}", by_url("predict", make), (422,), says)
        yield Case(f"picture on the page: {name}", by_page(make), ANSWERED, says)
        yield Case(f"picture in a zip: {name}", by_zip(make), (422,), says)
    for name, what in NAMES.items():
        send = by_upload("predict", seven, name)
        yield Case(f"picture whose name {what}", send, ANSWERED, READ)
