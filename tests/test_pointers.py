"""Pens, palms, fingers and mice on the sketchpad, and browsers that lose one of them.

DevTools moves Chromium's own pointers. Where a test depends on the time between two events, the
page dispatches them, so that a slow machine changes nothing.
"""

import pytest
from playwright.sync_api import expect

from tests.visitor import ON_PHONE, Visitor

pytestmark = pytest.mark.browser
PEN_IS_AWAY = 600  # ms: longer than the time in which a touch near the pen is a palm
PALM, STROKE = [230, 250], [[60, 60], [100, 100], [140, 140]]


class Pointers:
    """A pen, a mouse and fingers on a visitor's sketchpad."""

    def __init__(self, visitor):
        self.visitor = visitor
        self.send = visitor.page.context.new_cdp_session(visitor.page).send
        visitor.pad.scroll_into_view_if_needed()

    def touch(self, kind, *points):
        """Dispatch touchStart, touchMove, touchEnd or touchCancel with these points down."""
        places = [self.visitor.place(point) for point in points]
        touches = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        self.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def point(self, kind, point, *, tool="pen", button="left", buttons=1):
        """Dispatch mousePressed, mouseMoved or mouseReleased of a mouse or a pen."""
        x, y = self.visitor.place(point)
        event = {"type": kind, "x": x, "y": y, "button": button, "buttons": buttons}
        self.send("Input.dispatchMouseEvent", event | {"clickCount": 1, "pointerType": tool})

    def press(self, stroke, *, tool="pen"):
        """Draw a stroke, and stay down."""
        self.point("mousePressed", stroke[0], tool=tool)
        for point in stroke[1:]:
            self.point("mouseMoved", point, tool=tool)

    def hover(self, point, *, tool="pen"):
        """Move with no button pressed."""
        self.point("mouseMoved", point, tool=tool, button="none", buttons=0)

    def release(self, point, *, tool="pen"):
        self.point("mouseReleased", point, tool=tool, buttons=0)

    def draw(self, stroke, *, tool="pen"):
        self.press(stroke, tool=tool)
        self.release(stroke[-1], tool=tool)

    def at_once(self, *events):
        """Dispatch (kind, pointer type, point[, button]) with no time between them."""
        script = """(pad, events) => {
          for (const [kind, pointerType, [clientX, clientY], button = 0] of events) {
            const pointerId = pointerType === 'pen' ? 101 : 102;
            const buttons = kind === 'pointerup' ? 0 : 1;
            const place = { clientX, clientY, isPrimary: true };
            const event = { pointerType, pointerId, button, buttons, ...place };
            pad.dispatchEvent(new PointerEvent(kind, event));
          }
        }"""
        placed = [
            (kind, tool, self.visitor.place(point), *rest) for kind, tool, point, *rest in events
        ]
        self.visitor.pad.evaluate(script, placed)

    def drawn(self):
        """Return the strokes that the page reads, once it has asked for the newest."""
        script = """() => new Promise((resolve) => {
          document.addEventListener('ink', ({ detail }) => resolve(detail.ink.strokes));
          document.dispatchEvent(new CustomEvent('joined'));
        })"""
        return self.visitor.page.evaluate(script)


@pytest.fixture(scope="module")
def pages(browser, app_url):
    """Open one page for all tests of a device."""
    opened = {}

    def page(device):
        width = device["viewport"]["width"]
        if width not in opened:
            opened[width] = Visitor(browser.new_context(**device), app_url)
        return opened[width]

    yield page
    for visitor in opened.values():
        visitor.page.context.close()


@pytest.fixture
def visitor(pages, device):
    """A visitor with an empty sketchpad, and no pen near it."""
    visitor = pages(device)
    visitor.load([])
    visitor.page.wait_for_timeout(PEN_IS_AWAY)
    yield visitor
    assert visitor.faults == []


@pytest.fixture
def pointers(visitor):
    pointers = Pointers(visitor)
    yield pointers
    pointers.release([0, 0], tool="mouse")
    pointers.release([0, 0], tool="pen")


@ON_PHONE
def test_a_pen_replaces_the_palm_that_touched_first(pointers, visitor):
    pointers.touch("touchStart", PALM)
    pointers.touch("touchMove", [240, 255])
    pointers.press(STROKE[:2])
    pointers.touch("touchMove", [245, 255])
    pointers.touch("touchEnd")
    pointers.point("mouseMoved", STROKE[2])
    pointers.release(STROKE[2])
    assert [[point[:2] for point in stroke] for stroke in pointers.drawn()] == [
        [pytest.approx(point, abs=0.6) for point in STROKE]
    ]
    visitor.page.get_by_test_id("undo").click()
    assert pointers.drawn() == []  # the palm is not in the history


@pytest.mark.parametrize("lift", ["pointerup", "pointercancel", "lostpointercapture"])
def test_a_pen_removes_the_mark_of_a_palm_that_was_lifted_just_before(pointers, visitor, lift):
    pointers.at_once(
        ("pointerdown", "touch", PALM), (lift, "touch", PALM),
        ("pointerdown", "pen", STROKE[0]), ("pointermove", "pen", STROKE[1]),
        ("pointerup", "pen", STROKE[1]),
    )  # fmt: skip
    assert [len(stroke) for stroke in pointers.drawn()] == [2]
    visitor.page.get_by_test_id("undo").click()
    assert pointers.drawn() == []


def test_an_eraser_leaves_the_stroke_that_a_finger_just_drew(pointers, visitor):
    finger = [("pointerdown", "touch", PALM), ("pointerup", "touch", PALM)]
    pointers.at_once(*finger, ("pointerdown", "pen", STROKE[0], 5))  # 5 is the eraser
    assert len(pointers.drawn()) == 1


def test_a_palm_that_touches_while_the_pen_draws_is_ignored(pointers, visitor):
    pointers.press(STROKE[:2])
    visitor.page.wait_for_timeout(PEN_IS_AWAY)  # the pen rests
    pointers.touch("touchStart", PALM)
    pointers.point("mouseMoved", STROKE[2])
    pointers.touch("touchEnd")
    pointers.release(STROKE[2])
    assert [len(stroke) for stroke in pointers.drawn()] == [3]


def test_a_palm_that_touches_just_after_the_pen_is_ignored(pointers, visitor):
    palm = [("pointerdown", "touch", PALM), ("pointerup", "touch", PALM)]
    stroke = [("pointerdown", "pen", STROKE[0]), ("pointerup", "pen", STROKE[0])]
    pointers.at_once(*stroke, *palm)
    pointers.at_once(("pointermove", "pen", STROKE[0]), *palm)  # the pen is over the sketchpad
    assert [len(stroke) for stroke in pointers.drawn()] == [1]
    visitor.page.wait_for_timeout(PEN_IS_AWAY)  # the pen is away: this is a finger
    pointers.at_once(*palm)
    assert [len(stroke) for stroke in pointers.drawn()] == [1, 1]


@ON_PHONE
@pytest.mark.parametrize("lost", [False, True])
def test_a_pen_leaves_the_stroke_that_a_finger_ended_before(pointers, visitor, lost):
    pointers.touch("touchStart", PALM)
    if lost:
        visitor.page.evaluate("window.dispatchEvent(new Event('blur'))")
    else:
        pointers.touch("touchEnd")
    visitor.page.wait_for_timeout(PEN_IS_AWAY)
    pointers.draw(STROKE)
    assert [len(stroke) for stroke in pointers.drawn()] == [1, 3]
    if lost:
        pointers.touch("touchEnd")


@ON_PHONE
def test_a_second_finger_draws_nothing_and_a_cancelled_stroke_stays(pointers):
    pointers.touch("touchStart", [60, 60])
    pointers.touch("touchStart", [60, 60], [200, 200])
    pointers.touch("touchMove", [100, 100], [220, 240])
    pointers.touch("touchCancel")
    assert [len(stroke) for stroke in pointers.drawn()] == [2]
    pointers.touch("touchStart", [200, 60])
    pointers.touch("touchEnd")
    assert [len(stroke) for stroke in pointers.drawn()] == [2, 1]


@pytest.mark.parametrize("tool", ["mouse", "pen"])
def test_a_lost_release_ends_the_stroke(pointers, tool):
    """The release went to an alert box: the pointer comes back with no button pressed."""
    pointers.press(STROKE, tool=tool)
    for point in ([200, 40], [220, 220]):
        pointers.hover(point, tool=tool)
    assert [len(stroke) for stroke in pointers.drawn()] == [3]
    pointers.draw([[40, 240], [80, 240]], tool=tool)
    assert [len(stroke) for stroke in pointers.drawn()] == [3, 2]


@pytest.mark.parametrize("next_tool", ["mouse", "pen"])
def test_a_pointer_that_was_lost_does_not_block_the_next(pointers, next_tool):
    pointers.press(STROKE, tool="mouse")
    pointers.draw([[40, 240], [80, 240]], tool=next_tool)
    assert [len(stroke) for stroke in pointers.drawn()] == [3, 2]


def test_the_mouse_ends_its_stroke_though_another_button_stays_down(pointers):
    pointers.press(STROKE, tool="mouse")
    pointers.point("mouseMoved", [200, 200], tool="mouse", button="right", buttons=2)
    assert [len(stroke) for stroke in pointers.drawn()] == [3]


AWAY = {
    "a dialog takes the focus": "window.dispatchEvent(new Event('blur'))",
    "the tab is hidden": "document.dispatchEvent(new Event('visibilitychange'))",
    "the page is left": "window.dispatchEvent(new Event('pagehide'))",
    "the capture is lost": "pad.releasePointerCapture(1)",
}


@pytest.mark.parametrize("away", AWAY)
def test_a_stroke_ends_when(pointers, visitor, away):
    pointers.press(STROKE, tool="mouse")
    visitor.pad.evaluate(f"pad => {AWAY[away]}")
    for point in ([200, 40], [220, 220]):
        pointers.point("mouseMoved", point, tool="mouse")
    assert [len(stroke) for stroke in pointers.drawn()] == [3]


def test_an_alert_box_that_takes_the_release_leaves_no_line_behind(pointers, visitor):
    visitor.page.once("dialog", lambda dialog: dialog.accept())
    pointers.press(STROKE, tool="mouse")
    visitor.page.evaluate("alert('Hello')")
    pointers.hover([200, 40], tool="mouse")
    assert [len(stroke) for stroke in pointers.drawn()] == [3]


def test_only_the_tip_of_a_pen_and_the_main_button_draw(pointers, visitor):
    for point in STROKE:
        pointers.hover(point)
    for button, buttons in (("right", 2), ("middle", 4)):
        for tool in ("mouse", "pen"):
            pointers.point("mousePressed", PALM, tool=tool, button=button, buttons=buttons)
            pointers.point("mouseMoved", STROKE[0], tool=tool, button=button, buttons=buttons)
            pointers.point("mouseReleased", PALM, tool=tool, button=button, buttons=0)
    visitor.pad.dispatch_event(  # DevTools has no eraser
        "pointerdown", {"pointerType": "pen", "pointerId": 7, "button": 5, "buttons": 32}
    )
    assert pointers.drawn() == []


def test_a_stroke_is_not_interrupted_by_a_menu(pointers, visitor):
    """A menu would take the release of the pointer; without a stroke, it opens as usual."""
    opens = "pad => pad.dispatchEvent(new MouseEvent('contextmenu', { cancelable: true }))"
    assert visitor.pad.evaluate(opens)
    pointers.press(STROKE, tool="mouse")
    assert not visitor.pad.evaluate(opens)
    pointers.point("mouseMoved", [200, 200], tool="mouse")
    pointers.release([200, 200], tool="mouse")
    assert [len(stroke) for stroke in pointers.drawn()] == [4]


@ON_PHONE
def test_a_touch_on_the_sketchpad_alone_is_kept_from_the_browser(pointers, visitor):
    """Else iOS selects text or opens its magnifier on quick strokes."""
    visitor.page.evaluate(
        """() => {
          window.prevented = [];
          const note = ({ defaultPrevented }) => prevented.push(defaultPrevented);
          document.addEventListener('touchstart', note);
        }"""
    )
    pointers.touch("touchStart", [140, 140])
    pointers.touch("touchEnd")
    expect(visitor.pad).to_be_focused()
    pointers.touch("touchStart", [140, -40])  # above it
    pointers.touch("touchEnd")
    assert visitor.page.evaluate("prevented") == [True, False]
    hint = visitor.page.get_by_text("Draw a digit here")
    for part in (visitor.pad, hint):
        assert part.evaluate("part => getComputedStyle(part).userSelect") == "none"
    assert visitor.pad.evaluate("pad => getComputedStyle(pad).webkitTapHighlightColor") == (
        "rgba(0, 0, 0, 0)"
    )
