"""Measure saved checkpoints and write evaluation.json beside each: python -m training.evaluate"""

import argparse
import base64
import hashlib
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

import numpy as np
import torch
from torch import Tensor

from model import Reader, checkpoint
from model.checkpoint import EVALUATION_FILE, WEIGHTS_FILE, Checkpoint
from model.device import pick_device
from model.mlp import MLP, N_CLASSES
from training.calibrate import calibration_error, chance_error, reliability
from training.canvas import load_drawings
from training.data import DataError, Split
from training.intervals import DECIMALS, wilson
from training.material import Framed, Material, People, prepare
from training.train import to_float

SAMPLES = 1_000
THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98)
MAX_MISTAKES = 20
REPEATS = 50  # of a timed call; its median counts


class Answers(NamedTuple):
    """What a network says of N pictures."""

    probabilities: Tensor  # (N, 10), calibrated
    doubt: Tensor  # (N,): the probability that it is no digit; 1 where there is no ink
    refused: Tensor  # (N,) bool

    @property
    def digit(self) -> Tensor:
        """The likeliest digit, (N,), refused or not."""
        return self.probabilities.argmax(1)

    @property
    def said(self) -> Tensor:
        """The digit that is answered, (N,); -1 where none is."""
        return torch.where(self.refused, -1, self.digit)


def evaluate(loaded: Checkpoint, material: Material, *, command: str) -> dict[str, Any]:
    """Return everything that evaluation.json says of a checkpoint; shares are in 0..1.

    `accuracy`: the likeliest digit is the label, refused or not. `answered_right`: the answer is a
    digit, and the label. Both come with Wilson's 95 % interval, but not on people's drawings: many
    are of one hand, so their interval would be too narrow; each writer's count stands there.
    """
    ask = _asker(loaded)
    test, pens = ask(_as_framed(material.test)), ask(_as_framed(material.pens))
    others = {kind: ask(pictures) for kind, pictures in material.strangers.items()}
    return {
        "model": loaded.config.name,
        "weights_sha256": digest(loaded),
        "command": command,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "machine": machine(),
        "test": _test(test, material.test),
        "pens": _digits(pens, material.pens.labels),
        "refusal": _refusal(test, pens, others, loaded.config.threshold),
        "changes": _changes(ask, material),
        "drawings": _drawings(ask, material.people) if material.people else None,
        "speed": _speed(loaded, material),
        "size": _size(loaded),
    }


def _asker(loaded: Checkpoint) -> Callable[[Framed], Answers]:
    device = next(loaded.model.parameters()).device
    temperature, threshold = loaded.config.temperature, loaded.config.threshold

    @torch.inference_mode()
    def ask(pictures: Framed) -> Answers:
        traces = [loaded.model.trace(part.to(device)) for part in pictures.images.split(1_000)]
        logits = torch.cat([t.logits for t in traces]).cpu()
        doubt = torch.cat([t.rejection_log_odds for t in traces]).sigmoid().cpu()
        doubt = doubt.masked_fill(pictures.blank, 1)
        refused = pictures.blank | (doubt > threshold)
        return Answers((logits / temperature).softmax(1), doubt, refused)

    return ask


def _as_framed(split: Split) -> Framed:
    return Framed(to_float(split.images), torch.zeros(len(split.labels), dtype=torch.bool))


def auroc(high: np.ndarray, low: np.ndarray) -> float:
    """Return how often one of `high` is above one of `low`; where they are equal, half counts."""
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, "left") + np.searchsorted(ordered, high, "right")
    return float(below.mean() / 2 / len(low))


def _test(answers: Answers, test: Split) -> dict[str, Any]:
    bins = reliability(answers.probabilities, test.labels)
    confusion = torch.zeros(N_CLASSES, N_CLASSES, dtype=torch.int64)
    ones = torch.ones_like(test.labels)
    confusion.index_put_((test.labels, answers.digit), ones, accumulate=True)
    return {
        **_digits(answers, test.labels),
        "bins": [{k: _round(v) for k, v in each._asdict().items()} for each in bins],
        "confusion": confusion.tolist(),
        "by_digit": [_by_digit(d, confusion, answers, test.labels) for d in range(N_CLASSES)],
        "mistakes": list(_mistakes(answers, test)),
    }


def _digits(answers: Answers, labels: Tensor) -> dict[str, Any]:
    return {
        "n": len(labels),
        "accuracy": wilson(int((answers.digit == labels).sum()), len(labels)),
        "answered_right": wilson(int((answers.said == labels).sum()), len(labels)),
        "calibration_error": _round(calibration_error(answers.probabilities, labels)),
        "calibration_error_by_chance": _round(chance_error(answers.probabilities)),
        "refused": _share(answers.refused),
    }


def _by_digit(digit: int, confusion: Tensor, answers: Answers, labels: Tensor) -> dict[str, Any]:
    right, n = int(confusion[digit, digit]), int(confusion[digit].sum())
    said = int(confusion[:, digit].sum())
    recall = wilson(right, n)
    return {
        "digit": digit,
        "n": n,
        "recall": recall["value"],
        "low": recall["low"],
        "high": recall["high"],
        "precision": _round(right / said) if said else None,
        "refused": _share(answers.refused[labels == digit]),
    }


def _mistakes(answers: Answers, test: Split) -> Iterator[dict[str, Any]]:
    """Yield the wrong answers, the most confident first; what is refused is not answered."""
    confidence, digit = answers.probabilities.max(1)
    wrong = ((digit != test.labels) & ~answers.refused).nonzero().squeeze(1)
    order = confidence[wrong].argsort(descending=True, stable=True)
    for i in wrong[order][:MAX_MISTAKES].tolist():
        yield {
            "index": i,
            "label": int(test.labels[i]),
            "digit": int(digit[i]),
            "confidence": _round(float(confidence[i])),
            "pixels": base64.b64encode(test.images[i].numpy().tobytes()).decode(),
        }


def _refusal(
    test: Answers, pens: Answers, others: Mapping[str, Answers], threshold: float
) -> dict[str, Any] | None:
    if threshold >= 1:
        return None
    doubts = {kind: a.doubt for kind, a in {"test": test, "pens": pens, **others}.items()}
    digits = test.doubt.numpy()
    return {
        "threshold": threshold,
        "auroc": {kind: _round(auroc(a.doubt.numpy(), digits)) for kind, a in others.items()},
        "curve": [
            {"threshold": t, **{kind: _share(doubt > t) for kind, doubt in doubts.items()}}
            for t in sorted({*THRESHOLDS, threshold})
        ],
        "kinds": {
            kind: {"n": len(a.refused), "refused": _share(a.refused)} for kind, a in others.items()
        },
    }


def _changes(ask: Callable[[Framed], Answers], material: Material) -> dict[str, Any]:
    plain = ask(material.plain).said
    return {
        "n": len(plain),
        "changed": {
            name: _share(ask(pictures).said != plain) for name, pictures in material.changes.items()
        },
    }


def _drawings(ask: Callable[[Framed], Answers], people: People) -> dict[str, Any]:
    return {
        "n": len(people.digits),
        "writers": len(people.writers.unique()),
        "pens": {pen: _drawn(ask(many), people) for pen, many in people.pens.items()},
    }


def _drawn(answers: Answers, people: People) -> dict[str, Any]:
    figures = _digits(answers, people.digits)
    shares = {key: {"value": figures[key]["value"]} for key in ("accuracy", "answered_right")}
    right = answers.digit == people.digits
    theirs = [right[people.writers == writer] for writer in people.writers.unique()]
    return {
        **figures,
        **shares,
        "writers": [{"n": len(each), "right": int(each.sum())} for each in theirs],
    }


def _speed(loaded: Checkpoint, material: Material) -> dict[str, Any]:
    """Time the network on one thread of the CPU, wherever it was measured."""
    reader = Reader(loaded, device=torch.device("cpu"))
    images = to_float(material.test.images)
    with _one_thread(), torch.inference_mode():
        return {
            "device": "cpu",
            "threads": 1,
            "read_ms": _round(1_000 * _median(lambda: reader.read(material.picture)), 3),
            "forward_ms": _round(1_000 * _median(lambda: reader.model(images[:1])), 4),
            "forward_10000_s": _round(_median(lambda: reader.model(images), repeats=5), 4),
        }


@contextmanager
def _one_thread() -> Generator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _median(call: Callable[[], object], *, repeats: int = REPEATS) -> float:
    """Return the median of a call's times, in s, after one that warms up."""
    call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _size(loaded: Checkpoint) -> dict[str, int]:
    return {
        "parameters": loaded.model.n_parameters,
        "bytes": len(_weights(loaded)),
        "multiply_adds": multiply_adds(loaded.model),
    }


def multiply_adds(model: MLP) -> int:
    """Return how many products of one picture's forward pass are summed: one for each weight."""
    return sum(p.numel() for name, p in model.named_parameters() if name.endswith("weight"))


def digest(loaded: Checkpoint) -> str:
    """Return the SHA-256 of a checkpoint's weights."""
    return hashlib.sha256(_weights(loaded)).hexdigest()


def _weights(loaded: Checkpoint) -> bytes:
    assert loaded.folder, "a checkpoint that was loaded lies somewhere"
    return (loaded.folder / WEIGHTS_FILE).read_bytes()


def machine() -> str:
    """Return the processor and its number of cores, as far as the system tells."""
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


def command_of(model: str, *, samples: int, drawings: Path | None) -> str:
    """Return the command that measures this again, without the paths of one machine."""
    path = Path(model)
    words = ["python", "-m", "training.evaluate", path.name if path.is_absolute() else model]
    words += ["--samples", str(samples)] if samples != SAMPLES else []
    words += ["--drawings", drawings.name] if drawings else []
    return shlex.join(words)


def summary(name: str, evaluation: Mapping[str, Any]) -> str:
    """Return the main figures in a line."""
    test = evaluation["test"]
    return (
        f"{name:12} accuracy {test['accuracy']['value']:.2%}, "
        f"calibration error {test['calibration_error']:.2%}, refused {test['refused']:.2%}"
    )


def write(
    model: str,
    loaded: Checkpoint,
    material: Material,
    *,
    samples: int,
    drawings: Path | None = None,
) -> dict[str, Any]:
    """Measure a checkpoint and write evaluation.json into its folder; return what it holds."""
    command = command_of(model, samples=samples, drawings=drawings)
    evaluation = evaluate(loaded, material, command=command)
    if loaded.folder and not loaded.revision:  # the Hub's cache is not ours to write to
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
        material = prepare(options.data_dir, samples=options.samples, drawings=drawings)
        for name, each in loaded.items():
            each.model.to(device)
            figures = write(
                name, each, material, samples=options.samples, drawings=options.drawings
            )
            print(summary(name, figures))
    except (checkpoint.CheckpointError, DataError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    add = parser.add_argument
    add("models", nargs="*", default=checkpoint.shipped_names(), metavar="MODEL",
        help="shipped names or folders (the shipped ones)")  # fmt: skip
    add("--data-dir", default="data", help="holds MNIST/raw, or will (data)")
    add("--device", default="auto", help="auto (CUDA if available), cpu, cuda, cuda:1 or mps")
    add("--samples", type=int, default=SAMPLES, metavar="N",
        help=f"pictures of each kind that is no digit ({SAMPLES:,})")  # fmt: skip
    add("--drawings", type=Path, metavar="FILE.jsonl",
        help='a line: {"writer": 1, "digit": 9, "strokes": [[[x, y], ...], ...]}')  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
