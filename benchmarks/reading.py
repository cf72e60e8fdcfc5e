"""Time to read a drawing or a picture on one core, and MNIST answers that preprocessing changes.

Run: python -m benchmarks.reading [--data-dir data]
"""

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch

from benchmarks.photos import gradient, render_scene, take_photo
from model import Reader
from model.checkpoint import shipped_names
from model.drawing import draw
from model.preprocess import preprocess
from training.data import DataError, load_test, to_float
from training.synthetic.canvas import STROKE_WIDTH, canvas_picture

REPEATS = 200


def drawing_of(n_points: int) -> list:
    """Return one stroke, a figure eight of `n_points` points."""
    turn = np.linspace(0, 2 * np.pi, n_points)
    return [np.stack([60 * np.sin(2 * turn), 100 * np.cos(turn)], axis=1).tolist()]


def milliseconds(call: Callable[[], object]) -> tuple[float, float]:
    """Return the median and the 95th percentile of the duration of a call."""
    call()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times), float(np.percentile(times, 95))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", default="data")
    options = parser.parse_args()
    try:
        images = load_test(options.data_dir).images
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    strokes = drawing_of(200)
    clean = canvas_picture(strokes, STROKE_WIDTH)
    photo = take_photo(render_scene(strokes, 0, ink="marker"), 0, light=gradient)
    small, large = photo.resize((210, 280)), io.BytesIO()
    photo.resize((3_000, 4_000)).save(large, "JPEG", quality=85)
    reader = Reader.load("mlp-1024", device="cpu")
    print(f"{'one core, ms':34}{'median':>8}{'p95':>8}")
    for label, call in {
        "draw, 200 points": lambda: draw(strokes),
        "preprocess, 280 × 280 px": lambda: preprocess(clean),
        "the same, a photo of 210 × 280 px": lambda: preprocess(small),
        "the same, a JPEG of 12 megapixels": lambda: preprocess(large),
        "strokes to Reading, mlp-1024": lambda: reader.read_strokes(strokes),
    }.items():
        print("{:34}{:8.2f}{:8.2f}".format(label, *milliseconds(call)))
    _print_changed_labels(images)
    return 0


def _print_changed_labels(images: torch.Tensor) -> None:
    """Compare the answers on MNIST's test images with those after preprocessing."""
    prepared = [preprocess(image.numpy().reshape(28, 28)) for image in images]
    framed = torch.from_numpy(np.stack([p.image for p in prepared])).flatten(1)
    largest = (framed - to_float(images)).abs().max().item() * 255
    print(f"\nMNIST's 10,000 test images: no pixel changes by more than {largest:.1f} of 255")
    for name in shipped_names():
        model = Reader.load(name, device="cpu").model
        changed = int((model(framed).argmax(1) != model(to_float(images)).argmax(1)).sum())
        print(f"{name:12} labels changed by preprocessing: {changed} of 10,000")


if __name__ == "__main__":
    sys.exit(main())
