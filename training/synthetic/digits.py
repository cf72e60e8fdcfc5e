"""Synthetic digits: skeletons of digits, varied, and rendered with many stroke widths."""

from pathlib import Path

import numpy as np

from model.mlp import N_CLASSES, N_PIXELS
from training.data import Split
from training.synthetic.images import render
from training.synthetic.pool import N_PER_JOB, load_pool
from training.synthetic.skeletons import DIGITS, parse_skeleton
from training.synthetic.strokes import Polylines, sample_strokes


def sample_digit(digit: int, rng: np.random.Generator) -> Polylines:
    """Return the strokes of a digit, in a random form and a random variant of it."""
    return sample_strokes(parse_skeleton(rng.choice(DIGITS[digit])), rng)


def draw_digits(seed: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw N_PER_JOB digits from one seed: images (N, 784) uint8, labels (N,), 0 to 9 in turn."""
    rng = np.random.default_rng(seed)
    images, labels = np.empty((N_PER_JOB, N_PIXELS), np.uint8), np.arange(N_PER_JOB) % N_CLASSES
    for i, digit in enumerate(labels):
        image = None
        while image is None:
            image = render(sample_digit(int(digit), rng), rng)
        images[i] = image.reshape(-1)
    return images, labels


def load_digits(n: int, *, seed: int, cache: Path) -> Split:
    """Return n synthetic digits from the cache folder, or draw and cache them."""
    return load_pool(draw_digits, "digits", n, seed=seed, cache=cache)
