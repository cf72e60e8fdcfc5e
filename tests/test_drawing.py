import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from model.drawing import LONG_SIDE, MARGIN, DrawingError, draw, rasterize
from model.limits import LIMITS

SEVEN = [[[0, 0], [100, 0], [40, 150]]]


def pillow_line(points, width, side, zoom=8):
    """The same line by Pillow, drawn eight times as large and averaged."""
    big = Image.new("L", (side * zoom, side * zoom))
    pen = ImageDraw.Draw(big)
    scaled = [(x * zoom, y * zoom) for x, y in points]
    pen.line(scaled, fill=255, width=round(width * zoom))
    for x, y in scaled:
        radius = width * zoom / 2
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(big.reduce(zoom)) / 255


@pytest.mark.parametrize("width", [2.0, 7.0, 16.0])
def test_rasterize_draws_what_pillow_draws(width):
    points = np.array([(12.0, 14.0), (50.0, 20.0), (22.0, 51.0)])
    ours = rasterize([points], pen_width=width, height=64, width=64)
    theirs = pillow_line(points.tolist(), width, 64)
    assert np.abs(ours - theirs).mean() < 0.006
    assert ours.sum() == pytest.approx(theirs.sum(), rel=0.03)


def test_one_point_is_a_dot():
    ink = rasterize([np.array([[20.0, 20.0]])], pen_width=10, height=40, width=40)
    assert ink.sum() == pytest.approx(np.pi * 25, rel=0.01)
    dot = draw([[[3, 4]]])
    assert dot.shape == (LONG_SIDE + 2 * MARGIN,) * 2
    assert dot.sum() == pytest.approx(np.pi * (LONG_SIDE / 2) ** 2, rel=0.01)


def test_a_hairline_never_covers_a_pixel():
    ink = rasterize([np.array([[2.0, 5.5], [18.0, 5.5]])], pen_width=0.5, height=11, width=20)
    assert ink.max() == pytest.approx(0.5)


def test_ink_outside_the_sheet_is_cut_off():
    stroke = [np.array([[-50.0, 5.0], [60.0, 5.0]])]
    ink = rasterize(stroke, pen_width=4, height=10, width=10)
    assert ink.shape == (10, 10)
    assert ink.sum() == pytest.approx(40)


def test_draw_is_deterministic_and_in_range():
    first, second = draw(SEVEN), draw(SEVEN)
    assert first.dtype == np.float32
    assert np.array_equal(first, second)
    assert first.min() == 0
    assert first.max() == 1


def test_draw_fits_the_ink_to_the_long_side():
    rows = np.flatnonzero((draw(SEVEN) > 0.5).any(axis=1))
    assert rows[-1] - rows[0] + 1 == LONG_SIDE


@settings(max_examples=40, deadline=None)
@given(
    scale=st.floats(1e-3, 1e3),
    shift=st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
    pieces=st.integers(1, 9),
)
def test_unit_place_and_number_of_points_do_not_matter(scale, shift, pieces):
    points = np.array(SEVEN[0], float)
    share = np.linspace(0, 1, pieces + 1)[:-1, None]
    cut = np.concatenate([a + (b - a) * share for a, b in pairwise(points)])
    moved = np.concatenate([cut, points[-1:]]) * scale + np.array(shift) * scale
    assert np.abs(draw([moved.tolist()]) - draw(SEVEN)).max() < 0.01


@pytest.mark.parametrize("jump", [1e-310, 5e-324, 1e-12])
def test_a_drawing_smaller_than_any_pen_is_a_dot(jump):
    assert np.array_equal(draw([[[0, 0], [jump, 0]]]), draw([[[0, 0]]]))


def test_a_resting_pen_costs_no_memory():
    strokes = [[[0, 0]] * LIMITS.max_points]
    tracemalloc.start()
    ink = draw(strokes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(ink, draw([[[0, 0]]]))
    assert peak < 60e6


def test_ten_thousand_points_all_over_cost_little_memory():
    points = [[i % 100, 7 * i % 101] for i in range(LIMITS.max_points)]
    strokes = [points[i :: LIMITS.max_strokes] for i in range(LIMITS.max_strokes)]
    tracemalloc.start()
    draw(strokes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120e6


def test_nothing_drawn_is_an_empty_sheet():
    assert draw([]).max() == 0
    assert draw([[]]).max() == 0


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ("abc", "Got str"),
        (None, "Got NoneType"),
        (5, "Got int"),
        ({"strokes": []}, "Got dict"),
        ([[[1, 2], [3]]], "not two numbers"),
        ([[["a", 2]]], "not two numbers"),
        ([[["1", "2"]]], "not two numbers"),
        ([[[True, False]]], "not two numbers"),
        ([[1, 2]], r"shape \(2,\)"),
        ([[[1, 2, 1, 1]]], r"shape \(1, 4\)"),
        ([[[float("nan"), 2]]], "not a finite number"),
        ([[[float("inf"), 2]]], "not a finite number"),
        ([[[1e300, 2]]], "not a finite number"),
        ([[[10**400, 2]]], "not two numbers"),
        ([[[0, 0]] * (LIMITS.max_points + 1)], f"at most {LIMITS.max_points}"),
        ([[[0, 0]]] * (LIMITS.max_strokes + 1), f"at most {LIMITS.max_strokes}"),
        ([[]] * (LIMITS.max_strokes + 1), f"at most {LIMITS.max_strokes}"),
    ],
)
def test_what_is_no_drawing_is_refused(strokes, message):
    with pytest.raises(DrawingError, match=message):
        draw(strokes)


def test_a_pens_width_is_drawn():
    line = [[0, 0], [0, 100]]
    usual, wide = draw([line]), draw([[[x, y, 2] for x, y in line]])
    np.testing.assert_array_equal(draw([[[x, y, 1] for x, y in line]]), usual)
    # the pen is 0.14 of the line, then 0.28: of ink that is 80 px high with the pen's ends
    assert usual[len(usual) // 2].sum() == pytest.approx(80 * 0.14 / 1.14, rel=0.02)
    assert wide[len(wide) // 2].sum() == pytest.approx(80 * 0.28 / 1.28, rel=0.02)


def test_pressure_thins_a_line_along_its_way():
    ink = draw([[[0, y, 0.5 + y / 100] for y in range(0, 101, 2)]])
    rows = ink[14:70].sum(axis=1)  # without the round ends
    assert rows[-1] > 2 * rows[0]
    assert (np.diff(rows) > -1).all()


@pytest.mark.parametrize("width", [0, 0.1, 5, -1, float("nan")])
def test_a_width_that_no_pen_has_is_refused(width):
    with pytest.raises(DrawingError, match=r"width|finite"):
        draw([[[0, 0, 1], [1, 1, width]]])
