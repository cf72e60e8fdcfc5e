"""The schema of results.json and evaluation.json, as far as a model card shows them.

The card's writer checks whole files, with `check`. The app's page checks what each plot needs.
Fields that neither shows are ignored. Values are strict: neither a string nor true is a number.
"""

import base64
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.mlp import N_CLASSES, N_PIXELS

MAX_POINTS, MAX_BINS, MAX_MISTAKES, MAX_KINDS = 1_001, 100, 100, 20

Count = Annotated[int, Field(ge=0, le=10**12)]
Total = Annotated[int, Field(ge=1, le=10**12)]  # of what shares are computed
Number = Annotated[float, Field(ge=0, le=1e12)]
Share = Annotated[float, Field(ge=0, le=1)]
Digit = Annotated[int, Field(ge=0, lt=N_CLASSES)]
Text = Annotated[str, Field(max_length=1_000)]
Row = Annotated[list[Count], Field(min_length=N_CLASSES, max_length=N_CLASSES)]


Name = Annotated[str, Field(min_length=1, max_length=40)]


class FiguresError(Exception):
    """A file of figures lacks a field or has an invalid one."""


def decode_pixels(text: str) -> bytes:
    """Decode the base64 of a 28 × 28 picture, one byte per pixel.

    Raises:
        ValueError: The text is not base64, or has another number of bytes.
    """
    pixels = base64.b64decode(text, validate=True)
    if len(pixels) != N_PIXELS:
        raise ValueError(f"expected {N_PIXELS} bytes, got {len(pixels)}")
    return pixels


def _check_pixels(text: str) -> str:
    decode_pixels(text)
    return text


class _Figures(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _Versions(_Figures):
    python: Text
    torch: Text


class Epoch(_Figures):
    epoch: Count
    loss: Number
    val_loss: Number
    val_accuracy: Share
    synthetic_digits_accuracy: Share | None = None
    written_digits_accuracy: Share | None = None


class _Recipe(_Figures):
    hidden_sizes: list[int] = []
    synthetic_digits: Number = 0
    outliers: Number = 0
    distort: Number = 0
    teachers: list[Text] = []
    written_digits: Number = 0


class Results(_Figures):
    """results.json: how a network was trained. Weights of other programs lack all of it."""

    command: Text = ""
    commit: Text = ""
    seed: int = 0
    versions: _Versions | None = None
    recipe: _Recipe = _Recipe()
    seconds: Number = 0
    device: Text = ""
    history: list[Epoch] = []
    best_epoch: Count = 0
    val_accuracy: Share = 0
    synthetic_digits_accuracy: Share = 0
    written_digits_accuracy: Share = 0

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if "seconds" in self.model_fields_set and "device" not in self.model_fields_set:
            raise ValueError("seconds without the device")
        if not self.history:
            return self
        if missing := {"seconds", "val_accuracy", "best_epoch"} - self.model_fields_set:
            raise ValueError(f"a history without {', '.join(sorted(missing))}")
        if [each.epoch for each in self.history].count(self.best_epoch) != 1:
            raise ValueError("best_epoch is not one epoch of the history")
        if len({each.synthetic_digits_accuracy is None for each in self.history}) > 1:
            raise ValueError("synthetic_digits_accuracy is missing in some epochs of the history")
        return self


class _Value(_Figures):
    value: Share


class _Interval(_Value):
    low: Share
    high: Share


class _Measured(_Figures):
    n: Total
    calibration_error: Share
    calibration_error_by_chance: Share
    refused: Share


class _Pens(_Measured):
    accuracy: _Interval
    answered_right: _Interval


class Bin(_Figures):
    """Answers of similar confidence; an empty bin has neither confidence nor accuracy."""

    low: Share
    high: Share
    n: Count
    confidence: Share | None
    accuracy: Share | None

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.n and (self.confidence is None or self.accuracy is None):
            raise ValueError("a bin with pictures lacks their confidence or accuracy")
        return self


class Reliability(_Figures):
    """Accuracy by confidence."""

    bins: Annotated[list[Bin], Field(min_length=1, max_length=MAX_BINS)]
    calibration_error: Share

    @model_validator(mode="after")
    def _has_pictures(self) -> Self:
        if not any(each.n for each in self.bins):
            raise ValueError("all bins are empty")
        return self


class Confusion(_Figures):
    """Counts: a row for each label, a column for each answer."""

    confusion: Annotated[list[Row], Field(min_length=N_CLASSES, max_length=N_CLASSES)]


class Mistake(_Figures):
    """A misread test image."""

    index: Count
    label: Digit
    digit: Digit
    confidence: Share
    pixels: Annotated[str, Field(max_length=2_000), AfterValidator(_check_pixels)]


class Mistakes(_Figures):
    """The most confident mistakes on the test set."""

    mistakes: Annotated[list[Mistake], Field(max_length=MAX_MISTAKES)]


class _ByDigit(_Figures):
    digit: Digit
    n: Count
    recall: Share
    low: Share
    high: Share
    precision: Share | None
    refused: Share


class _Test(_Pens, Reliability, Confusion, Mistakes):
    by_digit: Annotated[list[_ByDigit], Field(min_length=1)]


class _Kind(_Figures):
    n: Total
    refused: Share


class RejectionCurve(_Figures):
    """The share rejected at each threshold, by kind of input."""

    threshold: Share
    curve: Annotated[
        list[Annotated[dict[Name, Share], Field(max_length=MAX_KINDS + 3)]],
        Field(min_length=2, max_length=MAX_POINTS),
    ]

    @model_validator(mode="after")
    def _has_equal_points(self) -> Self:
        kinds = self.curve[0].keys()
        if not {"threshold", "test"} <= kinds or any(p.keys() != kinds for p in self.curve):
            raise ValueError("the points of the curve differ in their kinds, or lack one")
        return self


class _Rejection(RejectionCurve):
    auroc: dict[str, Share]
    kinds: Annotated[dict[str, _Kind], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if missing := self.kinds.keys() - self.auroc.keys():
            raise ValueError(f"auroc lacks {', '.join(sorted(missing))}")
        if missing := ({"pens"} | self.kinds.keys()) - self.curve[0].keys():
            raise ValueError(f"the curve lacks {', '.join(sorted(missing))}")
        return self


class _Changes(_Figures):
    n: Total
    changed: Annotated[dict[str, Share], Field(min_length=1)]


class _Writer(_Figures):
    n: Total
    right: Count


class _Drawn(_Measured):
    accuracy: _Value
    answered_right: _Value
    writers: Annotated[list[_Writer], Field(min_length=1)]


class _Drawings(_Figures):
    n: Total
    writers: Count
    pens: dict[str, _Drawn]


class _Size(_Figures):
    parameters: Count
    bytes: Count
    multiply_adds: Count


class _Speed(_Figures):
    read_ms: Number
    forward_ms: Number
    forward_10000_s: Number
    threads: Count
    device: Text


class Evaluation(_Figures):
    """evaluation.json: what `python -m training.evaluate` measured."""

    command: Text
    machine: Text
    weights_sha256: Text
    versions: _Versions | None = None
    test: _Test
    pens: _Pens
    changes: _Changes
    refusal: _Rejection | None = None
    drawings: _Drawings | None = None
    size: _Size | None = None
    speed: _Speed | None = None


def check(kind: type[Results | Evaluation], figures: Any) -> None:
    """Check a file's figures.

    Raises:
        FiguresError: A field is missing or invalid; names the first one and the reason.
    """
    try:
        kind.model_validate(figures)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise FiguresError(f"{field}: {first['msg']}" if field else first["msg"]) from error
