"""Tests of the page in a real Firefox, also with fingerprinting protection or without cookies."""

import pytest

from model import Reader
from tests import firefox
from tests.visitor import DATA, SIDE, percent

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(firefox.PATH is None, reason="no firefox-esr or firefox on the PATH"),
]
ANSWER = "document.querySelector('[data-testid=answer]')?.innerText"
PAD = "document.querySelector('[data-testid=sketchpad]')"
PROTECTED = {"privacy_resistFingerprinting": True}
NO_COOKIES = {"network_cookie_cookieBehavior": 2}


@pytest.fixture(
    scope="module", params=[{}, PROTECTED, NO_COOKIES], ids=["", "protected", "blocked"]
)
def window(request, app_url):
    with firefox.firefox(**request.param) as window:
        yield window


# The page may restore the drawing of the previous test, so it is cleared until nothing is drawn.
CLEARED = f"""(() => {{
  const answer = {ANSWER} ?? "";
  if (answer && !answer.startsWith("nothing drawn"))
    document.querySelector("[data-testid=clear]").click();
  return answer.startsWith("nothing drawn");
}})()"""


@pytest.fixture
def page(window, app_url):
    window.goto("about:blank")
    window.goto(app_url)
    window.wait_for(CLEARED)
    return window


@pytest.mark.parametrize("tool", ["mouse", "touch"])
def test_a_digit_is_read_while_it_is_drawn(page, digits, tool):
    page.evaluate(f"{PAD}.scrollIntoView({{ block: 'center' }})")
    box = page.evaluate(f"(({{ x, y, width }}) => [x, y, width])({PAD}.getBoundingClientRect())")
    left, top, width = box
    strokes = [
        [(left + x / SIDE * width, top + y / SIDE * width) for x, y in stroke]
        for stroke in digits[3]["strokes"]
    ]
    page.draw(strokes, tool=tool)
    page.wait_for(f"{ANSWER}.startsWith('3')")


def test_an_opened_picture_is_read_like_the_file(page):
    page.choose_file("[data-testid=picture]", DATA / "seven.png")
    page.wait_for(f"{ANSWER}.startsWith('7')")
    reading = Reader.load().read(DATA / "seven.png")
    shown = page.evaluate("document.querySelector('[data-testid=probability-7]').innerText")
    assert shown == percent(reading.probabilities[7])


def test_a_link_with_pixels_and_a_model_is_opened(page, app_url):
    text = "A" * 1046  # 784 empty pixels
    page.goto("about:blank")
    page.goto(f"{app_url}#model=mlp-32&pixels={text}")
    page.wait_for("document.querySelector('[data-testid=model]')?.value === 'mlp-32'")
    page.wait_for("location.hash === ''")
    page.wait_for(f"!{PAD}.parentElement.querySelector('.hint').checkVisibility()")  # not empty
