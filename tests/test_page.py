"""The page in a real browser, driven as a visitor does, checked against Reader's numbers."""

import gzip
import time
import urllib.request
from urllib.parse import urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from model import Reader
from tests.visitor import ON_EACH_DEVICE, QUESTION, reads

pytestmark = pytest.mark.browser


@ON_EACH_DEVICE
def test_a_seven_is_read_before_the_pen_is_lifted(visitor, digits):
    visitor.draw_by_mouse(digits[7]["strokes"], lift=False)
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("7")
    assert visitor.text("answer").startswith("7")
    visitor.page.mouse.up()


@pytest.mark.parametrize(
    ("device", "model"), [("phone", "mlp-32"), ("desktop", "mlp-1024")], indirect=["device"]
)
def test_page_and_reader_give_the_same_result(visitor, digits, model, device):
    reader = Reader.load(model)
    visitor.page.get_by_test_id("model").select_option(model)
    draw = visitor.draw_by_touch if "has_touch" in device else visitor.draw_by_mouse
    for each in digits if model == "mlp-1024" else digits[::3]:
        draw(each["strokes"])
        visitor.page.wait_for_function(
            "text => document.querySelector('[data-testid=answer]').innerText.startsWith(text)",
            arg=str(each["digit"]),
        )
        visitor.settle()  # the last point's answer
        sent = visitor.sent[-1]
        assert sent["models"] == [model]
        visitor.check_against(reader.read_strokes(sent["strokes"]))
        visitor.page.get_by_test_id("clear").click()
        expect(visitor.page.get_by_test_id("answer")).to_have_text("nothing drawn")


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
    visitor.settle(held=1)
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
    visitor.settle()
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


def test_page_sends_no_requests_to_other_hosts(visitor, digits, app_url):
    visitor.draw_by_mouse(digits[5]["strokes"])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("5")
    hosts = {urlparse(url).netloc for url in visitor.requests if url.startswith("http")}
    assert hosts == {urlparse(app_url).netloc}


@ON_EACH_DEVICE
def test_the_page_fits_its_window(visitor):
    width = visitor.page.evaluate("document.documentElement.scrollWidth")
    assert width <= visitor.page.viewport_size["width"]
    assert visitor.pad.evaluate("c => getComputedStyle(c).touchAction") == "none"


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
    visitor.settle()
    assert visitor.reading().verdict == "not_a_digit"
    expect(visitor.page.get_by_test_id("why-logit").locator("h3")).to_contain_text("not a digit")


def test_newest_drawing_is_shown_over_a_slow_connection(visitor, digits):
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


def test_a_lost_connection_is_said_while_one_draws_on(visitor):
    visitor.page.context.set_offline(True)
    visitor.draw_by_mouse([[[40, 40], [60, 60]]], lift=False)
    expect(visitor.page.get_by_test_id("status")).to_contain_text("Trying again")
    said = []
    for i in range(20):
        visitor.page.mouse.move(*visitor.place([60 + 5 * i, 60]))
        visitor.page.wait_for_timeout(50)
        said.append("Trying again" in visitor.text("status"))
    assert all(said)
    visitor.page.mouse.up()
    visitor.page.context.set_offline(False)
    expect(visitor.page.get_by_test_id("status")).to_have_text("")


@ON_EACH_DEVICE
def test_no_layout_shift_while_drawing(visitor, digits):
    expect(visitor.page.get_by_test_id("units-caption")).to_contain_text("active")
    visitor.settle()  # the page has come to rest
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
    visitor.settle()
    assert sum(visitor.page.evaluate("moved")) < 0.01


def test_every_control_is_reached_by_the_tab_key(visitor, digits):
    visitor.draw_by_mouse(digits[2]["strokes"])
    visitor.settle()
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
    with urllib.request.urlopen(f"{app_url}/config?page=") as answer:
        assert 5_000 < len(gzip.compress(answer.read())) < 600_000


@pytest.mark.parametrize(
    ("device", "scheme"), [("desktop", "light"), ("phone", "dark")], indirect=["device"]
)
def test_axe_finds_no_serious_fault(visitor, digits, scheme):
    visitor.page.emulate_media(color_scheme=scheme)
    visitor.page.reload()
    visitor.draw_by_mouse(digits[5]["strokes"])
    expect(visitor.page.get_by_test_id("why-logit")).to_contain_text("Why 5")
    found = Axe().run(visitor.page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in serious] == []
