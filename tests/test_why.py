"""Why this digit: each sum on the page holds, and is Reader's."""

import re
import time

import numpy as np
import pytest
from playwright.sync_api import expect

from model import Reader
from model.explain import contributions, stroke_contributions, template, unit
from tests.visitor import ON_EACH_DEVICE, QUESTION, REDS, SIDE, number, red, sum_of, terms_of

pytestmark = pytest.mark.browser


def expected_terms(reader, reading, strokes, kind):
    """What Reader and explain say of the answer: by unit, by pixel and by stroke."""
    best, other = np.argsort(-reading.logits, kind="stable")[:2]
    row = np.eye(11)[best] - (np.eye(11)[other] if kind == "difference" else 0)
    found = contributions(reader.model, reading)
    added = row @ np.vstack([found.contributions, found.not_a_digit])
    order = np.argsort(-np.abs(added), kind="stable")
    rest = added[order[12:]]
    sides = [side.sum() for side in (rest[rest > 0], rest[rest < 0]) if len(side)]
    whole = template(reader.model, reading)
    ink = (row @ whole.weights) * reading.input.reshape(-1)
    by_stroke = row @ stroke_contributions(template(reader.model, reading), reading, strokes)
    return {
        "units": [*added[order[:12]], *sides, row @ np.append(found.bias, found.not_a_digit_bias)],
        "pixels": [ink[ink > 0].sum(), ink[ink < 0].sum(), row @ whole.bias],
        "strokes": [*by_stroke, row @ whole.bias],
    }, row @ np.append(reading.logits, reading.not_a_digit_logit)


@pytest.mark.parametrize("model", ["logistic", "mlp-32", "mlp-1024"])
def test_every_sum_holds_in_the_digits_shown(visitor, digits, model):
    visitor.page.get_by_test_id("model").select_option(model)
    for digit in (4, 7):
        visitor.draw_by_mouse(digits[digit]["strokes"])
        visitor.settle()
        reader, reading = Reader.load(model), visitor.reading(model)
        for kind in ("logit", "difference"):
            strokes = visitor.sent[-1]["strokes"]
            parts, total = expected_terms(reader, reading, strokes, kind)
            if model == "logistic":
                del parts["units"]
            for part, expected in parts.items():
                *terms, shown = terms_of(visitor.text(f"why-{kind}-{part}"))
                assert shown == pytest.approx(total, abs=0.0101)
                # What many units add takes up the rounding of all the others.
                loose = 0.09 if part == "units" and len(expected) > 13 else 0.0151
                slack = [loose if i >= 12 else 0.0151 for i in range(len(expected))]
                assert (np.abs(np.subtract(terms, expected)) <= slack).all()
        if model != "logistic":
            unit = int(re.search(r"\d+", visitor.text("unit-name"))[0])
            layer = reading.layers[0]
            z = sum_of(visitor.text("unit-sum"))
            assert z == pytest.approx(float(layer.pre_activations[unit]), abs=0.0051)
        visitor.page.get_by_test_id("clear").click()


def test_the_units_that_matter_most_are_named_with_what_they_add(visitor, digits):
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.draw_by_mouse(digits[2]["strokes"])
    visitor.settle()
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
    expect(title).to_contain_text("Why 3 and not “not a digit”: the logits differ by")
    reading = visitor.reading()
    expected = float(reading.logits[3]) - reading.not_a_digit_logit
    total = sum_of(visitor.text("why-difference-units"))
    assert total == pytest.approx(expected, abs=0.0101)
    row = visitor.page.locator("[data-logit='8']").first
    row.click()
    expect(visitor.page.get_by_test_id("why-logit").locator("h3")).to_contain_text("Why 8")
    expect(row).to_have_attribute("aria-pressed", "true")
    expect(visitor.page.get_by_test_id("chosen")).to_have_value("8")
    visitor.page.get_by_role("button", name="Back to the answer").click()
    expect(visitor.page.get_by_test_id("why-logit").locator("h3")).to_contain_text("Why 5")


def test_a_digit_is_not_compared_with_itself(visitor, digits):
    visitor.draw_by_mouse(digits[5]["strokes"])
    visitor.page.get_by_test_id("against").select_option("3")
    expect(visitor.page.get_by_test_id("why-difference")).to_contain_text("Why 5 and not 3")
    visitor.page.get_by_test_id("chosen").select_option("3")
    expect(visitor.page.get_by_test_id("against")).to_have_value("")
    expect(visitor.page.get_by_test_id("why-difference")).to_contain_text("Why not 3, but 5")
    option = visitor.page.get_by_test_id("against").locator("option[value='3']")
    assert option.is_disabled()
    visitor.page.get_by_test_id("beside").select_option("logistic")
    visitor.page.get_by_test_id("model").select_option("logistic")
    expect(visitor.page.get_by_test_id("beside")).to_have_value("")


def test_the_pictures_are_what_their_names_say(visitor, digits):
    """Template, product, strokes, a unit's weights and product: each canvas's pixels."""
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.draw_by_mouse(digits[4]["strokes"])
    visitor.settle()
    reader, reading = Reader.load("mlp-32"), visitor.reading("mlp-32")
    ink = reading.input.reshape(-1)
    weights = template(reader.model, reading).weights[4]

    def reds(place):
        return np.asarray(visitor.page.locator(place).first.evaluate(REDS), float)

    def check(found, values):
        assert np.abs(found - red(values / np.abs(values).max(), 1)).max() < 2.5

    check(reds("#why [data-account=logit] .product"), weights * ink)
    whole = reds("#why [data-account=logit] .template").reshape(28, 8, 28, 8)
    middles = whole[:, 3:5, :, 3:5].mean(axis=(1, 3)).reshape(-1)  # beside the outline
    check(middles, weights)
    account = unit(reader.model, reading, layer=0, index=int(visitor.text("unit-name").split()[1]))
    check(reds("#unit .weights"), account.weights)
    check(reds("#unit .product"), account.weights * ink)
    assert reds("#unit .ink").tolist() == (255 * ink).round().tolist()
    reach = max(1, abs(account.pre_activation))
    dot = visitor.page.locator("#unit .dot").first
    assert float(dot.get_attribute("cx")) == pytest.approx(account.pre_activation / reach)
    assert float(dot.get_attribute("cy")) == pytest.approx(-account.activation / reach)


def test_strokes_are_coloured_by_what_they_add(visitor, digits):
    visitor.draw_by_mouse(digits[4]["strokes"])
    visitor.settle()
    reader, reading = Reader.load(), visitor.reading()
    strokes = visitor.sent[-1]["strokes"]
    added = stroke_contributions(template(reader.model, reading), reading, strokes)[4]
    canvas = visitor.page.locator("#why [data-account=logit] .strokes").first
    found = np.asarray(canvas.evaluate(REDS), float).reshape(224, 224)
    others = strokes[1], strokes[0]
    for stroke, value, other in zip(strokes, added, others, strict=True):
        gaps = [np.hypot(*np.subtract(point, other).T).min() for point in stroke]
        x, y = np.multiply(stroke[int(np.argmax(gaps))], 224 / SIDE).astype(int)
        share = max(0.3, abs(value) / np.abs(added).max())
        assert found[y, x] == pytest.approx(red(np.sign(value) * share, 1), abs=2)


def turned(strokes, degrees):
    """The strokes, turned about the sketchpad's middle."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = SIDE / 2
    return [((np.asarray(stroke) - middle) @ turn.T + middle).tolist() for stroke in strokes]


def test_what_logistic_regression_gets_wrong_is_explained_against_the_network(visitor, digits):
    """Logistic regression reads a 2 that leans back as a 1. Each model explains its own answer."""
    visitor.page.get_by_test_id("beside").select_option("logistic")
    visitor.draw_by_mouse(turned(digits[2]["strokes"], -40))
    visitor.settle()
    first, second = visitor.reading("mlp-1024"), visitor.reading("logistic")
    assert (first.digit, second.digit) == (2, 1)
    assert "but logistic reads 1" in visitor.text("compared")
    for name, ours, theirs, reading in (("", 2, 1, first), ("-beside", 1, 2, second)):
        title = visitor.page.get_by_test_id(f"why-difference{name}").locator("h3").inner_text()
        assert title.startswith(f"Why {ours} and not {theirs}:")
        total = sum_of(visitor.text(f"why-difference{name}-pixels"))
        gap = float(reading.logits[ours]) - float(reading.logits[theirs])
        assert total == pytest.approx(gap, abs=0.0101)


@ON_EACH_DEVICE
def test_two_models_read_side_by_side(visitor, digits):
    visitor.page.get_by_test_id("beside").select_option("logistic")
    visitor.draw_by_mouse(digits[8]["strokes"])
    visitor.settle()
    first, second = visitor.reading("mlp-1024"), visitor.reading("logistic")
    visitor.check_against(first)
    shares = [f"{100 * p:.1f} %" for p in second.probabilities]
    assert visitor.text("probability-1-beside") == shares[1]
    assert visitor.text("read-by-beside") == "logistic: 784 → 10, logistic regression"
    assert "mlp-1024 reads 8" in visitor.text("compared")
    sum_of(visitor.text("why-logit-beside-pixels"))
    visitor.page.get_by_test_id("beside").select_option("")
    expect(visitor.page.get_by_test_id("answer-beside")).to_have_count(0)


def test_choosing_fast_over_a_slow_network_chooses_the_last(visitor, digits):
    visitor.draw_by_mouse(digits[1]["strokes"])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("1")
    visitor.page.route(QUESTION, lambda route: (time.sleep(0.2), route.continue_()))
    visitor.page.get_by_test_id("chosen").focus()
    for _ in range(6):
        visitor.page.keyboard.press("ArrowDown")
        visitor.settle()
    expect(visitor.page.get_by_test_id("chosen")).to_have_value("5")
    expect(visitor.page.get_by_test_id("why-logit").locator("h3")).to_contain_text("Why 5")


def test_what_is_explained_goes_with_the_drawing(visitor, digits):
    visitor.draw_by_mouse(digits[1]["strokes"])
    visitor.page.locator("[data-logit='8']").first.click()
    expect(visitor.page.get_by_test_id("why-logit").locator("h3")).to_contain_text("Why 8")
    visitor.page.get_by_test_id("undo").click()
    visitor.draw_by_mouse(digits[7]["strokes"])
    expect(visitor.page.get_by_test_id("why-logit").locator("h3")).to_contain_text("Why 7")
