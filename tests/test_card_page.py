"""The page of a model card: its text and its figures, and that a hostile card does nothing."""

import base64
import copy
import json
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import urlparse

import huggingface_hub
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from benchmarks.browser import DEVICES
from model import Reader
from model.checkpoint import CARD_FILE, EVALUATION_FILE, MAX_CARD, SHIPPED, save, write_json
from model.explain import output_layer
from model.mlp import MLP
from tests.visitor import ON_EACH_DEVICE, ON_PHONE, QUESTION, REDS, number, percent, red
from ui.card.card import message
from ui.card.figures import plots
from ui.card.markdown import MAX_TOKENS, parts

MODEL = "mlp-32"
EVALUATION = json.loads((SHIPPED / MODEL / EVALUATION_FILE).read_text(encoding="utf-8"))
HISTORY = Reader.load(MODEL).results["history"]
DIGITS = range(10)


def share(value, digits=1):
    return f"{100 * value:.{digits}f} %"


class Tags(HTMLParser):
    """Collects the tags and attributes of HTML."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {(name, value) for name, value in attrs}


HOSTILE = """
# A card <script>window.hacked = 1</script>

<script>window.hacked = 1</script>
<img src=x onerror="window.hacked = 1">
<style>body { display: none }</style><iframe src="https://evil.example/"></iframe>
<svg onload="window.hacked = 1"><a href="javascript:window.hacked = 1">x</a></svg>

![remote](https://evil.example/x.png) ![data](data:image/svg+xml;base64,PHN2Zz4=)

![other](plots/../../x.png)

[a](javascript:window.hacked=1) [b](data:text/html,x) [c](vbscript:x) [d](//evil.example/)
[e](https://good.example/ "t\\" onclick=\\"window.hacked=1") [f](/gradio_api/x) <https://auto.example>
[g]( JaVaScRiPt:window.hacked=1) [h](https://x.example/"onmouseover="window.hacked=1)

| a <b onclick="window.hacked = 1">x</b> | b |
|---|---|
| `<script>window.hacked = 1</script>` | <form action=/x><input name=y></form> |

<!-- not shown -->
<b <!-- nor closed

![<img src=x onerror="window.hacked = 1">](plots/confusion.png)

![nothing is drawn of it](plots/evil.png)
"""
SAFE = {"h1", "p", "a", "div", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}


def test_a_hostile_card_becomes_text_and_safe_links():
    found = parts(HOSTILE)
    tags = Tags()
    for part in found:
        tags.feed(part.html)
    assert tags.tags <= SAFE
    links = {value for name, value in tags.attributes if name == "href"}
    assert {urlparse(link).scheme for link in links} == {"https"}
    assert {name for name, _ in tags.attributes} <= {"href", "target", "rel", "class", "id"}
    assert {value for name, value in tags.attributes if name == "id"} == {
        "section-a-card-scriptwindowhacked--1script"
    }
    assert {value for name, value in tags.attributes if name == "rel"} == {
        "noopener noreferrer nofollow"
    }
    text = "".join(part.html for part in found)
    assert "not shown" not in text
    assert "[picture: remote]" in text
    assert "[picture: nothing is drawn of it]" in text
    assert [part.plot for part in found if part.plot] == ["confusion"]


def test_each_plot_is_shown_once_and_other_pictures_are_text():
    found = parts("![c](plots/confusion.png)\n\n" * 1_000 + "![d](plots/constructor.png)\n")
    assert [part.plot for part in found] == ["confusion", ""]
    assert found[1].html.count("[picture: c]") == 999
    assert found[1].html.endswith("<p>[picture: d]</p>")


@pytest.mark.parametrize("card", [
    "# a\n" * 16_000, "- a\n" * 16_000,
    "x\n\n" + "|a" * 500 + "\n" + "|-" * 500 + "\n" + "|a\n" * 20_000,
])  # fmt: skip
def test_the_html_of_a_long_card_is_limited(card):
    found = parts(card[:MAX_CARD])
    assert sum(part.html.count("<") for part in found) <= MAX_TOKENS
    assert "too long to be shown" in found[-1].html


def test_a_card_s_own_sections_can_be_linked_to():
    text = parts('# A b!\n\n## A b\n\n[c](#a-b-1) [d](#no"x)\n')[0].html
    assert '<h1 id="section-a-b">' in text
    assert '<h2 id="section-a-b-1">' in text
    assert '<p><a href="#section-a-b-1">c</a> d</p>' in text


def test_only_the_front_matter_is_left_out():
    found = parts("---\na: 1\n---\n\n# b\n\n---\n\nc [d](e.md)\n\n![f *g*](plots/hidden.png)\nh\n")
    assert [part.html for part in found] == [
        '<h1 id="section-b">b</h1>\n<hr>\n<p>c d</p>\n<p>[picture: f *g*]\nh</p>'
    ]


def count_calls(card):
    """Return how many Python calls the rendering of a card takes."""
    calls = Counter()
    sys.setprofile(lambda frame, event, argument: calls.update([event]))
    try:
        parts(card)
    finally:
        sys.setprofile(None)
    return calls["call"]


def test_the_work_for_a_giant_card_is_linear_in_its_length():
    assert count_calls("![" * 500) < 3 * count_calls("![" * 250)  # quadratic: 4 times


def lay(folder, *, card=None, evaluation=None, results=None):
    """Save a checkpoint with these files, and load it."""
    save(folder, MLP((4,)), name="mine")
    if card is not None:
        (folder / CARD_FILE).write_bytes(card)
    for name, value in ((EVALUATION_FILE, evaluation), ("results.json", results)):
        if value is not None:
            write_json(folder / name, value)
    return Reader.load(folder)


def test_a_giant_card_is_cut_off(tmp_path):
    reader = lay(tmp_path, card=b"# x\n" + 10 * MAX_CARD * b"\xe2\x82")
    assert 0 < len(reader.card) <= MAX_CARD
    assert message(reader)["parts"][0]["html"].startswith('<h1 id="section-x">x</h1>')


def test_without_a_card_what_is_known_is_shown(tmp_path):
    told = message(lay(tmp_path))
    assert "has no model card" in told["parts"][0]["html"]
    assert "784 → 4 → 10" in told["parts"][0]["html"]
    assert [part["plot"] for part in told["parts"] if part["plot"]] == ["hidden"]
    everything = message(
        lay(tmp_path / "all", evaluation=EVALUATION, results={"history": HISTORY, "best_epoch": 1})
    )
    shown = [part["plot"] for part in everything["parts"] if part["plot"]]
    assert shown == ["training", "confusion", "reliability", "refusal", "hidden", "mistakes"]
    assert everything["figures"].keys() == set(shown)


def test_a_card_on_the_hub_comes_with_its_model(hub, tmp_path, monkeypatch):
    lay(tmp_path / "net", card=b"# Somebody's", evaluation=EVALUATION)
    files = {path.name: path.read_bytes() for path in (tmp_path / "net").iterdir()}
    hub.repos["tester/net"] = [("c" * 40, files)]
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    for name, value in {
        "ENDPOINT": hub.url, "HUGGINGFACE_CO_URL_TEMPLATE": template,
        "HF_HUB_CACHE": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": True,
    }.items():  # fmt: skip
        monkeypatch.setattr(huggingface_hub.constants, name, value)
    reader = Reader.load("tester/net")
    assert reader.card == "# Somebody's"
    assert plots(reader)["confusion"]["confusion"] == EVALUATION["test"]["confusion"]


def put(path, value):
    """Return a function that changes the evaluation at a path."""

    def change(evaluation):
        *way, last = path
        place = evaluation
        for key in way:
            place = place[key]
        place[last] = value

    return change


BAD_FIGURES = [
    ("confusion", put(["test", "confusion", 3, 3], "<b>1</b>")),
    ("confusion", put(["test", "confusion", 3, 3], -1)),
    ("confusion", put(["test", "confusion", 3, 3], True)),
    ("confusion", put(["test", "confusion", 3], [1] * 11)),
    ("confusion", put(["test", "confusion"], {"0": [1] * 10})),
    ("reliability", put(["test", "bins", 2, "low"], None)),
    ("reliability", put(["test", "bins", 14, "accuracy"], 1.01)),
    ("reliability", put(["test", "bins"], [{}])),
    ("reliability", put(["test", "calibration_error"], "0.1")),
    ("refusal", put(["refusal", "curve", 1, "letters"], 7)),
    ("refusal", put(["refusal", "curve", 1, "another"], 0.5)),
    ("refusal", put(["refusal", "curve", 1, "x" * 41], 0.5)),
    ("refusal", put(["refusal", "curve"], [{"threshold": 0.5, "test": 0.1}] * 1_002)),
    ("refusal", put(["refusal"], None)),
    ("refusal", put(["refusal"], [1])),
    ("mistakes", put(["test", "mistakes", 0, "pixels"], "AAAA")),
    ("mistakes", put(["test", "mistakes", 0, "pixels"], "\"><script>" * 100)),
    ("mistakes", put(["test", "mistakes", 0, "label"], 10)),
    ("mistakes", put(["test", "mistakes", 0, "digit"], "9")),
    ("mistakes", put(["test", "mistakes"], EVALUATION["test"]["mistakes"] * 6)),
]  # fmt: skip


def test_only_the_plot_of_invalid_figures_is_left_out():
    reader = Reader.load(MODEL)
    whole = plots(reader)
    assert len(whole) == 6
    for name, change in BAD_FIGURES:
        reader.evaluation = copy.deepcopy(EVALUATION)
        change(reader.evaluation)
        assert whole.keys() - plots(reader).keys() == {name}, name
    for evaluation in ({}, {"test": []}, {"test": {"confusion": float("nan")}, "refusal": 1}):
        reader.evaluation = evaluation
        assert plots(reader).keys() == {"training", "hidden"}
    for bad in ("x", [], [{"epoch": 1}], [HISTORY[0] | {"loss": float("inf")}], [[]], None):
        reader.results = {"history": bad, "best_epoch": 1}
        assert plots(reader).keys() == {"hidden"}


class Card:
    """A page with a card."""

    def __init__(self, page, url, model=MODEL):
        self.page = page
        self.faults, self.requests = [], []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.url = url
        self.open(model)

    def open(self, model):
        self.page.goto(f"{self.url}/card?model={model}")
        self.wait(model)

    def wait(self, model):
        self.page.wait_for_selector(f"[data-testid=card][data-model='{model}']")

    def get(self, name):
        return self.page.get_by_test_id(name)

    def slide(self, name, i):
        self.get(f"{name}-slider").evaluate(
            "(slider, i) => { slider.value = i; slider.dispatchEvent(new Event('input')); }", i
        )

    def texts(self, *names):
        """The text of many parts at once: each question to the browser costs some ms."""
        script = "names => names.map(n => document.querySelector(`[data-testid='${n}']`).innerText)"
        return self.page.evaluate(script, list(names))


@pytest.fixture(scope="module")
def shown(browser, app_url):
    """The card on a desktop: for what looks at it, or leaves it as it was."""
    context = browser.new_context(**DEVICES["desktop"])
    card = Card(context.new_page(), app_url)
    yield card
    assert [fault for fault in card.faults if "404" not in fault] == []
    context.close()


@pytest.fixture
def card(page, app_url):
    card = Card(page, app_url)
    yield card
    assert [fault for fault in card.faults if "404" not in fault] == []


def words(markdown):
    """The words of a card, without what only says how they look."""
    text = re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.DOTALL)
    text = re.sub(r"^!\[.*\]\(plots/\w+\.png\)$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    text = re.sub(r"^```\w*$", "", text, flags=re.MULTILINE)
    return re.findall(r"[^\W_]+", text)


@pytest.mark.browser
@pytest.mark.parametrize("model", ["logistic", "mlp-1024", "mlp-32"])
def test_the_text_is_the_card_s(shown, model):
    shown.get("card-model").select_option(model)
    shown.wait(model)
    texts = shown.page.evaluate(
        "[...document.querySelectorAll('[data-testid=card] .text')].map(part => part.textContent)"
    )
    markdown = (SHIPPED / model / CARD_FILE).read_text(encoding="utf-8")
    assert re.findall(r"[^\W_]+", " ".join(texts)) == words(markdown)
    alts = dict(re.findall(r"^!\[(.*)\]\(plots/(\w+)\.png\)$", markdown, flags=re.MULTILINE))
    assert set(alts.values()) == {"training", "confusion", "reliability", "refusal", "hidden",
                                  "mistakes"}  # fmt: skip
    for alt, name in alts.items():
        expect(shown.page.get_by_role("figure", name=alt, exact=True)).to_have_count(1)
        assert "The figures of this plot are missing" not in shown.get(f"plot-{name}").inner_text()
    assert f"model={model}" in shown.page.url
    assert shown.page.title().startswith(model)


@pytest.mark.browser
def test_the_confusions_are_the_evaluation_s_cell_by_cell(shown):
    counts = EVALUATION["test"]["confusion"]
    cells = [f"confusion-{i}-{k}" for i in DIGITS for k in DIGITS]
    said = [int(text or 0) for text in shown.texts(*cells)]
    assert said == [count for row in counts for count in row]
    shown.get("confusion-4-9").hover()
    count = f"4 read as 9: {counts[4][9]} of {sum(counts[4])}."
    expect(shown.get("confusion-at")).to_have_text(count)


@pytest.mark.browser
def test_a_cell_shows_its_mistakes_and_arrows_lead_from_cell_to_cell(shown):
    mistakes = EVALUATION["test"]["mistakes"]
    first = mistakes[0]
    same = [m for m in mistakes if (m["label"], m["digit"]) == (first["label"], first["digit"])]
    shown.get(f"confusion-{first['label']}-{first['digit']}").click()
    pictures = shown.get("confusion-mistakes").locator("figure")
    expect(pictures).to_have_count(len(same))
    shown.get("confusion-2-2").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowLeft", "ArrowUp"):
        shown.page.keyboard.press(key)
    focused = shown.page.evaluate("document.activeElement.dataset.testid")
    assert focused == "confusion-2-1"
    expect(shown.get("confusion-at")).to_contain_text("2 read as 1: ")
    shown.page.keyboard.press("Enter")
    expect(shown.get("confusion-2-1")).to_have_attribute("aria-pressed", "true")


@pytest.mark.browser
def test_the_training_is_the_results_epoch_by_epoch(shown):
    best = Reader.load(MODEL).results["best_epoch"]
    assert shown.texts("training-at") == [f"Epoch {best} of {len(HISTORY)}, the best"]
    names = ("training loss", "validation loss", "validation error", "error on synthetic digits")
    for i in (0, 1, len(HISTORY) // 2, len(HISTORY) - 1):
        shown.slide("training", i)
        said = shown.texts(*(f"training-{name}" for name in names))
        each = HISTORY[i]
        for text, key in zip(said[:2], ("loss", "val_loss"), strict=True):
            assert float(text) == pytest.approx(each[key], rel=0.005)
        errors = [share(1 - each[key], 2) for key in ("val_accuracy", "synthetic_digits_accuracy")]
        assert said[2:] == errors
    slider = shown.get("training-slider")
    slider.focus()
    shown.page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^Epoch 1: training loss"))


@pytest.mark.browser
def test_the_refusal_s_slider_shows_each_kind_at_each_threshold(shown):
    curve = EVALUATION["refusal"]["curve"]
    names = {"test": "MNIST test", "pens": "synthetic digits"}
    kinds = [kind for kind in curve[0] if kind != "threshold"]
    assert "which this model uses" in shown.texts("refusal-at")[0]
    for i, point in enumerate(curve):
        shown.slide("refusal", i)
        said = shown.texts(*(f"refusal-{names.get(kind, kind)}" for kind in kinds))
        assert said == [share(point[kind], 2 if kind in names else 1) for kind in kinds]
        assert f"above {point['threshold']:g}" in shown.texts("refusal-at")[0]


@pytest.mark.browser
def test_pointing_at_a_plot_does_what_its_slider_does(shown):
    sheet = shown.get("plot-refusal").locator("svg.sheet")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    shown.page.mouse.move(box["x"] + 46, box["y"] + 100)
    assert (
        f"above {EVALUATION['refusal']['curve'][0]['threshold']:g}" in shown.texts("refusal-at")[0]
    )
    shown.page.mouse.move(box["x"] + box["width"] - 14, box["y"] + 100)
    assert (
        f"above {EVALUATION['refusal']['curve'][-1]['threshold']:g}" in shown.texts("refusal-at")[0]
    )


@pytest.mark.browser
def test_the_reliability_is_the_evaluation_s_bin_by_bin(shown):
    full = [each for each in EVALUATION["test"]["bins"] if each["n"]]
    bars = shown.get("plot-reliability").locator("rect.accuracy")
    heights = bars.evaluate_all("bars => bars.map(bar => Number(bar.getAttribute('height')))")
    scale = heights[-1] / full[-1]["accuracy"]
    for i, each in enumerate(full):
        shown.slide("reliability", i)
        said = shown.texts("reliability-at")[0]
        assert f"{each['n']:,} answers" in said
        assert (
            f"mean confidence {share(each['confidence'])}, accuracy {share(each['accuracy'])}"
            in said
        )
        assert heights[i] == pytest.approx(scale * each["accuracy"], abs=0.1)


@pytest.mark.browser
def test_the_hidden_units_are_the_network_s(shown):
    model = Reader.load(MODEL).model
    onward, _ = output_layer(model)
    order = np.argsort(-np.linalg.norm(onward[:10], axis=0), kind="stable")
    tiles = shown.get("plot-hidden").locator(".tiles button")
    names = tiles.evaluate_all("tiles => tiles.map(tile => tile.dataset.testid)")
    assert names == [f"hidden-{unit}" for unit in order]
    favourites = tiles.evaluate_all("tiles => tiles.map(tile => Number(tile.innerText))")
    assert favourites == onward[:10, order].argmax(axis=0).tolist()
    unit = order[5]
    shown.get(f"hidden-{unit}").hover()
    said = shown.texts(*(f"hidden-to-{logit}" for logit in range(11)))
    np.testing.assert_allclose([float(number(text)) for text in said], onward[:, unit], atol=0.005)
    weights = next(model.parameters()).numpy()[unit]
    reds = shown.get(f"hidden-{unit}").locator("canvas").evaluate(REDS)
    expected = red(weights / (0.6 * np.abs(weights).max()), 1)
    np.testing.assert_allclose(reds, expected, atol=2.6)


@pytest.mark.browser
def test_the_mistakes_are_the_evaluation_s(shown):
    figures = shown.get("plot-mistakes").locator("figure")
    said = figures.evaluate_all("figures => figures.map(figure => figure.innerText.trim())")
    mistakes = EVALUATION["test"]["mistakes"]
    assert said == [f"{m['label']} → {m['digit']} {percent(m['confidence'])}" for m in mistakes]
    reds = figures.nth(3).locator("canvas").evaluate(REDS)
    assert bytes(reds) == base64.b64decode(mistakes[3]["pixels"])


@pytest.mark.browser
def test_the_numbers_of_each_plot_stand_in_a_table_too(shown):
    rows = {"training": HISTORY, "reliability": EVALUATION["test"]["bins"],
            "refusal": EVALUATION["refusal"]["curve"]}  # fmt: skip
    for name, figures in rows.items():
        fold = shown.get(f"{name}-table")
        fold.locator("summary").click()
        expect(fold.locator("tbody tr")).to_have_count(len(figures))
    last = shown.get("refusal-table").locator("tbody tr").last.locator("td").first
    assert last.inner_text() == share(EVALUATION["refusal"]["curve"][-1]["test"], 2)


@pytest.mark.browser
def test_nothing_is_asked_of_other_hosts(shown, app_url):
    hosts = {urlparse(url).netloc for url in shown.requests if url.startswith("http")}
    assert hosts == {urlparse(app_url).netloc}


@pytest.mark.browser
def test_the_drawing_page_does_not_load_the_plots(shown, app_url):
    plot, page, requests = "card/plots/confusion.js", shown.page.context.new_page(), []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(app_url)
    expect(page.get_by_test_id("answer")).to_have_text("nothing drawn")
    page.close()
    assert any(url.endswith("draw/answer.js") for url in requests)
    assert not any(url.endswith(plot) for url in requests)
    assert any(url.endswith(plot) for url in shown.requests)


@pytest.mark.browser
@ON_EACH_DEVICE
def test_the_card_fits_its_window_and_axe_finds_no_serious_fault(card, device):
    card.page.emulate_media(color_scheme="dark" if "has_touch" in device else "light")
    card.get("confusion-8-9").click()
    for name in ("training", "reliability", "refusal"):
        card.get(f"{name}-table").locator("summary").click()
    found = Axe().run(card.page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in serious] == []
    width = card.page.evaluate("document.documentElement.scrollWidth")
    assert width <= card.page.viewport_size["width"]


@pytest.mark.browser
def test_a_model_that_is_not_there_is_said_and_the_default_shown(shown):
    shown.page.goto(f"{shown.url}/card?model=<b>evil</b>")
    shown.wait("mlp-1024")
    expect(shown.get("card-status")).to_have_text("This server has no model <b>evil</b>.")
    shown.open(MODEL)


@pytest.mark.browser
@ON_PHONE
def test_the_drawing_and_its_model_outlast_a_visit_to_the_card(visitor, digits):
    visitor.page.get_by_test_id("model").select_option("logistic")
    visitor.draw_by_mouse(digits[4]["strokes"])
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("4")
    visitor.settle()
    sent = visitor.sent[-1]["strokes"]
    visitor.page.get_by_role("link", name="Model card").click()
    expect(visitor.page.get_by_test_id("card")).to_have_attribute("data-model", "logistic")
    visitor.page.get_by_role("link", name="Draw", exact=True).click()
    expect(visitor.page.get_by_test_id("answer")).to_contain_text("4")
    visitor.settle()
    assert visitor.sent[-1]["strokes"] == sent
    assert visitor.sent[-1]["models"] == ["logistic"]
    visitor.page.go_back()
    visitor.page.get_by_test_id("card-model").select_option(MODEL)
    visitor.page.get_by_test_id("draw-with").click()
    expect(visitor.page.get_by_test_id("model")).to_have_value(MODEL)
    visitor.settle()
    assert visitor.sent[-1]["strokes"] == sent
    assert visitor.sent[-1]["models"] == [MODEL]
    assert "#" not in visitor.page.url


@pytest.mark.browser
def test_a_mistake_is_made_again_on_the_sketchpad_and_undo_brings_the_drawing_back(visitor, digits):
    visitor.draw_by_mouse(digits[4]["strokes"])
    visitor.settle()
    visitor.page.get_by_role("link", name="Model card").click()
    expect(visitor.page.get_by_test_id("card")).to_have_attribute("data-model", "mlp-1024")
    visitor.page.get_by_test_id("card-model").select_option(MODEL)
    visitor.page.wait_for_selector(f"[data-testid=card][data-model='{MODEL}']")
    mistake = EVALUATION["test"]["mistakes"][1]
    visitor.page.get_by_test_id("plot-mistakes").locator("a").nth(1).click()
    answer = visitor.page.get_by_test_id("answer")
    expect(answer).to_contain_text(str(mistake["digit"]))
    expect(answer).to_contain_text(percent(mistake["confidence"]))
    visitor.page.get_by_test_id("undo").click()
    expect(answer).to_contain_text("4")


@pytest.mark.browser
def test_a_section_is_gone_to_without_a_reload_and_back_leads_to_where_one_was(card):
    page = card.page
    page.evaluate("window.mark = 1")
    page.get_by_role("link", name="Evaluation", exact=True).first.click()
    page.wait_for_url("**/card?model=*#section-evaluation")
    assert page.evaluate("window.mark") == 1
    mistake = page.get_by_test_id("plot-mistakes").locator("a").nth(1)
    mistake.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    assert before > 1000
    mistake.click()
    expect(page.get_by_test_id("answer")).to_contain_text("%")
    page.go_back()
    page.wait_for_function("y => Math.abs(scrollY - y) < 5", arg=before)


@pytest.mark.browser
def test_a_hostile_card_does_nothing_in_a_browser(card, tmp_path, app_url):
    """What the server would say of a hostile folder's card takes the place of a shipped one's."""
    hostile = copy.deepcopy(EVALUATION)
    for point in hostile["refusal"]["curve"]:
        point["<img src=x onerror=hacked=1>"] = 0.5
    text = HOSTILE + "\n![r](plots/refusal.png)\n"
    reader = lay(tmp_path, card=text.encode(), evaluation=hostile)
    body = json.dumps(message(reader) | {"model": MODEL})
    card.page.route(QUESTION, lambda route: route.fulfill(
        content_type="application/json", body=body))  # fmt: skip
    card.requests.clear()
    card.open(MODEL)
    expect(card.get("card")).to_contain_text("<script>window.hacked = 1</script>")
    assert card.page.evaluate("window.hacked") is None
    assert card.get("card").locator("img, script, iframe, style, form").count() == 0
    expect(card.get("card")).to_contain_text("[picture: nothing is drawn of it]")
    assert "<img src=x onerror=hacked=1>" in card.texts("plot-refusal")[0]
    hosts = {urlparse(url).netloc for url in card.requests if url.startswith("http")}
    assert hosts == {urlparse(app_url).netloc}
