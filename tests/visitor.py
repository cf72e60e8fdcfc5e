"""A visitor of the page: a hand that draws on it, and eyes that read its numbers."""

import base64
import json
import re
from decimal import Decimal

import numpy as np
import pytest
from playwright.sync_api import expect

from benchmarks.browser import DEVICES, ROOT
from model import Reader

SIDE = 280
DATA = ROOT / "tests" / "data"
# What does not depend on the device is tried on one: each page takes seconds to load.
ON_DESKTOP, ON_PHONE = (
    pytest.mark.parametrize("device", [name], indirect=True) for name in DEVICES
)
QUESTION = re.compile("/component_server")


def reads(request):
    """Whether it asks to read the drawing, and not for a unit's weights."""
    return '"models"' in (request.post_data or "")


def percent(share):
    return "> 99.9 %" if share > 0.9995 else f"{100 * share:.1f} %"


class Visitor:
    """A page, and a hand that draws on it."""

    def __init__(self, context, url):
        self.page = context.new_page()
        self.faults, self.requests, self.sent = [], [], []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._note)
        self.page.goto(url)
        self.pad = self.page.get_by_test_id("sketchpad")
        # "–", or a number at once where a link brought a drawing: either way the page is up.
        expect(self.page.get_by_test_id("probability-0")).not_to_be_empty()

    def _note(self, request):
        self.requests.append(request.url)
        if request.url.rstrip("/").endswith("/component_server") and reads(request):
            self.sent.append(json.loads(request.post_data)["data"])

    def text(self, name):
        return self.page.get_by_test_id(name).inner_text()

    def texts(self, names):
        """Several at once: each question of its own would take a moment."""
        script = "names => names.map(n => document.querySelector(`[data-testid='${n}']`).innerText)"
        return self.page.evaluate(script, list(names))

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

    def load(self, strokes):
        """Put these strokes on the sketchpad, in the place of what is there, as a link does."""
        script = """strokes => document.dispatchEvent(
          new CustomEvent('load', { detail: { ink: { strokes, picture: null } } }))"""
        self.page.evaluate(script, strokes)

    def copy_link(self):
        """Copy the link of what is drawn, once it is read; the address bar has it."""
        self.page.wait_for_timeout(300)
        self.page.get_by_test_id("copy-link").click()
        self.page.wait_for_function("location.hash.includes('drawing=')")

    def reading(self, model="mlp-1024"):
        """What Reader makes of the strokes that the page last sent."""
        return Reader.load(model).read_strokes(self.sent[-1]["strokes"])

    def check_against(self, reading):
        """Wait until the page shows this reading, and compare all that it shows."""
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
    """The pixels of a canvas, as rows of red values."""
    return visitor.page.get_by_test_id(name).evaluate(REDS)


def red(numbers, light):
    """The red of the pictures' colours: blue's is 86, orange's 230."""
    return np.clip(np.abs(numbers), 0, 1) * np.where(numbers < 0, 230, 86) * light


def number(text):
    """A number of the page, as it is written."""
    return Decimal(text.replace("\u2212", "-").replace(" ", ""))


def terms_of(text):
    """Take "a (x) - b (y) = c" apart; see that it holds in the digits shown: a, -b, …, c."""
    left, right = text.split(": ")[-1].split(" = ")
    terms = re.findall(r"(?:^|[+\u2212] )\u2212?\d+\.\d\d", left)
    assert len(terms) > 1
    terms = [number(term.replace("+ ", "")) for term in terms]
    assert sum(terms) == number(right)
    return [*map(float, terms), float(number(right))]


def sum_of(text):
    return terms_of(text)[-1]
