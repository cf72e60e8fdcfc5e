"""Tests of rendering strokes: shape, invariances, errors, and cost."""

import sys
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from model import Reader
from model.drawing import LONG_SIDE, MARGIN, DrawingError, draw, rasterize
from model.explain import stroke_contributions, template
from model.limits import LIMITS, Limits
from tests.hostile.drawings import COSTLY, scribble, zigzag
from ui.lesson.lesson import ink_of
from ui.message import message, removed

SEVEN = [[[0, 0], [100, 0], [40, 150]]]


def pillow_line(points, width, side, zoom=8):
    """Draw the same line with Pillow, eight times as large, then averaged."""
    big = Image.new("L", (side * zoom, side * zoom))
    pen = ImageDraw.Draw(big)
    scaled = [(x * zoom, y * zoom) for x, y in points]
    pen.line(scaled, fill=255, width=round(width * zoom))
    for x, y in scaled:
        radius = width * zoom / 2
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(big.reduce(zoom)) / 255


@pytest.mark.parametrize("width", [2.0, 7.0, 16.0])
def test_rasterize_agrees_with_pillow(width):
    points = np.array([(12.0, 14.0), (50.0, 20.0), (22.0, 51.0)])
    ours = rasterize([points], pen_width=width, height=64, width=64)
    reference = pillow_line(points.tolist(), width, 64)
    assert np.abs(ours - reference).mean() < 0.006
    assert ours.sum() == pytest.approx(reference.sum(), rel=0.03)


def test_one_point_is_a_dot():
    ink = rasterize([np.array([[20.0, 20.0]])], pen_width=10, height=40, width=40)
    assert ink.sum() == pytest.approx(np.pi * 25, rel=0.01)
    dot = draw([[[3, 4]]])
    assert dot.shape == (LONG_SIDE + 2 * MARGIN,) * 2
    assert dot.sum() == pytest.approx(np.pi * (LONG_SIDE / 2) ** 2, rel=0.01)


def test_a_hairline_never_covers_a_pixel():
    ink = rasterize([np.array([[2.0, 5.5], [18.0, 5.5]])], pen_width=0.5, height=11, width=20)
    assert ink.max() == pytest.approx(0.5)


def test_ink_outside_the_sheet_is_clipped():
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
def test_draw_is_invariant_to_scale_position_and_number_of_points(scale, shift, pieces):
    points = np.array(SEVEN[0], float)
    share = np.linspace(0, 1, pieces + 1)[:-1, None]
    cut = np.concatenate([a + (b - a) * share for a, b in pairwise(points)])
    moved = np.concatenate([cut, points[-1:]]) * scale + np.array(shift) * scale
    assert np.abs(draw([moved.tolist()]) - draw(SEVEN)).max() < 0.01


@pytest.mark.parametrize("jump", [1e-310, 5e-324, 1e-12])
def test_a_tiny_drawing_is_a_dot(jump):
    assert np.array_equal(draw([[[0, 0], [jump, 0]]]), draw([[[0, 0]]]))


def test_many_equal_points_need_little_memory():
    strokes = [[[0, 0]] * LIMITS.max_points]
    tracemalloc.start()
    ink = draw(strokes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(ink, draw([[[0, 0]]]))
    assert peak < 60e6


def test_ten_thousand_distant_points_need_little_memory():
    points = [[i % 100, 7 * i % 101] for i in range(LIMITS.max_points)]
    strokes = [points[i :: LIMITS.max_strokes] for i in range(LIMITS.max_strokes)]
    limits = Limits(max_length=10_000)  # the strokes are long
    tracemalloc.start()
    draw(strokes, limits=limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120e6


def test_an_empty_drawing_is_an_empty_sheet():
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
        (zigzag(LIMITS.max_length + 2), f"502 times as long.*at most {LIMITS.max_length} times"),
    ],
)
def test_an_invalid_drawing_is_refused(strokes, message):
    with pytest.raises(DrawingError, match=message):
        draw(strokes)


@pytest.mark.parametrize(
    ("strokes", "stray"),
    [
        ([*SEVEN, [[150, 230]]], [1]),  # below and beside
        ([[[-90, 70], [-89, 71]], *SEVEN, [[40, 300]]], [0, 2]),
        ([*SEVEN, [[60, 190]]], []),  # as near as the dot of ! or i
        ([*SEVEN, [[150, 200], [170, 200]]], []),  # a line
        ([*SEVEN, [[300, 0], [400, 0], [340, 150]]], []),  # another digit
        ([[[0, 0]], [[90, 0]]], []),  # dots only
    ],
)
def test_taps_far_from_the_drawing_are_left_out(reader, strokes, stray):
    rest = [stroke for i, stroke in enumerate(strokes) if i not in stray]
    np.testing.assert_array_equal(draw(strokes), draw(rest))
    reading = reader.read_strokes(strokes)
    added = stroke_contributions(template(reader.model, reading), reading, strokes)
    assert [i for i in range(len(strokes)) if not added[:, i].any()] == stray
    regions = removed(reading)
    assert [region["kind"] for region in regions] == ["tap"] * len(stray)
    for region, i in zip(regions, stray, strict=True):
        left, top, right, bottom = region["box"]
        x, y = np.mean(strokes[i], axis=0)
        assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((x, y))


def test_the_width_of_the_pen_is_drawn():
    line = [[0, 0], [0, 100]]
    usual, wide = draw([line]), draw([[[x, y, 2] for x, y in line]])
    np.testing.assert_array_equal(draw([[[x, y, 1] for x, y in line]]), usual)
    # The pen is 0.14 and 0.28 of the line's length; line and round ends are 80 px high.
    assert usual[len(usual) // 2].sum() == pytest.approx(80 * 0.14 / 1.14, rel=0.02)
    assert wide[len(wide) // 2].sum() == pytest.approx(80 * 0.28 / 1.28, rel=0.02)


def test_the_width_may_change_along_a_line():
    ink = draw([[[0, y, 0.5 + y / 100] for y in range(0, 101, 2)]])
    rows = ink[14:70].sum(axis=1)  # without the round ends
    assert rows[-1] > 2 * rows[0]
    assert (np.diff(rows) > -1).all()


@pytest.mark.parametrize("width", [0, 0.1, 5, -1, float("nan")])
def test_an_invalid_width_is_refused(width):
    with pytest.raises(DrawingError, match=r"width|finite"):
        draw([[[0, 0, 1], [1, 1, width]]])


def test_a_drawing_at_the_length_limit_is_read():
    assert draw(zigzag(LIMITS.max_length)).max() == 1


QUICK_DRAW = r"\[list\(zip\(x, y\)\) for x, y, \*_ in strokes\]"
PLUS = [[[0, 9], [5, 5]], [[5, 5], [0, 9]]]  # a plus in Quick, Draw!'s format


@pytest.mark.parametrize(
    "strokes",
    [
        [[[0, 10, 20, 30], [5, 6, 7, 8]]],
        [[[0, 10, 20, 30], [5, 6, 7, 8], [0, 16, 33, 50]]],  # with times
        [*PLUS, [[0, 10, 20, 30], [5, 6, 7, 8]]],
        [[[0, 100, 40], [0, 0, 150]]],  # three points
        [[[0, 1, 2], [0, 1, 2], [0, 1, 2]], [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]]],
        [*PLUS, [[0, 10, 20], [5, 6, 7]]],
    ],
)
def test_quick_draws_format_is_refused_with_the_conversion(strokes):
    with pytest.raises(DrawingError, match=QUICK_DRAW):
        draw(strokes)
    converted = [list(zip(x, y, strict=True)) for x, y, *_ in strokes]
    assert draw(converted).max() == 1


def test_strokes_of_two_points_are_read_as_points():
    np.testing.assert_array_equal(draw(PLUS), draw([[(x, y, 1) for x, y in s] for s in PLUS]))


def test_times_in_place_of_widths_are_refused():
    with pytest.raises(DrawingError, match=r"Got 16 as a point's third number.*not a time\.$"):
        draw([[[0, 0, 1], [1, 1, 16], [2, 2, 33], [3, 3, 50]]])


def measure(function):
    """Return the peak memory in bytes, and the number of blocks of 64,000 pixels drawn."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event == "call" and frame.f_code.co_name == "_stamp"

    tracemalloc.start()
    sys.setprofile(count)
    try:
        function()
        return tracemalloc.get_traced_memory()[1], calls
    finally:
        sys.setprofile(None)
        tracemalloc.stop()


@pytest.fixture(scope="module")
def reader():
    return Reader.load("mlp-32", device="cpu")


@pytest.mark.parametrize("name", COSTLY)
def test_drawings_within_the_limits_have_a_bounded_cost(reader, name):
    strokes = COSTLY[name]
    reading = reader.read_strokes(strokes)
    whole = template(reader.model, reading)
    for function in (
        lambda: draw(strokes),
        lambda: stroke_contributions(whole, reading, strokes),
        lambda: message(reader, reading, strokes=strokes, chosen=None, against=None),
        lambda: ink_of(
            {"strokes": strokes}, reader
        ),  # the lesson also draws the strokes on a sheet
    ):
        peak, blocks = measure(function)
        assert peak < 20e6
        assert blocks <= 160


def test_simplifying_a_drawing_hardly_changes_it():
    """With 30 points per line, the drawing has too many pieces and is simplified."""
    for width in (0.125, 1, 4):
        strokes = scribble(300, width=width)
        dense = [
            [p.tolist() for a, b in pairwise(np.array(s)) for p in np.linspace(a, b, 30)]
            for s in strokes
        ]
        assert sum(map(len, dense)) > 8_000
        assert 0 < np.abs(draw(dense) - draw(strokes)).mean() < 0.012


def test_strokes_of_a_simplified_drawing_keep_their_contributions(reader):
    left, right = ([[[x + 200 * side, y, 1] for x, y, _ in s] for s in scribble(4_000)]
                   for side in (0, 1))  # fmt: skip
    strokes = [[], *left, [], *right]
    reading = reader.read_strokes(strokes)
    whole = template(reader.model, reading)
    shares = stroke_contributions(whole, reading, strokes)
    ink = whole.weights * reading.input.reshape(-1)
    halves = ink.reshape(11, 28, 28).sum(axis=1)
    assert shares.shape == (11, 4)
    assert not shares[:, [0, 2]].any()
    np.testing.assert_allclose(shares[:, 1], halves[:, :14].sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(shares.sum(axis=1), ink.sum(axis=1), atol=1e-9)
