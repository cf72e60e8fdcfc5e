"""Measure checkpoints and write evaluation.json into their folders: python -m training.evaluate"""

import argparse
import base64
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from model import Reader, checkpoint
from model.checkpoint import EVALUATION_FILE, WEIGHTS_FILE, Checkpoint
from model.device import pick_device
from model.mlp import MLP, N_CLASSES
from training.data import DataError, Split, to_float
from training.drawings import load_drawings
from training.evaluation_data import EvaluationData, HumanDrawings, Inputs, prepare_evaluation_data
from training.metrics import (
    DECIMALS,
    auroc,
    calibration_error,
    calibration_error_by_chance,
    reliability_bins,
    wilson,
)

SAMPLES = 1_000
THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98)
MAX_MISTAKES = 20
REPEATS = 50  # of a timed call, whose median is reported


class Predictions(NamedTuple):
    """What a network predicts for N inputs."""

    probs: Tensor  # (N, 10), calibrated
    rejection_prob: Tensor  # (N,): the probability of "not a digit"; 1 for a blank input
    rejected: Tensor  # (N,) bool

    @property
    def digit(self) -> Tensor:
        """The most probable digit, (N,), whether or not the input is rejected."""
        return self.probs.argmax(1)

    @property
    def answer(self) -> Tensor:
        """The most probable digit, (N,), or -1 if the input is rejected."""
        return torch.where(self.rejected, -1, self.digit)


def measure(loaded: Checkpoint, data: EvaluationData, *, command: str) -> dict[str, Any]:
    """Return the content of evaluation.json for a checkpoint; shares are in 0..1.

    The keys keep their names from version 0.1.0. `pens` means synthetic digits at the top level
    and stroke widths inside `drawings`. `refusal` and `refused` mean rejection.

    `accuracy` is the share of inputs whose most probable digit is the label, rejected or not.
    `answered_right` is the share that is accepted and whose digit is the label. Both have Wilson's
    95 % interval, except on people's drawings: drawings by one person are similar, so the interval
    would be too narrow. Each writer's counts are given instead.
    """
    predict = _predictor(loaded)
    test = predict(_as_inputs(data.test))
    synthetic = predict(_as_inputs(data.synthetic_digits))
    outliers = {kind: predict(inputs) for kind, inputs in data.outliers.items()}
    return {
        "model": loaded.config.name,
        "weights_sha256": loaded.weights_sha256,
        "command": command,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "machine": describe_machine(),
        "test": _measure_test(test, data.test),
        "pens": _measure_digits(synthetic, data.synthetic_digits.labels),
        "refusal": _measure_rejection(test, synthetic, outliers, loaded.config.threshold),
        "changes": _measure_alterations(predict, data),
        "drawings": _measure_drawings(predict, data.drawings) if data.drawings else None,
        "speed": _measure_speed(loaded, data),
        "size": _measure_size(loaded),
    }


def _predictor(loaded: Checkpoint) -> Callable[[Inputs], Predictions]:
    device = next(loaded.model.parameters()).device
    temperature, threshold = loaded.config.temperature, loaded.config.threshold

    @torch.inference_mode()
    def predict(inputs: Inputs) -> Predictions:
        traces = [loaded.model.trace(part.to(device)) for part in inputs.images.split(1_000)]
        logits = torch.cat([t.logits for t in traces]).cpu()
        rejection_prob = torch.cat([t.rejection_log_odds for t in traces]).sigmoid().cpu()
        rejection_prob = rejection_prob.masked_fill(inputs.blank, 1)
        rejected = inputs.blank | (rejection_prob > threshold)
        return Predictions((logits / temperature).softmax(1), rejection_prob, rejected)

    return predict


def _as_inputs(split: Split) -> Inputs:
    return Inputs(to_float(split.images), torch.zeros(len(split.labels), dtype=torch.bool))


def _measure_test(predictions: Predictions, test: Split) -> dict[str, Any]:
    bins = reliability_bins(predictions.probs, test.labels)
    confusion = torch.zeros(N_CLASSES, N_CLASSES, dtype=torch.int64)
    ones = torch.ones_like(test.labels)
    confusion.index_put_((test.labels, predictions.digit), ones, accumulate=True)
    return {
        **_measure_digits(predictions, test.labels),
        "bins": [{k: _round(v) for k, v in each._asdict().items()} for each in bins],
        "confusion": confusion.tolist(),
        "by_digit": [
            _measure_digit(digit, confusion, predictions, test.labels) for digit in range(N_CLASSES)
        ],
        "mistakes": list(_mistakes(predictions, test)),
    }


def _measure_digits(predictions: Predictions, labels: Tensor) -> dict[str, Any]:
    return {
        "n": len(labels),
        "accuracy": wilson(int((predictions.digit == labels).sum()), len(labels)),
        "answered_right": wilson(int((predictions.answer == labels).sum()), len(labels)),
        "calibration_error": _round(calibration_error(predictions.probs, labels)),
        "calibration_error_by_chance": _round(calibration_error_by_chance(predictions.probs)),
        "refused": _share(predictions.rejected),
    }


def _measure_digit(
    digit: int, confusion: Tensor, predictions: Predictions, labels: Tensor
) -> dict[str, Any]:
    right, n = int(confusion[digit, digit]), int(confusion[digit].sum())
    n_predicted = int(confusion[:, digit].sum())
    recall = wilson(right, n)
    return {
        "digit": digit,
        "n": n,
        "recall": recall["value"],
        "low": recall["low"],
        "high": recall["high"],
        "precision": _round(right / n_predicted) if n_predicted else None,
        "refused": _share(predictions.rejected[labels == digit]),
    }


def _mistakes(predictions: Predictions, test: Split) -> Iterator[dict[str, Any]]:
    """Yield the accepted images that are misread, the most confident first."""
    confidence, digit = predictions.probs.max(1)
    wrong = ((digit != test.labels) & ~predictions.rejected).nonzero().squeeze(1)
    order = confidence[wrong].argsort(descending=True, stable=True)
    for i in wrong[order][:MAX_MISTAKES].tolist():
        yield {
            "index": i,
            "label": int(test.labels[i]),
            "digit": int(digit[i]),
            "confidence": _round(float(confidence[i])),
            "pixels": base64.b64encode(test.images[i].numpy().tobytes()).decode(),
        }


def _measure_rejection(
    test: Predictions, synthetic: Predictions, outliers: Mapping[str, Predictions], threshold: float
) -> dict[str, Any] | None:
    if threshold >= 1:
        return None
    probs = {
        kind: predictions.rejection_prob
        for kind, predictions in {"test": test, "pens": synthetic, **outliers}.items()
    }
    return {
        "threshold": threshold,
        "auroc": {
            kind: _round(auroc(probs[kind].numpy(), probs["test"].numpy())) for kind in outliers
        },
        "curve": [
            {"threshold": t, **{kind: _share(prob > t) for kind, prob in probs.items()}}
            for t in sorted({*THRESHOLDS, threshold})
        ],
        "kinds": {
            kind: {"n": len(predictions.rejected), "refused": _share(predictions.rejected)}
            for kind, predictions in outliers.items()
        },
    }


def _measure_alterations(
    predict: Callable[[Inputs], Predictions], data: EvaluationData
) -> dict[str, Any]:
    unaltered = predict(data.unaltered).answer
    return {
        "n": len(unaltered),
        "changed": {
            name: _share(predict(inputs).answer != unaltered)
            for name, inputs in data.altered.items()
        },
    }


def _measure_drawings(
    predict: Callable[[Inputs], Predictions], drawings: HumanDrawings
) -> dict[str, Any]:
    return {
        "n": len(drawings.digits),
        "writers": len(drawings.writers.unique()),
        "pens": {
            width: _measure_stroke_width(predict(inputs), drawings)
            for width, inputs in drawings.by_stroke_width.items()
        },
    }


def _measure_stroke_width(predictions: Predictions, drawings: HumanDrawings) -> dict[str, Any]:
    figures = _measure_digits(predictions, drawings.digits)
    shares = {key: {"value": figures[key]["value"]} for key in ("accuracy", "answered_right")}
    right = predictions.digit == drawings.digits
    by_writer = [right[drawings.writers == writer] for writer in drawings.writers.unique()]
    return {
        **figures,
        **shares,
        "writers": [{"n": len(each), "right": int(each.sum())} for each in by_writer],
    }


def _measure_speed(loaded: Checkpoint, data: EvaluationData) -> dict[str, Any]:
    """Time the network on one thread of the CPU, whatever device the other figures are from."""
    reader = Reader(loaded, device=torch.device("cpu"))
    images = to_float(data.test.images)
    with _one_thread(), torch.inference_mode():
        return {
            "device": "cpu",
            "threads": 1,
            "read_ms": _round(1_000 * _median_time(lambda: reader.read(data.picture)), 3),
            "forward_ms": _round(1_000 * _median_time(lambda: reader.model(images[:1])), 4),
            "forward_10000_s": _round(_median_time(lambda: reader.model(images), repeats=5), 4),
        }


@contextmanager
def _one_thread() -> Generator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _median_time(call: Callable[[], object], *, repeats: int = REPEATS) -> float:
    """Return the median time of a call in s, after a first call as a warm-up."""
    call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _measure_size(loaded: Checkpoint) -> dict[str, int]:
    assert loaded.folder, "a loaded checkpoint has a folder"
    return {
        "parameters": loaded.model.n_parameters,
        "bytes": (loaded.folder / WEIGHTS_FILE).stat().st_size,
        "multiply_adds": multiply_adds(loaded.model),
    }


def multiply_adds(model: MLP) -> int:
    """Return the number of multiply-adds of one image's forward pass: one for each weight."""
    return sum(p.numel() for name, p in model.named_parameters() if name.endswith("weight"))


def describe_machine() -> str:
    """Return the name of the processor, as far as it is known, and the number of cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def _share(flags: Tensor) -> float:
    return _round(float(flags.double().mean()))


def _round(value: float | None, decimals: int = DECIMALS) -> Any:
    return value if value is None or isinstance(value, int) else round(value, decimals)


def reproducing_command(model: str, *, samples: int, drawings: Path | None) -> str:
    """Return the command that repeats the evaluation, without absolute paths."""
    path = Path(model)
    words = ["python", "-m", "training.evaluate", path.name if path.is_absolute() else model]
    words += ["--samples", str(samples)] if samples != SAMPLES else []
    words += ["--drawings", drawings.name] if drawings else []
    return shlex.join(words)


def summarise(name: str, evaluation: Mapping[str, Any]) -> str:
    """Return the main figures in one line."""
    test = evaluation["test"]
    return (
        f"{name:12} accuracy {test['accuracy']['value']:.2%}, "
        f"calibration error {test['calibration_error']:.2%}, rejected {test['refused']:.2%}"
    )


def write_evaluation(
    model: str,
    loaded: Checkpoint,
    data: EvaluationData,
    *,
    samples: int,
    drawings: Path | None = None,
) -> dict[str, Any]:
    """Measure a checkpoint, write evaluation.json into its folder, and return its content.

    `model` is the name or the folder that the recorded command shows. A checkpoint of the Hub is
    in a cache, to which nothing is written.
    """
    command = reproducing_command(model, samples=samples, drawings=drawings)
    evaluation = measure(loaded, data, command=command)
    if loaded.folder and not loaded.revision:
        path = loaded.folder / EVALUATION_FILE
        checkpoint.write_json(path, evaluation)
        print(f"saved to {path}", file=sys.stderr)
    return evaluation


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each checkpoint; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.samples < 1:
        parser.error("--samples must be above 0")
    try:
        device = pick_device(options.device)
        loaded = {name: checkpoint.load(name) for name in options.models}
        drawings = load_drawings(options.drawings) if options.drawings else ()
        data = prepare_evaluation_data(options.data_dir, samples=options.samples, drawings=drawings)
        for name, each in loaded.items():
            each.model.to(device)
            figures = write_evaluation(
                name, each, data, samples=options.samples, drawings=options.drawings
            )
            print(summarise(name, figures))
    except (checkpoint.CheckpointError, DataError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    add = parser.add_argument
    add("models", nargs="*", default=checkpoint.shipped_names(), metavar="MODEL",
        help="shipped models, by name, or folders (default: all shipped models)")  # fmt: skip
    add(
        "--data-dir",
        default="data",
        help="the folder with MNIST, downloaded if it is missing (data)",
    )
    add("--device", default="auto", help="auto (CUDA if available), cpu, cuda, cuda:1 or mps")
    add("--samples", type=int, default=SAMPLES, metavar="N",
        help=f"outliers of each kind; other numbers follow ({SAMPLES:,})")  # fmt: skip
    add("--drawings", type=Path, metavar="FILE.jsonl",
        help='people\'s drawings, one per line: '
             '{"writer": 1, "digit": 9, "strokes": [[[x, y], ...], ...]}')  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
