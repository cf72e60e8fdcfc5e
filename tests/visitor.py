"""A simulated visitor, who draws on the page and reads its numbers."""

import base64
import json
import re
from decimal import Decimal
from functools import cache

import numpy as np
import pytest
from playwright.sync_api import expect

from benchmarks.browser import DEVICES, ROOT
from model import Reader

SIDE = 280
DATA = ROOT / "tests" / "data"
# For tests that depend on the size of the page, or on touch. Others run on a desktop only.
ON_EACH_DEVICE = pytest.mark.parametrize("device", list(DEVICES), indirect=True)
ON_PHONE = pytest.mark.parametrize("device", ["phone"], indirect=True)
QUESTION = re.compile("/component_server")
# Resolves after two frames and a short pause.
FRAMES = """() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30))))"""


def reads(request):
    """Return whether the request is for a reading of the drawing."""
    return '"models"' in (request.post_data or "")


def percent(share):
    return "> 99.9 %" if share > 0.9995 else f"{100 * share:.1f} %"


POINTS = 8  # points per stroke; each one makes the page request a reading
load_reader = cache(Reader.load)


def thinned(stroke):
    """Return about POINTS evenly chosen points of a stroke, with the first and the last."""
    step = max(1, -(-len(stroke) // POINTS))
    return [*stroke[:-1:step], stroke[-1]] if len(stroke) > 1 else stroke


def on_page(point, box):
    """Return the position on the page, in px, of a point of the drawing."""
    return (
        box["x"] + point[0] / SIDE * box["width"],
        box["y"] + point[1] / SIDE * box["height"],
    )


class Visitor:
    """The drawing page, with actions of a visitor."""

    PATH = ""

    def __init__(self, context, url, page=None, *, path=None):
        self.page = page or context.new_page()
        self.faults, self.requests, self.sent = [], [], []
        self._pending = set()
        self._listeners = {
            "pageerror": lambda error: self.faults.append(str(error)),
            "request": self._note,
            "requestfinished": lambda request: self._pending.discard(request),
            "requestfailed": lambda request: self._pending.discard(request),
        }
        for event, listener in self._listeners.items():
            self.page.on(event, listener)
        self.page.goto(url + (self.PATH if path is None else path))
        self.pad = self.page.get_by_test_id("sketchpad")
        self.wait_until_loaded()

    def wait_until_loaded(self):
        # The class is the verdict of the first reading. Before that, the sketchpad's module may not
        # have started, and a stroke would be lost.
        expect(self.page.get_by_test_id("answer").first).to_have_class(re.compile("."))

    def leave(self):
        """Stop listening, so that the page can be used by another test."""
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)

    def _note(self, request):
        self.requests.append(request.url)
        if request.url.rstrip("/").endswith("/component_server"):
            self._pending.add(request)
            if reads(request):
                self.sent.append(json.loads(request.post_data)["data"])

    def settle(self, *, held=0):
        """Wait until the page has sent its requests, and has shown the responses.

        `held` is how many requests the test itself holds back.
        """
        quiet = 0
        while quiet < 3:
            n_requests = len(self.requests)
            self.page.evaluate(FRAMES)
            quiet = 0 if len(self._pending) > held or len(self.requests) > n_requests else quiet + 1

    def text(self, name):
        return self.page.get_by_test_id(name).inner_text()

    def texts(self, names):
        """Return the texts of several elements in one call, which is faster."""
        script = "names => names.map(n => document.querySelector(`[data-testid='${n}']`).innerText)"
        return self.page.evaluate(script, list(names))

    def place(self, point):
        return on_page(point, self.pad.bounding_box())

    def draw_by_mouse(self, strokes, *, lift=True):
        self.pad.scroll_into_view_if_needed()
        box, mouse = self.pad.bounding_box(), self.page.mouse
        for i, stroke in enumerate(strokes):
            first, *others = [on_page(point, box) for point in thinned(stroke)]
            mouse.move(*first)
            mouse.down()
            for point in others:
                mouse.move(*point)
            if lift or i < len(strokes) - 1:
                mouse.up()

    def draw_by_touch(self, strokes):
        self.pad.scroll_into_view_if_needed()
        box, touch = self.pad.bounding_box(), self.page.context.new_cdp_session(self.page)
        for stroke in strokes:
            for i, point in enumerate(thinned(stroke)):
                x, y = on_page(point, box)
                kind = "touchMove" if i else "touchStart"
                points = [{"x": x, "y": y}]
                touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        touch.detach()

    def drop(self, kind, path):
        """Drop a file on the page, or paste it."""
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

    def load(self, strokes):
        """Replace the drawing on the sketchpad by these strokes, as a link does."""
        script = """strokes => document.dispatchEvent(
          new CustomEvent('load', { detail: { ink: { strokes, picture: null } } }))"""
        self.page.evaluate(script, strokes)

    def copy_link(self):
        """Copy the link of the drawing, which then is in the address bar."""
        self.settle()
        self.page.get_by_test_id("copy-link").click()
        self.page.wait_for_function("location.hash.includes('drawing=')")

    def reading(self, model="mlp-1024"):
        """Return the reading of the strokes that the page sent last."""
        return load_reader(model).read_strokes(self.sent[-1]["strokes"])

    def check_against(self, reading):
        """Wait until the page shows this reading; compare all probabilities and logits."""
        expect(self.page.get_by_test_id("answer")).to_contain_text(str(reading.digit))
        share = reading.probabilities[reading.digit]
        shown = percent(share)
        expect(self.page.get_by_test_id(f"probability-{reading.digit}")).to_have_text(shown)
        assert self.text("answer").startswith(str(reading.digit))
        names = [*range(10), "none"]
        shares = self.texts(f"probability-{each}" for each in names)
        assert shares == [percent(p) for p in (*reading.probabilities, reading.not_a_digit)]
        logits = [float(number(text)) for text in self.texts(f"logit-{i}" for i in range(11))]
        expected = [*reading.logits, reading.not_a_digit_logit]
        assert logits == pytest.approx(np.array(expected, dtype=float), abs=0.00501)


REDS = """canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
}"""


def pixels(visitor, name):
    """Return the red values of a canvas, row after row."""
    return visitor.page.get_by_test_id(name).evaluate(REDS)


def red(numbers, light):
    """Return the red values for numbers in -1..1: blue has 86, orange 230."""
    return np.clip(np.abs(numbers), 0, 1) * np.where(numbers < 0, 230, 86) * light


def number(text):
    """Parse a number as the page writes it."""
    return Decimal(text.replace("\u2212", "-").replace(" ", ""))


def terms_of(text):
    """Parse "a (x) - b (y) = c" as [a, -b, c], and assert that the terms add up exactly."""
    left, right = text.split(": ")[-1].split(" = ")
    terms = re.findall(r"(?:^|[+\u2212] )\u2212?\d+\.\d\d", left)
    assert len(terms) > 1
    terms = [number(term.replace("+ ", "")) for term in terms]
    assert sum(terms) == number(right)
    return [*map(float, terms), float(number(right))]


def sum_of(text):
    return terms_of(text)[-1]
