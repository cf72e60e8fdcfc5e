"""The sketchpad under mouse, finger, pen and keyboard."""

import re

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from model import Reader
from model.drawing import lay_out, parse
from tests.visitor import ON_EACH_DEVICE, ON_PHONE, number
from training.synthetic.canvas import canvas_picture

pytestmark = pytest.mark.browser


def test_undo_takes_the_last_stroke_and_clear_all(visitor, digits):
    undo, clear = visitor.page.get_by_test_id("undo"), visitor.page.get_by_test_id("clear")
    answer = visitor.page.get_by_test_id("answer")
    expect(undo).to_be_disabled()
    expect(answer).to_have_text("nothing drawn")
    visitor.draw_by_mouse(digits[1]["strokes"])
    expect(answer).to_contain_text("1")
    visitor.draw_by_mouse([[[30, 30], [250, 250]]])
    visitor.settle()
    assert len(visitor.sent[-1]["strokes"]) == 2
    undo.click()
    visitor.settle()
    assert len(visitor.sent[-1]["strokes"]) == 1
    visitor.check_against(Reader.load().read_strokes(visitor.sent[-1]["strokes"]))
    clear.click()
    expect(answer).to_have_text("nothing drawn")
    expect(clear).to_be_disabled()
    expect(visitor.page.get_by_test_id("probability-1")).to_have_text("–")


@pytest.mark.parametrize("button", ["undo", "clear"])
def test_ink_taken_away_under_the_pen_stays_away(visitor, button):
    """Undo or clear by keyboard while the mouse is down: the pen must be lifted to draw again."""
    visitor.draw_by_mouse([[[30, 30], [60, 60]], [[100, 100], [150, 150]]], lift=False)
    visitor.page.get_by_test_id(button).focus()
    visitor.page.keyboard.press("Enter")
    visitor.page.mouse.move(*visitor.place([220, 220]))
    visitor.settle()
    left = 1 if button == "undo" else 0
    assert [len(stroke) for stroke in visitor.sent[-1]["strokes"]] == [2] * left
    visitor.page.mouse.up()


@ON_EACH_DEVICE
def test_a_tap_is_a_dot(visitor):
    visitor.draw_by_mouse([[[140, 140], [140.4, 140.2], [140.2, 139.8]]])
    visitor.settle()
    assert [len(stroke) for stroke in visitor.sent[-1]["strokes"]] == [1]


def test_redo_brings_back_what_undo_took(visitor, digits):
    redo = visitor.page.get_by_test_id("redo")
    visitor.draw_by_mouse(digits[7]["strokes"])
    visitor.settle()
    drawn = visitor.sent[-1]["strokes"]
    expect(redo).to_be_disabled()
    visitor.page.get_by_test_id("clear").click()
    visitor.page.keyboard.press("Control+z")
    visitor.settle()
    assert visitor.sent[-1]["strokes"] == drawn
    visitor.page.keyboard.press("Control+y")
    expect(visitor.page.get_by_test_id("answer")).to_have_text("nothing drawn")


def test_undo_by_key_works_after_the_pen_was_chosen(visitor, digits):
    visitor.page.get_by_test_id("pen").focus()
    visitor.page.keyboard.press("ArrowRight")
    visitor.draw_by_mouse(digits[1]["strokes"])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("1")
    visitor.page.get_by_test_id("pen").focus()
    visitor.page.keyboard.press("Control+z")
    expect(visitor.page.get_by_test_id("answer")).to_have_text("nothing drawn")


def test_the_mouse_takes_over_from_the_keyboard(visitor):
    visitor.pad.focus()
    for key in [" ", "Shift+ArrowDown"]:
        visitor.page.keyboard.press(key)
    visitor.draw_by_mouse([[[40, 40], [60, 200]]])
    visitor.settle()
    assert [len(stroke) for stroke in visitor.sent[-1]["strokes"]] == [2, 2]


def test_the_keyboard_draws(visitor):
    visitor.pad.focus()
    for key in ["Shift+ArrowUp"] * 5 + [" "] + ["Shift+ArrowDown"] * 10 + [" "]:
        visitor.page.keyboard.press(key)
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("1")
    visitor.settle()
    [stroke] = visitor.sent[-1]["strokes"]
    assert (stroke[0], stroke[-1]) == ([140, 60], [140, 220])
    visitor.page.keyboard.press("Delete")
    expect(visitor.page.get_by_test_id("answer")).to_have_text("nothing drawn")


def test_a_thicker_pen_is_read_as_such(visitor, digits):
    visitor.page.get_by_test_id("pen").fill("1.5")
    visitor.draw_by_mouse(digits[7]["strokes"])
    visitor.settle()
    assert {point[2] for stroke in visitor.sent[-1]["strokes"] for point in stroke} == {1.5}
    visitor.check_against(visitor.reading())


BOX_EDGES = """canvas => {
  const { data, width, height } = canvas.getContext('2d').getImageData(
    0, 0, canvas.width, canvas.height);
  const inked = [...Array(width * height).keys()].filter((i) => data[4 * i + 3] > 127);
  const [xs, ys] = [inked.map((i) => i % width), inked.map((i) => Math.floor(i / width))];
  const least = (all) => all.reduce((a, b) => Math.min(a, b), Infinity);
  const most = (all) => all.reduce((a, b) => Math.max(a, b), -Infinity);
  return [least(xs), least(ys), most(xs), most(ys)].map((value) => value * 280 / width);
}"""


# The same for the lines around what is not part of the digit.
ORANGE_EDGES = BOX_EDGES.replace("3] > 127", "3] > 127 && data[4 * i] > 2 * data[4 * i + 2]")


def test_a_dot_is_seen(visitor):
    visitor.draw_by_mouse([[[140, 140], [140.4, 140.2]]])
    expect(visitor.page.get_by_test_id("answer")).not_to_have_text("nothing drawn")
    left, top, right, bottom = visitor.pad.evaluate(BOX_EDGES)
    assert (right - left, bottom - top) == pytest.approx((18, 18), abs=1.5)  # the usual pen


def test_the_ink_is_framed_as_the_note_says(visitor):
    """A 7 of known size: the dashed box lies around it, and the note gives scale and shift."""
    seven = [[[80, 60], [200, 60], [120, 220]]]
    visitor.draw_by_mouse(seven)
    visitor.settle()
    over = visitor.page.locator("#sketchpad .over")
    assert over.evaluate(BOX_EDGES) == pytest.approx([71, 51, 209, 229], abs=1.5)
    reading = visitor.reading()
    done = reading.preprocessing
    sheet = lay_out(parse(visitor.sent[-1]["strokes"]))
    note = visitor.text("frame")
    scale, x, y = re.search(
        r"scaled by (\S+) .* moved by (\S+) across and (\S+) down", note
    ).groups()
    assert float(scale) == pytest.approx(done.scale * sheet.scale, rel=0.006)
    shown = [float(number(part)) for part in (x, y)]
    assert shown == pytest.approx([-part for part in done.shift], abs=0.0051)
    assert "so that its centre of mass (+) is in the middle" in note


def test_what_is_left_out_is_shown(visitor, digits, tmp_path):
    """A frame in a picture and a stray dot beside strokes: orange boxes, and words in the note."""
    picture = Image.fromarray(canvas_picture(digits[3]["strokes"], 12, size=140))
    ImageDraw.Draw(picture).rectangle([20, 20, 259, 259], outline=60, width=3)
    picture.save(tmp_path / "frame.png")
    visitor.drop("drop", tmp_path / "frame.png")
    expect(visitor.page.get_by_test_id("frame")).to_contain_text("Left out (orange): a frame.")
    over = visitor.page.locator("#sketchpad .over")
    assert over.evaluate(ORANGE_EDGES) == pytest.approx([20, 20, 260, 260], abs=1.5)
    visitor.page.get_by_test_id("clear").click()
    visitor.draw_by_mouse([[[30, 30], [80, 30], [50, 90]], [[240, 240], [240.4, 240.2]]])
    expect(visitor.page.get_by_test_id("frame")).to_contain_text("Left out (orange): a stray dot.")
    left, top, right, bottom = over.evaluate(ORANGE_EDGES)
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((240, 240), abs=1.5)


def test_a_pens_pressure_is_the_lines_width(visitor):
    pen = visitor.page.context.new_cdp_session(visitor.page)
    visitor.pad.scroll_into_view_if_needed()
    for i, force in enumerate([0.25, 0.5, 1.0]):
        x, y = visitor.place([140, 60 + 70 * i])
        kind = "mouseMoved" if i else "mousePressed"
        event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
        pen.send("Input.dispatchMouseEvent", event | {"pointerType": "pen", "force": force})
    visitor.settle()
    [stroke] = visitor.sent[-1]["strokes"]
    assert [point[2:] for point in stroke] == [[0.75], [], [1.5]]
    visitor.page.mouse.up()


def test_no_point_between_two_frames_is_lost(visitor):
    """A browser hands over all that happened since the last frame at once."""
    visitor.draw_by_mouse([[[40, 40], [60, 60]]], lift=False)
    places = [visitor.place([60 + 20 * i, 60 + 10 * (i % 2)]) for i in range(1, 6)]
    visitor.pad.evaluate(
        """(pad, places) => {
          const events = places.map(([clientX, clientY]) =>
            new PointerEvent('pointermove', { clientX, clientY, pointerId: 1 }));
          const [clientX, clientY] = places.at(-1);
          const all = { clientX, clientY, pointerId: 1, buttons: 1, coalescedEvents: events };
          pad.dispatchEvent(new PointerEvent('pointermove', all));
        }""",
        places,
    )
    visitor.settle()
    assert len(visitor.sent[-1]["strokes"][0]) == 7
    visitor.page.mouse.up()


@ON_EACH_DEVICE
def test_ink_is_as_sharp_as_the_screen(visitor, device):
    wide = visitor.pad.evaluate("pad => pad.width / pad.clientWidth")
    assert wide == pytest.approx(device.get("device_scale_factor", 1), abs=0.01)


@ON_PHONE
def test_the_page_does_not_scroll_under_the_finger(visitor):
    visitor.draw_by_touch([[[140, 250 - 20 * i] for i in range(12)]])
    visitor.settle()
    assert visitor.sent[-1]["strokes"] != []
    assert visitor.page.evaluate("scrollY") == 0


def test_ink_follows_the_theme(visitor, digits):
    visitor.draw_by_mouse(digits[1]["strokes"])
    visitor.settle()
    darkest = "canvas => Math.min(...[...canvas.getContext('2d').getImageData(0, 0, canvas.width,"
    darkest += " canvas.height).data.filter((_, i, all) => i % 4 === 0 && all[i + 3] === 255)])"
    assert visitor.pad.evaluate(darkest) < 60
    visitor.page.evaluate("document.body.classList.add('dark')")
    visitor.settle()
    assert visitor.pad.evaluate(darkest) > 200
