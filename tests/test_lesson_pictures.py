"""Tests of the lesson's pictures up to the hidden layer: their numbers are correct."""

import base64
import io
import re
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from benchmarks.browser import DEVICES
from lesson.data import load_subset
from lesson.figures import figures
from model import Reader, Reading
from tests.visitor import Visitor, number, terms_of

pytestmark = pytest.mark.browser

MINE = ["pixels", "examples", "split", "templates", "confusions", "flatten", "unit", "relu",
        "collapse"]  # fmt: skip


# Resolves after two frames.
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
# Puts strokes on the sketchpad and resolves when their reading has been drawn.
LOAD = f"""strokes => new Promise(done => {{
  const heard = ({{ detail }}) => {{
    if (JSON.stringify(detail.request.strokes) !== JSON.stringify(strokes)) return;
    document.removeEventListener('reading', heard);
    ({FRAMES})().then(done);
  }};
  document.addEventListener('reading', heard);
  const ink = {{ strokes, picture: null }};
  document.dispatchEvent(new CustomEvent('load', {{ detail: {{ ink }} }}));
}})"""


class Student(Visitor):
    """A visitor of the lesson."""

    PATH = "/lesson"

    def wait_until_loaded(self):
        expect(self.page.get_by_test_id("reads")).to_contain_text("reads")

    def draw(self, strokes, model="mlp-32") -> Reading:
        """Put strokes on the sketchpad, wait until they are shown, and return their reading."""
        self.page.evaluate(LOAD, strokes)
        return Reader.load(model).read_strokes(strokes)

    def see(self, name):
        """Scroll to a picture and wait until it is drawn."""
        part = self.page.get_by_test_id(f"picture-{name}")
        part.scroll_into_view_if_needed()
        self.page.evaluate(FRAMES)  # pictures are drawn when they become visible
        return part

    def numbers(self, names) -> list[float]:
        return [float(number(text)) for text in self.texts(names)]


@pytest.fixture(scope="module")
def student(browser: Browser, app_url: str) -> Iterator[Student]:
    """One desktop page for all tests of this module, because it takes seconds to load."""
    context = browser.new_context(**DEVICES["desktop"])
    student = Student(context, app_url)
    yield student
    assert student.faults == []
    context.close()


REDS_AT = """(canvas, places) => {
  const brush = canvas.getContext('2d');
  const { data } = brush.getImageData(0, 0, canvas.width, canvas.height);
  return places.map(([x, y]) =>
    data[4 * (Math.floor(y * canvas.height) * canvas.width + Math.floor(x * canvas.width))]);
}"""


def reds(canvas, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the red values of a canvas at positions that are shares of its width and height."""
    places = np.stack([x.reshape(-1), y.reshape(-1)], 1).tolist()
    return np.reshape(canvas.evaluate(REDS_AT, places), x.shape)


def posted(answer) -> str:
    return answer.request.post_data or ""


def sides(weights: np.ndarray, reading: Reading) -> tuple[float, float]:
    """Return the sum of the positive terms and that of the negative terms."""
    terms = weights.astype(np.float64) * reading.input.reshape(-1)
    return terms[terms > 0].sum(), terms[terms < 0].sum()


def parameters(model: str) -> list[np.ndarray]:
    return [each.numpy(force=True) for each in Reader.load(model).model.parameters()]


def test_pixels_show_their_numbers_by_mouse_and_arrow_keys(student, digits):
    reading = student.draw(digits[4]["strokes"])
    student.see("pixels")
    pixels = reading.input.reshape(28, 28)
    canvas, value = (student.page.get_by_test_id(name) for name in ("pixels", "pixel-value"))
    expect(value).to_have_text(f"row 14, column 14: {pixels[14, 14]:.2f}")
    shown = student.page.get_by_test_id("pixel-values").locator("tbody td").all_inner_texts()
    assert shown == [f"{x:.2f}" for x in pixels[12:17, 12:17].reshape(-1)]
    canvas.focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowRight"):
        student.page.keyboard.press(key)
    expect(value).to_have_text(f"row 12, column 15: {pixels[12, 15]:.2f}")
    columns, rows = np.meshgrid(np.arange(28), np.arange(28))
    middles = reds(canvas, (columns + 0.5) / 28, (rows + 0.5) / 28)
    assert np.array_equal(middles, (255 * pixels).round())
    size = canvas.bounding_box()["width"] / 28
    canvas.hover(position={"x": 27.5 * size, "y": 0.5 * size})
    expect(value).to_have_text(f"row 0, column 27: {pixels[0, 27]:.2f}")


def test_terms_of_a_template_add_up_to_its_logit(student, digits):
    reading = student.draw(digits[4]["strokes"], "logistic")
    part = student.see("templates")
    logits = student.numbers(f"template-logit-{i}" for i in range(10))
    assert logits == pytest.approx(list(map(float, reading.logits)), abs=0.00501)
    best = int(reading.logits.argmax())
    assert part.locator(".wins").get_attribute("data-testid") == f"template-{best}"
    weight, bias, *_ = parameters("logistic")
    other = (best + 3) % 10
    for digit in (best, other):
        if digit == other:
            student.page.get_by_test_id(f"template-{other}").click()
        assert student.text("template-title").startswith(f"The template of {digit}")
        expected = [*sides(weight[digit], reading), bias[digit], reading.logits[digit]]
        found = terms_of(student.text("template-sum"))
        assert found == pytest.approx(list(map(float, expected)), abs=0.0151)
    pressed = part.locator("[aria-pressed=true]")
    assert pressed.get_attribute("data-testid") == f"template-{other}"
    pressed.click()  # follow the drawing again
    expect(part.locator("[aria-pressed=true]")).to_have_attribute("data-testid", f"template-{best}")


def test_a_unit_shows_its_sum_and_its_change(student, digits):
    reading = student.draw(digits[1]["strokes"])
    student.see("unit")
    weight, bias, *_ = parameters("mlp-32")
    (layer,) = reading.layers
    most = int(layer.activations.argmax())
    assert student.text("unit-title") == f"Unit {most}, the most active"
    shown = student.page.locator(".unit .tiles .score").all_inner_texts()
    lit = [0.0 if text == "off" else float(number(text)) for text in shown]
    assert lit == pytest.approx(list(map(float, layer.activations)), abs=0.00501)
    off = int(layer.pre_activations.argmin())
    student.page.get_by_test_id(f"unit-{most}").focus()
    student.page.get_by_test_id(f"unit-{off}").press("Enter")
    z = float(layer.pre_activations[off])
    expected = [*sides(weight[off], reading), bias[off], z]
    found = terms_of(student.text("unit-sum"))
    assert found == pytest.approx(list(map(float, expected)), abs=0.0151)
    total = student.text("unit-sum").split(" = ")[1]
    assert student.text("unit-relu") == f"activation: max(0, {total}) = 0.00: off"
    student.page.get_by_test_id("unit-remember").click()
    assert "Now change" in student.text("unit-changed")
    after = student.draw(digits[3]["strokes"]).layers[0].activations
    student.see("unit")
    unit = int(np.abs(after - layer.activations).argmax())
    ends = f"from {layer.activations[unit]:.2f} to {after[unit]:.2f}"
    expect(student.page.get_by_test_id("unit-changed")).to_have_text(
        f"Largest change: unit {unit}, {ends}"
    )
    student.page.get_by_test_id(
        f"unit-{off}"
    ).click()  # follow the drawing again, for the next test


def test_points_of_units_lie_on_the_relu_curve(student, digits):
    reading = student.draw(digits[7]["strokes"])
    part = student.see("relu")
    (layer,) = reading.layers
    n_on = int((layer.pre_activations > 0).sum())
    assert student.text("relu-count") == f"{n_on} of 32 are on"
    script = "dots => dots.map(d => [+d.getAttribute('cx'), +d.getAttribute('cy')])"
    x, y = np.transpose(part.locator("circle").evaluate_all(script))
    slope, start = np.polyfit(layer.pre_activations, x, 1)
    assert slope * layer.pre_activations + start == pytest.approx(x, abs=0.2)
    slope, floor = np.polyfit(layer.activations, y, 1)
    assert slope * layer.activations + floor == pytest.approx(y, abs=0.2)
    assert slope < 0  # px grow downwards
    assert part.locator("circle.on").count() == n_on
    student.page.get_by_test_id("relu-slider").fill("5")
    z, activation = layer.pre_activations[5], layer.activations[5]
    shown = student.text("relu-at").replace("\u2212", "-")
    assert shown.startswith(f"Unit 5: max(0, {z:.2f}) = {activation:.2f}")
    part.locator("svg").hover(position={"x": float(x[9]), "y": 50})
    assert student.text("relu-at").startswith("Unit 9:")


def test_two_layers_without_relu_equal_one_matrix(student, digits):
    reading = student.draw(digits[7]["strokes"])
    student.see("collapse")
    weight1, bias1, weight2, bias2, *_ = (p.astype(np.float64) for p in parameters("mlp-32"))
    one = weight2 @ weight1 @ reading.input.reshape(-1) + weight2 @ bias1 + bias2
    ways = {"two": one, "one": one, "relu": reading.logits}
    for way, expected in ways.items():
        found = student.numbers(f"collapse-{way}-{i}" for i in range(10))
        assert found == pytest.approx(list(map(float, expected)), abs=0.00502)
        assert student.text(f"collapse-{way}-highest") == str(int(expected.argmax()))
    *_, difference = student.text("collapse-difference").rstrip(".").split()
    assert Decimal(difference) < Decimal("0.0001")


def test_flattened_pixels_are_in_row_order(student, digits):
    reading = student.draw(digits[2]["strokes"])
    part = student.see("flatten")
    student.page.get_by_test_id("flatten-slider").fill("12")
    assert student.text("flatten-at") == "Row 12 becomes pixels 336 to 363 of 784."
    strip = part.locator(".strip canvas")
    at = np.arange(784)
    middles = reds(strip, (at % 196 + 0.5) / 196, (at // 196 + 0.5) / 4)
    clear = (at // 28 != 12) & (at % 28 != 0)  # neither on the frame nor on a line between rows
    expected = (255 * reading.input.reshape(-1)).round()
    assert np.array_equal(middles[clear], expected[clear])
    strip.click(position={"x": 1, "y": strip.bounding_box()["height"] - 2})
    assert student.text("flatten-at") == "Row 21 becomes pixels 588 to 615 of 784."


def test_an_mnist_example_replaces_the_drawing(student):
    student.see("examples")
    expect(student.page.get_by_test_id("example-13")).to_have_text("3")
    with student.page.expect_response(lambda answer: '"picture":"data:' in posted(answer)):
        student.page.get_by_test_id("example-13").click()
    data = student.sent[-1]["picture"].split(",")[1]
    reading = Reader.load("mlp-32").read(io.BytesIO(base64.b64decode(data)))
    train, _ = load_subset()
    image = train.images[(train.labels == 3).nonzero()[1, 0]].numpy() / 255
    pixels = reading.input.reshape(28, 28)
    assert pixels == pytest.approx(image.reshape(28, 28), abs=0.003)
    student.see("pixels")
    row, column = map(int, re.findall(r"\d+", student.text("pixel-value"))[:2])
    assert student.text("pixel-value").endswith(f": {pixels[row, column]:.2f}")


def test_confusions_are_those_of_the_evaluations(student):
    student.see("confusions")
    known = {name: np.array(each["test"]["confusion"]) for name, each in figures().items()
             if name != "lesson"}  # fmt: skip
    wrong = known["logistic"] * (1 - np.eye(10, dtype=int))
    rows = student.page.locator("[data-testid=confusions] tbody tr")
    assert rows.count() == 8
    for nth, row in enumerate(rows.all_inner_texts()):
        pair, *counts = row.split("\t")
        label, digit = int(pair[0]), int(pair[-1])
        assert wrong[label, digit] == np.sort(wrong.reshape(-1))[-1 - nth]
        assert [int(count) for count in counts] == [each[label, digit] for each in known.values()]
    sums = student.numbers(f"wrong-{name}" for name in known)
    assert sums == [each.sum() - each.trace() for each in known.values()]


def test_pictures_show_a_blank_drawing(student):
    student.draw([])
    for name in MINE:
        student.see(name)
    assert student.page.locator(".templates .wins").count() == 0
    logistic, network = (Reader.load(name).read_strokes([]) for name in ("logistic", "mlp-32"))
    assert terms_of(student.text("template-sum"))[:2] == [0, 0]
    shown = student.numbers(f"template-logit-{i}" for i in range(10))
    assert shown == pytest.approx(list(map(float, logistic.logits)), abs=0.00501)
    n_on = int((network.layers[0].activations > 0).sum())
    assert student.text("relu-count") == f"{n_on} of 32 are on"
    assert student.text("pixel-value").endswith(": 0.00")


def test_pictures_fit_a_phone(browser, app_url):
    context = browser.new_context(**DEVICES["phone"])
    student = Student(context, app_url)
    for name in MINE:
        part = student.see(name)
        low = "all => all.filter(e => Math.min(e.offsetWidth, e.offsetHeight) < 24).length"
        assert part.locator(":is(button, input)").evaluate_all(low) == 0, name
    assert student.page.evaluate("document.documentElement.scrollWidth") == 390
    assert student.faults == []
    context.close()
