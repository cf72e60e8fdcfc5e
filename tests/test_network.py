"""The hidden units on the page: the field, the pictures, and the explanation of one unit."""

import time
from decimal import Decimal

import numpy as np
import pytest
import torch
from playwright.sync_api import expect

from benchmarks.browser import DEVICES, serve
from model import Reader
from model.checkpoint import save
from model.explain import contributions, unit
from model.mlp import MLP
from tests.visitor import ON_EACH_DEVICE, QUESTION, REDS, Visitor, number, pixels, red, sum_of

pytestmark = pytest.mark.browser


def test_seen_and_units_are_the_readings(visitor, digits):
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.draw_by_mouse(digits[4]["strokes"])
    visitor.settle()
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
    light = brightness(activations)
    for i in range(32):
        shown = red(weights[i] / np.abs(weights[i]).max() / 0.6, light[i])
        found = tiles.nth(i).locator("canvas").evaluate(REDS)
        assert np.abs(np.asarray(found) - shown).max() < 3.5  # weights are rounded to int8


def brightness(activations):
    """Return how bright each unit is. Activations are sent as a byte, 0 only if inactive."""
    levels = np.maximum(np.round(255 * activations / activations.max()), activations > 0)
    return 0.4 + 0.6 * np.sqrt(levels / 255)


def places(reader):
    """Where each unit's light lies in the field, in lights: a band for each favourite logit."""
    *_, weight, _, head, _ = (p.numpy(force=True) for p in reader.model.parameters())
    outgoing = np.vstack([weight, head])
    found, top = {}, 0.4
    for logit in range(11):
        units = [i for i in range(outgoing.shape[1]) if outgoing[:, i].argmax() == logit]
        for nth, i in enumerate(sorted(units, key=lambda i: -outgoing[logit, i])):
            found[i] = (3 + nth % 48, top + nth // 48)
        top += -(-len(units) // 48) + 0.4
    return found


def lights(visitor, reader):
    """The red of each unit's light."""
    field = np.asarray(pixels(visitor, "field"))
    width = visitor.page.get_by_test_id("field").evaluate("c => c.width")
    size = width / 51
    at = places(reader)
    assert len(at) == 1024
    middles = [[int((part + 0.45) * size) for part in at[i]] for i in range(1024)]
    return np.array([field[y * width + x] for x, y in middles])


def test_1024_units_are_a_field_that_lights_up(visitor, digits):
    visitor.draw_by_mouse(digits[3]["strokes"])
    visitor.settle()
    reader, reading = Reader.load(), visitor.reading()
    activations = reading.layers[0].activations
    expected = np.where(activations > 0, 86 * brightness(activations), 43)
    assert np.abs(lights(visitor, reader) - expected).max() < 1.5
    visitor.page.get_by_label("what each adds to").check()
    added = contributions(reader.model, reading).contributions[3]
    share = np.sqrt(np.abs(added) / np.abs(added).max())
    clear = share > 0.15  # a byte holds no less
    share = np.sign(added) * np.maximum(share, 0.25)
    expected = np.where(activations > 0, red(share, 1), 43)
    found = lights(visitor, reader)
    assert np.abs(found - expected)[clear | (activations <= 0)].max() < 6


def test_logistic_regression_shows_its_templates(visitor, digits):
    visitor.page.get_by_test_id("model").select_option("logistic")
    visitor.draw_by_mouse(digits[0]["strokes"])
    expect(visitor.page.get_by_test_id("units-caption")).to_contain_text("no hidden units")
    visitor.settle()
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


def test_a_unit_can_be_looked_at(visitor, digits):
    visitor.draw_by_mouse(digits[6]["strokes"])
    visitor.page.get_by_test_id("unit-number").fill("77")
    visitor.page.locator("[data-logit='8']").first.evaluate("row => row.click()")
    visitor.settle()  # another reading comes while the visitor types
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


def test_one_question_about_a_unit_is_open_at_a_time(visitor, digits):
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.draw_by_mouse(digits[2]["strokes"])
    visitor.settle()
    open_now, most = [], []

    def hold(route):
        open_now.append(route)
        most.append(len(open_now))
        time.sleep(0.2)
        route.continue_()
        open_now.pop()

    visitor.page.route(QUESTION, hold)
    tiles = visitor.page.get_by_test_id("tiles").locator("button")
    visitor.page.mouse.move(0, 0)
    tiles.evaluate_all("tiles => tiles.slice(0, 12).forEach((tile) => tile.focus())")
    expect(visitor.page.get_by_test_id("unit-name")).to_have_text("Unit 11")
    assert max(most) == 1
    assert len(most) <= 3  # the first, and the newest


@ON_EACH_DEVICE
def test_a_unit_that_is_pressed_is_held(visitor, digits, device):
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.draw_by_mouse(digits[2]["strokes"])
    visitor.settle()
    most = visitor.text("unit-name")
    tiles = visitor.page.get_by_test_id("tiles").locator("button")
    name = visitor.page.get_by_test_id("unit-name")
    tiles.nth(21).hover()
    expect(name).to_have_text("Unit 21")
    visitor.page.get_by_test_id("answer").hover()
    expect(name).to_have_text(most)
    tiles.nth(21).click()
    tiles.nth(4).hover()
    visitor.page.get_by_test_id("answer").hover()
    visitor.settle()
    assert visitor.text("unit-name") == "Unit 21"
    assert "adds" in visitor.text("readout")
    assert visitor.text("readout").startswith("Unit 21: sum")
    visitor.page.get_by_test_id("clear").click()
    visitor.draw_by_mouse(digits[2]["strokes"])
    expect(name).to_have_text(most)


def test_a_unit_is_looked_at_by_pointing_at_it(visitor, digits):
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.draw_by_mouse(digits[2]["strokes"])
    visitor.settle()
    visitor.check_against(visitor.reading("mlp-32"))
    visitor.page.get_by_test_id("tiles").locator("button").nth(21).hover()
    expect(visitor.page.get_by_test_id("unit-name")).to_have_text("Unit 21")
    z = visitor.reading("mlp-32").layers[0].pre_activations[21]
    shown = sum_of(visitor.text("unit-sum"))
    assert shown == pytest.approx(float(z), abs=0.0051)
    visitor.page.get_by_test_id("tiles").locator("button").nth(5).focus()
    expect(visitor.page.get_by_test_id("unit-name")).to_have_text("Unit 5")


def test_a_light_of_the_field_is_its_unit(visitor, digits):
    visitor.draw_by_mouse(digits[2]["strokes"])
    visitor.settle()
    field = visitor.page.get_by_test_id("field")
    field.scroll_into_view_if_needed()
    size = field.bounding_box()["width"] / 51
    x, y = places(Reader.load())[512]
    field.click(position={"x": (x + 0.5) * size, "y": (y + 0.5) * size})
    expect(visitor.page.get_by_test_id("unit-name")).to_have_text("Unit 512")


def test_a_network_of_several_layers_is_shown_layer_by_layer(browser, digits, tmp_path):
    torch.manual_seed(0)
    save(tmp_path, MLP((70, 20)), name="deep")
    with serve("--model", str(tmp_path)) as url:
        context = browser.new_context(**DEVICES["desktop"])
        visitor = Visitor(context, url)
        visitor.draw_by_mouse(digits[4]["strokes"])
        visitor.settle()
        reading = Reader.load(tmp_path).read_strokes(visitor.sent[-1]["strokes"])
        counts = [int((layer.activations > 0).sum()) for layer in reading.layers]
        told = f"70 hidden units, {counts[0]} active; 20 hidden units, {counts[1]} active"
        assert visitor.text("units-caption") == told
        total = sum_of(visitor.text("why-logit-pixels"))
        eleven = np.append(reading.logits, reading.not_a_digit_logit)
        assert total == pytest.approx(float(eleven[:10].max()), abs=0.0051)
        assert visitor.text("unit-name").endswith("of hidden layer 2")
        size = visitor.page.get_by_test_id("field").bounding_box()["width"] / 51
        place = {"x": (3 + 3.5) * size, "y": 1.9 * size}  # unit 48 + 3 of the first layer
        visitor.page.get_by_test_id("field").click(position=place)
        expect(visitor.page.get_by_test_id("unit-name")).to_have_text("Unit 51 of hidden layer 1")
        z = float(reading.layers[0].pre_activations[51])
        assert sum_of(visitor.text("unit-sum")) == pytest.approx(z, abs=0.0051)
        place = {"x": (3 + 5.5) * size, "y": 3.3 * size}  # unit 5 of the second
        visitor.page.get_by_test_id("field").click(position=place)
        expect(visitor.page.get_by_test_id("unit-name")).to_have_text("Unit 5 of hidden layer 2")
        assert visitor.faults == []
        context.close()
