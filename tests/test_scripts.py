"""The page's scripts, beside what the page itself shows: sums that hold, links that hold."""

import json
import random
import subprocess
from decimal import Decimal

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.browser
UI = ROOT / "ui"
PIECES = sorted(path.stem for path in UI.glob("*.html"))
BEFORE = {
    "card": ["plots"],
    "lesson": ["plots", "pictures", "outcomes", "practice"],
    "sketchpad": ["link", "image"],
    "drawings": ["link", "image", "png"],
}
CARDS_OWN = {"pixelsLink": "readonly"}  # asked for by a plot that only a card has


@pytest.fixture(scope="module")
def run_script(browser):
    """Evaluate an expression after shared.js and link.js."""
    page = browser.new_page()
    scripts = (UI / "shared.js").read_text(encoding="utf-8") + (UI / "link.js").read_text(
        encoding="utf-8"
    )
    yield lambda expression: page.evaluate(f"() => {{ {scripts}\nreturn {expression}; }}")
    page.close()


@pytest.mark.parametrize("piece", PIECES)
def test_a_pieces_script_declares_each_name_that_it_uses_once(piece, tmp_path):
    names = ("shared", *BEFORE.get(piece, ["link"]), piece)
    body = "".join((UI / f"{name}.js").read_text(encoding="utf-8") for name in names)
    script = tmp_path / "piece.js"
    script.write_text(
        f"export function load(element, props, server) {{\n{body}\n}}\n", encoding="utf-8"
    )
    config = tmp_path / "oxlint.json"
    known = {"env": {"browser": True, "es2024": True}}
    config.write_text(
        json.dumps(known | ({"globals": CARDS_OWN} if piece == "lesson" else {})), encoding="utf-8"
    )
    rules = ["--deny=no-undef", "--deny=no-redeclare", "--allow=no-unused-vars"]
    command = ["oxlint", "-c", str(config), *rules]
    done = subprocess.run(
        [*command, str(script)], capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == 0, done.stdout


def test_what_is_shown_adds_up(run_script):
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


def test_a_link_holds_the_drawing_exactly(run_script, digits):
    rng = random.Random(0)
    wide = [[[rng.randint(-50, 2850) / 10, rng.randint(0, 2800) / 10, 1.5] for _ in range(30)]]
    for strokes in ([], [[[0, 0]]], wide, *(digit["strokes"] for digit in digits)):
        text = run_script(f"encode({json.dumps(strokes)})")
        assert all(letter.isalnum() or letter in "-_" for letter in text)
        assert run_script(f"decode('{text}')") == strokes
        assert len(text) < 7 * sum(map(len, strokes)) + 5


def test_wrong_terms_are_not_made_to_fit(run_script):
    says = (
        "(() => { try { return addUp([1, 2, 3], 6.05).total; } catch (e) { return e.message; } })()"
    )
    assert run_script(says) == "a sum that does not hold"
    assert run_script("addUp([1, 2, 3], 6.02).total") == "6.02"


def test_a_product_is_of_the_digits_shown(run_script):
    rng = random.Random(0)
    pairs = [[rng.gauss(0, 1), abs(rng.gauss(0, 4))] for _ in range(300)] + [[0.0, 1.0]]
    shown = run_script(f"{json.dumps(pairs)}.map(([w, a]) => timesUp(w, a))")
    for (weight, activation), each in zip(pairs, shown, strict=True):
        factor = Decimal(each["weight"].replace("\u2212", "-"))
        product = Decimal(each["product"].replace("\u2212", "-"))
        assert abs(factor * round(Decimal(activation), 4) - product) <= Decimal("0.005")
        assert float(product) == pytest.approx(weight * activation, abs=0.006)


@pytest.mark.parametrize("text", ["%%%", "gICAgICA", "BQ", "_____w"])
def test_a_broken_link_is_none(run_script, text):
    assert run_script(f"decode('{text}')") is None


def test_a_share_is_never_rounded_to_certainty(run_script):
    assert run_script("[0.99951, 1, 0.9994, 0].map(percent)") == [
        "> 99.9 %", "> 99.9 %", "99.9 %", "0.0 %"
    ]  # fmt: skip
