"""Separate ink from paper, in one picture or in a batch of small ones.

Apart from using the border to find the level of the paper, this module works on histograms only.
A histogram is a list of levels of lightness in ascending order, with the number of pixels below
each: the 256 levels of 8-bit pictures, or the sorted pixels of one picture.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

MIN_CONTRAST = 0.1  # between ink and paper, in 0..1; less may be uneven paper
BLANK_NOISE = 8.0  # if all cells are within this many standard deviations, they are paper
NOISE = 4.0  # differences below this many standard deviations of the paper are noise
N_LEVELS = 256
LEVELS = np.arange(N_LEVELS, dtype=np.float32) / 255  # of 8-bit pictures
_BINS = 256  # of the histogram for Otsu's threshold
_STEPS = np.arange(_BINS + 1, dtype=np.float32)


class Counts(NamedTuple):
    """The cumulative histograms of N pictures over K levels."""

    levels: np.ndarray  # (K,) float32 in 0..1, ascending
    below: np.ndarray  # (N, K + 1) int: pixels darker than each level; the last are all pixels


class Tones(NamedTuple):
    """How to convert the lightness of N pictures to ink; each field has shape (N,)."""

    paper: np.ndarray  # float32 in 0..1
    floor: np.ndarray  # float32: differences from paper up to this are no ink
    peak: np.ndarray  # float32: differences from this on are full ink
    inverted: np.ndarray  # bool: ink is darker than paper

    def ink(self, grey: np.ndarray) -> np.ndarray:
        """Convert lightness, (N, ...) or (...) for all N pictures, to ink in 0..1, float32."""
        shape = (-1, *(1,) * max(grey.ndim - 1, 1))
        paper, floor, peak, inverted = (each.reshape(shape) for each in self)
        sign = np.where(inverted, np.float32(-1), np.float32(1))
        strength = sign * grey
        strength -= sign * paper  # in place, to keep the cache
        strength -= floor
        strength /= peak - floor
        return np.clip(strength, 0.0, 1.0, out=strength)


def count(pixels: np.ndarray) -> Counts:
    """Count the levels of pictures: (N, H, W) uint8, or one, (1, H, W) float32 in 0..1."""
    if pixels.dtype != np.uint8:
        return Counts(np.sort(pixels, axis=None), np.arange(pixels.size + 1)[None])
    if len(pixels) == 1:  # np.bincount would copy to 8 bytes per pixel
        below = np.cumsum([0, *Image.fromarray(pixels[0]).histogram()])
        return Counts(LEVELS, below[None])
    counts = np.bincount(_numbered(pixels).reshape(-1), minlength=len(pixels) * N_LEVELS)
    below = np.zeros((len(pixels), N_LEVELS + 1), int)
    np.cumsum(counts.reshape(-1, N_LEVELS), axis=1, out=below[:, 1:])
    return Counts(LEVELS, below)


def is_blank(counts: Counts, *, factor: int = 1, least: float = MIN_CONTRAST) -> np.ndarray:
    """Return whether each of N pictures has no ink: (N,) bool.

    `counts` are those of cells of factor × factor pixels, in which noise averages out and ink does
    not. A contrast of `least` or more is ink.
    """
    n = counts.below[:, -1]
    middle = _median(counts, np.zeros_like(n), n)
    lowest, highest = _extremes(counts)
    strength = np.maximum(highest - middle, middle - lowest)
    blank = strength < least
    for i in np.flatnonzero(blank) if factor > 1 else ():
        noise = _noise(counts, i, (0, len(counts.levels)), middle[i])
        # A line of one pixel fills 1/factor of a cell, so less contrast is ink if it exceeds noise.
        blank[i] = strength[i] < max(MIN_CONTRAST / factor, BLANK_NOISE * noise)
    return blank


def find_ink(pixels: np.ndarray, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    """Return the ink of pictures that are not blank, and whether it is darker than the paper.

    `pixels`, (N, H, W), are those of `count`, and `counts` is its result. The ink is (N, H, W)
    float32 in 0..1, the polarity (N,) bool.
    """
    tones = find_tones(pixels, counts)
    if pixels.dtype != np.uint8:
        return tones.ink(pixels), tones.inverted
    return tones.ink(LEVELS).reshape(-1).take(_numbered(pixels)), tones.inverted


def find_tones(pixels: np.ndarray, counts: Counts) -> Tones:
    """Find the levels of ink and paper: the side of the threshold with most of the border is paper.

    `pixels` and `counts` are those of `find_ink`.
    """
    edges = [pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]]
    border = np.concatenate(edges, axis=1)
    levels, below = counts
    lowest, highest = extremes = _extremes(counts)
    threshold = _otsu(counts, extremes)
    border = LEVELS.take(border) if border.dtype == np.uint8 else border
    inverted = 2 * (border > threshold[:, None]).sum(axis=1) > border.shape[1]
    n_levels, split = len(levels), np.searchsorted(levels, threshold, "right")
    dark = _at(below, split)
    first, last = np.where(inverted, dark, 0), np.where(inverted, below[:, -1], dark)
    paper = _median(counts, first, last)
    noise, peak = np.zeros_like(paper), np.where(inverted, paper - lowest, highest - paper)
    even = _at(below, np.searchsorted(levels, paper, "right"))
    even -= _at(below, np.searchsorted(levels, paper, "left"))
    for i in np.flatnonzero(
        2 * even <= last - first
    ):  # if most of the paper has one level, there is no noise
        dark_side, light_side = (0, int(split[i])), (int(split[i]), n_levels)
        of_paper, of_ink = (light_side, dark_side) if inverted[i] else (dark_side, light_side)
        noise[i] = _noise(counts, i, of_paper, paper[i])
        if noise[i]:
            strength = np.abs(levels[slice(*of_ink)] - paper[i])
            sizes = np.diff(below[i, of_ink[0] : of_ink[1] + 1])
            peak[i] = np.percentile(np.repeat(strength, sizes), 99)
    return Tones(paper, np.minimum(NOISE * noise, peak / 2), peak, inverted)


def _otsu(counts: Counts, extremes: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the level that best separates light from dark in each of N pictures: (N,) float32.

    Source: Otsu, "A Threshold Selection Method from Gray-Level Histograms", 1979.
    """
    lowest, highest = (level[:, None] for level in extremes)
    edges = _STEPS * ((highest - lowest) / _BINS) + lowest
    edges[:, -1:] = highest
    # The number of pixels below each edge, from 0 to all pixels.
    ranks = np.zeros((len(edges), _BINS + 1), int)
    ranks[:, -1] = counts.below[:, -1]
    bins = np.searchsorted(counts.levels, edges[:, 1:-1])
    ranks[:, 1:-1] = counts.below[np.arange(len(bins))[:, None], bins]
    sizes, below = ranks[:, 1:] - ranks[:, :-1], ranks[:, 1:-1]
    above = ranks[:, -1:] - below
    sums = np.cumsum(sizes * ((edges[:, :-1] + edges[:, 1:]) / 2), axis=1)
    gap = sums[:, :-1] / np.maximum(below, 1)
    gap -= (sums[:, -1:] - sums[:, :-1]) / np.maximum(above, 1)
    return _at(edges[:, 1:-1], np.argmax(below * above * gap**2, axis=1))


def _noise(counts: Counts, i: int, span: tuple[int, int], paper: np.float32) -> np.float32:
    """Return the standard deviation of picture i's pixels from paper, within a span of levels.

    It is estimated from the median, which ink and other outliers do not change.
    """
    strength = np.abs(counts.levels[slice(*span)] - paper)
    order = np.argsort(strength, kind="stable")  # fast, as there are two sorted runs
    sizes = np.diff(counts.below[i, span[0] : span[1] + 1])[order]
    spread = Counts(strength[order], np.concatenate([[0], np.cumsum(sizes)])[None])
    n = spread.below[:, -1]
    return 1.4826 * _median(spread, np.zeros_like(n), n)[0]


def _extremes(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    n = counts.below[:, -1]
    return _ranked(counts, np.zeros_like(n)), _ranked(counts, n - 1)


def _median(counts: Counts, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the median of the pixels of ranks first to last (exclusive) in each picture: (N,)."""
    middle = first + last
    return (_ranked(counts, (middle - 1) // 2) + _ranked(counts, middle // 2)) / 2


def _ranked(counts: Counts, rank: np.ndarray) -> np.ndarray:
    """Return the level of the pixel of this rank in each picture, (N,); the darkest has rank 0."""
    if len(rank) == 1:
        return counts.levels[np.searchsorted(counts.below[0], rank, "right") - 1]
    return counts.levels[
        (counts.below <= rank[:, None]).sum(axis=1) - 1
    ]  # NumPy has no searchsorted by row


def _at(array: np.ndarray, column: np.ndarray) -> np.ndarray:
    return array[np.arange(len(array)), column]


def _numbered(pixels: np.ndarray) -> np.ndarray:
    """Add 256 times its index to each picture's levels, so that pictures share no levels."""
    if len(pixels) == 1:
        return pixels
    return pixels + N_LEVELS * np.arange(len(pixels))[:, None, None]
