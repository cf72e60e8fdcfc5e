"""Distort batches of images, on their device."""

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from model.mlp import SIZE

MAX_ROTATION = math.radians(15)
MAX_SHEAR = 0.25  # horizontal shift per unit of height; people slant more than they rotate
MAX_STRETCH = 0.15  # of the width, and independently of the height
MAX_SHIFT = 1.5  # px; small, since preprocessing centres the ink
ELASTIC_KNOTS = 5  # per side: bends of a fifth of the image's size, as in Simard et al. 2003
ELASTIC_SIGMA = 1.0  # px
MAX_THICKENING = 0.8  # weight of the image dilated by one pixel
MAX_THINNING = 0.6  # weight of the image eroded by one pixel


def distort(images: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Return images with a random position, rotation, slant, size, bend and stroke width each.

    `images` and the result are (B, 784) float32 in 0..1, on any device; `generator` is on the same
    device.

    Source: Simard, Steinkraus, Platt, "Best Practices for Convolutional Neural Networks Applied
    to Visual Document Analysis", ICDAR 2003.
    """
    pictures = images.view(-1, 1, SIZE, SIZE)
    pictures = _change_stroke_width(pictures, generator)
    sources = _affine_sources(pictures, generator) + _elastic_offsets(pictures, generator)
    grid = sources.permute(0, 2, 3, 1)
    return F.grid_sample(pictures, grid, align_corners=False).flatten(1)


def _change_stroke_width(pictures: Tensor, generator: torch.Generator | None) -> Tensor:
    amount = _uniform((len(pictures), 1, 1, 1), 1.0, pictures, generator)  # -1 thin .. 1 thick
    dilated = _over_neighbours(torch.maximum, pictures)
    eroded = _over_neighbours(torch.minimum, pictures)
    thicker = torch.lerp(pictures, dilated, amount.clamp(min=0) * MAX_THICKENING)
    return torch.lerp(thicker, eroded, (-amount).clamp(min=0) * MAX_THINNING)


def _over_neighbours(pick: Callable[[Tensor, Tensor], Tensor], pictures: Tensor) -> Tensor:
    """Dilate or erode by a 3 × 3 square. On a CPU, this is much faster than `max_pool2d`."""
    padded = F.pad(pictures, (1, 1, 1, 1))
    rows = pick(pick(padded[..., :-2], padded[..., 1:-1]), padded[..., 2:])
    return pick(pick(rows[..., :-2, :], rows[..., 1:-1, :]), rows[..., 2:, :])


def _affine_sources(pictures: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return the sources of pixels under random affine maps: x and y, (B, 2, 28, 28), in -1..1."""
    batch = len(pictures)
    angle = _uniform((batch,), MAX_ROTATION, pictures, generator)
    shear = _uniform((batch,), MAX_SHEAR, pictures, generator)
    stretch = _uniform((batch, 2), MAX_STRETCH, pictures, generator).exp()
    shift = _uniform((batch, 2), MAX_SHIFT * 2 / SIZE, pictures, generator)
    cos, sin = angle.cos(), angle.sin()
    x_row = torch.stack([cos * stretch[:, 0], (shear * cos - sin) * stretch[:, 0], shift[:, 0]], 1)
    y_row = torch.stack([sin * stretch[:, 1], (shear * sin + cos) * stretch[:, 1], shift[:, 1]], 1)
    theta = torch.stack([x_row, y_row], 1)  # (B, 2, 3)
    # `affine_grid` computes the same, but takes 20 times as long on a CPU.
    return (theta @ _pixel_centres(pictures.device)).view(-1, 2, SIZE, SIZE)


@cache
def _pixel_centres(device: torch.device) -> Tensor:
    """Return x, y and 1 for the centre of each pixel, (3, 784), x and y in -1..1."""
    line = (torch.arange(SIZE, device=device) * 2 + 1) / SIZE - 1
    x, y = line.repeat(SIZE), line.repeat_interleave(SIZE)
    return torch.stack([x, y, torch.ones_like(x)])


def _elastic_offsets(pictures: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return smooth random offsets, (B, 2, 28, 28), interpolated from a coarse grid of knots.

    The paper blurs a random field of full size instead. That looks the same, but takes longer than
    the network itself.
    """
    batch = len(pictures)
    shape = (batch, 2, ELASTIC_KNOTS, ELASTIC_KNOTS)
    knots = torch.randn(shape, device=pictures.device, generator=generator)
    knots = knots * (ELASTIC_SIGMA * 2 / SIZE)
    basis = _interpolation(pictures.device)  # (28, KNOTS)
    return basis @ knots @ basis.T


@cache
def _interpolation(device: torch.device) -> Tensor:
    """Return the matrix of bicubic interpolation from knots to pixels, (28, KNOTS)."""
    eye = torch.eye(ELASTIC_KNOTS, device=device).view(1, ELASTIC_KNOTS, ELASTIC_KNOTS, 1)
    wide = F.interpolate(eye, size=(SIZE, 1), mode="bicubic", align_corners=True)
    return wide.view(ELASTIC_KNOTS, SIZE).T


def _uniform(
    shape: tuple[int, ...], bound: float, like: Tensor, generator: torch.Generator | None
) -> Tensor:
    """Return uniform random numbers in -bound..bound, on the device of `like`."""
    return torch.rand(shape, device=like.device, generator=generator) * (2 * bound) - bound
