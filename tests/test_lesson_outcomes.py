"""Tests of the lesson's pictures, from the second layer on: their numbers are correct."""

import io
import json
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import expect
from torch.nn import functional as F

from benchmarks.browser import DEVICES
from lesson.data import SAMPLES
from lesson.figures import FIGURES
from lesson.framing import ANEW, NAMES, stages
from model import Reader
from tests.visitor import REDS, number, percent
from ui.lesson.lesson import NETWORK, _sheet, example
from ui.modules import module_address

PICTURES = ("second", "softmax", "loss", "sizes", "framing", "samples", "ways")
DIGITS = range(10)
BLUR = 0.00501  # largest error of rounding to hundredths


def measured():
    return json.loads(FIGURES.read_text(encoding="utf-8"))


class Page:
    """The lesson on one device, with the example drawing."""

    def __init__(self, context, url):
        self.page = context.new_page()
        self.faults = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(f"{url}/lesson")
        expect(self.at("reads")).to_contain_text(f"{NETWORK} reads 7")
        self.see("softmax")
        expect(self.at("softmax-probability-7")).to_contain_text("%")

    def at(self, name):
        return self.page.get_by_test_id(name)

    def see(self, picture):
        self.at(f"picture-{picture}").scroll_into_view_if_needed()

    def texts(self, names):
        script = "ns => ns.map(n => document.querySelector(`[data-testid='${n}']`).innerText)"
        return self.page.evaluate(script, list(names))

    def slide(self, name, to):
        self.at(name).evaluate(
            "(range, to) => { range.value = to; range.dispatchEvent(new Event('input')); }", to
        )


@pytest.fixture(scope="module")
def lesson(browser, app_url):
    context = browser.new_context(**DEVICES["desktop"])
    page = Page(context, app_url)
    yield page
    assert page.faults == []
    context.close()


@pytest.fixture(scope="module")
def reader():
    return Reader.load(NETWORK)


@pytest.fixture(scope="module")
def reading(reader):
    return reader.read_strokes(example())


def test_a_logit_is_the_sum_of_its_terms_and_its_bias(lesson, reader, reading):
    weight, bias = (p.detach().numpy().astype(float) for p in reader.model.layers[1].parameters())
    activations = reading.layers[0].activations.astype(float)
    on = np.flatnonzero(activations)
    lesson.see("second")
    pressed = lesson.page.locator(".second [aria-pressed=true]")
    expect(pressed).to_have_attribute("data-testid", f"second-{reading.digit}")
    for digit in (reading.digit, *(each for each in DIGITS if each != reading.digit)):
        if digit != reading.digit:
            lesson.at(f"second-{digit}").click()
        terms = weight[digit] * activations
        order = sorted(on, key=lambda unit: -abs(terms[unit]))
        lines = lesson.at("second-rows").locator("tr").all_inner_texts()
        rows = [re.split(r"[\s×]+", line.strip()) for line in lines]
        assert [int(unit) for unit, *_ in rows] == order[:10]
        shown = [[number(text) for text in row[1:]] for row in rows]
        for unit, (activation, factor, term) in zip(order, shown, strict=False):
            assert float(activation) == pytest.approx(activations[unit], abs=5.01e-5)
            assert float(factor) == pytest.approx(weight[digit, unit], abs=5.01e-5)
            assert float(activation * factor - term) == pytest.approx(0, abs=0.005)
        names = ("second-others", "second-bias", "second-sum")
        others, added, total = (number(text) for text in lesson.texts(names))
        assert sum(row[2] for row in shown) + others + added == total
        assert float(added) == pytest.approx(bias[digit], abs=BLUR)
        assert float(others) == pytest.approx(terms[order[10:]].sum(), abs=13 * BLUR)
        assert float(total) == pytest.approx(reading.logits[digit], abs=BLUR)
        assert lesson.at(f"second-{digit}").inner_text().split()[-1] == lesson.texts(names)[-1]
        assert f"{len(on) - 10} others" in lesson.page.locator(".second table").inner_text()
    assert f"{32 - len(on)} are off and add nothing" in lesson.at("second-off").inner_text()
    lesson.at(f"second-{digit}").click()
    expect(pressed).to_have_attribute("data-testid", f"second-{reading.digit}")


SECOND = f"""async readings => {{
  const address = new URL("{module_address("lesson/pictures/second.js")}", document.baseURI);
  const {{ secondPicture }} = await import(address);
  const box = document.createElement("div");
  const floats32 = numbers => {{
    const raw = new Uint8Array(Float32Array.from(numbers).buffer);
    return btoa(String.fromCharCode(...raw));
  }};
  return readings.map(reading => {{
    const weight = floats32(reading.weight.flat());
    const layer1 = {{ weight: floats32(Array(32 * 784).fill(0)), bias: Array(32).fill(0) }};
    const layer2 = {{ weight, bias: reading.bias }};
    box.replaceChildren();
    secondPicture(box, {{ network: {{ layer1, layer2 }} }})(reading);
    const rows = [...box.querySelectorAll("tr:not([hidden])")].slice(1);
    return rows.map(row => [...row.children].map(each => each.textContent));
  }});
}}"""


@pytest.mark.parametrize("n_on", [0, 1, 10, 11, 32])
def test_a_logit_adds_up_for_any_number_of_active_units(lesson, n_on):
    rng = np.random.default_rng(n_on)
    readings = []
    for _ in range(20):
        weight, bias = rng.normal(0, 0.5, (10, 32)).astype(np.float32), rng.normal(0, 1, 10)
        activations = rng.permutation(np.where(np.arange(32) < n_on, rng.uniform(0.01, 9, 32), 0))
        logits = weight @ activations + bias
        arrays = {"weight": weight, "bias": bias, "activations": activations, "logits": logits}
        lists = {name: numbers.tolist() for name, numbers in arrays.items()}
        readings.append(lists | {"verdict": "digit"})
    for reading, rows in zip(readings, lesson.page.evaluate(SECOND, readings), strict=True):
        *terms, total = [number(row[-2]) for row in rows]
        assert sum(terms) == total
        assert float(total) == pytest.approx(max(reading["logits"]), abs=BLUR)
        assert len(terms) == min(n_on, 10) + (n_on > 10) + 1
        assert [row[0] for row in rows[:-2] if "other" in row[0]] == (
            [] if n_on <= 10 else ["1 other" if n_on == 11 else f"{n_on - 10} others"]
        )


def amount(text):
    """Parse a number of the table of powers; `< 0.01` counts as 0."""
    return 0 if text.startswith("<") else number(text.replace(",", ""))


def test_softmax_shows_the_probabilities_at_each_temperature(lesson, reader, reading):
    def column(name):
        return lesson.texts(f"softmax-{name}-{digit}" for digit in DIGITS)

    def check(temperature):
        shown = [float(number(text)) for text in column("divided")]
        assert shown == pytest.approx(reading.logits / temperature, abs=BLUR)
        assert sum(map(amount, column("power"))) == amount(lesson.texts(["softmax-sum"])[0])

    lesson.see("softmax")
    assert column("probability") == [percent(p) for p in reading.probabilities]
    logits = [float(number(text)) for text in column("logit")]
    assert logits == pytest.approx(reading.logits, abs=BLUR)
    check(reader.temperature)
    powers = np.exp(reading.logits / reader.temperature)
    assert [float(amount(text)) for text in column("power")] == pytest.approx(powers, abs=0.0101)
    winner = lesson.page.locator(".softmax .winner")
    assert winner.locator("th").inner_text() == f"▸ {reading.digit}"
    assert "calibrated" in lesson.at("softmax-at").inner_text()

    lesson.at("softmax-tutorial").click()
    shares = F.softmax(torch.tensor(reading.logits, dtype=torch.float64), dim=0).tolist()
    assert column("probability") == [percent(p) for p in shares]
    assert (
        lesson.at("softmax-temperature").get_attribute("aria-valuetext") == "T = 1, the tutorial’s"
    )
    check(1.0)
    for place, temperature in ((0, 0.25), (10**6, 16.0)):
        lesson.slide("softmax-temperature", place)
        check(temperature)
    lesson.at("softmax-calibrated").click()
    check(reader.temperature)


def test_the_loss_is_the_cross_entropy_of_the_selected_label(lesson, reading):
    lesson.see("loss")
    logits = torch.tensor(reading.logits, dtype=torch.float64)
    expect(lesson.at("loss-label")).to_contain_text(
        f"You have not selected a label, so the network’s own answer, {reading.digit}"
    )
    for label, press in ((reading.digit, None), (3, "label-3"), (8, "label-8")):
        if press:
            lesson.at(press).click()
            expect(lesson.at(press)).to_have_attribute("aria-pressed", "true")
        loss = F.cross_entropy(logits[None], torch.tensor([label])).item()
        shown = f"{loss:.4f}" if loss >= 5e-5 else "< 0.0001"
        expect(lesson.at("loss-value")).to_have_text(shown)
        live = lesson.page.locator("pre:has-text('loss = F.cross_entropy') + .output")
        tiny = re.compile(r"^tensor\(\d\.\d{4}e-05\)$")  # as PyTorch prints it
        expect(live).to_have_text(tiny if loss < 1e-4 else f"tensor({loss:.4f})")
        printed = float(live.inner_text().removeprefix("tensor(").removesuffix(")"))
        assert printed == pytest.approx(loss, abs=5.1e-5 if loss >= 1e-4 else 1e-8)
        slopes = [number(text) for text in lesson.texts(f"slope-{digit}" for digit in DIGITS)]
        expected = F.softmax(logits, dim=0) - F.one_hot(torch.tensor(label), 10)
        assert [float(each) for each in slopes] == pytest.approx(expected.tolist(), abs=1.01e-4)
        assert sum(slopes) == 0
    lesson.at("label-8").click()
    expect(lesson.at("label-8")).to_have_attribute("aria-pressed", "false")
    expect(lesson.at("loss-label")).to_contain_text("You have not selected")


def test_a_blank_drawing_has_no_probabilities_and_no_loss(lesson):
    lesson.at("clear").click()
    for picture, part in (("softmax", "softmax-probability-7"), ("loss", "loss-value")):
        lesson.see(picture)
        expect(lesson.at(part)).to_have_text("–")
    lesson.see("framing")
    expect(lesson.at("stage-reads-4")).to_have_text("–")
    lesson.at("undo").click()
    expect(lesson.at("stage-reads-4")).to_contain_text("reads 7")


def test_sizes_show_the_measured_accuracies_on_the_slider_and_in_the_table(lesson):
    sizes = measured()["sizes"]
    lesson.see("sizes")
    assert lesson.at("sizes-at").inner_text().startswith("32 hidden units")
    for i, (size, row) in enumerate((size, row) for size, row in sizes.items() if size != "0"):
        lesson.slide("sizes-slider", i)
        shown = lesson.at("sizes-at").inner_text()
        assert shown.startswith(f"{int(size):,} hidden units")
        shares = [f"{100 * row[name]:.2f} %" for name in ("mean", "low", "high")]
        assert re.findall(r"[\d.]+ %", shown) == shares
        assert f"{row['n_parameters']:,} parameters" in shown
    lesson.at("sizes-table").locator("summary").click()
    rows = lesson.at("sizes-table").locator("tbody tr")
    expect(rows).to_have_count(len(sizes))
    lines = rows.all_inner_texts()
    for line, (size, row) in zip(lines, sizes.items(), strict=True):
        name = f"{int(size):,}" if size != "0" else "none"
        assert line.split()[:2] == [name, f"{row['n_parameters']:,}"]
        assert f"{100 * row['mean']:.2f} %" in line


def test_each_stage_shows_its_image_its_answer_and_its_gain(lesson, reader, reading):
    lesson.see("framing")
    seen = [*stages(_sheet(reading.drawing.points)), (ANEW, reading.input)]
    for i, (name, image) in enumerate(seen):
        canvas = lesson.at(f"stage-{i}").locator("canvas")
        expect(canvas).to_have_attribute("aria-label", f"Your drawing: {name}")
        assert canvas.evaluate(REDS) == (255 * image).round().flatten().tolist()
        logits = reader.model(torch.from_numpy(image)[None])[0] / reader.temperature
        share, digit = logits.softmax(0).max(0)
        assert lesson.texts([f"stage-reads-{i}"]) == [f"reads {digit} · {percent(share.item())}"]
    framing, drawings = measured()["framing"], measured()["drawings"]
    assert [*framing] == [*NAMES, ANEW]
    n = drawings["n"] * drawings["places"]
    for model in ("mlp-1024", NETWORK):
        shown = lesson.texts(f"stage-share-{i}-{model}" for i in range(len(framing)))
        right = [round(n * row[model]) for row in framing.values()]
        assert shown == [f"{100 * count / n:.1f} %" for count in right]
        shares = [number(text[:-1]) for text in shown]
        added = lesson.texts(f"stage-added-{i}-{model}" for i in range(1, len(framing)))
        gains = [number(text.removesuffix(" points").replace("+", "")) for text in added]
        assert gains == [after - before for before, after in pairwise(shares)]


def test_a_sample_is_put_on_the_sketchpad_by_mouse_and_by_keyboard(lesson, reader):
    with np.load(SAMPLES) as file:
        distorted, pens = file["distorted"], file["pens"]

    def wait_until_read(pixels):
        png = io.BytesIO()
        Image.fromarray(pixels.reshape(28, 28)).save(png, "PNG")
        expected = (255 * reader.read(io.BytesIO(png.getvalue())).input).round().flatten()
        lesson.see("framing")  # pictures out of sight are not drawn
        lesson.page.wait_for_function(
            """expected => {
              const { data } = document.querySelector('[data-testid=stage-4] canvas')
                .getContext('2d').getImageData(0, 0, 28, 28);
              return expected.every((value, i) => data[4 * i] === value);
            }""",
            arg=expected.tolist(), timeout=5000,
        )  # fmt: skip

    lesson.see("samples")
    lesson.at("sample-digit-3").click()
    wait_until_read(distorted[3, 0])
    expect(lesson.at("stage-5")).to_be_hidden()  # a picture is not drawn again
    lesson.see("samples")
    assert (
        lesson.at("sample-distorted-5").locator("canvas").evaluate(REDS) == distorted[3, 5].tolist()
    )
    lesson.at("sample-distorted-4").click()
    lesson.page.keyboard.press("ArrowRight")
    lesson.page.keyboard.press("Enter")
    wait_until_read(distorted[3, 5])
    lesson.at("sample-pen-6-2").click()
    wait_until_read(pens[6, 2])
    for _ in range(4):
        lesson.at("undo").click()
    expect(lesson.at("reads")).to_contain_text(f"{NETWORK} reads 7")
    lesson.see("framing")
    expect(lesson.at("stage-5")).to_be_visible()


def test_ways_show_the_measured_accuracies_and_errors(lesson):
    lesson.see("ways")
    for i, row in enumerate(measured()["ways"].values()):
        for name, share, digits in (
            ("test", row["test_accuracy"], 2),
            ("drawings", row["drawings"]["16"], 1),
        ):
            right, wrong = lesson.texts(f"ways-{name}-{kind}-{i}" for kind in ("right", "wrong"))
            assert right == f"{100 * share:.{digits}f} %"
            assert number(right[:-1]) + number(wrong[:-1]) == 100


def test_pictures_fit_a_phone(browser, app_url):
    context = browser.new_context(**DEVICES["phone"])
    lesson = Page(context, app_url)
    lesson.at("softmax-tutorial").tap()
    lesson.slide("softmax-temperature", 0)  # the widest numbers
    for name in PICTURES:
        lesson.see(name)
        box = lesson.at(f"picture-{name}")
        assert box.evaluate("box => box.scrollWidth <= box.clientWidth"), name
        sides = box.locator("button, input").evaluate_all(
            "all => all.flatMap((each) => [each.offsetWidth, each.offsetHeight])"
        )
        assert min(sides, default=24) >= 24, name
    assert lesson.page.evaluate("document.documentElement.scrollWidth") == 390
    assert lesson.faults == []
    context.close()
