"""The page in a real browser, driven as a visitor does, checked against Reader's numbers."""

import base64
import gzip
import json
import re
import time
import urllib.request
from decimal import Decimal
from urllib.parse import urlparse

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from benchmarks.browser import DEVICES, ROOT, serve
from model import Reader
from model.checkpoint import save
from model.explain import contributions, unit
from model.mlp import MLP

pytestmark = pytest.mark.browser
SIDE = 280
DATA = ROOT / "tests" / "data"
QUESTION = re.compile("/component_server")


@pytest.fixture(params=list(DEVICES))
def device(request):
    return DEVICES[request.param]


def reads(request):
    """Whether it asks to read the drawing, and not for a unit's weights."""
    return '"models"' in (request.post_data or "")


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
        if request.url.rstrip("/").endswith("/component_server") and reads(request):
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

    def drop(self, kind, path):
        """Let go of a file over the page, or paste it."""
        script = """(target, [kind, name, data]) => {
          const files = new DataTransfer();
          const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
          files.items.add(new File([bytes], name, { type: 'image/png' }));
          const rest = { bubbles: true, cancelable: true };
          target.dispatchEvent(kind === 'drop'
            ? new DragEvent('drop', { dataTransfer: files, ...rest })
            : new ClipboardEvent('paste', { clipboardData: files, ...rest }));
        }"""
        data = base64.b64encode(path.read_bytes()).decode()
        self.pad.evaluate(script, [kind, path.name, data])

    def reading(self, model="mlp-1024"):
        """What Reader makes of the strokes that the page last sent."""
        return Reader.load(model).read_strokes(self.sent[-1]["strokes"])

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
        assert sent["models"] == [model]
        visitor.check_against(reader.read_strokes(sent["strokes"]))
        visitor.page.get_by_test_id("clear").click()
        expect(visitor.page.get_by_test_id("answer")).to_have_text("nothing drawn")


REDS = """canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
}"""


def pixels(visitor, name):
    """The pixels of a canvas, as rows of red values."""
    return visitor.page.get_by_test_id(name).evaluate(REDS)


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
    tiles = visitor.page.get_by_test_id("tiles").locator("button")
    off = [i for i in range(32) if "off" in (tiles.nth(i).get_attribute("class") or "").split()]
    assert off == np.flatnonzero(activations <= 0).tolist()
    weights = Reader.load("mlp-32").model.layers[0].weight.numpy(force=True)
    for i in range(32):
        level = lit(np.ceil(255 * activations[i] / activations.max()) / 255)
        shown = red(weights[i] / np.abs(weights[i]).max() / 0.6, level)
        found = tiles.nth(i).locator("canvas").evaluate(REDS)
        assert np.abs(np.asarray(found) - shown).max() < 3.5  # weights are rounded to int8


def red(numbers, light):
    """The red of the pictures' colours: blue's is 86, orange's 230."""
    return np.clip(np.abs(numbers), 0, 1) * np.where(numbers < 0, 230, 86) * light


def lit(share):
    """How bright a unit is, of whose largest neighbour's activation it has this share."""
    return 0.4 + 0.6 * np.sqrt(np.maximum(share, 0))


def places(reader):
    """Where each unit's light lies in the field, in lights: a band for each favourite logit."""
    *_, weight, _, head, _ = (p.numpy(force=True) for p in reader.model.parameters())
    outgoing = np.vstack([weight, head])
    found, top = {}, 0.0
    for logit in range(11):
        units = [i for i in range(outgoing.shape[1]) if outgoing[:, i].argmax() == logit]
        for nth, i in enumerate(sorted(units, key=lambda i: -outgoing[logit, i])):
            found[i] = (2 + nth % 48, top + nth // 48)
        top += -(-len(units) // 48) + 0.4
    return found


def lights(visitor, reader):
    """The red of each unit's light."""
    field = np.asarray(pixels(visitor, "field"))
    width = visitor.page.get_by_test_id("field").evaluate("c => c.width")
    size = width / 50
    at = places(reader)
    assert len(at) == 1024
    middles = [[int((part + 0.45) * size) for part in at[i]] for i in range(1024)]
    return np.array([field[y * width + x] for x, y in middles])


def test_1024_units_are_a_field_that_lights_up(visitor, digits):
    visitor.draw_by_mouse(digits[3]["strokes"])
    visitor.page.wait_for_timeout(600)
    reader, reading = Reader.load(), visitor.reading()
    activations = reading.layers[0].activations
    expected = np.where(activations > 0, 86 * lit(activations / activations.max()), 43)
    assert np.abs(lights(visitor, reader) - expected).max() < 2.5  # activations come as a byte
    visitor.page.get_by_label("what each adds to").check()
    added = contributions(reader.model, reading).contributions[3]
    share = np.sign(added) * np.sqrt(np.abs(added) / np.abs(added).max())
    expected = np.where(activations > 0, red(share, 1), 43)
    found = lights(visitor, reader)
    clear = np.abs(share) > 0.15  # a byte holds no less
    assert np.abs(found - expected)[clear | (activations <= 0)].max() < 6


def test_logistic_regression_shows_its_templates(visitor, digits):
    visitor.page.get_by_test_id("model").select_option("logistic")
    visitor.draw_by_mouse(digits[0]["strokes"])
    expect(visitor.page.get_by_test_id("units-caption")).to_contain_text("no hidden units")
    visitor.page.wait_for_timeout(300)
    reader, reading = Reader.load("logistic"), visitor.reading("logistic")
    tiles = visitor.page.get_by_test_id("tiles").locator("button")
    expect(tiles).to_have_count(11)
    weights = reader.model.layers[0].weight.numpy(force=True)
    for i in range(10):
        shown = red(weights[i] / np.abs(weights[i]).max() / 0.6, 1)
        found = tiles.nth(i).locator("canvas").evaluate(REDS)
        assert np.abs(np.asarray(found) - shown).max() < 3.5
        logit = number(tiles.nth(i).get_attribute("aria-label").split("logit ")[1])
        assert float(logit) == pytest.approx(float(reading.logits[i]), abs=0.0051)
    tiles.nth(6).click()
    expect(visitor.page.get_by_test_id("why-logit").locator("h3")).to_contain_text("Why 6")


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
    expect(clear).to_be_disabled()
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
        if not reads(route.request):
            route.continue_()
            return
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


def number(text):
    """A number of the page, as it is written."""
    return Decimal(text.replace("\u2212", "-").replace(" ", ""))


def sum_of(text):
    """Take "a (x) - b (y) = c" apart; see that it holds in the digits shown, and return c."""
    left, right = text.split(": ")[-1].split(" = ")
    terms = re.findall(r"(?:^|[+\u2212] )\u2212?\d+\.\d\d", left)
    assert len(terms) > 1
    assert sum(map(number, [term.replace("+ ", "") for term in terms])) == number(right)
    return number(right)


@pytest.mark.parametrize("model", ["logistic", "mlp-32", "mlp-1024"])
def test_every_sum_holds_in_the_digits_shown(visitor, digits, model):
    visitor.page.get_by_test_id("model").select_option(model)
    for digit in (4, 7):
        visitor.draw_by_mouse(digits[digit]["strokes"])
        visitor.page.wait_for_timeout(600)
        reading = visitor.reading(model)
        logits = np.sort(reading.logits.astype(float))
        eleven = np.sort(np.append(logits[:-1], reading.not_a_digit_logit))
        shown = {"logit": logits[-1], "difference": logits[-1] - eleven[-1]}
        for kind, expected in shown.items():
            for part in ("units", "pixels", "strokes"):
                if part == "units" and model == "logistic":
                    continue
                total = sum_of(visitor.text(f"why-{kind}-{part}"))
                assert float(total) == pytest.approx(expected, abs=0.0051)
        if model != "logistic":
            unit = int(re.search(r"\d+", visitor.text("unit-name"))[0])
            layer = reading.layers[0]
            z = float(sum_of(visitor.text("unit-sum")))
            assert z == pytest.approx(float(layer.pre_activations[unit]), abs=0.0051)
        visitor.page.get_by_test_id("clear").click()


def test_the_units_that_matter_most_are_named_with_what_they_add(visitor, digits):
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.draw_by_mouse(digits[2]["strokes"])
    visitor.page.wait_for_timeout(500)
    reader = Reader.load("mlp-32")
    added = contributions(reader.model, visitor.reading("mlp-32")).contributions[2]
    order = np.argsort(-np.abs(added), kind="stable")
    rows = visitor.page.get_by_test_id("why-logit").locator("li").all_inner_texts()
    for row, index in zip(rows[:12], order, strict=False):
        name, shown = row.split("\n")
        assert name == f"unit {index}"
        assert float(number(shown)) == pytest.approx(added[index], abs=0.0101)


def test_any_two_logits_can_be_compared(visitor, digits):
    visitor.draw_by_mouse(digits[5]["strokes"])
    visitor.page.get_by_test_id("chosen").select_option("3")
    visitor.page.get_by_test_id("against").select_option("10")
    title = visitor.page.get_by_test_id("why-difference").locator("h3")
    expect(title).to_contain_text("Why 3 and not not a digit")
    reading = visitor.reading()
    expected = float(reading.logits[3]) - reading.not_a_digit_logit
    total = sum_of(visitor.text("why-difference-units"))
    assert float(total) == pytest.approx(expected, abs=0.0051)
    visitor.page.locator("[data-digit='8']").first.click()
    expect(visitor.page.get_by_test_id("why-logit").locator("h3")).to_contain_text("Why 8")


def test_a_unit_can_be_looked_at(visitor, digits):
    visitor.draw_by_mouse(digits[6]["strokes"])
    visitor.page.get_by_test_id("unit-number").fill("77")
    visitor.page.locator("[data-digit='8']").first.evaluate("row => row.click()")
    visitor.page.wait_for_timeout(500)  # another reading comes while the visitor types
    visitor.page.get_by_test_id("unit-number").press("Enter")
    expect(visitor.page.get_by_test_id("unit-name")).to_have_text("Unit 77")
    reader, reading = Reader.load(), visitor.reading()
    account = unit(reader.model, reading, layer=0, index=77)
    relu = visitor.text("unit-relu")
    assert float(number(relu.split(" = ")[1].split(":")[0])) == pytest.approx(
        account.activation, abs=0.0051
    )
    table = visitor.page.get_by_test_id("unit-outgoing")
    rows = [row.split("\t") for row in table.locator("tbody tr").all_inner_texts()]
    weights = [float(number(row[1])) for row in rows]
    np.testing.assert_allclose(weights, account.outgoing, atol=0.00006)
    factor = number(table.locator(".factor").inner_text().strip("×= "))
    assert float(factor) == pytest.approx(account.activation, abs=0.00006)
    for row in rows:
        assert abs(number(row[1]) * factor - number(row[2])) <= Decimal("0.005")


def test_a_scribble_is_said_to_be_no_digit(visitor):
    zigzag = [
        [40, 60],
        [240, 80],
        [50, 110],
        [230, 130],
        [40, 160],
        [240, 190],
        [60, 200],
        [200, 50],
    ]
    visitor.draw_by_mouse([zigzag])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("not a digit")
    visitor.page.wait_for_timeout(300)
    assert visitor.reading().verdict == "not_a_digit"
    expect(visitor.page.get_by_test_id("why-logit").locator("h3")).to_contain_text("not a digit")


def test_redo_brings_back_what_undo_took(visitor, digits):
    redo = visitor.page.get_by_test_id("redo")
    visitor.draw_by_mouse(digits[7]["strokes"])
    visitor.page.wait_for_timeout(300)
    drawn = visitor.sent[-1]["strokes"]
    expect(redo).to_be_disabled()
    visitor.page.get_by_test_id("clear").click()
    visitor.page.keyboard.press("Control+z")
    visitor.page.wait_for_timeout(300)
    assert visitor.sent[-1]["strokes"] == drawn
    visitor.page.keyboard.press("Control+y")
    expect(visitor.page.get_by_test_id("answer")).to_have_text("nothing drawn")


def test_an_example_is_drawn_by_itself(visitor, digits):
    visitor.page.get_by_test_id("example-3").click()
    visitor.page.wait_for_function(
        "document.querySelector('[data-testid=answer]').innerText.startsWith('3')"
    )
    visitor.page.wait_for_timeout(1500)
    assert visitor.sent[-1]["strokes"] == digits[3]["strokes"]
    visitor.check_against(visitor.reading())


def test_the_keyboard_draws(visitor):
    visitor.pad.focus()
    for key in ["Shift+ArrowUp"] * 5 + [" "] + ["Shift+ArrowDown"] * 10 + [" "]:
        visitor.page.keyboard.press(key)
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("1")
    visitor.page.wait_for_timeout(300)
    [stroke] = visitor.sent[-1]["strokes"]
    assert (stroke[0], stroke[-1]) == ([140, 60], [140, 220])
    visitor.page.keyboard.press("Delete")
    expect(visitor.page.get_by_test_id("answer")).to_have_text("nothing drawn")


def test_a_thicker_pen_is_read_as_such(visitor, digits):
    visitor.page.get_by_test_id("pen").fill("1.5")
    visitor.draw_by_mouse(digits[7]["strokes"])
    visitor.page.wait_for_timeout(300)
    assert {point[2] for stroke in visitor.sent[-1]["strokes"] for point in stroke} == {1.5}
    visitor.check_against(visitor.reading())


def test_a_drawing_survives_a_reload_and_each_tab_has_its_own(visitor, digits, app_url):
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.draw_by_mouse(digits[6]["strokes"])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("6")
    visitor.page.wait_for_timeout(300)
    drawn = visitor.sent[-1]["strokes"]
    other = Visitor(visitor.page.context, app_url)
    other.draw_by_mouse(digits[1]["strokes"])
    expect(other.page.get_by_test_id("answer")).to_contain_text("1")
    visitor.page.reload()
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("6")
    assert visitor.sent[-1] | {"strokes": drawn, "models": ["mlp-32"]} == visitor.sent[-1]
    expect(other.page.get_by_test_id("answer")).to_contain_text("1")


def test_a_link_reopens_the_drawing(visitor, digits, app_url):
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.draw_by_mouse(digits[4]["strokes"])
    visitor.page.wait_for_timeout(300)
    visitor.page.get_by_test_id("copy-link").click()
    visitor.page.wait_for_function("location.hash.includes('drawing=')")
    other = Visitor(visitor.page.context, visitor.page.url)
    expect(other.page.get_by_test_id("answer")).to_contain_text("4")
    assert other.sent[-1]["strokes"] == visitor.sent[-1]["strokes"]
    assert other.sent[-1]["models"] == ["mlp-32"]


def test_a_link_that_is_cut_off_is_said_to_be(visitor, app_url):
    other = Visitor(visitor.page.context, f"{app_url}#model=mlp-32&drawing=%%%")
    expect(other.page.get_by_test_id("status")).to_contain_text("not whole")


def test_a_drawing_can_be_saved(visitor, digits):
    visitor.draw_by_mouse(digits[2]["strokes"])
    visitor.page.wait_for_timeout(300)
    with visitor.page.expect_download() as saved:
        visitor.page.get_by_test_id("save-json").click()
    assert json.loads(saved.value.path().read_text()) == visitor.sent[-1]["strokes"]
    with visitor.page.expect_download() as saved:
        visitor.page.get_by_test_id("save-png").click()
    assert Reader.load().read(saved.value.path()).digit == 2


def test_a_picture_is_read_instead(visitor):
    visitor.page.get_by_test_id("picture").set_input_files("tests/data/seven.png")
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")
    reading = Reader.load().read("tests/data/seven.png")
    visitor.check_against(reading)
    assert pixels(visitor, "seen") == (255 * reading.input).round().reshape(-1).tolist()
    visitor.page.get_by_test_id("picture").set_input_files("tests/test_page.py")
    expect(visitor.page.get_by_test_id("status")).to_contain_text("not a picture")
    visitor.page.get_by_test_id("undo").click()
    expect(visitor.page.get_by_test_id("answer")).to_have_text("nothing drawn")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_may_be_dropped_or_pasted(visitor, kind):
    visitor.drop(kind, DATA / "seven.png")
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")
    visitor.check_against(Reader.load().read(DATA / "seven.png"))


def turned(strokes, degrees):
    """The strokes, turned about the sketchpad's middle."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = SIDE / 2
    return [((np.asarray(stroke) - middle) @ turn.T + middle).tolist() for stroke in strokes]


def test_what_logistic_regression_gets_wrong_is_explained_against_the_network(visitor, digits):
    """A 2 that leans back is a 3 to ten templates: each model is asked for its own answer."""
    visitor.page.get_by_test_id("beside").select_option("logistic")
    visitor.draw_by_mouse(turned(digits[2]["strokes"], -30))
    visitor.page.wait_for_timeout(600)
    first, second = visitor.reading("mlp-1024"), visitor.reading("logistic")
    assert (first.digit, second.digit) == (2, 3)
    assert "but logistic reads 3" in visitor.text("compared")
    for name, ours, theirs, reading in (("", 2, 3, first), ("-beside", 3, 2, second)):
        title = visitor.page.get_by_test_id(f"why-difference{name}").locator("h3").inner_text()
        assert title.startswith(f"Why {ours} and not {theirs}:")
        total = sum_of(visitor.text(f"why-difference{name}-pixels"))
        gap = float(reading.logits[ours]) - float(reading.logits[theirs])
        assert float(total) == pytest.approx(gap, abs=0.0051)


def test_two_models_read_side_by_side(visitor, digits):
    visitor.page.get_by_test_id("beside").select_option("logistic")
    visitor.draw_by_mouse(digits[8]["strokes"])
    visitor.page.wait_for_timeout(600)
    first, second = visitor.reading("mlp-1024"), visitor.reading("logistic")
    visitor.check_against(first)
    shares = [f"{100 * p:.1f} %" for p in second.probabilities]
    assert visitor.text("probability-1-beside") == shares[1]
    assert visitor.text("read-by-beside") == "logistic"
    assert "mlp-1024 reads 8" in visitor.text("compared")
    sum_of(visitor.text("why-logit-beside-pixels"))
    visitor.page.get_by_test_id("beside").select_option("")
    expect(visitor.page.get_by_test_id("answer-beside")).to_have_count(0)


def test_a_slow_network_shows_the_newest_drawing_last(visitor, digits):
    visitor.page.route(QUESTION, lambda route: (time.sleep(0.2), route.continue_()))
    visitor.draw_by_mouse([stroke[::6] for stroke in digits[9]["strokes"]])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("9")
    visitor.page.wait_for_timeout(1000)
    visitor.check_against(visitor.reading())


def test_a_lost_connection_is_said_and_the_newest_drawing_read_after_it(visitor, digits):
    visitor.draw_by_mouse(digits[1]["strokes"])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("1")
    visitor.page.context.set_offline(True)
    visitor.page.get_by_test_id("clear").click()
    visitor.draw_by_mouse(digits[6]["strokes"])
    expect(visitor.page.get_by_test_id("status")).to_contain_text("Trying again")
    visitor.page.get_by_test_id("clear").click()
    visitor.draw_by_mouse(digits[3]["strokes"])
    visitor.page.wait_for_timeout(2000)  # this drawing's question is lost, too
    visitor.page.context.set_offline(False)
    visitor.page.wait_for_function(
        "document.querySelector('[data-testid=answer]').innerText.startsWith('3')"
    )
    expect(visitor.page.get_by_test_id("status")).not_to_contain_text("Trying again")
    visitor.check_against(visitor.reading())


def test_a_pens_pressure_is_the_lines_width(visitor):
    pen = visitor.page.context.new_cdp_session(visitor.page)
    visitor.pad.scroll_into_view_if_needed()
    for i, force in enumerate([0.25, 0.5, 1.0]):
        x, y = visitor.place([140, 60 + 70 * i])
        kind = "mouseMoved" if i else "mousePressed"
        event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
        pen.send("Input.dispatchMouseEvent", event | {"pointerType": "pen", "force": force})
    visitor.page.wait_for_timeout(300)
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
          const all = { clientX, clientY, pointerId: 1, coalescedEvents: events };
          pad.dispatchEvent(new PointerEvent('pointermove', all));
        }""",
        places,
    )
    visitor.page.wait_for_timeout(300)
    assert len(visitor.sent[-1]["strokes"][0]) == 7
    visitor.page.mouse.up()


def test_ink_is_as_sharp_as_the_screen(visitor, device):
    wide = visitor.pad.evaluate("pad => pad.width / pad.clientWidth")
    assert wide == pytest.approx(device.get("device_scale_factor", 1), abs=0.01)


def test_the_page_does_not_scroll_under_the_finger(visitor, device):
    if "has_touch" not in device:
        visitor.draw_by_mouse([[[140, 250], [140, 30]]])
    else:
        visitor.draw_by_touch([[[140, 250 - 20 * i] for i in range(12)]])
    visitor.page.wait_for_timeout(300)
    assert visitor.sent[-1]["strokes"] != []
    assert visitor.page.evaluate("scrollY") == 0


def test_an_example_is_there_at_once_for_those_who_prefer_no_motion(visitor, digits):
    visitor.page.emulate_media(reduced_motion="reduce")
    visitor.page.get_by_test_id("example-8").click()
    visitor.page.wait_for_function(
        "document.querySelector('[data-testid=answer]').innerText.startsWith('8')"
    )
    assert len([sent for sent in visitor.sent if sent["strokes"]]) == 1
    assert visitor.sent[-1]["strokes"] == digits[8]["strokes"]


def test_nothing_in_sight_moves_while_one_draws(visitor, digits):
    visitor.page.evaluate(
        """() => {
          window.moved = [];
          new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) moved.push(entry.value);
          }).observe({ type: 'layout-shift' });
        }"""
    )
    visitor.draw_by_mouse(digits[9]["strokes"])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("9")
    visitor.page.wait_for_timeout(500)
    assert sum(visitor.page.evaluate("moved")) < 0.01


def test_a_unit_is_looked_at_by_pointing_at_it(visitor, digits):
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.draw_by_mouse(digits[2]["strokes"])
    visitor.page.wait_for_timeout(300)
    visitor.page.get_by_test_id("tiles").locator("button").nth(21).hover()
    expect(visitor.page.get_by_test_id("unit-name")).to_have_text("Unit 21")
    z = visitor.reading("mlp-32").layers[0].pre_activations[21]
    shown = sum_of(visitor.text("unit-sum"))
    assert float(shown) == pytest.approx(float(z), abs=0.0051)
    visitor.page.get_by_test_id("tiles").locator("button").nth(5).focus()
    expect(visitor.page.get_by_test_id("unit-name")).to_have_text("Unit 5")


def test_a_light_of_the_field_is_its_unit(visitor, digits):
    visitor.draw_by_mouse(digits[2]["strokes"])
    visitor.page.wait_for_timeout(300)
    field = visitor.page.get_by_test_id("field")
    field.scroll_into_view_if_needed()
    size = field.bounding_box()["width"] / 50
    x, y = places(Reader.load())[512]
    field.click(position={"x": (x + 0.5) * size, "y": (y + 0.5) * size})
    expect(visitor.page.get_by_test_id("unit-name")).to_have_text("Unit 512")


def test_every_control_is_reached_by_the_tab_key(visitor, digits):
    visitor.draw_by_mouse(digits[2]["strokes"])
    visitor.page.wait_for_timeout(300)
    visitor.page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(90):
        visitor.page.keyboard.press("Tab")
        reached.add(visitor.page.evaluate("document.activeElement.dataset?.testid"))
    wanted = {"model", "beside", "undo", "clear", "pen", "sketchpad", "example-0", "open"}
    wanted |= {"save-png", "save-json", "copy-link", "unit-number", "chosen", "against"}
    assert wanted - reached == set()


def test_the_page_is_light_to_load(app_url):
    """Its own part of the first load: components come with Gradio's /config."""
    with urllib.request.urlopen(f"{app_url}/config") as answer:
        assert 5_000 < len(gzip.compress(answer.read())) < 600_000


def test_a_network_of_several_layers_is_shown_layer_by_layer(browser, digits, tmp_path):
    torch.manual_seed(0)
    save(tmp_path, MLP((70, 20)), name="deep")
    with serve("--model", str(tmp_path)) as url:
        context = browser.new_context(**DEVICES["desktop"])
        visitor = Visitor(context, url)
        visitor.draw_by_mouse(digits[4]["strokes"])
        visitor.page.wait_for_timeout(600)
        reading = Reader.load(tmp_path).read_strokes(visitor.sent[-1]["strokes"])
        counts = [int((layer.activations > 0).sum()) for layer in reading.layers]
        told = f"70 hidden units, {counts[0]} active; 20 hidden units, {counts[1]} active"
        assert visitor.text("units-caption") == told
        total = sum_of(visitor.text("why-logit-pixels"))
        eleven = np.append(reading.logits, reading.not_a_digit_logit)
        assert float(total) == pytest.approx(float(eleven[:10].max()), abs=0.0051)
        assert visitor.text("unit-name").endswith("of hidden layer 2")
        size = visitor.page.get_by_test_id("field").bounding_box()["width"] / 50
        place = {"x": (2 + 3.5) * size, "y": 1.5 * size}  # unit 48 + 3 of the first layer
        visitor.page.get_by_test_id("field").click(position=place)
        expect(visitor.page.get_by_test_id("unit-name")).to_have_text("Unit 51 of hidden layer 1")
        z = float(reading.layers[0].pre_activations[51])
        assert float(sum_of(visitor.text("unit-sum"))) == pytest.approx(z, abs=0.0051)
        place = {"x": (2 + 5.5) * size, "y": 2.9 * size}  # unit 5 of the second
        visitor.page.get_by_test_id("field").click(position=place)
        expect(visitor.page.get_by_test_id("unit-name")).to_have_text("Unit 5 of hidden layer 2")
        assert visitor.faults == []
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(visitor, digits, scheme):
    visitor.page.emulate_media(color_scheme=scheme)
    visitor.page.reload()
    visitor.draw_by_mouse(digits[5]["strokes"])
    expect(visitor.page.get_by_test_id("why-logit")).to_contain_text("Why 5")
    found = Axe().run(visitor.page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in serious] == []
