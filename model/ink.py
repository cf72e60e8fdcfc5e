"""Find the ink of the digit in a picture."""

from typing import NamedTuple

import cv2
import numpy as np

from model.background import DIM, FINE_CELLS, flat_paper, local_light, smooth_paper
from model.components import Box, Removed, box_of, find_components, sort_out

MIN_CONTRAST = 0.05  # between ink and paper of one level, in 0..1
MIN_PHOTO_CONTRAST = 0.14  # share of the light; grain, ruled lines and shadows differ less
NOISE = 4.0  # differences below this many standard deviations of the paper are noise
BLANK_NOISE = 6.0  # if nothing differs by this many standard deviations, there is only paper
FLAT_NOISE = 0.5 / 255  # paper with more noise is not of one level
STRONG_NOISE = 0.35  # stronger differences are no paper, even if they are noise
PEAK = 75  # percentile that counts as full ink; the edges of lines are lighter
N_TOP = 16  # pixels of a photo that may be outliers: the next one is the strongest ink
FAINT = 0.4  # of full ink; fainter pixels are noise, ruled lines or shadows
FAINTEST = 0.2  # of full ink: ends of strokes may be this faint
NO_INK = 0.02  # of full ink, on paper of one level
FAINT_ENDS = 0.15  # of the digit's long side: longer ends are ruled lines or shadows
CELLS = 48  # along the longer side, in which the unevenness of the paper is measured
UNEVEN = 0.15  # of full ink
UNEVEN_SHARE = 0.02  # of the cells of evenly lit paper differ at most this much
THICKEST = 0.22  # of the longer side: the widest stroke
WIDE = 0.14  # of the longer side: the widest stroke that may be as faint as a shadow
SHADOW = 0.6  # of full ink: shadows are fainter
DEEPEST = 0.5  # share of the light: shadows absorb less
SPAN = 0.95  # of a side of the picture: ink that is longer may be a ruled line
ROUNDS = 4  # of removing what is not the digit
MAX_REMOVED = 50  # regions that are reported


class Ink(NamedTuple):
    """The ink of the digit in a picture, (H, W, ...) px."""

    strength: np.ndarray  # (H, W) float32 in 0..1
    inverted: bool  # the ink is darker than the paper
    removed: tuple[Removed, ...]  # what is not part of the digit; boxes in px of `strength`


class _Found(NamedTuple):
    """The ink that differs from one estimate of the paper."""

    distance: np.ndarray  # (H, W) float32, from the paper
    kept: np.ndarray  # (H, W) bool: the digit
    peak: float  # the distance that is full ink
    removed: list[Removed]


def find_ink(pixels: np.ndarray) -> Ink | None:
    """Find the ink of the digit: a picture, (H, W) or (H, W, 3), uint8 or float32 in 0..1.

    Returns None if there is only paper.
    """
    channels = pixels[None] if pixels.ndim == 2 else np.stack(cv2.split(pixels))
    if (channels == channels[:, :1, :1]).all():  # one colour
        return None
    if channels.dtype == np.uint8:
        channels = channels / np.float32(255)
    noise = _noise(channels)
    flat = flat_paper(channels) if noise < FLAT_NOISE else None
    if flat is not None:
        signed, noise = _largest(channels - flat), 0.0
        found = _search(np.abs(signed), MIN_CONTRAST, noise, is_flat=True)
    else:
        paper = smooth_paper(channels)
        signed = _relative(channels, paper)
        if _is_uneven(np.abs(signed)):
            grey = channels.mean(axis=0)
            light, dark = local_light(grey)
            tint = np.median(channels[:, ::3, ::3], axis=(1, 2)) + DIM
            tint /= np.median(grey[::3, ::3]) + DIM
            signed = _relative(channels, tint.astype(np.float32)[:, None, None] * light)
            signed = np.minimum(signed, 0) if dark else np.maximum(signed, 0)
            edge = -(-max(signed.shape) // FINE_CELLS)  # px, in which slanted shadows look like ink
            signed[:edge] = signed[-edge:] = signed[:, :edge] = signed[:, -edge:] = 0
        found = _search(np.abs(signed), MIN_PHOTO_CONTRAST, noise)
    if found is None:
        return None
    floor = _floor(0.0, found.peak, noise)
    soft = _soft(found, NO_INK if flat is not None else FAINTEST, noise)
    left, top, right, bottom = map(int, box_of(soft))
    inner = np.s_[top:bottom, left:right]
    strength = np.zeros(soft.shape, np.float32)
    levels = (found.distance[inner] - floor) / (found.peak - floor)
    strength[inner] = np.where(soft[inner], np.clip(levels, 0, 1), 0)
    inverted = bool(signed[found.kept].mean() < 0)
    removed = found.removed + _faint_rulings(found, soft, noise)
    removed.sort(key=lambda region: -_area(region.box))
    return Ink(strength, inverted, tuple(removed[:MAX_REMOVED]))


def _search(
    distance: np.ndarray, least: float, noise: float, *, is_flat: bool = False
) -> _Found | None:
    """Find the digit in the distances from the paper, (H, W); None if there is only paper."""
    least = max(least, min(BLANK_NOISE * noise, STRONG_NOISE))
    removed: list[Removed] = []
    for _ in range(ROUNDS):
        peak = _peak(distance, is_flat)
        if peak < least:
            return None
        mask = distance > _floor(FAINT, peak, noise)
        mask, rulings = _without_rulings(mask, distance)
        found = find_components(mask, distance)
        kinds = sort_out(found)
        others = np.flatnonzero(kinds != "")
        if not others.size:
            kept = mask
            break
        largest = others[np.argsort(-found.areas[others], kind="stable")[:MAX_REMOVED]]
        boxes = found.boxes[largest].astype(float).tolist()
        removed += [Removed(kinds[i], (*box,)) for i, box in zip(largest, boxes, strict=True)]
        gone = np.append(False, kinds != "")[found.labels]
        kept = mask & ~gone
        if not np.isin(kinds, ("edge", "frame", "shadow")).any():
            break
        # The ink of the digit may be fainter than what was removed: measure it again.
        distance = np.where(_grow(gone, 2) & ~kept, np.float32(0), distance)
    if not kept.any():
        return None
    removed += rulings
    return _Found(distance, kept, _peak(distance[kept], is_flat), removed)


def _soft(found: _Found, faintest: float, noise: float) -> np.ndarray:
    """Return the pixels of the digit with its soft edges and faint ends: (H, W) bool.

    `faintest` is a share of full ink.
    """
    around = _grow(found.kept, 1 if max(found.kept.shape) < 100 else 2)
    faint = found.distance > _floor(faintest, found.peak, noise)
    left, top, right, bottom = box_of(found.kept)
    margin = FAINT_ENDS * max(right - left, bottom - top)
    whole = faint | found.kept
    if found.removed or not _is_within(whole, found.kept, margin):
        n_labels, labels = cv2.connectedComponents(whole.view(np.uint8))
        connected = np.zeros(n_labels, bool)
        connected[labels[found.kept]] = True
        whole = connected[labels]
    return around | whole if _is_within(whole, found.kept, margin) else around


def _is_within(mask: np.ndarray, other: np.ndarray, margin: float) -> bool:
    """Return whether the box of a mask exceeds that of another by at most a margin, px."""
    return bool(np.abs(np.subtract(box_of(mask), box_of(other))).max() <= margin)


def _faint_rulings(found: _Found, digit: np.ndarray, noise: float) -> list[Removed]:
    """Return the region of ruled lines that are too faint to be ink, if there are any."""
    lines = (found.distance > _floor(FAINTEST, found.peak, noise)) & ~digit
    known = any(region.kind == "ruling" for region in found.removed)
    return [Removed("ruling", box_of(lines))] if not known and _spans(lines) else []


def _floor(share: float, peak: float, noise: float) -> float:
    """Return the distance up to which a pixel is no ink: a share of full ink, or the noise."""
    return max(share * peak, min(NOISE * noise, peak / 2))


def _grow(mask: np.ndarray, reach: int) -> np.ndarray:
    square = np.ones((2 * reach + 1,) * 2, np.uint8)
    return cv2.dilate(mask.view(np.uint8), square).view(bool)


def _is_uneven(distance: np.ndarray) -> bool:
    """Return whether something wider than a stroke differs from the paper, such as a shadow."""
    peak = max(_peak(distance, is_flat=False), MIN_PHOTO_CONTRAST)
    height, width = distance.shape
    scale = CELLS / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    cells = cv2.resize(distance, size, interpolation=cv2.INTER_AREA)
    shadows = np.where(cells < max(SHADOW * peak, DEEPEST), cells, 0)
    wide = np.maximum(_open(cells, THICKEST), _open(shadows, WIDE))
    return bool((wide > UNEVEN * peak).mean() > UNEVEN_SHARE)


def _open(cells: np.ndarray, width: float) -> np.ndarray:
    """Remove what is narrower than `width` times the longer side."""
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (round(width * CELLS) | 1,) * 2)
    return cv2.morphologyEx(cells, cv2.MORPH_OPEN, ellipse)


def _noise(channels: np.ndarray) -> float:
    """Return the standard deviation of the noise between neighbouring pixels.

    Source: Immerkær, "Fast Noise Variance Estimation", 1996, with a median in place of the mean.
    """
    grey = channels.mean(axis=0) if len(channels) > 1 else channels[0]
    height, width = grey.shape
    if min(height, width) < 3:
        return 0.0
    rows = _second_difference(grey[: height - height % 3])
    filtered = _second_difference(rows.T[: width - width % 3]) / 6
    return 1.4826 * float(np.median(np.abs(filtered)))


def _second_difference(grey: np.ndarray) -> np.ndarray:
    return grey[0::3] - 2 * grey[1::3] + grey[2::3]


def _relative(channels: np.ndarray, paper: np.ndarray) -> np.ndarray:
    return _largest((channels - paper) / (paper.max(axis=0) + DIM))


def _largest(difference: np.ndarray) -> np.ndarray:
    """Return the difference of the channel that differs most: (C, H, W) to (H, W)."""
    if len(difference) == 1:
        return difference[0]
    low, high = difference.min(axis=0), difference.max(axis=0)
    return np.where(-low > high, low, high)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _peak(distance: np.ndarray, is_flat: bool) -> float:
    """Return the distance that counts as full ink."""
    largest = float(distance.max())
    if is_flat or not largest:
        return largest
    strong = np.sort(distance[distance > largest / 2])
    top = strong[-N_TOP - 1] if len(strong) > N_TOP else strong[0]
    return float(np.percentile(strong[strong > top / 2], PEAK))


def _without_rulings(mask: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, list[Removed]]:
    """Return the mask without lines that are fainter than the ink and cross the whole picture."""
    if not _spans(mask):
        return mask, []
    levels = distance[mask]
    top = float(levels.max())
    coded = (255 / top * levels).astype(np.uint8)
    level, _ = cv2.threshold(coded, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    strong = distance > top * (level + 0.5) / 255
    if _spans(strong) or not strong.any():
        return mask, []
    return strong, [Removed("ruling", box_of(mask))]


def _spans(mask: np.ndarray) -> bool:
    """Return whether a component reaches from one side of the picture to the opposite one."""
    height, width = mask.shape
    left, top, right, bottom = box_of(mask) if mask.any() else (0, 0, 0, 0)
    if right - left < SPAN * width and bottom - top < SPAN * height:
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    longest = stats[1:, 2:4].max(axis=0, initial=0)
    return bool(longest[0] >= SPAN * width or longest[1] >= SPAN * height)
