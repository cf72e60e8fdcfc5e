"""Divide photos by their uneven light, so that one threshold separates ink from paper.

The lightness in a photo is the paper's reflectance times the light. In the shadow, paper may be as
dark as ink is elsewhere. So the light on the empty paper is estimated at each pixel, and the photo
is divided by it. All constants were chosen on photos that benchmarks/photos.py generates with seed
0.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

MIN_SIDE = 160  # px; photos are larger, MNIST and training images (132 at most) are smaller
SIDE = 256  # px to which a photo is reduced: noise averages out, small digits keep 20 px
COARSE = 64  # cells per side, in which the unevenness of the paper is measured
UNEVEN = 0.06  # even paper has up to 0.02; pencil is misread from 0.07 on
WIDEST = 0.1  # of the longer side; ink is narrower than this, shadows are wider
WIDEST_DRAWN = 0.3  # the same for measuring unevenness, so that a brush is not a shadow
PROBE = 0.05  # the same for finding the polarity, as corners of a sheet are small
DIM = 0.1  # lightness added before dividing, as dark areas have only noise
MIN_INK = 0.15  # share of light that ink absorbs; ruled lines and shadows absorb less
PEAK = 75  # percentile that counts as full ink; the edges of lines are lighter
FAINT = 0.4  # of full ink; fainter pixels are noise, ruled lines or shadows

Pick = Callable[[np.ndarray, np.ndarray], np.ndarray]  # np.maximum or np.minimum


def even_out(grey: np.ndarray) -> np.ndarray:
    """Return a photo of unevenly lit paper as ink on flat paper, and other pictures unchanged.

    `grey` is lightness, (H, W) uint8 or float32 in 0..1. A photo is returned as float32, with at
    most 256 px per side: paper is 1 and full ink 0 if ink is dark, and the opposite if it is light.
    """
    if min(grey.shape) < MIN_SIDE or _is_flat(grey):
        return grey
    pixels = as_grey(grey)
    if unevenness(pixels) < UNEVEN:
        return grey
    pixels = _shrunk(pixels, SIDE)
    dark = _ink_is_dark(pixels)
    paper = _without_dark(pixels, WIDEST) if dark else _without_light(pixels, WIDEST)
    darker, lighter = (pixels, paper) if dark else (paper, pixels)
    ink = _full(1 - (darker + DIM) / (lighter + DIM))
    return 1 - ink if dark else ink


def as_grey(pixels: np.ndarray) -> np.ndarray:
    """Return lightness as float32 in 0..1."""
    return pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels


def unevenness(grey: np.ndarray) -> float:
    """Return the relative difference between the lightest and the darkest paper, in 0..1."""
    cells = _shrunk(grey, COARSE)
    # The polarity is unknown, so remove dark and light details in turn. The wrong choice enlarges
    # the ink, so the more even result is the paper.
    papers = _without_dark(cells, WIDEST_DRAWN), _without_light(cells, WIDEST_DRAWN)
    return min(float(np.ptp(paper) / (paper.max() + DIM)) for paper in papers)


def _is_flat(grey: np.ndarray) -> bool:
    """Return whether most pixels have one level, which happens in graphics but not in photos.

    Without this check, a wide filled shape would be treated as a shadow.
    """
    some = grey[::4, ::4]
    levels = np.bincount((some if some.dtype == np.uint8 else (255 * some).astype(np.uint8)).flat)
    return bool(2 * levels.max() > levels.sum())


def _shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    factor = -(-max(pixels.shape) // side)
    return np.asarray(Image.fromarray(pixels).reduce(factor)) if factor > 1 else pixels


def _ink_is_dark(pixels: np.ndarray) -> bool:
    """Return whether the ink is darker than the paper.

    Paper that dark ink encloses looks like light ink, but it disappears when the dark ink is
    removed. So remove ink of each polarity in turn: the correct polarity is the one whose removal
    leaves less ink of the other polarity.
    """
    without_dark, without_light = _without_dark(pixels, PROBE), _without_light(pixels, PROBE)
    light_left = without_dark - _without_light(without_dark, PROBE)
    dark_left = _without_dark(without_light, PROBE) - without_light
    return bool(light_left.sum() < dark_left.sum())


def _full(ink: np.ndarray) -> np.ndarray:
    """Scale ink to 0..1, float32, and clear pixels that are too faint."""
    if ink.max() < MIN_INK:
        return np.zeros_like(ink)
    peak = np.percentile(ink[ink > ink.max() / 2], PEAK)
    return np.clip((ink / peak - FAINT) / (1 - FAINT), 0, 1).astype(np.float32)


def _without_dark(pixels: np.ndarray, width: float) -> np.ndarray:
    """Remove dark details narrower than `width` times the longer side, by grey-scale closing.

    Unlike a blur or a median, closing keeps slopes and edges. The picture is padded with its edge
    pixels. The structuring element is an octagon, because a square does not fit into round ends of
    shadows.
    Source: Serra, "Image Analysis and Mathematical Morphology", 1982.
    """
    size = width * max(pixels.shape)
    sheet = np.pad(pixels, 2 * round(size), "edge")
    closed = _slide(_slide(sheet, np.maximum, size), np.minimum, size)
    spare = (closed.shape[0] - pixels.shape[0]) // 2
    return closed[spare : spare + pixels.shape[0], spare : spare + pixels.shape[1]]


def _without_light(pixels: np.ndarray, width: float) -> np.ndarray:
    return -_without_dark(-pixels, width)


def _slide(pixels: np.ndarray, pick: Pick, size: float) -> np.ndarray:
    """Return the maximum or minimum over an octagon, at each position where it fits."""
    straight, slanted = round(0.41 * size), round(0.29 * size)  # px; the sides of a regular octagon
    for dy, dx, length in ((1, 0, straight), (0, 1, straight), (1, 1, slanted), (-1, 1, slanted)):
        reach = 1
        while reach < length:  # each step doubles the reach
            step = min(reach, length - reach)
            pixels = pick(*_pairs(pixels, dy * step, dx * step))
            reach += step
    return pixels


def _pairs(pixels: np.ndarray, dy: int, dx: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two views of the pixels; the second is shifted by dx and dy."""
    height, width = pixels.shape[0] - abs(dy), pixels.shape[1] - dx
    y0, y1 = max(-dy, 0), max(dy, 0)
    return pixels[y0 : y0 + height, :width], pixels[y1 : y1 + height, dx:]
