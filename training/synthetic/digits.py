"""Synthetic digits: skeletons or written digits, varied, and rendered with many stroke widths."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from model.mlp import N_CLASSES, N_PIXELS
from training.data import Split
from training.synthetic.images import render
from training.synthetic.pool import N_PER_JOB, load_pool
from training.synthetic.real_strokes import load_digit_strokes
from training.synthetic.skeletons import DIGITS, parse_skeleton
from training.synthetic.strokes import (
    Polylines,
    add_bar,
    add_slash,
    sample_strokes,
    vary_strokes,
)

# Shares of the written 0s and 7s of one stroke that get a slash or a bar.
SLASHED = BARRED = 0.2


def sample_digit(digit: int, rng: np.random.Generator) -> Polylines:
    """Return the strokes of a digit, in a random form and a random variant of it."""
    return sample_strokes(parse_skeleton(rng.choice(DIGITS[digit])), rng)


def vary_written_digit(digit: int, rng: np.random.Generator) -> Polylines:
    """Return a random variant of a digit that one of 24 people wrote."""
    strokes = vary_strokes(_pick(digit, rng, validation=False), rng)
    if len(strokes) > 1:
        return strokes
    if digit == 0 and rng.random() < SLASHED:
        return add_slash(strokes, rng)
    if digit == 7 and rng.random() < BARRED:
        return add_bar(strokes, rng)
    return strokes


def _unseen_digit(digit: int, rng: np.random.Generator) -> Polylines:
    return _pick(digit, rng, validation=True)


def _pick(digit: int, rng: np.random.Generator, *, validation: bool) -> Polylines:
    written = load_digit_strokes(validation=validation)
    return written.drawings[rng.choice(np.flatnonzero(written.labels == digit))]


def draw_digits(seed: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw N_PER_JOB digits from one seed: images (N, 784) uint8, labels (N,), 0 to 9 in turn."""
    return _draw(sample_digit, np.random.default_rng(seed))


def draw_written_digits(seed: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw variants of written digits as `draw_digits` does."""
    # The numbers after the seed make the pools of one seed differ.
    return _draw(vary_written_digit, np.random.default_rng((*seed, 1)))


def draw_unseen_written_digits(seed: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw digits by the 6 writers that are left for validation, as they wrote them."""
    return _draw(_unseen_digit, np.random.default_rng((*seed, 2)))


def _draw(
    sample: Callable[[int, np.random.Generator], Polylines], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    images, labels = np.empty((N_PER_JOB, N_PIXELS), np.uint8), np.arange(N_PER_JOB) % N_CLASSES
    for i, digit in enumerate(labels):
        image = None
        while image is None:
            image = render(sample(int(digit), rng), rng)
        images[i] = image.reshape(-1)
    return images, labels


def load_digits(n: int, *, seed: int, cache: Path) -> Split:
    """Return n synthetic digits from the cache folder, or draw and cache them."""
    return load_pool(draw_digits, "digits", n, seed=seed, cache=cache)


def load_written_digits(n: int, *, seed: int, cache: Path) -> Split:
    """Return n variants of written digits from the cache folder, or draw and cache them."""
    return load_pool(draw_written_digits, "written", n, seed=seed, cache=cache)


def load_unseen_written_digits(n: int, *, seed: int, cache: Path) -> Split:
    """Return n digits by the unseen writers from the cache, or draw and cache them."""
    return load_pool(draw_unseen_written_digits, "unseen-written", n, seed=seed, cache=cache)
