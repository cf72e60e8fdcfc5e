"""Tests of the lesson page: seven steps by mouse, touch, keyboard and link."""

import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lesson.source import steps
from tests.conftest import ask_page, visit
from tests.visitor import ON_EACH_DEVICE, Visitor, percent
from ui.lesson.lesson import NETWORK

STEPS = steps()


class Student(Visitor):
    """A visitor of the lesson."""

    PATH = "/lesson"

    def wait_until_loaded(self):
        expect(self.page.get_by_test_id("reads")).to_contain_text("reads")

    def step(self, name):
        return self.page.get_by_test_id(f"step-{name}")

    def draw(self, strokes):
        self.page.get_by_test_id("clear").click()
        expect(self.page.get_by_test_id("reads")).to_contain_text("Draw a digit")
        self.draw_by_touch(strokes) if self.page.viewport_size["width"] < 700 else (
            self.draw_by_mouse(strokes)
        )
        self.settle()

    def output(self, code):
        """Return the output below the live code that contains `code`."""
        [key] = [
            f"{step.number}-{i}"
            for step in STEPS
            for i, part in enumerate(step.parts)
            if part.kind == "live" and code in part.text
        ]
        return self.text(f"output-{key}")

    def numbers(self, code):
        text = self.output(code)
        return np.array([float(n) for n in re.findall(r"-?\d+\.\d*(?:e-?\d+)?", text)])


@pytest.fixture
def student(page, app_url):
    yield from visit(Student, page, app_url)


@ON_EACH_DEVICE
def test_step_links_lead_to_each_step_and_numbers_are_those_of_the_reading(student, digits):
    student.draw(digits[3]["strokes"])
    reading = student.reading(NETWORK)
    assert reading.digit == 3
    expect(student.page.get_by_test_id("reads")).to_have_text(
        f"{NETWORK} reads 3 · {percent(reading.confidence)}"
    )
    for step in STEPS:
        student.page.get_by_test_id("steps").get_by_role("link", name=f"{step.number}:").click()
        expect(student.step(step.name).get_by_role("heading", level=2)).to_be_in_viewport()
        expect(student.page).to_have_url(re.compile(f"#{step.name}$"))
        marked = student.page.get_by_test_id("steps").locator("[aria-current=step]")
        expect(marked).to_have_text(str(step.number))
    middle = reading.input[12:17, 12:17].reshape(-1)
    assert student.numbers("drawing.shape") == pytest.approx(middle, abs=0.00501)
    probability, total = student.numbers("probs = ")
    assert probability == pytest.approx(reading.confidence, abs=0.0001)
    assert total == 1
    on = int((reading.layers[0].activations > 0).sum())
    assert student.output("activations = ") == f"tensor({on})"
    width = student.page.evaluate("document.documentElement.scrollWidth")
    assert width == student.page.viewport_size["width"]


def test_a_link_opens_its_step_and_the_keyboard_reaches_the_next(student, app_url):
    other = Student(student.page.context, app_url, path="/lesson#relu")
    expect(other.step("relu").get_by_role("heading", level=2)).to_be_in_viewport()
    onward = other.step("relu").get_by_role("link", name=re.compile("→"))
    onward.focus()
    other.page.keyboard.press("Enter")
    expect(other.step("output").get_by_role("heading", level=2)).to_be_in_viewport()
    fold = other.step("output").get_by_test_id("maths")
    fold.locator("summary").focus()
    other.page.keyboard.press("Enter")
    expect(fold.get_by_text("softmax(z / T)")).to_be_visible()
    other.step("training").evaluate("part => part.scrollIntoView()")  # by scrolling
    expect(other.page).to_have_url(re.compile("#training$"))
    assert other.faults == []


def test_pages_share_the_drawing_and_the_chosen_model(student, app_url, digits):
    page = student.page
    page.goto(app_url)
    page.get_by_test_id("model").select_option("logistic")
    expect(
        page.get_by_test_id("clear")
    ).to_be_disabled()  # the lesson's example is not a drawing of the visitor
    student.draw_by_mouse(digits[4]["strokes"])
    expect(page.get_by_test_id("answer")).to_contain_text(re.compile("^4"))
    student.settle()
    page.goto(f"{app_url}/lesson")
    expect(page.get_by_test_id("reads")).to_contain_text("reads 4")
    page.goto(app_url)
    expect(page.get_by_test_id("answer")).to_contain_text(re.compile("^4"))
    expect(page.get_by_test_id("model")).to_have_value("logistic")


def test_printing_opens_all_folds_and_hides_the_sketchpad(student):
    page = student.page
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    expect(student.step("data").get_by_text("784 dimensions")).to_be_visible()
    expect(page.get_by_test_id("steps")).to_be_hidden()
    expect(student.pad).to_be_hidden()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(student.step("data").get_by_text("784 dimensions")).to_be_hidden()


@pytest.mark.parametrize(
    ("device", "theme"), [("desktop", "light"), ("phone", "dark")], indirect=["device"]
)
def test_the_page_is_accessible_and_requests_no_other_host(student, app_url, theme):
    student.page.goto(f"{app_url}/lesson?__theme={theme}")
    expect(student.page.get_by_test_id("reads")).to_contain_text("reads")
    for box in student.page.locator(".box").all():
        box.scroll_into_view_if_needed()  # pictures are drawn when they become visible
    student.settle()
    found = Axe().run(student.page, "#lesson-stage").response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:90]) for each in found] == []
    hosts = {url.split("/")[2] for url in student.requests if url.startswith("http")}
    assert hosts == {app_url.split("/")[2]}


BLANK = {"strokes": []}


@pytest.mark.parametrize(
    ("question", "error"),
    [
        ({}, "send the picture"),
        ([], "strokes"),
        (None, "strokes"),
        ({**BLANK, "chosen": 10}, "The label must be a digit"),
        ({**BLANK, "chosen": True}, "The label must be a digit"),
        ({"strokes": [[[1]]]}, "strokes are"),
        ({"strokes": [[[9e8, 0], [0, 1]]]}, None),
        ({"strokes": None, "picture": "data:image/png;base64,AAAA"}, "not a picture"),
    ],
)
def test_an_invalid_request_gets_an_error(app_url, question, error):
    answer = ask_page(app_url, "lesson-sketchpad", "read", question)
    if error is None:
        assert answer["lesson"]["verdict"]
    else:
        assert error.lower() in answer["error"].lower()
