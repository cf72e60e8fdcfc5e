"""Tests of the stages of preprocessing in the lesson."""

import numpy as np
import pytest
from PIL import Image

from lesson.framing import NAMES, stages
from model.preprocess import BOX, preprocess
from training.synthetic.canvas import CANVAS, canvas_picture


def drawn(digits, digit=7, **place):
    strokes = next(each["strokes"] for each in digits if each["digit"] == digit)
    return canvas_picture(strokes, 18, **place)


def images(picture):
    found = stages(picture)
    assert tuple(stage.name for stage in found) == NAMES
    for _, image in found:
        assert (image.shape, image.dtype) == ((28, 28), np.float32)
        assert 0 <= image.min() <= image.max() <= 1
    return [stage.image for stage in found]


def middle_and_sides(image):
    """Return the centre (x, y) and the side lengths of the bounding box of the ink, in pixels."""
    inked = np.argwhere(image > 0.2)[:, ::-1]
    low, high = inked.min(axis=0), inked.max(axis=0) + 1
    return (low + high) / 2, high - low


@pytest.mark.parametrize("digit", range(10))
@pytest.mark.parametrize("light_on_dark", [False, True])
def test_the_last_stage_is_the_input_of_the_network(digits, digit, light_on_dark):
    picture = drawn(digits, digit, size=120, shift=(50, -60))
    picture = 255 - picture if light_on_dark else picture
    for sheet in (picture, picture[:220], np.asarray(Image.fromarray(picture).resize((28, 28)))):
        assert (images(sheet)[-1] == preprocess(sheet).image).all()


def test_each_stage_adds_one_operation(digits):
    as_drawn, polarity, box, scale, centred = images(drawn(digits, size=140, shift=(50, -40)))
    cells = drawn(digits, size=140, shift=(50, -40)).reshape(28, 10, 28, 10).mean((1, 3)) / 255
    assert np.abs(as_drawn - cells).mean() < 0.01  # it reduces with a different filter
    assert polarity == pytest.approx(1 - as_drawn, abs=0.02)
    (at, sides), (moved_to, same) = middle_and_sides(polarity), middle_and_sides(box)
    assert at == pytest.approx([14 + 5, 14 - 4], abs=1)
    assert moved_to == pytest.approx([14, 14], abs=0.5)
    assert same == pytest.approx(sides, abs=1)
    assert polarity.sum() == pytest.approx(box.sum(), rel=0.02)
    middle, fitted = middle_and_sides(scale)
    assert middle == pytest.approx([14, 14], abs=0.5)
    assert max(fitted) == pytest.approx(BOX, abs=1)
    assert max(sides) < BOX - 2
    assert middle_and_sides(centred)[1] == pytest.approx(fitted, abs=1)
    mass = np.argwhere(np.ones((28, 28))) + 0.5
    assert np.average(mass, axis=0, weights=centred.ravel()) == pytest.approx([14.5, 14.5], abs=0.1)
    assert np.abs(scale - centred).max() > 0.2


def test_stages_from_polarity_on_do_not_depend_on_polarity(digits):
    picture = drawn(digits, size=140, shift=(50, -40))
    (dark, *others), (light, *same) = images(picture), images(255 - picture)
    assert light == pytest.approx(1 - dark, abs=1e-5)
    assert others == [pytest.approx(image, abs=0.01) for image in same]


def test_a_sheet_that_is_not_square_keeps_the_aspect_ratio(digits):
    picture = drawn(digits, size=140)
    square, wide = images(picture)[1:], images(picture[40:-40])[1:]
    assert square == [pytest.approx(image, abs=1e-5) for image in wide]


@pytest.mark.parametrize("level", [0, 128, 255])
def test_stages_of_a_blank_sheet_are_zero(level):
    assert not np.any(images(np.full((CANVAS, CANVAS), level, np.uint8)))
