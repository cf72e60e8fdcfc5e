"""Photos of ink on paper: divide the light out, so that one level parts ink from paper.

A camera sees what paper reflects times the light that falls there. Where a shadow lies over half a
sheet, its paper is as dark as ink is elsewhere. Each place's paper is found as if nothing were
written on it, and the picture is divided by it. All constants were chosen on photos that
benchmarks/photos.py makes of seed 0.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

MIN_SIDE = 160  # px: photos are larger; MNIST and all that training draws, up to 132, are smaller
SIDE = 256  # px that a photo is shrunk to: noise averages out, and a digit of a tenth has 20 px
COARSE = 64  # cells a side, in which the paper's unevenness is measured
UNEVEN = 0.06  # even paper has up to 0.02, with noise; from 0.07 on pencil is misread without this
WIDEST = 0.1  # of the photo's long side: ink is narrower than this, a shadow is wider
WIDEST_DRAWN = 0.3  # the same where it is asked whether paper is uneven: a brush is no shadow
PROBE = 0.05  # the same where it is asked which is the ink: a sheet has corners as small as ink
DIM = 0.1  # of full lightness, added before dividing: in the dark there is noise alone
MIN_INK = 0.15  # of the paper's light that ink takes; ruled lines and rests of shadows take less
PEAK = 75  # percentile of the ink that counts as full; the rest are edges of lines
FAINT = 0.4  # of full ink: what is fainter is noise, ruled lines, rests of shadows

Pick = Callable[[np.ndarray, np.ndarray], np.ndarray]  # np.maximum or np.minimum


def even_out(grey: np.ndarray) -> np.ndarray:
    """Return a photo of uneven paper as ink on flat paper, shrunk; any other picture as it is.

    `grey` is lightness, (H, W) uint8 or float32 in 0..1. A photo comes back as float32, at most
    256 px a side: paper is 1 under dark ink and 0 under light ink, full ink is the opposite, and a
    sheet without ink is paper alone.
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
    """Return how much darker the darkest paper is than the lightest: 0 is even, 1 pitch dark."""
    cells = _shrunk(grey, COARSE)
    # Ink of the other kind than is taken off grows together, so the evener of the two is paper.
    papers = _without_dark(cells, WIDEST_DRAWN), _without_light(cells, WIDEST_DRAWN)
    return min(float(np.ptp(paper) / (paper.max() + DIM)) for paper in papers)


def _is_flat(grey: np.ndarray) -> bool:
    """Say whether most pixels have one level: a computer drew them, for a camera has noise.

    So a filled shape, however wide, is not taken for a shadow.
    """
    some = grey[::4, ::4]
    levels = np.bincount((some if some.dtype == np.uint8 else (255 * some).astype(np.uint8)).flat)
    return bool(2 * levels.max() > levels.sum())


def _shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    factor = -(-max(pixels.shape) // side)
    return np.asarray(Image.fromarray(pixels).reduce(factor)) if factor > 1 else pixels


def _ink_is_dark(pixels: np.ndarray) -> bool:
    """Say which kind of ink leaves least of the other kind when it is taken off.

    Dark ink encloses light paper, which alone looks like light ink; with the ink it goes.
    """
    without_dark, without_light = _without_dark(pixels, PROBE), _without_light(pixels, PROBE)
    light_left = without_dark - _without_light(without_dark, PROBE)
    dark_left = _without_dark(without_light, PROBE) - without_light
    return bool(light_left.sum() < dark_left.sum())


def _full(ink: np.ndarray) -> np.ndarray:
    """Stretch ink to 0..1, float32, and clear what is too faint to be ink."""
    if ink.max() < MIN_INK:
        return np.zeros_like(ink)
    peak = np.percentile(ink[ink > ink.max() / 2], PEAK)
    return np.clip((ink / peak - FAINT) / (1 - FAINT), 0, 1).astype(np.float32)


def _without_dark(pixels: np.ndarray, width: float) -> np.ndarray:
    """Fill what is dark and narrower than a share of the long side: grey-scale closing.

    Slopes and edges stay where they are: a blurred or median paper would cut their corners. Beyond
    the picture lies what lies at its edge. The window is an octagon, for a square does not fit
    into a shadow's round end.
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
    """Return the largest or smallest of an octagon's pixels, at each place where it fits."""
    straight, slanted = round(0.41 * size), round(0.29 * size)  # px; a regular one's sides
    for dy, dx, length in ((1, 0, straight), (0, 1, straight), (1, 1, slanted), (-1, 1, slanted)):
        reach = 1
        while reach < length:  # each step doubles it
            step = min(reach, length - reach)
            pixels = pick(*_pairs(pixels, dy * step, dx * step))
            reach += step
    return pixels


def _pairs(pixels: np.ndarray, dy: int, dx: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two views of the pixels, the second dx to the right and dy below the first."""
    height, width = pixels.shape[0] - abs(dy), pixels.shape[1] - dx
    y0, y1 = max(-dy, 0), max(dy, 0)
    return pixels[y0 : y0 + height, :width], pixels[y1 : y1 + height, dx:]
