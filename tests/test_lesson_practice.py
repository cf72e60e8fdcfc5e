"""Train your own: a visitor trains a network on the lesson's page, and it reads the drawing."""

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
from lesson.trainings import load_network
from lesson.worker import train
from model import Reader
from model.checkpoint import Checkpoint, Config
from tests.conftest import ask_page
from tests.visitor import Visitor, percent, pixels

TRAINED = 120_000  # ms: other processes go first
RESULT = re.compile(r"Validation accuracy: (\d+\.\d) % of 1,000 images, after [\d.]+ epochs?")
LOAD = """data => {
  const image = document.createElement('canvas');
  image.width = image.height = 28;
  const pixels = Uint8ClampedArray.from(data.flatMap((value) => [value, value, value, 255]));
  image.getContext('2d').putImageData(new ImageData(pixels, 28, 28), 0, 0);
  const ink = { strokes: [], picture: { url: image.toDataURL('image/png'), image } };
  document.dispatchEvent(new CustomEvent('load', { detail: { ink } }));
}"""


class Trainer(Visitor):
    """A visitor of the lesson who trains a network."""

    PATH = "/lesson#training"

    def wait_until_loaded(self):
        expect(self.part("reads")).to_contain_text("reads")

    def part(self, name):
        return self.page.get_by_test_id(name)

    def start(self, *, epochs="25"):
        self.part("practice-epochs").fill(epochs)
        self.part("practice-train").click()

    def check_own_network(self, reading):
        """Wait until the visitor's network reads this, and compare all ten probabilities."""
        text = f"Your network reads {reading.digit} · {percent(reading.confidence)}"
        expect(self.part("yours-answer")).to_have_text(text)
        shown = self.texts(f"yours-probability-{digit}" for digit in range(10))
        assert shown == [percent(p) for p in reading.probabilities]


@pytest.fixture(scope="module")
def trainer(browser, app_url):
    context = browser.new_context(**DEVICES["desktop"])
    trainer = Trainer(context, app_url)
    yield trainer
    assert trainer.faults == []
    context.close()


@pytest.fixture(scope="module")
def default_reader():
    """A reader with the network of the default settings, trained a second time."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker: with more threads the results are rounded otherwise
    *_, last = train(Settings(), *load_subset(), stop=threading.Event())
    torch.set_num_threads(n_threads)
    network = load_network(last["network"], Settings())
    checkpoint = Checkpoint(Config("again", network.hidden_sizes), network)
    return Reader(checkpoint, device=torch.device("cpu"))


def test_a_visitor_watches_the_training_and_draws_for_the_network(
    trainer, default_reader, digits, mnist
):
    part = trainer.part
    trainer.start(epochs="99")
    expect(part("practice-state")).to_have_text(re.compile("epochs is 99; choose .* 1 to 30"))
    trainer.start()
    expect(part("practice-state")).to_have_text("Training…", timeout=TRAINED)
    expect(part("practice-stop")).to_be_enabled()
    part("practice-weights").locator("canvas").first.evaluate("c => c.dataset.testid = 'tile'")
    early = pixels(trainer, "tile")
    expect(part("practice-result")).to_have_text(RESULT, timeout=TRAINED)
    assert float(RESULT.match(trainer.text("practice-result"))[1]) >= 94
    expect(part("practice-state")).to_have_text("Done.")
    assert pixels(trainer, "tile") != early
    half = [stroke[: len(stroke) // 2] for stroke in digits[0]["strokes"]]  # an unclear digit
    for strokes in (digits[5]["strokes"], half):
        part("clear").click()
        trainer.draw_by_mouse(strokes)
        trainer.settle()
        drawn = json.loads(trainer.page.evaluate("sessionStorage.drawing"))["strokes"]
        trainer.check_own_network(default_reader.read_strokes(drawn))
    trainer.page.evaluate(LOAD, mnist[0][0].reshape(-1).tolist())
    trainer.check_own_network(default_reader.read(mnist[0][0]))
    found = Axe().run(trainer.page, "[data-testid=picture-practice]").response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:90]) for each in found] == []


def test_a_training_goes_on_after_a_reload_and_a_stopped_network_is_found_again(trainer):
    part = trainer.part
    part("practice-relu").uncheck()
    trainer.start(epochs="30")
    expect(part("practice-progress")).to_have_attribute("max", "30", timeout=TRAINED)
    expect(part("practice-state")).to_have_text("Training…", timeout=TRAINED)
    trainer.page.reload()
    expect(part("practice-state")).to_have_text("Training…")
    part("practice-stop").focus()
    part("practice-stop").press("Enter")
    stopped = re.compile(r"^Stopped after .* of 30 epochs\.$")
    expect(part("practice-state")).to_have_text(stopped, timeout=TRAINED)
    expect(part("practice-train")).to_be_focused()
    expect(part("practice-result")).to_have_text(RESULT)
    expect(part("yours-about")).to_contain_text("784 → 10; without ReLU")
    answer, result = trainer.text("yours-answer"), trainer.text("practice-result")
    trainer.page.reload()
    expect(part("practice-result")).to_have_text(result)
    expect(part("yours-answer")).to_have_text(answer)
    expect(part("practice-epochs")).to_have_value("30")
    expect(part("practice-relu")).not_to_be_checked()


def test_a_server_that_was_restarted_is_not_asked_again_and_again(trainer):
    n_requests = 0

    def know_nothing(route):
        nonlocal n_requests
        if '"status"' not in (route.request.post_data or ""):
            route.continue_()
            return
        n_requests += 1
        route.fulfill(json={"state": "none", "has_network": False})

    part = trainer.part
    trainer.start()
    expect(part("practice-state")).to_have_text("Training…", timeout=TRAINED)
    trainer.page.route("**/component_server/**", know_nothing)
    expect(part("practice-state")).to_have_text(re.compile("This training run was lost"))
    expect(part("practice-stop")).to_be_disabled()
    trainer.settle()
    assert n_requests == 1
    trainer.page.unroute("**/component_server/**")


ME = {"visitor": "me-and-no-other"}


@pytest.mark.parametrize(
    ("function", "question", "message"),
    [
        ("train", None, "needs `settings`"),
        ("train", {"settings": {}}, "needs `visitor`"),
        ("train", {"visitor": "../etc", "settings": {}}, "1 to 64 letters"),
        ("train", {**ME, "settings": {"hidden_size": 7}}, "whole number, 8 to 256"),
        ("status", [], "needs `visitor`"),
        ("stop", {"visitor": 7}, "needs `visitor`"),
        ("yours", {**ME, "strokes": []}, "Train a new one"),
    ],
)
def test_a_refused_request_gets_the_reason(app_url, function, question, message):
    assert message in ask_page(app_url, "lesson", function, question)["error"]


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


def test_training_is_off_in_a_space_by_default(monkeypatch):
    monkeypatch.delenv("MAX_TRAININGS", raising=False)
    monkeypatch.setenv("SPACE_ID", "somebody/digits")
    assert parse([]).max_trainings == 0
    assert parse(["--max-trainings", "3"]).max_trainings == 3
    monkeypatch.setenv("MAX_TRAININGS", "1")
    assert parse([]).max_trainings == 1
    monkeypatch.delenv("SPACE_ID")
    monkeypatch.delenv("MAX_TRAININGS")
    assert parse([]).max_trainings == 2


def test_a_server_that_is_stopped_ends_trainings_on_all_of_mnist(mnist_dir):
    with running("--max-trainings", "1", "--data-dir", mnist_dir) as (url, process):

        def call(name, **question):
            return ask_page(url, "lesson", name, ME | question)

        assert call("text")["practice"]["images"]["mnist"]["train"] == 50_000
        settings = {"data": "mnist", "epochs": 10, "hidden_size": 256}
        first = call("train", settings=settings)
        second = call("train", visitor="another", settings={})
        assert (first["state"], second["state"], second["n_before"]) == ("starting", "waiting", 0)
        while (state := call("status")["state"]) == "starting":
            time.sleep(0.1)
        assert state == "training"
        [worker] = children(process.pid, "lesson.worker")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert not Path(f"/proc/{worker}").exists()
