"""Drawings from elsewhere and for elsewhere: examples, pictures, files, links, reloads."""

import json

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from model import Reader
from model.drawing import draw
from tests.visitor import DATA, REDS, Visitor, pixels

pytestmark = pytest.mark.browser


def test_an_example_is_drawn_by_itself(visitor, digits):
    visitor.page.get_by_test_id("example-3").click()
    visitor.page.wait_for_function(
        "document.querySelector('[data-testid=answer]').innerText.startsWith('3')"
    )
    visitor.page.wait_for_timeout(1500)
    assert visitor.sent[-1]["strokes"] == digits[3]["strokes"]
    visitor.check_against(visitor.reading())


def test_another_model_does_not_stop_an_example(visitor, digits):
    visitor.page.get_by_test_id("example-8").click()
    visitor.settle()
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.page.wait_for_timeout(1500)
    assert visitor.sent[-1]["strokes"] == digits[8]["strokes"]
    visitor.check_against(visitor.reading("mlp-32"))


def test_an_example_that_is_undone_halfway_comes_back_whole(visitor, digits):
    visitor.page.get_by_test_id("example-8").click()
    visitor.settle()
    visitor.page.get_by_test_id("undo").click()
    expect(visitor.page.get_by_test_id("answer")).to_have_text("nothing drawn")
    visitor.page.get_by_test_id("redo").click()
    visitor.settle()
    assert visitor.sent[-1]["strokes"] == digits[8]["strokes"]


def test_an_example_is_there_at_once_for_those_who_prefer_no_motion(visitor, digits):
    visitor.page.emulate_media(reduced_motion="reduce")
    visitor.page.get_by_test_id("example-8").click()
    visitor.page.wait_for_function(
        "document.querySelector('[data-testid=answer]').innerText.startsWith('8')"
    )
    assert len([sent for sent in visitor.sent if sent["strokes"]]) == 1
    assert visitor.sent[-1]["strokes"] == digits[8]["strokes"]


def test_a_drawing_survives_a_reload_and_each_tab_has_its_own(visitor, digits, app_url):
    visitor.page.get_by_test_id("model").select_option("mlp-32")
    visitor.draw_by_mouse(digits[6]["strokes"])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("6")
    visitor.settle()
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
    visitor.copy_link()
    other = Visitor(visitor.page.context, visitor.page.url)
    expect(other.page.get_by_test_id("answer")).to_contain_text("4")
    assert other.sent[-1]["strokes"] == visitor.sent[-1]["strokes"]
    assert other.sent[-1]["models"] == ["mlp-32"]


def test_a_link_gives_way_to_what_is_drawn_after_it(visitor, digits):
    visitor.draw_by_mouse(digits[4]["strokes"])
    visitor.copy_link()
    visitor.page.get_by_test_id("clear").click()
    visitor.draw_by_mouse(digits[7]["strokes"])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")
    visitor.settle()
    visitor.page.reload()
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")
    for name in ("save-png", "save-json", "copy-link"):
        expect(visitor.page.get_by_test_id(name)).to_be_enabled()


def test_a_link_followed_in_the_same_tab_can_be_undone(visitor, digits):
    visitor.draw_by_mouse(digits[4]["strokes"])
    visitor.copy_link()
    link = visitor.page.evaluate("location.hash")
    visitor.page.get_by_test_id("clear").click()
    visitor.draw_by_mouse(digits[7]["strokes"])
    visitor.page.evaluate("location.hash = 'other'")  # no drawing: nothing happens
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")
    visitor.page.evaluate("link => { location.hash = link; }", link)
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("4")
    visitor.page.get_by_test_id("undo").click()
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")


def test_a_link_that_is_cut_off_is_said_to_be(visitor, app_url):
    other = Visitor(visitor.page.context, f"{app_url}#model=mlp-32&drawing=%%%")
    expect(other.page.get_by_test_id("status")).to_contain_text("incomplete")


def test_a_drawing_can_be_saved(visitor, digits):
    visitor.draw_by_mouse(digits[2]["strokes"])
    visitor.settle()
    with visitor.page.expect_download() as saved:
        visitor.page.get_by_test_id("save-json").click()
    assert json.loads(saved.value.path().read_text(encoding="utf-8")) == visitor.sent[-1]["strokes"]
    with visitor.page.expect_download() as saved:
        visitor.page.get_by_test_id("save-png").click()
    assert Reader.load().read(saved.value.path()).digit == 2


@pytest.mark.parametrize(("scheme", "shade"), [("light", 255), ("dark", 0)])
def test_ink_without_paper_is_seen(visitor, scheme, shade, tmp_path):
    """White ink on nothing would be white on white: it lies on the paper that the server takes."""
    visitor.page.emulate_media(color_scheme=scheme)
    ink = draw([[[0, 0], [100, 0], [40, 150]]])
    pixels = np.full((*ink.shape, 4), shade, np.uint8)
    pixels[:, :, 3] = (255 * ink).round()
    Image.fromarray(pixels).save(tmp_path / "ink.png")
    visitor.page.get_by_test_id("picture").set_input_files(tmp_path / "ink.png")
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")
    visitor.check_against(Reader.load().read(tmp_path / "ink.png"))
    shown = np.asarray(visitor.pad.evaluate(REDS))
    assert (shown > 250).any()
    assert (shown < 5).any()
    with visitor.page.expect_download() as saved:
        visitor.page.get_by_test_id("save-png").click()
    assert Reader.load().read(saved.value.path()).digit == 7


def test_a_picture_survives_a_reload_and_drawing_on_it_is_told(visitor):
    visitor.page.get_by_test_id("picture").set_input_files(DATA / "seven.png")
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")
    visitor.settle()
    visitor.page.reload()
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")
    visitor.draw_by_mouse([[[40, 40], [60, 200]]])
    expect(visitor.page.get_by_test_id("status")).to_contain_text("replaced the picture")
    visitor.page.get_by_test_id("undo").click()
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")


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
