"""A network of one's own: trained from the page, it reads what its visitor draws."""

import json
import re
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from app import parse
from benchmarks.browser import DEVICES, children, running, serve
from lesson.data import load_subset
from lesson.fit import Settings
from lesson.progress import train
from lesson.trainings import load_network
from model import Reader
from model.checkpoint import Checkpoint, Config
from tests.conftest import ask_page
from tests.visitor import Visitor, percent, pixels

SLOW = 40_000  # ms that a training may take, beside other tests
RESULT = re.compile(
    r"(\d+\.\d) % of the 1,000 images set apart are read right, after [\d.]+ epochs?"
)


class Apprentice(Visitor):
    """A visitor of the lesson who trains a network."""

    PATH = "/lesson#training"

    def __init__(self, context, url):
        self.asked = []
        super().__init__(context, url)

    def wait_until_loaded(self):
        expect(self.part("reads")).to_contain_text("reads")

    def _note(self, request):
        super()._note(request)
        if request.url.rstrip("/").endswith("/component_server"):
            self.asked.append(json.loads(request.post_data)["fn_name"])

    def part(self, name):
        return self.page.get_by_test_id(name)

    def draw(self, strokes):
        self.part("clear").click()
        self.draw_by_mouse(strokes)

    def check_yours(self, reading):
        """Wait until the visitor's network says this, and compare all ten probabilities."""
        share = percent(reading.confidence)
        wanted = f"Your network reads {reading.digit} · {share}"
        expect(self.part("yours-answer")).to_have_text(wanted)
        shown = self.texts(f"yours-probability-{digit}" for digit in range(10))
        assert shown == [percent(p) for p in reading.probabilities]


@pytest.fixture(scope="module")
def apprentice(browser, app_url):
    context = browser.new_context(**DEVICES["desktop"])
    apprentice = Apprentice(context, app_url)
    yield apprentice
    assert apprentice.faults == []
    context.close()


@pytest.fixture(scope="module")
def default_reader():
    """What the default settings train, trained once more here."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker: others would round otherwise
    *_, done = train(Settings(), *load_subset(), stop=threading.Event())
    torch.set_num_threads(threads)
    network = load_network(done, Settings())
    checkpoint = Checkpoint(Config("again", network.hidden_sizes), network)
    return Reader(checkpoint, device=torch.device("cpu"))


def test_who_trains_sees_it_go_and_can_draw_for_the_network(
    apprentice, default_reader, digits, mnist
):
    part = apprentice.part
    part("practice-epochs").fill("99")
    part("practice-train").click()
    expect(part("practice-state")).to_have_text(re.compile("epochs is 99; choose .* 1 to 30"))
    part("practice-epochs").fill("25")
    part("practice-train").click()
    expect(part("practice-state")).to_have_text("Training…", timeout=SLOW)
    expect(part("practice-stop")).to_be_enabled()
    part("practice-weights").locator("canvas").first.evaluate("c => c.dataset.testid = 'tile'")
    early = pixels(apprentice, "tile")
    expect(part("practice-result")).to_have_text(RESULT, timeout=SLOW)
    assert float(RESULT.match(apprentice.text("practice-result"))[1]) >= 94
    expect(part("practice-state")).to_have_text("Done.")
    assert pixels(apprentice, "tile") != early
    half = [stroke[: len(stroke) // 2] for stroke in digits[0]["strokes"]]  # might be many
    for strokes in (digits[5]["strokes"], half):
        apprentice.draw(strokes)
        apprentice.page.wait_for_timeout(300)
        drawn = json.loads(apprentice.page.evaluate("sessionStorage.drawing"))["strokes"]
        apprentice.check_yours(default_reader.read_strokes(drawn))
    load(apprentice, mnist[0][0])
    apprentice.check_yours(default_reader.read(mnist[0][0]))
    found = Axe().run(apprentice.page, "[data-testid=picture-practice]").response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:90]) for each in found] == []


def load(visitor, image):
    """Put one of MNIST's images on the sketchpad, as the page's own buttons do."""
    script = """data => {
      const image = document.createElement('canvas');
      image.width = image.height = 28;
      const pixels = Uint8ClampedArray.from(data.flatMap((value) => [value, value, value, 255]));
      image.getContext('2d').putImageData(new ImageData(pixels, 28, 28), 0, 0);
      const ink = { strokes: [], picture: { url: image.toDataURL('image/png'), image } };
      document.dispatchEvent(new CustomEvent('load', { detail: { ink } }));
    }"""
    visitor.page.evaluate(script, image.reshape(-1).tolist())


def test_who_stops_keeps_the_network_and_finds_it_after_a_reload(apprentice):
    part = apprentice.part
    part("practice-relu").uncheck()
    part("practice-epochs").fill("30")
    part("practice-train").click()
    expect(part("practice-progress")).to_have_attribute("max", "30", timeout=SLOW)
    expect(part("practice-state")).to_have_text("Training…", timeout=SLOW)
    part("practice-stop").focus()
    part("practice-stop").press("Enter")
    expect(part("practice-state")).to_have_text(re.compile("^Stopped after .* of 30 epochs"))
    expect(part("practice-train")).to_be_focused()
    expect(part("practice-result")).to_have_text(RESULT)
    expect(part("yours-about")).to_contain_text("784 → 10; without ReLU")
    answer, result = apprentice.text("yours-answer"), apprentice.text("practice-result")
    apprentice.page.reload()
    expect(part("practice-result")).to_have_text(result)
    expect(part("yours-answer")).to_have_text(answer)
    apprentice.asked.clear()
    apprentice.page.wait_for_timeout(1000)
    assert "look" not in apprentice.asked
    expect(part("practice-epochs")).to_have_value("30")
    expect(part("practice-relu")).not_to_be_checked()


def test_a_server_that_was_started_anew_is_not_asked_for_ever(apprentice):
    """It knows of no training: who trained is told so, once."""

    def know_nothing(route):
        looks = '"look"' in (route.request.post_data or "")
        route.fulfill(json={"state": "none", "has_network": False}) if looks else route.continue_()

    part = apprentice.part
    part("practice-train").click()
    expect(part("practice-state")).to_have_text("Training…", timeout=SLOW)
    apprentice.page.route("**/component_server/**", know_nothing)
    expect(part("practice-state")).to_have_text(re.compile("no longer here: start it again"))
    expect(part("practice-stop")).to_be_disabled()
    apprentice.page.unroute("**/component_server/**")


def call(url, name, question):
    return ask_page(url, "lesson", name, question)


ME = {"visitor": "me-and-no-other"}


@pytest.mark.parametrize(
    ("name", "question", "says"),
    [
        ("train", None, "needs `settings`"),
        ("train", {"settings": {}}, "needs `visitor`"),
        ("train", {"visitor": "../etc", "settings": {}}, "1 to 64 letters"),
        ("train", {**ME, "settings": {"hidden_size": 7}}, "whole number, 8 to 256"),
        ("train", {**ME, "settings": {"lr": 3}}, "above 0, 2 at most"),
        ("train", {**ME, "settings": {"epochs": True}}, "whole number"),
        ("train", {**ME, "settings": {"momentum": 1}}, "No setting is called"),
        ("look", [], "needs `visitor`"),
        ("look", {**ME, "since_loss": "0"}, "whole number"),
        ("stop", {"visitor": 7}, "needs `visitor`"),
        ("yours", {**ME, "strokes": []}, "train another"),
    ],
)
def test_a_question_that_cannot_be_answered_is_told_what_is_wrong(app_url, name, question, says):
    assert says in call(app_url, name, question)["error"]


def test_where_training_is_off_the_page_says_so(browser):
    with serve("--max-trainings", "0") as url:
        page = browser.new_page()
        page.goto(f"{url}/lesson#training")
        expect(page.get_by_test_id("practice-off")).to_contain_text("python app.py")
        expect(page.get_by_test_id("step-training").locator("pre").first).to_contain_text(
            "backward"
        )
        expect(page.get_by_test_id("practice-train")).to_have_count(0)
        page.close()


def test_a_public_space_trains_only_if_it_is_told_to(monkeypatch):
    monkeypatch.delenv("MAX_TRAININGS", raising=False)
    monkeypatch.setenv("SPACE_ID", "somebody/digits")
    assert parse([]).max_trainings == 0
    assert parse(["--max-trainings", "3"]).max_trainings == 3
    monkeypatch.setenv("MAX_TRAININGS", "1")
    assert parse([]).max_trainings == 1
    monkeypatch.delenv("SPACE_ID")
    monkeypatch.delenv("MAX_TRAININGS")
    assert parse([]).max_trainings == 2


def test_a_server_that_is_stopped_ends_what_trains_on_all_of_mnist(mnist_dir):
    with running("--max-trainings", "1", "--data-dir", mnist_dir) as (url, process):
        assert call(url, "text", {})["practice"]["images"]["mnist"]["train"] == 50_000
        settings = {"data": "mnist", "epochs": 10, "hidden_size": 256}
        first = call(url, "train", ME | {"settings": settings})
        second = call(url, "train", {"visitor": "another", "settings": {}})
        assert (first["state"], second["state"], second["place"]) == ("starting", "waiting", 1)
        deadline = time.monotonic() + SLOW / 1000
        while call(url, "look", ME)["state"] == "starting" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert call(url, "look", ME)["state"] == "training"
        [worker] = children(process.pid, "lesson.worker")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
        assert not Path(f"/proc/{worker}").exists()
