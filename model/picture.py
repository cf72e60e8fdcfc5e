"""A picture of any kind, as lightness: files and arrays decoded, upright, on paper, and bounded."""

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image

from model.costly import is_costly
from model.photo import as_grey

Picture = Image.Image | np.ndarray | str | Path | BinaryIO
Box = tuple[float, float, float, float]  # left, top, right, bottom of some ink, px

MAX_SIDE = 1_024  # px: larger pictures are shrunk to this before anything is measured
# All that Pillow's decoders are known to raise on damaged or hostile files.
DAMAGED = (OSError, SyntaxError, TypeError, ValueError, EOFError)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # Pillow's others run far more code
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


class PictureError(ValueError):
    """This is not a picture that can be read."""


def to_grey(picture: Picture, max_pixels: int) -> tuple[np.ndarray, float]:
    """Return a picture's lightness, (H, W) uint8 or float32 in 0..1, at most 1,024 px a side.

    With it comes how many pixels of the picture one of its pixels spans. Transparent parts take
    the colour of the paper; where a picture is ink alone on nothing, the paper is white under
    dark ink and black under light ink.

    Raises:
        PictureError: no picture, too large, or not in the range of its type.
    """
    if isinstance(picture, np.ndarray):
        array = _from_array(picture)
        if array.ndim == 2 and max(array.shape) <= MAX_SIDE:
            return array, 1.0
        image = Image.fromarray(array)
        _refuse_large(image.size, max_pixels)
        side = max(image.size)
    else:
        image, side = _decode(picture, max_pixels)
    if image.mode.startswith(("I", "F")):
        image = _from_deep(image)
    if image.has_transparency_data or image.mode == "La":
        rgba = image.convert("LA") if image.mode == "La" else image
        grey = _on_paper(_shrink(rgba.convert("RGBA")))
    else:
        plain = image.mode in ("F", "L")
        lightness = image.getchannel("L") if image.mode == "LAB" else image
        grey = np.asarray(_shrink(lightness if plain else lightness.convert("L")))
    return grey, side / max(grey.shape)


def _decode(
    picture: Image.Image | str | Path | BinaryIO, max_pixels: int
) -> tuple[Image.Image, int]:
    """Return the picture, upright and in memory, and its long side in pixels."""
    try:
        if isinstance(picture, Image.Image):
            _refuse_large(picture.size, max_pixels)
            picture.load()
            return _upright(picture), max(picture.size)
        data = Path(picture).read_bytes() if isinstance(picture, str | Path) else picture.read()
        if is_costly(data, max_pixels=max_pixels):
            raise PictureError(
                "The file costs more to read than a picture does: save it anew, as a plain PNG."
            )
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            side = max(image.size)
            # A photo decodes small, at no extra cost.
            image.draft("RGB", (MAX_SIDE // 2, MAX_SIDE // 2))
            _refuse_large(image.size, max_pixels)
            image.load()
            if image.mode == "P" and image.palette is None:
                raise ValueError("a palette that is not there")
            return _upright(image), side
    except PictureError:
        raise
    except FileNotFoundError as error:
        raise PictureError(f"There is no file {picture}.") from error
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"The picture has far more pixels than the {max_pixels:,} that are read. "
            "Shrink it: 280 × 280 is plenty."
        ) from error
    except DAMAGED as error:
        raise PictureError("The file is not a picture, or is damaged: send PNG or JPEG.") from error


def _upright(image: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF says, without reading more of that, as ImageOps would."""
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    return image if turn is None else image.transpose(turn)


def _refuse_large(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise PictureError(
            f"The picture has {size[0]} × {size[1]} pixels; at most {max_pixels:,} are read. "
            "Shrink it: 280 × 280 is plenty."
        )
    if 0 in size:
        raise PictureError("The picture has no pixels.")


def _from_array(array: np.ndarray) -> np.ndarray:
    """Return the array as (H, W) float32 or uint8, or as (H, W, 3 or 4) uint8."""
    if array.ndim == 3 and array.shape[0] == 1 and array.shape[2] not in (1, 3, 4):
        array = array[0]
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (3, 4)):
        raise PictureError(
            f"An array of shape {array.shape} is no picture: send (H, W), (H, W, 3) or (H, W, 4)."
        )
    if array.size == 0:
        raise PictureError("The picture has no pixels.")
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if not np.issubdtype(array.dtype, np.floating):
        raise PictureError(f"An array of {array.dtype} is no picture: send uint8, or float 0..1.")
    if not ((array >= 0) & (array <= 1)).all():  # NaN compares false, too
        raise PictureError("A float picture must be in 0..1, without NaN: divide by 255, perhaps.")
    if array.ndim == 2:
        return np.ascontiguousarray(array, np.float32)
    return (array * 255).round().astype(np.uint8)


def _from_deep(image: Image.Image) -> Image.Image:
    """Bring 16-bit, 32-bit and float pictures to float in 0..1, by the range that they use."""
    array = np.asarray(image, np.float32)
    if not np.isfinite(array).all() or array.min() < 0:
        raise PictureError("The picture has pixels below 0 or that are no numbers.")
    for top in (1.0, 255.0, 65_535.0):
        if array.max() <= top and (top > 1 or image.mode == "F"):
            return Image.fromarray(array / np.float32(top))
    raise PictureError("The picture has pixels above 65,535: send 8 or 16 bits.")


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
        paper = middle  # a sheet with ink on it, and nothing around
    else:
        paper = 0.0 if middle > 0.5 else 1.0
    return as_grey(grey) * share + paper * (1 - share)


def box_of(mask: np.ndarray) -> Box:
    """Return the box around what a mask, (H, W) bool, is true of; it must be of something."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
