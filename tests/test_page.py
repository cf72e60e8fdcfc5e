"""The page in a real browser, driven as a visitor does, checked against Reader's numbers."""

import json
import re
from urllib.parse import urlparse

import pytest
from playwright.sync_api import expect

from model import Reader

pytestmark = pytest.mark.browser
SIDE = 280
QUESTION = re.compile("/component_server")


@pytest.fixture(params=["desktop", "phone"])
def device(request):
    if request.param == "desktop":
        return {"viewport": {"width": 1280, "height": 800}}
    size = {"viewport": {"width": 390, "height": 844}}
    return size | {"has_touch": True, "is_mobile": True, "device_scale_factor": 3}


class Visitor:
    """A page, and a hand that draws on it."""

    def __init__(self, context, url):
        self.page = context.new_page()
        self.faults, self.requests, self.sent = [], [], []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._note)
        self.page.goto(url)
        self.pad = self.page.get_by_test_id("sketchpad")
        expect(self.page.get_by_test_id("probability-0")).to_have_text("–")

    def _note(self, request):
        self.requests.append(request.url)
        if request.url.rstrip("/").endswith("/component_server"):
            self.sent.append(json.loads(request.post_data)["data"])

    def text(self, name):
        return self.page.get_by_test_id(name).inner_text()

    def place(self, point):
        box = self.pad.bounding_box()
        return (
            box["x"] + point[0] / SIDE * box["width"],
            box["y"] + point[1] / SIDE * box["height"],
        )

    def draw_by_mouse(self, strokes, *, lift=True):
        self.pad.scroll_into_view_if_needed()
        mouse = self.page.mouse
        for i, stroke in enumerate(strokes):
            mouse.move(*self.place(stroke[0]))
            mouse.down()
            for point in stroke[1:]:
                mouse.move(*self.place(point))
            if lift or i < len(strokes) - 1:
                mouse.up()

    def draw_by_touch(self, strokes):
        self.pad.scroll_into_view_if_needed()
        touch = self.page.context.new_cdp_session(self.page)
        for stroke in strokes:
            for i, point in enumerate(stroke):
                x, y = self.place(point)
                kind = "touchMove" if i else "touchStart"
                points = [{"x": x, "y": y}]
                touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def check_against(self, reading):
        """Wait until the page shows this reading, and compare all that it shows."""
        expect(self.page.get_by_test_id("answer")).to_contain_text(str(reading.digit))
        share = reading.probabilities[reading.digit]
        shown = "> 99.9 %" if 0.9995 < share < 1 else f"{100 * share:.1f} %"
        expect(self.page.get_by_test_id(f"probability-{reading.digit}")).to_have_text(shown)
        assert self.text("answer").startswith(str(reading.digit))


@pytest.fixture
def visitor(browser, app_url, device):
    context = browser.new_context(**device)
    visitor = Visitor(context, app_url)
    yield visitor
    assert visitor.faults == []
    context.close()


def test_a_seven_is_read_before_the_pen_is_lifted(visitor, digits):
    visitor.draw_by_mouse(digits[7]["strokes"], lift=False)
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")
    assert visitor.text("answer").startswith("7")
    visitor.page.mouse.up()


@pytest.mark.parametrize("model", ["logistic", "mlp-32", "mlp-1024"])
def test_every_digit_is_read_as_reader_reads_it(visitor, digits, model, device):
    reader = Reader.load(model)
    visitor.page.get_by_test_id("model").select_option(model)
    draw = visitor.draw_by_touch if "has_touch" in device else visitor.draw_by_mouse
    for each in digits:
        draw(each["strokes"])
        visitor.page.wait_for_function(
            "text => document.querySelector('[data-testid=answer]').innerText.startsWith(text)",
            arg=str(each["digit"]),
        )
        visitor.page.wait_for_timeout(150)  # the last point's answer
        sent = visitor.sent[-1]
        assert sent["model"] == model
        visitor.check_against(reader.read_strokes(sent["strokes"]))
        visitor.page.get_by_test_id("clear").click()
        expect(visitor.page.get_by_test_id("answer")).to_have_text("nothing drawn")


def pixels(visitor, name):
    """The pixels of a canvas, as rows of red values."""
    return visitor.page.get_by_test_id(name).evaluate(
        """canvas => {
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
        }"""
    )


def test_seen_and_units_are_the_readings(visitor, digits):
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.draw_by_mouse(digits[4]["strokes"])
    visitor.page.wait_for_timeout(500)
    reading = Reader.load("mlp-32").read_strokes(visitor.sent[-1]["strokes"])
    visitor.check_against(reading)
    assert pixels(visitor, "seen") == (255 * reading.input).round().reshape(-1).tolist()
    activations = reading.layers[0].activations
    n_active = int((activations > 0).sum())
    assert visitor.text("units-caption") == f"32 hidden units, {n_active} active"
    size = visitor.page.get_by_test_id("units").evaluate(
        "c => Math.min(c.width / 8, 48 * devicePixelRatio)"
    )
    width = visitor.page.get_by_test_id("units").evaluate("c => c.width")
    field = pixels(visitor, "units")
    for i, activation in enumerate(activations):
        x, y = (i % 8 + 0.5) * size, (i // 8 + 0.5) * size
        expected = 74 + (240 - 74) * activation / activations.max() if activation > 0 else 38
        assert field[int(y) * width + int(x)] == pytest.approx(expected, abs=1.01)


def test_logistic_regression_says_that_it_has_no_hidden_units(visitor, digits):
    visitor.page.get_by_test_id("model").select_option("logistic")
    visitor.draw_by_mouse(digits[0]["strokes"])
    expect(visitor.page.get_by_test_id("units-caption")).to_contain_text("no hidden units")


def test_undo_takes_the_last_stroke_and_clear_all(visitor, digits):
    undo, clear = visitor.page.get_by_test_id("undo"), visitor.page.get_by_test_id("clear")
    answer = visitor.page.get_by_test_id("answer")
    expect(undo).to_be_disabled()
    expect(answer).to_have_text("nothing drawn")
    visitor.draw_by_mouse(digits[1]["strokes"])
    expect(answer).to_contain_text("1")
    visitor.draw_by_mouse([[[30, 30], [250, 250]]])
    visitor.page.wait_for_timeout(300)
    assert len(visitor.sent[-1]["strokes"]) == 2
    undo.click()
    visitor.page.wait_for_timeout(300)
    assert len(visitor.sent[-1]["strokes"]) == 1
    visitor.check_against(Reader.load().read_strokes(visitor.sent[-1]["strokes"]))
    clear.click()
    expect(answer).to_have_text("nothing drawn")
    expect(undo).to_be_disabled()
    expect(visitor.page.get_by_test_id("probability-1")).to_have_text("–")


@pytest.mark.parametrize("button", ["undo", "clear"])
def test_ink_taken_away_under_the_pen_stays_away(visitor, button):
    """Undo or clear by keyboard while the mouse is down: the pen must be lifted to draw again."""
    visitor.draw_by_mouse([[[30, 30], [60, 60]], [[100, 100], [150, 150]]], lift=False)
    visitor.page.get_by_test_id(button).focus()
    visitor.page.keyboard.press("Enter")
    visitor.page.mouse.move(*visitor.place([220, 220]))
    visitor.page.wait_for_timeout(300)
    left = 1 if button == "undo" else 0
    assert [len(stroke) for stroke in visitor.sent[-1]["strokes"]] == [2] * left
    visitor.page.mouse.up()


def test_a_tap_is_a_dot(visitor):
    visitor.draw_by_mouse([[[140, 140], [140.4, 140.2], [140.2, 139.8]]])
    visitor.page.wait_for_timeout(300)
    assert [len(stroke) for stroke in visitor.sent[-1]["strokes"]] == [1]


def test_an_older_answer_never_replaces_a_newer_one(visitor, digits):
    """The first answer is held back until the drawing is cleared: it must not come up again."""
    held, asked = [], []

    def hold_first(route):
        asked.append(route)
        if held:
            route.continue_()
        else:
            held.append(route)

    visitor.page.route(QUESTION, hold_first)
    visitor.draw_by_mouse(digits[3]["strokes"])
    visitor.page.wait_for_timeout(300)
    assert len(asked) == 1  # one question in flight, however many points were drawn
    visitor.page.get_by_test_id("clear").click()
    seen = visitor.page.get_by_test_id("answer").evaluate_handle(
        """answer => {
          const seen = [];
          const watch = { childList: true, subtree: true, characterData: true };
          new MutationObserver(() => seen.push(answer.innerText)).observe(answer, watch);
          return seen;
        }"""
    )
    held[0].continue_()
    visitor.page.wait_for_timeout(500)
    assert set(seen.json_value()) <= {"nothing drawn", "nothing drawn "}
    assert visitor.sent[-1]["strokes"] == []


def test_a_lost_answer_is_said_and_asked_for_again(visitor, digits):
    visitor.page.route(QUESTION, lambda route: route.abort())
    visitor.draw_by_mouse(digits[2]["strokes"])
    expect(visitor.page.get_by_test_id("status")).to_contain_text("Trying again")
    visitor.page.unroute(QUESTION)
    visitor.page.wait_for_function(
        "document.querySelector('[data-testid=answer]').innerText.startsWith('2')"
    )
    expect(visitor.page.get_by_test_id("status")).not_to_contain_text("Trying again")


def test_nothing_is_asked_of_other_hosts(visitor, digits, app_url):
    visitor.draw_by_mouse(digits[5]["strokes"])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("5")
    hosts = {urlparse(url).netloc for url in visitor.requests if url.startswith("http")}
    assert hosts == {urlparse(app_url).netloc}


def test_the_page_fits_its_window(visitor):
    width = visitor.page.evaluate("document.documentElement.scrollWidth")
    assert width <= visitor.page.viewport_size["width"]
    assert visitor.pad.evaluate("c => getComputedStyle(c).touchAction") == "none"
