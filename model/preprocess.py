"""Any picture of a digit to 28 × 28, the way MNIST was made.

MNIST's makers fitted each digit's box into 20 × 20 pixels, keeping its aspect, and moved its
centre of mass to the centre of a 28 × 28 field (LeCun, Cortes, Burges,
"The MNIST database of handwritten digits"). The same is done here to every picture, from the
page, the API or Python.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image

from model.costly import is_costly
from model.limits import LIMITS
from model.mlp import SIZE
from model.photo import even_out

Picture = Image.Image | np.ndarray | str | Path | BinaryIO

BOX = 20  # px: the long side of the ink's box in MNIST
CENTRE = SIZE / 2 + 0.5  # px: where MNIST's centres of mass lie: pixel 14's own centre
MAX_SIDE = 1_024  # px: larger pictures are shrunk to this before anything is measured
# All that Pillow's decoders are known to raise on damaged or hostile files.
DAMAGED = (OSError, SyntaxError, TypeError, ValueError, EOFError, Image.DecompressionBombError)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # Pillow's others run far more code
MIN_CONTRAST = 0.1  # between ink and paper, in 0..1; less is paper's own unevenness
BLANK_CELLS = 64  # a side: ink is coherent, noise averages out within a cell of a picture
BLANK_NOISE = 8.0  # standard deviations of the cells within which all of them are paper
NOISE = 4.0  # standard deviations of the paper's noise that no ink is looked for in
EDGE = 0.2  # ink below this does not widen the box: JPEG rings, and paper has a grain
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


@dataclass(frozen=True, eq=False)
class Preprocessed:
    """A picture as the network sees it, and what was done to it."""

    image: np.ndarray  # (28, 28) float32 in 0..1, ink 1 on paper 0
    blank: bool  # no ink was found; `image` is 0 throughout
    inverted: bool  # the ink was darker than the paper
    box: tuple[float, float, float, float] | None  # left, top, right, bottom of the ink, px
    scale: float  # pixels of `image` to a pixel of the picture
    shift: tuple[float, float]  # x and y, px: from the box's centre to the centre of mass
    origin: tuple[float, float]  # x and y in the picture, px: where the corner of `image` lies


def preprocess(picture: Picture, *, max_pixels: int = LIMITS.max_pixels) -> Preprocessed:
    """Find the ink in a picture and frame it as MNIST's makers did.

    `picture` is a PIL image of any mode and size, a path, an open file, or an array: uint8 in
    0..255 or float in 0..1, of shape (H, W), (1, H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
    Files are PNG, JPEG, WebP, GIF, BMP or TIFF. Polarity is found: whichever level holds most of
    the border is paper. A photo of paper under uneven light is evened out first. A picture that was
    framed MNIST's way already keeps its pixels; any other is resampled once, antialiased.

    Raises:
        PictureError: no picture, too large, or not in the range of its type.
    """
    grey, zoom = _to_grey(picture, max_pixels)
    side = max(grey.shape)
    grey = even_out(grey)
    zoom *= side / max(grey.shape)  # 1, unless it was a photo
    if _is_blank(grey):
        nothing = np.zeros((SIZE, SIZE), np.float32)
        return Preprocessed(nothing, True, False, None, 1.0, (0.0, 0.0), (0.0, 0.0))
    ink, inverted = _ink(grey)
    if ink.shape == (SIZE, SIZE):
        framed = _frame_pixels(ink, inverted)
        if framed:
            return framed
    return _frame(ink, inverted, zoom=zoom)


def _to_grey(picture: Picture, max_pixels: int) -> tuple[np.ndarray, float]:
    """Return a picture's lightness, (H, W) float32 in 0..1, at most 1,024 px a side.

    With it comes how many pixels of the picture one of its pixels spans. Transparent parts take
    the colour of the paper; where a picture is ink alone on nothing, the paper is white under
    dark ink and black under light ink.
    """
    if isinstance(picture, np.ndarray):
        image = _from_array(picture)
        _refuse_large(image.size, max_pixels)
        side = max(image.size)
    else:
        image, side = _decode(picture, max_pixels)
    if image.mode.startswith(("I", "F")):
        image = _from_deep(image)
    if image.has_transparency_data or image.mode == "La":
        rgba = image.convert("LA") if image.mode == "La" else image
        grey = _on_paper(_shrink(rgba.convert("RGBA")))
    elif image.mode == "F":
        grey = np.asarray(_shrink(image), np.float32)
    else:
        lightness = image.getchannel("L") if image.mode == "LAB" else image.convert("L")
        grey = np.asarray(_shrink(lightness), np.float32) / 255
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


def _from_array(array: np.ndarray) -> Image.Image:
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
        return Image.fromarray(array)
    if not np.issubdtype(array.dtype, np.floating):
        raise PictureError(f"An array of {array.dtype} is no picture: send uint8, or float 0..1.")
    if not ((array >= 0) & (array <= 1)).all():  # NaN compares false, too
        raise PictureError("A float picture must be in 0..1, without NaN: divide by 255, perhaps.")
    if array.ndim == 2:
        return Image.fromarray(array.astype(np.float32))
    return Image.fromarray((array * 255).round().astype(np.uint8))


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
    rgba = np.asarray(image, np.float32) / 255
    grey = np.asarray(image.convert("L"), np.float32) / 255
    alpha = rgba[:, :, 3]
    opaque = grey[alpha > 0.5]
    if not opaque.size:
        return np.zeros_like(grey)
    rows, columns = np.nonzero(alpha > 0.5)
    area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    middle = np.median(opaque)
    if opaque.size > SOLID * area and np.ptp(np.percentile(opaque, [1, 99])) > FLAT:
        paper = middle  # a sheet with ink on it, and nothing around
    else:
        paper = 0.0 if middle > 0.5 else 1.0
    return grey * alpha + paper * (1 - alpha)


def _is_blank(grey: np.ndarray) -> bool:
    factor = -(-max(grey.shape) // BLANK_CELLS)
    cells = np.asarray(Image.fromarray(grey).reduce(factor)) if factor > 1 else grey
    strength = np.abs(cells - np.median(cells))
    noise = 1.4826 * np.median(strength)
    # A line of one pixel fills 1/factor of its cells, so it counts if it stands out of the noise.
    return bool(strength.max() < min(MIN_CONTRAST, max(MIN_CONTRAST / factor, BLANK_NOISE * noise)))


def _ink(grey: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the ink, (H, W) float32 in 0..1, and whether it was darker than the paper."""
    light = grey > _otsu(grey)
    border = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    inverted = bool(border.mean() > 0.5)
    on_paper = light == inverted
    paper = np.median(grey[on_paper])
    strength = paper - grey if inverted else grey - paper
    noise = 1.4826 * np.median(np.abs(strength[on_paper]))
    peak = np.percentile(strength[~on_paper], 99) if noise else strength.max()
    floor = min(NOISE * noise, peak / 2)
    return np.clip((strength - floor) / (peak - floor), 0.0, 1.0).astype(np.float32), inverted


def _otsu(grey: np.ndarray) -> float:
    """Return the level that best parts light from dark.

    Source: Otsu, "A Threshold Selection Method from Gray-Level Histograms", 1979.
    """
    counts, edges = np.histogram(grey, bins=256, range=(grey.min(), grey.max()))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = grey.size - below
    sums = np.cumsum(counts * centres)
    gap = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(edges[1:-1][np.argmax(below * above * gap**2)])


def _frame_pixels(ink: np.ndarray, inverted: bool) -> Preprocessed | None:
    """Keep the pixels of a picture that is framed MNIST's way, or return None.

    Resampling at a scale of 1 would only blur, so such a picture moves by whole pixels: by none,
    if it is MNIST's own.
    """
    left, top, right, bottom = box = _box(ink > 0)
    if max(right - left, bottom - top) not in (BOX - 1, BOX):  # 16 of MNIST's 70,000 have 19
        return None
    x, y = _centre_of_mass(ink)
    dx, dy = round(CENTRE - x), round(CENTRE - y)
    if not (left + dx >= 0 and right + dx <= SIZE and top + dy >= 0 and bottom + dy <= SIZE):
        return None
    image = np.roll(ink, (dy, dx), axis=(0, 1))
    shift = (x - (left + right) / 2, y - (top + bottom) / 2)
    return Preprocessed(image, False, inverted, box, 1.0, shift, (float(-dx), float(-dy)))


def _frame(ink: np.ndarray, inverted: bool, *, zoom: float) -> Preprocessed:
    """Fit the ink's box to 20 px and its centre of mass to the centre, in one resampling.

    `zoom` is how many pixels of the picture one pixel of the ink spans.
    """
    left, top, right, bottom = _box(ink > EDGE)
    ink = ink[int(top) : int(bottom), int(left) : int(right)]
    height, width = ink.shape
    scale = BOX / max(height, width)
    x, y = _centre_of_mass(ink)
    field = SIZE / scale  # px of the picture that the 28 × 28 field spans
    # Where the mass lies far off the box's centre, centring it must not cut ink off.
    x0 = np.clip(x - CENTRE / scale, width - field, 0)
    y0 = np.clip(y - CENTRE / scale, height - field, 0)
    pad = int(np.ceil(field))
    sheet = np.pad(ink, pad)
    window = (x0 + pad, y0 + pad, x0 + pad + field, y0 + pad + field)
    resized = Image.fromarray(sheet).resize((SIZE, SIZE), Image.Resampling.HAMMING, box=window)
    image = np.clip(np.asarray(resized), 0.0, 1.0)
    image = image / image.max()  # MNIST's own digits all reach full ink, hairlines too
    shift = (float(x - width / 2) * scale, float(y - height / 2) * scale)
    box = (left * zoom, top * zoom, right * zoom, bottom * zoom)
    origin = (float(x0 + int(left)) * zoom, float(y0 + int(top)) * zoom)
    return Preprocessed(image, False, inverted, box, scale / zoom, shift, origin)


def _box(mask: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _centre_of_mass(ink: np.ndarray) -> tuple[float, float]:
    """Return x and y in pixels, where the first pixel reaches from 0 to 1."""
    total = ink.sum()
    x = (ink.sum(axis=0) @ np.arange(0.5, ink.shape[1])) / total
    y = (ink.sum(axis=1) @ np.arange(0.5, ink.shape[0])) / total
    return float(x), float(y)
