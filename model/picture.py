"""A picture from any source, as pixels: decoded, upright, on paper, and limited in size."""

import io
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import torch
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from model.arrays import PictureError, from_array, from_deep, to_array
from model.bomb_guard import is_bomb
from model.components import box_of
from model.signatures import name_of

File = str | bytes | bytearray | memoryview | os.PathLike[str] | BinaryIO
Picture = Image.Image | np.ndarray | torch.Tensor | File

ACCEPTED = (
    "a path, the bytes of a file, a file opened in binary mode, a PIL image, a NumPy array or a "
    "torch tensor"
)
MAX_SIDE = 400  # px: larger pictures are shrunk to this before anything is measured
# All that Pillow's decoders are known to raise on damaged or hostile files.
DAMAGED = (OSError, SyntaxError, TypeError, ValueError, EOFError, IndexError)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # Pillow's others run far more code
SEVERAL = ("PNG", "WEBP", "GIF", "TIFF")  # formats with frames or pages
MAX_FRAMES = 100  # that are searched for ink
FRAME_PIXELS = 2  # the search for ink decodes at most this many times the limit on pixels
COLOURLESS = 3  # of 255: rounding makes grey pixels differ this much between channels
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


def to_pixels(picture: Picture, max_pixels: int) -> tuple[np.ndarray, float]:
    """Return a picture's pixels, and how many pixels of the picture one of its pixels spans.

    The pixels are (H, W), or (H, W, 3) in colour; uint8, or float32 in 0..1; at most 400 px a side.
    Transparent parts take the colour of the paper; where a picture is ink alone on nothing, the
    paper is white under dark ink and black under light ink. A grey picture whose pixels are all 0
    or 1 is a mask.

    Raises:
        PictureError: it is not a picture, too large, or outside the range of its type.
    """
    if isinstance(picture, Image.Image):
        image, side = _load(picture, max_pixels), max(picture.size)
        array = _array(image)
    elif isinstance(picture, torch.Tensor) or hasattr(picture, "__array__"):
        array = from_array(to_array(picture))
        height, width = array.shape[:2]
        _reject_large((width, height), max_pixels)
        side = max(height, width)
    else:
        image, side = _decode(_read(picture), max_pixels)
        array = _array(image)
    pixels = _without_alpha(_shrink(array))
    return _grey_if_grey(pixels), side / max(pixels.shape[:2])


def _array(image: Image.Image) -> np.ndarray:
    """Return an image as (H, W), (H, W, 3) or (H, W, 4), uint8, or float32 in 0..1."""
    if image.mode.startswith(("I", "F")):
        return from_deep(np.asarray(image))
    if image.has_transparency_data or image.mode == "La":
        image = image.convert("LA") if image.mode == "La" else image
        return np.asarray(image.convert("RGBA"))
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode == "LAB":
        image = image.getchannel("L")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    array = np.asarray(image)
    return from_array(array) if array.max() <= 1 else array  # a mask


def _shrink(array: np.ndarray) -> np.ndarray:
    height, width = array.shape[:2]
    scale = MAX_SIDE / max(height, width)
    if scale >= 1:
        return array
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(array, size, interpolation=cv2.INTER_AREA)


def _without_alpha(pixels: np.ndarray) -> np.ndarray:
    """Put (H, W, 4) on paper: (H, W) or (H, W, 3); return other pixels as they are."""
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels
    colours, alpha = pixels[:, :, :3], pixels[:, :, 3]
    most = int(alpha.max())
    if alpha.min() == 255:
        return np.ascontiguousarray(colours)
    mask = alpha > most / 2
    opaque = colours[mask]
    if most == 0:
        return np.zeros_like(alpha)
    left, top, right, bottom = map(int, box_of(mask))
    solid = len(opaque) > SOLID * (right - left) * (bottom - top)
    if solid and np.ptp(np.percentile(opaque, [1, 99], axis=0), axis=0).max() > 255 * FLAT:
        # A sheet with ink, surrounded by transparency.
        share = alpha[:, :, None] / np.float32(most)
        paper = np.median(opaque, axis=0)
        return np.rint(colours * share + paper * (1 - share)).astype(np.uint8)
    ink = np.rint(alpha * np.float32(255 / most)).astype(np.uint8)
    return ink if opaque.mean() > 127.5 else 255 - ink


def _grey_if_grey(pixels: np.ndarray) -> np.ndarray:
    """Return one channel of a picture without colours, and other pictures unchanged."""
    if pixels.ndim == 2:
        return pixels
    red, green, blue = cv2.split(pixels)
    differences = cv2.max(cv2.absdiff(red, green), cv2.absdiff(green, blue))
    return pixels if differences.max() > COLOURLESS else green


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
