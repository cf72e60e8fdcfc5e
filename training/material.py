"""The pictures that a network is measured on, prepared once for all networks.

None of them was trained on, or used to choose an epoch, a temperature or a threshold: not MNIST's
test set, not the seeds of what is drawn here. MNIST's test set, people's drawings and what is no
digit were looked at while the recipe was developed (training/RESULTS.md).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.mlp import N_CLASSES
from model.picture import Picture
from model.preprocess import preprocess
from training import pens, strangers
from training.canvas import CHANGES, PEN, PENS, Drawing, canvas_picture
from training.data import Split, load_test

PENS_SEED = 2  # training draws its digits from seed 0 and validates on seed 1
CHANGES_SEED = 3


class Framed(NamedTuple):
    """Pictures as a network sees them."""

    images: Tensor  # (N, 784) float32 in 0..1, ink 1 on paper 0
    blank: Tensor  # (N,) bool


class People(NamedTuple):
    """Drawings by people, each with pens of several widths."""

    digits: Tensor  # (N,) int64, 0..9
    writers: Tensor  # (N,) int64: who drew it, numbered from 0
    pens: dict[str, Framed]  # by the pen's width, px of a canvas of 280


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that a network is measured on."""

    test: Split  # MNIST's, (N, 784) uint8
    pens: Split  # synthetic digits with pens of many widths
    strangers: dict[str, Framed]  # what is no digit, by kind
    plain: Framed  # synthetic drawings on a canvas …
    changes: dict[str, Framed]  # … and the same, changed
    picture: np.ndarray  # (280, 280) uint8: one of them, to be read against the clock
    people: People | None


def prepare(
    data_dir: str | Path, *, samples: int = 1_000, drawings: Sequence[Drawing] = ()
) -> Material:
    """Draw and load what networks are measured on: 15 times `samples` pictures, and more.

    `samples` is the number of pictures of each kind that is no digit; 5 times as many are synthetic
    digits, and half as many drawings are changed.

    Raises:
        DataError: MNIST's test set is not there, or is not MNIST's.
    """
    test = load_test(data_dir)
    drawn = pens.load_pens(5 * samples, seed=PENS_SEED, cache=Path(data_dir) / "drawn")
    others = strangers.pictures(samples, np.random.default_rng(0))
    written = synthetic_drawings((samples + 1) // 2, seed=CHANGES_SEED)
    return Material(
        test,
        drawn,
        {kind: framed(many) for kind, many in others.items()},
        framed(canvas_picture(strokes, PEN) for strokes in written),
        changed(written),
        canvas_picture(written[0], PEN),
        _people(drawings) if drawings else None,
    )


def synthetic_drawings(n: int, *, seed: int) -> list[list[np.ndarray]]:
    """Return n digits, 0 to 9 in turn, as strokes of points, (P, 2) each."""
    rng = np.random.default_rng(seed)
    skeletons = (rng.choice(pens.DIGITS[i % N_CLASSES]) for i in range(n))
    return [pens.write(pens.parse(skeleton), rng) for skeleton in skeletons]


def changed(drawings: Sequence[list]) -> dict[str, Framed]:
    """Change each drawing in each way."""
    rng = np.random.default_rng(0)
    return {name: framed(make(d, rng) for d in drawings) for name, make in CHANGES.items()}


def framed(pictures: Iterable[Picture]) -> Framed:
    """Frame pictures as the page does."""
    prepared = [preprocess(picture) for picture in pictures]
    images = torch.from_numpy(np.stack([p.image for p in prepared])).flatten(1)
    return Framed(images, torch.tensor([p.blank for p in prepared]))


def _people(drawings: Sequence[Drawing]) -> People:
    writers = list(dict.fromkeys(drawing["writer"] for drawing in drawings))
    return People(
        torch.tensor([drawing["digit"] for drawing in drawings]),
        torch.tensor([writers.index(drawing["writer"]) for drawing in drawings]),
        {
            str(pen): framed(canvas_picture(drawing["strokes"], pen) for drawing in drawings)
            for pen in PENS
        },
    )
