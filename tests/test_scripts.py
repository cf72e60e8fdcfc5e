"""Tests of the page's JavaScript: serving modules, and functions without a page."""

import json
import random
import urllib.error
import urllib.request
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from ui.lesson import lesson
from ui.modules import module_address, read_modules, version_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run_script(browser, app_url):
    """Return a function that evaluates expressions with numbers.js, constants.js and link.js."""
    page = browser.new_page()
    page.goto(app_url)
    modules = [
        f"import(new URL('{module_address(name)}', document.baseURI))"
        for name in ("shared/numbers.js", "shared/constants.js", "draw/link.js")
    ]
    page.evaluate(
        f"async () => Object.assign(window, ...await Promise.all([{', '.join(modules)}]))"
    )
    yield page.evaluate
    page.close()


def get(url, **headers):
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers))


def test_a_module_is_served_compressed_and_cached_forever(app_url):
    name = "shared/dom.js"
    with get(f"{app_url}/{module_address(name)}") as response:
        assert response.read() == read_modules()[name]
        assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert "immutable" in response.headers["Cache-Control"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    with get(f"{app_url}/{module_address(name)}", **{"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"


CURRENT = module_address("")


@pytest.mark.parametrize(
    "path",
    [
        "scripts/0000000000000000/shared/dom.js",
        f"{CURRENT}shared/page.css",
        f"{CURRENT}api.py",
        f"{CURRENT}nothing.js",
        f"{CURRENT}../app.py",
        f"{CURRENT}%2e%2e/app.py",
        f"{CURRENT}shared/..%2f..%2fapp.py",
        f"{CURRENT}/etc/passwd",
        CURRENT,
    ],
)
def test_only_the_current_modules_are_served(app_url, path):
    with pytest.raises(urllib.error.HTTPError, match="404") as raised:
        get(f"{app_url}/{path}")
    assert raised.value.headers["Cache-Control"] in ("no-store", None)
    assert json.load(raised.value)["error"]


def test_a_change_of_any_module_changes_the_version(tmp_path):
    versions = set()
    for name, content in [("a.js", "1"), ("b/c.js", "1"), ("b/c.js", "2"), ("d.css", "3")]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
        versions.add(version_of(read_modules.__wrapped__(tmp_path)))
    assert len(versions) == 3  # a stylesheet is not a module


@pytest.mark.parametrize("missing", ["draw/sketchpad.js", "shared/sketch.js"])
def test_the_page_says_that_a_module_did_not_load(browser, app_url, missing):
    page = browser.new_page()
    page.route(f"**/{missing}", lambda route: route.abort())
    page.goto(app_url)
    message = page.locator("#sketchpad").get_by_role("alert")
    expect(message).to_have_text("This part of the page could not be loaded. Reload the page.")
    page.unroute_all()
    page.reload()
    expect(page.get_by_test_id("answer")).to_have_text("nothing drawn")
    page.close()


def test_python_and_javascript_use_the_same_sketchpad_size_and_stroke_width(run_script):
    assert run_script("[SIDE, PEN]") == [lesson.SIDE, lesson.PEN]


def test_rounded_terms_add_up_to_the_rounded_sum(run_script):
    rng = random.Random(0)
    sums = [[rng.gauss(0, 3) for _ in range(rng.randint(1, 40))] for _ in range(300)]
    sums += [[0.0, 0.005, 0.005, 0.005], [0.0, 1.0], [-0.004, -0.004, -0.004], [2.675, 0.0]]
    shown = run_script(f"{json.dumps(sums)}.map((t) => addUp(t, t.reduce((a, b) => a + b)))")
    for terms, each in zip(sums, shown, strict=True):
        numbers = [Decimal(text.replace("\u2212", "-")) for text in each["terms"]]
        total = Decimal(each["total"].replace("\u2212", "-"))
        assert sum(numbers) == total
        assert float(total) == pytest.approx(sum(terms), abs=0.00501)
        for term, number in zip(terms, numbers, strict=True):
            assert abs(float(number) - term) < 0.01
            assert number == 0 or term != 0


def test_a_link_encodes_the_drawing_exactly(run_script, digits):
    rng = random.Random(0)
    wide = [[[rng.randint(-50, 2850) / 10, rng.randint(0, 2800) / 10, 1.5] for _ in range(30)]]
    for strokes in ([], [[[0, 0]]], wide, *(digit["strokes"] for digit in digits)):
        text = run_script(f"encode({json.dumps(strokes)})")
        assert all(letter.isalnum() or letter in "-_" for letter in text)
        assert run_script(f"decode('{text}')") == strokes
        assert len(text) < 7 * sum(map(len, strokes)) + 5


def test_terms_with_a_wrong_sum_are_an_error(run_script):
    expression = (
        "(() => { try { return addUp([1, 2, 3], 6.05).total; } catch (e) { return e.message; } })()"
    )
    assert run_script(expression) == "a sum that does not hold"
    assert run_script("addUp([1, 2, 3], 6.02).total") == "6.02"


def test_products_are_exact_in_the_digits_shown(run_script):
    rng = random.Random(0)
    pairs = [[rng.gauss(0, 1), abs(rng.gauss(0, 4))] for _ in range(300)] + [[0.0, 1.0]]
    shown = run_script(f"{json.dumps(pairs)}.map(([w, a]) => timesUp(w, a))")
    for (weight, activation), each in zip(pairs, shown, strict=True):
        factor = Decimal(each["weight"].replace("\u2212", "-"))
        product = Decimal(each["product"].replace("\u2212", "-"))
        assert abs(factor * round(Decimal(activation), 4) - product) <= Decimal("0.005")
        assert float(product) == pytest.approx(weight * activation, abs=0.006)


@pytest.mark.parametrize("text", ["%%%", "gICAgICA", "BQ", "_____w"])
def test_a_damaged_link_is_ignored(run_script, text):
    assert run_script(f"decode('{text}')") is None


def test_a_share_is_never_rounded_to_100_percent(run_script):
    assert run_script("[0.99951, 1, 0.9994, 0].map(percent)") == [
        "> 99.9 %", "> 99.9 %", "99.9 %", "0.0 %"
    ]  # fmt: skip
