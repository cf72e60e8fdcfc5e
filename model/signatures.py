"""File formats that are recognised but not read, so that an error message can name them."""

HEIC = "a HEIC file, as iPhones save photos"
AVIF = "an AVIF file"
VIDEO = "a video"
RAW = "a camera's RAW file"
# The brand of an ISO media file, which is at byte 8. Source: mp4ra.org/registered-types/brands.
BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), HEIC),
    **dict.fromkeys((b"mif1", b"mif2", b"msf1", b"MiHE", b"MiHB"), HEIC),
    **dict.fromkeys((b"avif", b"avis", b"MA1A", b"MA1B"), AVIF),
    b"crx ": RAW,
}
SIGNATURES = {
    b"%PDF-": "a PDF document",
    b"%!PS": "a PostScript file",
    b"8BPS": "a Photoshop file",
    b"gimp xcf": "a GIMP file",
    b"\xff\x0a": "a JPEG XL file",
    b"\0\0\0\x0cJXL ": "a JPEG XL file",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 file",
    b"\xff\x4f\xff\x51": "a JPEG 2000 file",
    b"FUJIFILMCCD-RAW": RAW,
    b"IIRO": RAW,
    b"IIRS": RAW,
    b"MMOR": RAW,
    b"IIU\0": RAW,
    b"\0\0\1\0": "an icon",
    b"\x76\x2f\x31\x01": "an OpenEXR file",
    b"DDS ": "a DDS texture",
    b"qoif": "a QOI file",
    b"P1": "a PBM file",
    b"P2": "a PGM file",
    b"P3": "a PPM file",
    b"P4": "a PBM file",
    b"P5": "a PGM file",
    b"P6": "a PPM file",
    b"PK\x03\x04": "a .zip archive",
    b"\x1f\x8b": "a .gz archive",
    b"\x93NUMPY": "a NumPy array",
    b"\x1a\x45\xdf\xa3": VIDEO,
}
TEXTS = {b"<svg": "an SVG drawing", b"<!doctype html": "a web page", b"<html": "a web page"}
TEXT_STARTS = (b"<", b"\xef\xbb\xbf<")  # the second one is a byte order mark
LOOK_AHEAD = 1_000  # bytes: XML declarations and comments may precede the first element


def name_of(data: bytes) -> str | None:
    """Return an unsupported format with its article, such as "a PDF document", or None."""
    if data[4:8] == b"ftyp":
        return BRANDS.get(data[8:12], VIDEO)
    for start, name in SIGNATURES.items():
        if data.startswith(start):
            return name
    head = data[:LOOK_AHEAD].lstrip().lower()
    if head.startswith(TEXT_STARTS):
        found = {head.find(text): name for text, name in TEXTS.items() if text in head}
        return found[min(found)] if found else None
    return None
