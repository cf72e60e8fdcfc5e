"""Tests of finding the digit in a picture: what is its ink, and what is removed."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from model import Reader
from model.components import find_components
from model.drawing import parse, rasterize

SIDE = 280  # px of a picture


@pytest.fixture(scope="module")
def reader():
    return Reader.load("mlp-1024")


def cover(strokes, *, size=150.0, pen=12.0, at=None):
    """Return how much of each pixel strokes cover, (280, 280) in 0..1; `size` is the long side."""
    points = [p[:, :2] for p in parse(strokes)]
    every = np.concatenate(points)
    low, high = every.min(axis=0), every.max(axis=0)
    scale = size / (high - low).max()
    centre = np.array(at or (SIDE / 2, SIDE / 2)) / scale - (low + high) / 2
    return rasterize([(p + centre) * scale for p in points], pen_width=pen, height=SIDE, width=SIDE)


def sheet(strokes, *, paper=255.0, ink=20.0, **place):
    """Return dark ink on light paper, (280, 280) uint8."""
    return (paper + (ink - paper) * cover(strokes, **place)).round().astype(np.uint8)


def lit(picture, seed=0):
    """Return a photo of a picture under a lamp, with noise."""
    y, x = np.mgrid[-1 : 1 : picture.shape[0] * 1j, -1 : 1 : picture.shape[1] * 1j]
    light = 1 / (1 + 0.3 * np.hypot(x - 0.8, y + 0.6) ** 2)
    light = light if picture.ndim == 2 else light[..., None]
    noise = np.random.default_rng(seed).normal(0, 2, picture.shape)
    return (picture * light + noise).clip(0, 255).astype(np.uint8)


def framed(strokes):
    picture = Image.fromarray(sheet(strokes))
    ImageDraw.Draw(picture).rectangle([9, 12, 268, 272], outline=40, width=4)
    return picture


def cell(strokes):
    picture = lit(sheet(strokes, paper=230))
    picture[:6], picture[:, -5:], picture[-7:] = 60, 60, 60
    return picture


def ruled(strokes, *, turned=0.0, squared=False):
    lines = np.full((SIDE, SIDE), 255, np.uint8)
    lines[11::24] = lines[12::24] = 170
    if squared:
        lines[:, 7::24] = 170
    picture = Image.fromarray(np.minimum(sheet(strokes, pen=9), lines))
    return picture.rotate(turned, Image.Resampling.BICUBIC, fillcolor=255)


def speckled(strokes):
    picture = sheet(strokes)
    for y, x in np.random.default_rng(0).integers(2, 275, (9, 2)):
        picture[y : y + 3, x : x + 2] = 30
    return picture


def scanned(strokes):
    picture = sheet(strokes)
    picture[:, :14] = 25
    return picture


def with_neighbour(strokes):
    picture = sheet(strokes, size=130)
    picture[:14, 60:180] = np.minimum(picture[:14, 60:180], 20)
    return picture


def on_desk(strokes):
    picture = np.repeat(sheet(strokes, size=110)[..., None], 3, axis=2)
    picture[:, :40] = picture[250:] = (110, 75, 50)
    return Image.fromarray(lit(picture))


def translucent(strokes):
    ink = np.zeros((SIDE, SIDE, 4), np.uint8)
    ink[..., :3], ink[..., 3] = (90, 160, 60), 50 * cover(strokes)
    return Image.fromarray(ink)


def coloured(strokes):
    """Return red ink on green paper, which are equally light."""
    ink, paper = np.array([230, 60, 40.0]), np.array([40, 150, 60.0])
    return (paper + (ink - paper) * cover(strokes)[..., None]).round().astype(np.uint8)


def shadowed(strokes):
    y, x = np.mgrid[:SIDE, :SIDE]
    return (sheet(strokes, paper=225, ink=50) * np.where(x + 0.4 * y > 200, 0.6, 1)).astype(
        np.uint8
    )


def blurred(strokes):
    return Image.fromarray(lit(sheet(strokes))).filter(ImageFilter.GaussianBlur(3))


PICTURES = {
    "lamp": (lambda s: lit(sheet(s, paper=220, ink=50)), set()),
    "thick pen under a lamp": (lambda s: lit(sheet(s, pen=22, paper=220, ink=50)), set()),
    "chalk": (lambda s: lit(sheet(s, paper=50, ink=220)), set()),
    "pencil": (lambda s: lit(sheet(s, pen=5, paper=225, ink=150)), set()),
    "sharp shadow": (shadowed, set()),
    "blurred": (blurred, set()),
    "tight crop": (lambda s: lit(sheet(s, size=260, pen=18)), set()),
    "small": (lambda s: lit(sheet(s, size=50, pen=5, at=(60, 200))), set()),
    "frame": (framed, {"frame"}),
    "form cell": (cell, {"edge"}),
    "ruled": (ruled, {"ruling"}),
    "squared": (lambda s: ruled(s, squared=True), {"ruling"}),
    "ruled, turned": (lambda s: ruled(s, turned=5), {"ruling"}),
    "specks": (speckled, {"speck"}),
    "edge of a scan": (scanned, {"edge"}),
    "neighbour": (with_neighbour, {"neighbour"}),
    "desk": (on_desk, set()),
    "translucent ink": (translucent, set()),
    "coloured ink": (coloured, set()),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_the_digit_is_found(kind, reader, digits):
    make, removed = PICTURES[kind]
    readings = reader.read_batch(make(each["strokes"]) for each in digits)
    assert [r.digit for r in readings] == [each["digit"] for each in digits]
    for reading in readings:
        assert removed <= {region.kind for region in reading.preprocessing.removed}


def test_a_component_is_measured_the_same_alone_and_among_others():
    bar = np.zeros((60, 80), bool)
    bar[20:24, 10:50] = True
    both = bar.copy()
    both[5:7, 2:4] = True
    alone, among = (find_components(mask, mask.astype(np.float32)) for mask in (bar, both))
    assert alone.boxes.tolist() == [[10, 20, 50, 24]]
    assert alone.thickness[0] == pytest.approx(4, abs=0.5)
    assert (alone.labels == bar).all()
    for field in ("boxes", "areas", "strengths", "thickness", "depths"):
        np.testing.assert_array_equal(getattr(alone, field)[0], getattr(among, field)[1])
