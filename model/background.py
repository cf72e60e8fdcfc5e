"""Estimate the empty paper of a picture: its colour and its light at each pixel.

Three models of the paper are tried, from the simplest to the most general. Graphics and scans have
one colour. In most photos, light changes smoothly, and a quadratic surface fits it. Edges of
shadows, or a table around the paper, remain visible after the surface is removed; then the light is
estimated locally. All constants were chosen on pictures that are generated from other drawings and
seeds than those of the tests and of the benchmarks.
"""

import cv2
import numpy as np

BAND = 0.15  # of the shorter side: the outer band, in which paper is most frequent
FLAT_SHARE = 0.4  # of all pixels; graphics have more paper of exactly one level
FLAT_BORDER_SHARE = 0.1  # the same if all of the border has this level
FLAT_RANGE = 2 / 255  # from that level, in graphics that were saved as JPEG
PAPER_RANGE = 16 / 255  # from that level; in photos, many pixels of the paper lie between the two
FLAT_PAPER = 0.9  # of the pixels within the second range lie within the first, in graphics
ROUNDING = 1e-6
FLAT_SAMPLE = 160  # px along the longer side that are looked at
CELLS = 32  # cells along the longer side, to which the surface is fitted
FINE_CELLS = 96  # cells along the longer side, in which light is estimated locally
FIT_STEPS = 6  # of iteratively reweighted least squares
OUTLIER = 3.0  # standard deviations: pixels that differ more from the surface are no paper
WIDEST = 0.1  # of the longer side: ink that touches the border is narrower, shadows are wider
MIN_INK = 0.15  # difference from the paper, relative to evenly lit paper
MAX_INK = 0.4  # of all pixels; more is not ink, but a sheet
LEVELS = 12  # at which dark regions are searched
DIM = 0.1  # lightness added before dividing, as dark areas have only noise


def flat_paper(pixels: np.ndarray) -> np.ndarray | None:
    """Return the colour of the paper, (C, 1, 1), if most of it has one colour; None for photos.

    `pixels` is (C, H, W) float32 in 0..1.
    """
    step = -(-max(pixels.shape) // FLAT_SAMPLE)
    some = pixels[:, ::step, ::step]
    band = max(1, round(BAND * min(some.shape[1:])))
    outer = np.ones(some.shape[1:], bool)
    outer[band:-band, band:-band] = False
    levels = np.rint(255 * some[:, outer]).astype(np.uint8)
    paper = [np.bincount(channel, minlength=256).argmax() for channel in levels]
    paper = np.array(paper, np.float32)[:, None, None] / np.float32(255)
    off = np.abs(some - paper).max(axis=0)
    near = off <= FLAT_RANGE + ROUNDING
    wide = (off <= PAPER_RANGE + ROUNDING).mean()
    edges = np.concatenate([near[0], near[-1], near[:, 0], near[:, -1]])
    least = FLAT_BORDER_SHARE if edges.mean() > FLAT_PAPER else FLAT_SHARE
    return paper if near.mean() >= max(least, FLAT_PAPER * wide) else None


def smooth_paper(pixels: np.ndarray) -> np.ndarray:
    """Fit a quadratic surface to the paper, robustly against ink: (C, H, W) float32.

    `pixels` is (C, H, W) float32 in 0..1.
    Source: Beaton and Tukey, "The Fitting of Power Series", 1974 (bisquare weights).
    """
    cells = np.stack([_reduce(channel, CELLS) for channel in pixels])
    _, height, width = cells.shape
    values = cells.reshape(len(cells), -1).T.astype(np.float64)  # (N, C)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    # Most pixels are paper, above all in the outer part.
    weights = 1 / (0.02 + np.abs(values - np.median(values, axis=0)).max(axis=1))
    weights *= np.where(np.maximum(np.abs(x), np.abs(y)) > 1 - 2 * BAND, 1.0, 0.5)
    for _ in range(FIT_STEPS):
        weighted = terms * weights[:, None]
        system = weighted.T @ terms + 1e-6 * np.eye(terms.shape[1])
        fitted = terms @ np.linalg.solve(system, weighted.T @ values)
        off = np.abs(values - fitted).max(axis=1)
        spread = max(1.4826 * float(np.median(off)), 1 / 255)
        weights = np.clip(1 - (off / (2 * OUTLIER * spread)) ** 2, 0, 1) ** 2
    surface = fitted.T.reshape(cells.shape).clip(0.02, 1).astype(np.float32)
    return np.stack([_enlarge(channel, pixels.shape[1:]) for channel in surface])


def local_light(grey: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the lightness of the paper, (H, W), and whether the ink is darker than the paper.

    Edges of shadows are kept. Along them, the paper has the level of the side that is nearer to the
    ink, so that they are not taken for ink.

    The polarity of the ink is unknown, so dark and light ink are removed in turn. The wrong choice
    leaves the ink, or takes a whole sheet for ink. So of the results in which a small part is ink,
    the one with fewer edges is the paper.
    """
    cells = _reduce(grey, FINE_CELLS)
    papers = _without_dark_ink(cells), -_without_dark_ink(-cells)
    inked = [np.abs(cells - paper) for paper in papers]
    shares = [float((ink > MIN_INK).mean()) for ink in inked]
    edges = [sum(float(np.abs(np.diff(p, axis=axis)).sum()) for axis in (0, 1)) for p in papers]
    dark = (shares[0] > MAX_INK, edges[0]) <= (shares[1] > MAX_INK, edges[1])
    beside = np.ones((3, 3), np.uint8)
    paper = cv2.erode(papers[0], beside) if dark else cv2.dilate(papers[1], beside)
    return _enlarge(paper, grey.shape), dark


def _without_dark_ink(grey: np.ndarray) -> np.ndarray:
    """Remove narrow dark lines, and dark regions of any width that do not touch the border.

    Shadows are wide and begin at the border.
    """
    return np.maximum(_without_dark(grey), _filled(grey))


def _reduce(channel: np.ndarray, cells: int) -> np.ndarray:
    height, width = channel.shape
    scale = min(1.0, cells / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(channel, size, interpolation=cv2.INTER_AREA)


def _enlarge(channel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return cv2.resize(channel, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def _without_dark(grey: np.ndarray) -> np.ndarray:
    """Remove dark details narrower than WIDEST, by grey-scale closing.

    Unlike a blur or a median, closing keeps slopes and edges. The picture is padded with its edge
    pixels. Source: Serra, "Image Analysis and Mathematical Morphology", 1982.
    """
    size = max(3, round(WIDEST * max(grey.shape)) | 1)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    padded = cv2.copyMakeBorder(grey, size, size, size, size, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, ellipse)
    return closed[size:-size, size:-size]


def _filled(grey: np.ndarray) -> np.ndarray:
    """Raise each dark region that does not touch the border to the level of its surroundings."""
    low, high = float(grey.min()), float(grey.max())
    filled = grey.copy()
    for level in np.linspace(low, high, LEVELS, endpoint=False)[1:]:
        n_labels, found = cv2.connectedComponents((grey < level).astype(np.uint8))
        labels = np.asarray(found, np.int32)
        inner = np.arange(n_labels) > 0
        for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            inner[edge] = False
        np.maximum(filled, np.float32(level), out=filled, where=inner[labels])
    return filled
