"""What results.json and evaluation.json must hold for a model card: they may be edited, or foreign.

Fields that the card does not show are not checked.
"""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.mlp import N_CLASSES
from training import findings

Count = Annotated[int, Field(ge=0, le=10**12)]
Total = Annotated[int, Field(ge=1, le=10**12)]  # of what shares are computed
Number = Annotated[float, Field(ge=0, le=1e12)]
Share = Annotated[float, Field(ge=0, le=1)]
Digit = Annotated[int, Field(ge=0, lt=N_CLASSES)]
Text = Annotated[str, Field(max_length=1_000)]
Row = Annotated[list[Count], Field(min_length=N_CLASSES, max_length=N_CLASSES)]


class FiguresError(Exception):
    """A file of figures lacks a field, or has one that no figure can be."""


class _Figures(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _Versions(_Figures):
    python: Text
    torch: Text


class _Epoch(_Figures):
    epoch: Count
    loss: Number
    val_loss: Number
    val_accuracy: Share
    pens_accuracy: Share = 0


class _Recipe(_Figures):
    hidden_sizes: list[int] = []
    pens: Number = 0
    outliers: Number = 0
    distort: Number = 0
    teacher: Text | None = None


class Results(_Figures):
    """How a network was trained; weights of another program have none of it."""

    command: Text = ""
    commit: Text = ""
    seed: int = 0
    versions: _Versions | None = None
    recipe: _Recipe = _Recipe()
    seconds: Number = 0
    device: Text = ""
    history: list[_Epoch] = []
    best_epoch: Count = 0
    val_accuracy: Share = 0
    pens_accuracy: Share = 0

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
        if len({"pens_accuracy" in each.model_fields_set for each in self.history}) > 1:
            raise ValueError("pens_accuracy is in some epochs of the history alone")
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


class _Bin(_Figures):
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


class _ByDigit(_Figures):
    digit: Digit
    n: Count
    recall: Share
    low: Share
    high: Share
    precision: Share | None
    refused: Share


def _checked(text: str) -> str:
    findings.pixels({"pixels": text})
    return text


class _Mistake(_Figures):
    index: Count
    label: Digit
    digit: Digit
    confidence: Share
    pixels: Annotated[str, AfterValidator(_checked)]


class _Test(_Pens):
    bins: Annotated[list[_Bin], Field(min_length=1)]
    confusion: Annotated[list[Row], Field(min_length=N_CLASSES, max_length=N_CLASSES)]
    by_digit: Annotated[list[_ByDigit], Field(min_length=1)]
    mistakes: list[_Mistake]

    @model_validator(mode="after")
    def _has_pictures(self) -> Self:
        if not any(each.n for each in self.bins):
            raise ValueError("all bins are empty")
        return self


class _Kind(_Figures):
    n: Total
    refused: Share


class _Refusal(_Figures):
    threshold: Share
    auroc: dict[str, Share]
    curve: Annotated[list[dict[str, Share]], Field(min_length=1)]
    kinds: Annotated[dict[str, _Kind], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if missing := self.kinds.keys() - self.auroc.keys():
            raise ValueError(f"auroc lacks {', '.join(sorted(missing))}")
        expected = {"threshold", "test", "pens"} | self.kinds.keys()
        if any(expected - point.keys() for point in self.curve):
            raise ValueError(f"a point of the curve lacks one of {', '.join(sorted(expected))}")
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
    """What training/evaluate.py measured."""

    command: Text
    machine: Text
    weights_sha256: Text
    versions: _Versions | None = None
    test: _Test
    pens: _Pens
    changes: _Changes
    refusal: _Refusal | None = None
    drawings: _Drawings | None = None
    size: _Size | None = None
    speed: _Speed | None = None


def check(kind: type[Results | Evaluation], figures: Any) -> None:
    """Check the figures of a file.

    Raises:
        FiguresError: names the first field that does not fit, and why.
    """
    try:
        kind.model_validate(figures)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise FiguresError(f"{field}: {first['msg']}" if field else first["msg"]) from error
