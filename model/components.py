"""Decide which connected components of ink are the digit, and which are something else.

What is not the digit: specks, frames around it, edges of a scan or of the paper, shadows, and parts
of neighbouring digits. Several digits side by side are all kept, so that the network rejects them.
"""

from typing import Literal, NamedTuple

import cv2
import numpy as np

Box = tuple[float, float, float, float]  # left, top, right, bottom of some ink, px
Kind = Literal["edge", "frame", "neighbour", "ruling", "shadow", "speck", "tap"]

BAND = 0.1  # of the shorter side: how far edges of paper and of scans may be from the border
COMPLETE = 0.1  # of the shorter side: the smallest digit that makes others its neighbours
MUCH_SMALLER = 0.4  # times the long side of the largest component, which touches the border
DEEP = 0.35  # of the digit's long side: a neighbour that reaches further in may be a second digit
NEAR = 0.08  # of the digit's long side: pieces at this distance may belong to the digit
FAR = 0.45  # of the digit's long side: small pieces at this distance do not belong to the digit
SMALL = 0.25  # of the digit's long side: the largest such piece
SPECK = 0.5  # of the stroke width: smaller pieces are no strokes
THICK = 2.5  # stroke widths of the digit: thicker components at the border are edges
FAINT = 0.6  # of the digit's strength: fainter components were not drawn with its pen
SIDE_COVER = 0.85  # of each side of a frame's box is inked; of a zero's 0.65 or less
FRAME_BAND = 0.12  # of a frame's box, in which its sides lie
INSIDE = 0.2  # of a frame's height: the smallest digit in it
MIN_FRAME = 0.2  # of the shorter side of the picture
MAX_CANDIDATES = 10  # components, the largest ones, that may be frames


class Removed(NamedTuple):
    """A region of ink that is not part of the digit."""

    kind: Kind
    box: Box

    def scaled(self, zoom: float) -> "Removed":
        """Return the region in a picture that is `zoom` times as large."""
        left, top, right, bottom = self.box
        return Removed(self.kind, (zoom * left, zoom * top, zoom * right, zoom * bottom))


class Components(NamedTuple):
    """The connected components of a mask; each field but the first has shape (N, ...)."""

    labels: np.ndarray  # (H, W) int32: 0 is paper, and i + 1 the component of index i
    boxes: np.ndarray  # int: left, top, right, bottom
    areas: np.ndarray  # int, px
    strengths: np.ndarray  # float: mean ink
    thickness: np.ndarray  # float: the largest stroke width, px
    depths: np.ndarray  # int, px: from the border that a component touches to its far end; or 0


def find_components(mask: np.ndarray, ink: np.ndarray) -> Components:
    """Find the connected components of a mask, (H, W) bool, of ink, (H, W) float32."""
    sheet_height, sheet_width = mask.shape
    # Only the ink's box is searched, with a border of paper, from which thickness is measured.
    x0, y0, x1, y1 = map(int, box_of(mask))
    x0, y0 = max(0, x0 - 1), max(0, y0 - 1)
    inner = np.s_[y0 : y1 + 1, x0 : x1 + 1]
    cells = np.ascontiguousarray(mask[inner])
    n_labels, found, stats, _ = cv2.connectedComponentsWithStats(
        cells.view(np.uint8), connectivity=8
    )
    labels = np.zeros(mask.shape, np.int32)
    labels[inner] = found
    left, top, width, height, areas = stats[1:].T
    left, top = left + x0, top + y0
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    depths = np.stack(
        [
            np.where(left == 0, width, 0),
            np.where(top == 0, height, 0),
            np.where(left + width == sheet_width, width, 0),
            np.where(top + height == sheet_height, height, 0),
        ]
    )
    depths = np.where(depths > 0, depths, sheet_height + sheet_width).min(axis=0)
    depths[depths == sheet_height + sheet_width] = 0
    inked = found[cells]
    sums = np.bincount(inked, weights=ink[inner][cells], minlength=n_labels)[1:]
    radii = np.zeros(n_labels, np.float32)
    distances = cv2.distanceTransform(cells.view(np.uint8), cv2.DIST_L2, 3)[cells]
    np.maximum.at(radii, inked, np.minimum(distances, max(mask.shape)))  # huge without paper
    return Components(labels, boxes, areas, sums / areas, 2 * radii[1:], depths)


def sort_out(found: Components) -> np.ndarray:
    """Return the kind of each component that is not the digit, and "" for the others: (N,) str."""
    kinds = np.full(len(found.areas), "", "U9")
    kinds[_edges(found)] = "edge"
    if len(kinds) == 1:
        return kinds
    for i in _frames(found):
        kinds[i] = kinds[i] or "frame"
    rest = np.flatnonzero(kinds == "")
    if len(rest) < 2:
        return kinds
    digit = _main(found, rest)
    long_sides = _sides(found.boxes).max(axis=1)
    long_side, stroke = long_sides[digit], found.thickness[digit]
    gaps = _gaps(found.boxes, found.boxes[digit])
    far = (long_sides < SMALL * long_side) & (gaps > FAR * long_side)
    faint = found.strengths < FAINT * found.strengths[digit]
    thin, short = found.thickness < stroke, long_sides <= SMALL * long_side
    cut = (found.depths > 0) & (found.depths[digit] == 0)
    slight = (found.depths < DEEP * long_side) & (gaps > NEAR * long_side)
    cases = [
        ((long_sides < SPECK * stroke) | far, "speck"),
        (faint & ~thin, "shadow"),
        (faint, np.where(short, "speck", "ruling")),
        (cut & (found.thickness > THICK * stroke), "edge"),
        (cut & slight, "neighbour"),
    ]
    others = np.select([case for case, _ in cases], [kind for _, kind in cases], "")
    others[digit] = ""
    return np.where(kinds == "", others, kinds)


def _sides(boxes: np.ndarray) -> np.ndarray:
    return boxes[..., 2:] - boxes[..., :2]


def _main(found: Components, rest: np.ndarray) -> int:
    """Return the index of the digit, or of its largest part.

    It is the largest. But if that touches the border, it is the largest that does not, unless that
    is too small to be a digit, or has the same stroke width and is much smaller.
    """
    weight = _sides(found.boxes).max(axis=1) * np.sqrt(found.areas)
    largest, free = int(rest[weight[rest].argmax()]), rest[found.depths[rest] == 0]
    if not found.depths[largest] or not free.size:
        return largest
    best = int(free[weight[free].argmax()])
    long_sides = _sides(found.boxes[[best, largest]]).max(axis=1)
    if long_sides[0] < COMPLETE * min(found.labels.shape):
        return largest
    thicker = found.thickness[largest] > THICK * found.thickness[best]
    return best if thicker or long_sides[0] > MUCH_SMALLER * long_sides[1] else largest


def _gaps(boxes: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the distance of each box from another box across plus down, px; 0 if they overlap."""
    apart = np.maximum(boxes[:, :2] - other[2:], other[:2] - boxes[:, 2:])
    return np.maximum(apart, 0).sum(axis=1)


def _edges(found: Components) -> np.ndarray:
    """Return components along the border of the picture: edges of a scan or of the paper."""
    height, width = found.labels.shape
    left, top, right, bottom = found.boxes.T
    across = (right - left >= 0.5 * width) & ((top == 0) | (bottom == height))
    down = (bottom - top >= 0.5 * height) & ((left == 0) | (right == width))
    along = np.flatnonzero(across | down)
    band = max(2, round(BAND * min(height, width)))
    if not along.size or 2 * band >= min(height, width):
        return along[:0]
    inner = found.labels[band:-band, band:-band]
    within = np.bincount(inner.reshape(-1), minlength=len(found.areas) + 1)[1:]
    return along[within[along] <= 0.02 * found.areas[along]]


def _frames(found: Components) -> list[int]:
    """Return components that are boxes around others."""
    long_sides = _sides(found.boxes).max(axis=1)
    order = np.argsort(-long_sides, kind="stable")[:MAX_CANDIDATES]
    order = order[long_sides[order] > MIN_FRAME * min(found.labels.shape)]
    return [int(i) for i in order if _is_frame(found, i)]


def _is_frame(found: Components, i: int) -> bool:
    left, top, right, bottom = found.boxes[i]
    inside = (found.boxes[:, :2] > (left, top)) & (found.boxes[:, 2:] < (right, bottom))
    large = _sides(found.boxes).max(axis=1) > INSIDE * (bottom - top)
    if not (large & inside.all(axis=1)).any():
        return False
    ink = found.labels[top:bottom, left:right] == i + 1
    height, width = ink.shape
    y, x = max(1, round(FRAME_BAND * height)), max(1, round(FRAME_BAND * width))
    cover = [
        ink[:y].any(axis=0).mean(),
        ink[-y:].any(axis=0).mean(),
        ink[:, :x].any(axis=1).mean(),
        ink[:, -x:].any(axis=1).mean(),
    ]
    # A frame that is cut off by the border of the picture lacks a side.
    sheet_height, sheet_width = found.labels.shape
    cut = top == 0 or left == 0 or bottom == sheet_height or right == sheet_width
    return sorted(cover)[1 if cut else 0] >= SIDE_COVER


def box_of(mask: np.ndarray) -> Box:
    """Return the box around what a mask, (H, W) bool, is true of; it must be of something."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
