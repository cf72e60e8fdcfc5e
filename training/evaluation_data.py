"""The data that networks are evaluated on, prepared once for all networks.

None of it was used for training, or to choose an epoch, a temperature or a threshold: not MNIST's
test set, and not the seeds of the synthetic images. Results on MNIST's test set, on people's
drawings and on outliers were seen while the recipe was developed (training/RESULTS.md).
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
from training.data import Split, load_test
from training.drawings import Drawing
from training.synthetic.canvas import ALTERATIONS, STROKE_WIDTH, STROKE_WIDTHS, canvas_picture
from training.synthetic.digits import load_digits, sample_digit
from training.synthetic.strokes import Polylines
from training.synthetic.unseen_outliers import draw_unseen_outliers

DIGITS_SEED = 2  # training draws its synthetic digits from seed 0 and validates on seed 1
ALTERED_SEED = 3


class Inputs(NamedTuple):
    """Preprocessed pictures."""

    images: Tensor  # (N, 784) float32 in 0..1, ink 1 on paper 0
    blank: Tensor  # (N,) bool


class HumanDrawings(NamedTuple):
    """Drawings by people, each rendered with several stroke widths."""

    digits: Tensor  # (N,) int64, 0..9
    writers: Tensor  # (N,) int64, numbered from 0
    by_stroke_width: dict[str, Inputs]  # in px, on a canvas of 280 px


@dataclass(frozen=True, eq=False)
class EvaluationData:
    """All data that a network is evaluated on."""

    test: Split  # MNIST's, (N, 784) uint8
    synthetic_digits: Split  # with many stroke widths
    outliers: dict[str, Inputs]  # by kind
    unaltered: Inputs  # synthetic digits on a canvas
    altered: dict[str, Inputs]  # the same drawings, by alteration
    picture: np.ndarray  # (280, 280) uint8: one of the unaltered drawings, to measure the speed
    drawings: HumanDrawings | None


def prepare_evaluation_data(
    data_dir: str | Path, *, samples: int = 1_000, drawings: Sequence[Drawing] = ()
) -> EvaluationData:
    """Load and draw the data that networks are evaluated on: about 20 times `samples` pictures.

    `samples` is the number of outliers of each kind. There are 5 times as many synthetic digits,
    and half as many drawings that are altered.

    Raises:
        DataError: MNIST's test set is damaged, or missing and cannot be downloaded.
    """
    test = load_test(data_dir)
    digits = load_digits(5 * samples, seed=DIGITS_SEED, cache=Path(data_dir) / "drawn")
    outliers = draw_unseen_outliers(samples, np.random.default_rng(0))
    drawn = draw_digit_strokes((samples + 1) // 2, seed=ALTERED_SEED)
    return EvaluationData(
        test,
        digits,
        {kind: preprocess_pictures(pictures) for kind, pictures in outliers.items()},
        preprocess_pictures(canvas_picture(strokes, STROKE_WIDTH) for strokes in drawn),
        alter_drawings(drawn),
        canvas_picture(drawn[0], STROKE_WIDTH),
        render_drawings(drawings) if drawings else None,
    )


def draw_digit_strokes(n: int, *, seed: int) -> list[Polylines]:
    """Return the strokes of n synthetic digits, 0 to 9 in turn."""
    rng = np.random.default_rng(seed)
    return [sample_digit(i % N_CLASSES, rng) for i in range(n)]


def alter_drawings(drawings: Sequence[list]) -> dict[str, Inputs]:
    """Apply each alteration to each drawing."""
    rng = np.random.default_rng(0)
    return {
        name: preprocess_pictures(alter(strokes, rng) for strokes in drawings)
        for name, alter in ALTERATIONS.items()
    }


def preprocess_pictures(pictures: Iterable[Picture]) -> Inputs:
    """Preprocess pictures as the page does."""
    prepared = [preprocess(picture) for picture in pictures]
    images = torch.from_numpy(np.stack([p.image for p in prepared])).flatten(1)
    return Inputs(images, torch.tensor([p.blank for p in prepared]))


def render_drawings(drawings: Sequence[Drawing]) -> HumanDrawings:
    """Render people's drawings with each stroke width."""
    writers = list(dict.fromkeys(drawing["writer"] for drawing in drawings))
    return HumanDrawings(
        torch.tensor([drawing["digit"] for drawing in drawings]),
        torch.tensor([writers.index(drawing["writer"]) for drawing in drawings]),
        {
            str(width): preprocess_pictures(canvas_picture(d["strokes"], width) for d in drawings)
            for width in STROKE_WIDTHS
        },
    )
