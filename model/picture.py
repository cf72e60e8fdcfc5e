"""A picture from any source, as lightness: decoded, upright, on paper, and limited in size."""

import io
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from model.arrays import PictureError, from_array, from_deep, to_array
from model.bomb_guard import is_bomb
from model.photo import as_grey
from model.signatures import name_of

File = str | bytes | bytearray | memoryview | os.PathLike[str] | BinaryIO
Picture = Image.Image | np.ndarray | torch.Tensor | File
Box = tuple[float, float, float, float]  # left, top, right, bottom of some ink, px

ACCEPTED = (
    "a path, the bytes of a file, a file opened in binary mode, a PIL image, a NumPy array or a "
    "torch tensor"
)
MAX_SIDE = 1_024  # px: larger pictures are shrunk to this before anything is measured
# All that Pillow's decoders are known to raise on damaged or hostile files.
DAMAGED = (OSError, SyntaxError, TypeError, ValueError, EOFError, IndexError)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # Pillow's others run far more code
SEVERAL = ("PNG", "WEBP", "GIF", "TIFF")  # formats with frames or pages
MAX_FRAMES = 100  # that are searched for ink
FRAME_PIXELS = 2  # the search for ink decodes at most this many times the limit on pixels
FLAT = 0.25  # a transparent picture with less spread than this is ink alone, without paper
SOLID = 0.75  # and one whose opaque part fills less of its box than this
# By EXIF's orientation. Source: CIPA DC-008, 4.6.5.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_grey(picture: Picture, max_pixels: int) -> tuple[np.ndarray, float]:
    """Return a picture's lightness, and how many pixels of the picture one of its pixels spans.

    The lightness is (H, W) uint8, or float32 in 0..1, at most 1,024 px a side. Transparent parts
    take the colour of the paper; where a picture is ink alone on nothing, the paper is white under
    dark ink and black under light ink. A grey picture whose pixels are all 0 or 1 is a mask.

    Raises:
        PictureError: it is not a picture, too large, or outside the range of its type.
    """
    if isinstance(picture, Image.Image):
        image, side = _load(picture, max_pixels), max(picture.size)
    elif isinstance(picture, torch.Tensor) or hasattr(picture, "__array__"):
        array = from_array(to_array(picture))
        if array.ndim == 2 and max(array.shape) <= MAX_SIDE:
            return array, 1.0
        image = Image.fromarray(array)
        _reject_large(image.size, max_pixels)
        side = max(image.size)
    else:
        image, side = _decode(_read(picture), max_pixels)
    return (grey := _lightness(image)), side / max(grey.shape)


def _lightness(image: Image.Image) -> np.ndarray:
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(from_deep(np.asarray(image)))
    if image.has_transparency_data or image.mode == "La":
        rgba = image.convert("LA") if image.mode == "La" else image
        return _on_paper(_shrink(rgba.convert("RGBA")))
    if image.mode not in ("F", "L"):
        image = image.getchannel("L") if image.mode == "LAB" else image.convert("L")
    grey = np.asarray(_shrink(image))
    # Detect masks of 0 and 1. Shrinking makes lines fainter, so check the full-size picture, too.
    if grey.dtype == np.uint8 and grey.max() <= 1 and image.getextrema() == (0, 1):
        grey = np.asarray(_shrink(image.point(lambda level: 255 * level)))
    return grey


def _read(file: object) -> bytes:
    """Return the bytes of a file, from its start if it can be rewound, as Pillow does.

    Raises:
        PictureError: `file` is not a file, or cannot be read.
    """
    if isinstance(file, bytes | bytearray | memoryview):
        return bytes(file)
    try:
        if isinstance(file, str | os.PathLike):
            return Path(os.fsdecode(file)).read_bytes()
        if hasattr(file, "read"):
            return _read_open(file)
    except FileNotFoundError as error:
        raise PictureError(f"There is no file {file}.") from error
    except (OSError, TypeError, ValueError) as error:
        if isinstance(error, PictureError):
            raise
        why = getattr(error, "strerror", None) or error
        raise PictureError(f"The file cannot be read: {why}.") from error
    raise PictureError(f"Got {type(file).__name__}: a picture is {ACCEPTED}.")


def _read_open(file: Any) -> bytes:
    with suppress(AttributeError, OSError):  # a pipe or a socket cannot be rewound
        file.seek(0)
    data = file.read()
    if isinstance(data, str):
        raise PictureError('The file is open as text: open it with open(path, "rb").')
    if not isinstance(data, bytes | bytearray | memoryview):
        raise PictureError(f"The file's read() returned {type(data).__name__}: bytes are needed.")
    return bytes(data)


def _load(image: Image.Image, max_pixels: int) -> Image.Image:
    """Return a PIL image, upright and in memory."""
    _reject_large(image.size, max_pixels)
    try:
        image.load()
        return _upright(image)
    except DAMAGED as error:
        raise _damaged() from error


def _decode(data: bytes, max_pixels: int) -> tuple[Image.Image, int]:
    """Return the picture in a file, upright and in memory, and its long side in pixels."""
    if name := name_of(data):
        raise PictureError(
            f"This is {name}, which is not read: convert it to PNG or JPEG, or send a screenshot."
        )
    if is_bomb(data, max_pixels=max_pixels):
        raise PictureError(
            "The file costs more to read than a picture does: shrink it to at most "
            f"{math.isqrt(max_pixels):,} pixels a side and save it as PNG, or send a screenshot."
        )
    try:
        with _open(data) as image:
            side = max(image.size)
            _decode_small(image, max_pixels)
            _reject_large(image.size, max_pixels)
            image.load()
            if image.mode == "P" and image.palette is None:
                raise ValueError("a palette that is not there")
            if image.format in SEVERAL and _is_uniform(image):
                return _first_with_ink(image, data, max_pixels)
            return _upright(image), side
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"The picture has far more pixels than the {max_pixels:,} that are read. "
            "Shrink it: 280 × 280 is plenty."
        ) from error
    except DAMAGED as error:
        raise _damaged() from error


def _decode_small(image: ImageFile, max_pixels: int) -> None:
    """Let a large JPEG be decoded at a half, a quarter or an eighth of its width and height.

    That takes no extra time. Pillow decodes at the largest of these shares that leaves at least the
    requested size, so the request keeps the picture's aspect.
    """
    width, height = image.size
    needed = 1 << math.isqrt((width * height - 1) // max_pixels).bit_length()
    scale = max(min(image.size) // (MAX_SIDE // 2), needed)
    image.draft("RGB", (max(1, width // scale), max(1, height // scale)))


def _open(data: bytes) -> ImageFile:
    """Open a file that is not too costly.

    A JPEG is opened without Pillow's own limit on pixels, which does not know that a large one is
    decoded at an eighth of its size. Images after its first, such as a gain map, are left alone.
    """
    if data.startswith(b"\xff\xd8"):
        return JpegImageFile(io.BytesIO(data))
    return Image.open(io.BytesIO(data), formats=FORMATS)


def _first_with_ink(image: ImageFile, data: bytes, max_pixels: int) -> tuple[Image.Image, int]:
    """Return the first frame or page that is not of one colour, upright, and its long side.

    The search ends after MAX_FRAMES frames, or after FRAME_PIXELS times `max_pixels` pixels. If no
    frame has ink, or a frame cannot be decoded, the first frame is returned.
    """
    first, side, pixels = _upright(image.copy()), max(image.size), 0
    if is_bomb(data, max_pixels=max_pixels, frames=MAX_FRAMES):
        return first, side
    with suppress(*DAMAGED):  # EOFError after the last frame
        for i in range(1, MAX_FRAMES):
            image.seek(i)
            size = math.prod(image.size)
            pixels += size
            if size > max_pixels or pixels > FRAME_PIXELS * max_pixels:
                break
            image.load()
            if not _is_uniform(image):
                return _upright(image), max(image.size)
    return first, side


def _is_uniform(image: Image.Image) -> bool:
    """Return whether all pixels have one colour, or are transparent."""
    bands = np.reshape(image.getextrema(), (-1, 2))  # the smallest and the largest value of each
    transparent = image.getbands()[-1] == "A" and not bands[-1].any()
    return transparent or bool((bands[:, 0] == bands[:, 1]).all())


def _damaged() -> PictureError:
    return PictureError("The file is not a picture, or is damaged: send PNG or JPEG.")


def _upright(image: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF says, without reading more of that, as ImageOps would."""
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    return image if turn is None else image.transpose(turn)


def _reject_large(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise PictureError(
            f"The picture has {size[0]} × {size[1]} pixels; at most {max_pixels:,} are read. "
            "Shrink it: 280 × 280 is plenty."
        )
    if 0 in size:
        raise PictureError("The picture has no pixels.")


def _shrink(image: Image.Image) -> Image.Image:
    factor = -(-max(image.size) // MAX_SIDE)
    return image.reduce(factor) if factor > 1 else image


def _on_paper(image: Image.Image) -> np.ndarray:
    grey, alpha = np.asarray(image.convert("L")), np.asarray(image.getchannel("A"))
    if alpha.min() == 255:
        return grey
    mask = alpha > 127
    opaque, share = as_grey(grey[mask]), as_grey(alpha)
    if not opaque.size:
        return np.zeros_like(share)
    left, top, right, bottom = box_of(mask)
    middle = np.median(opaque)
    solid = opaque.size > SOLID * (right - left) * (bottom - top)
    if solid and np.ptp(np.percentile(opaque, [1, 99])) > FLAT:
        paper = middle  # a sheet with ink, surrounded by transparency
    else:
        paper = 0.0 if middle > 0.5 else 1.0
    return as_grey(grey) * share + paper * (1 - share)


def box_of(mask: np.ndarray) -> Box:
    """Return the box around what a mask, (H, W) bool, is true of; it must be of something."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
