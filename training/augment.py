"""Distort batches of images, on their device."""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

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


class Distortion(NamedTuple):
    """Random parameters of n distortions. They may be drawn for a batch and applied to a part."""

    thickness: Tensor  # (n,), -1 thin .. 1 thick
    angle: Tensor  # (n,), radians
    shear: Tensor  # (n,)
    stretch: Tensor  # (n, 2), factors of the width and the height
    shift: Tensor  # (n, 2), of x and y, in half widths
    knots: Tensor  # (n, 2, KNOTS, KNOTS), offsets of x and y, in half widths

    def select(self, rows: slice) -> "Distortion":
        """Return the parameters of the images in some rows."""
        return Distortion(*(parameter[rows] for parameter in self))


def draw_distortion(
    n: int, *, device: torch.device | str, generator: torch.Generator | None = None
) -> Distortion:
    """Draw the parameters of n distortions, on a device; `generator` is on the same one."""

    def uniform(*shape: int, bound: float) -> Tensor:
        return torch.rand(shape, device=device, generator=generator) * (2 * bound) - bound

    # The order of the draws determines the images of a seed.
    thickness = uniform(n, bound=1.0)
    angle = uniform(n, bound=MAX_ROTATION)
    shear = uniform(n, bound=MAX_SHEAR)
    stretch = uniform(n, 2, bound=MAX_STRETCH).exp()
    shift = uniform(n, 2, bound=MAX_SHIFT * 2 / SIZE)
    shape = (n, 2, ELASTIC_KNOTS, ELASTIC_KNOTS)
    knots = torch.randn(shape, device=device, generator=generator) * (ELASTIC_SIGMA * 2 / SIZE)
    return Distortion(thickness, angle, shear, stretch, shift, knots)


def distort(images: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Return images with a random position, rotation, slant, size, bend and stroke width each.

    `images` and the result are (B, 784) float32 in 0..1, on any device; `generator` is on the same
    device.
    """
    distortion = draw_distortion(len(images), device=images.device, generator=generator)
    return apply_distortion(distortion, images)


def apply_distortion(distortion: Distortion, images: Tensor) -> Tensor:
    """Distort B images, (B, 784) float32 in 0..1, with the parameters of B distortions.

    Source: Simard, Steinkraus, Platt, "Best Practices for Convolutional Neural Networks Applied
    to Visual Document Analysis", ICDAR 2003.
    """
    pictures = _change_stroke_width(images.view(-1, 1, SIZE, SIZE), distortion)
    sources = _affine_sources(distortion) + _elastic_offsets(distortion)
    grid = sources.permute(0, 2, 3, 1)
    return F.grid_sample(pictures, grid, align_corners=False).flatten(1)


def _change_stroke_width(pictures: Tensor, distortion: Distortion) -> Tensor:
    amount = distortion.thickness.view(-1, 1, 1, 1)
    dilated = _over_neighbours(torch.maximum, pictures)
    eroded = _over_neighbours(torch.minimum, pictures)
    thicker = torch.lerp(pictures, dilated, amount.clamp(min=0) * MAX_THICKENING)
    return torch.lerp(thicker, eroded, (-amount).clamp(min=0) * MAX_THINNING)


def _over_neighbours(pick: Callable[[Tensor, Tensor], Tensor], pictures: Tensor) -> Tensor:
    """Dilate or erode by a 3 × 3 square. On a CPU, this is much faster than `max_pool2d`."""
    padded = F.pad(pictures, (1, 1, 1, 1))
    rows = pick(pick(padded[..., :-2], padded[..., 1:-1]), padded[..., 2:])
    return pick(pick(rows[..., :-2, :], rows[..., 1:-1, :]), rows[..., 2:, :])


def _affine_sources(distortion: Distortion) -> Tensor:
    """Return the sources of pixels under affine maps: x and y, (B, 2, 28, 28), in -1..1."""
    _, angle, shear, stretch, shift, _ = distortion
    cos, sin = angle.cos(), angle.sin()
    x_row = torch.stack([cos * stretch[:, 0], (shear * cos - sin) * stretch[:, 0], shift[:, 0]], 1)
    y_row = torch.stack([sin * stretch[:, 1], (shear * sin + cos) * stretch[:, 1], shift[:, 1]], 1)
    theta = torch.stack([x_row, y_row], 1)  # (B, 2, 3)
    # `affine_grid` computes the same, but takes 20 times as long on a CPU.
    return (theta @ _pixel_centres(angle.device)).view(-1, 2, SIZE, SIZE)


@cache
def _pixel_centres(device: torch.device) -> Tensor:
    """Return x, y and 1 for the centre of each pixel, (3, 784), x and y in -1..1."""
    line = (torch.arange(SIZE, device=device) * 2 + 1) / SIZE - 1
    x, y = line.repeat(SIZE), line.repeat_interleave(SIZE)
    return torch.stack([x, y, torch.ones_like(x)])


def _elastic_offsets(distortion: Distortion) -> Tensor:
    """Return smooth offsets, (B, 2, 28, 28), interpolated from a coarse grid of knots.

    The paper blurs a random field of full size instead. That looks the same, but takes longer than
    the network itself.
    """
    basis = _interpolation(distortion.knots.device)  # (28, KNOTS)
    return basis @ distortion.knots @ basis.T


@cache
def _interpolation(device: torch.device) -> Tensor:
    """Return the matrix of bicubic interpolation from knots to pixels, (28, KNOTS)."""
    eye = torch.eye(ELASTIC_KNOTS, device=device).view(1, ELASTIC_KNOTS, ELASTIC_KNOTS, 1)
    wide = F.interpolate(eye, size=(SIZE, 1), mode="bicubic", align_corners=True)
    return wide.view(ELASTIC_KNOTS, SIZE).T
