"""The model card: its figures are the measured ones, its code runs, its plots fit the figures."""

import contextlib
import copy
import dataclasses
import hashlib
import io
import random
import re
import shutil

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard, constants
from PIL import Image

from model import Reader
from model.checkpoint import (
    CONFIG_FILE,
    EVALUATION_FILE,
    RESULTS_FILE,
    SHIPPED,
    WEIGHTS_FILE,
    CheckpointError,
    load,
    save,
    shipped_names,
)
from model.mlp import MLP
from tests.conftest import ROOT
from training.card import CARD_FILE, PLOTS, card_text, render_card, write_card
from training.card.__main__ import main
from training.card.formatting import alteration
from training.metrics import wilson
from training.recipe import MAX_REJECTED, MAX_REJECTED_SYNTHETIC, MAX_REJECTED_UNSEEN

ALL = ["training", "confusion", "reliability", "refusal", "mistakes", "hidden"]


def figures(name):
    """Return the content of results.json and evaluation.json of a shipped network."""
    loaded = load(name)
    return copy.deepcopy([dict(loaded.results), dict(loaded.evaluation)])


@pytest.fixture(params=shipped_names())
def name(request):
    return request.param


def test_the_shipped_card_is_rendered_from_the_shipped_figures(name):
    text = (SHIPPED / name / CARD_FILE).read_text(encoding="utf-8")
    assert text == render_card(*figures(name), where=f"model/weights/{name}")


def test_the_metadata_for_the_hub_holds_the_measured_figures(name):
    card = ModelCard.load(SHIPPED / name / CARD_FILE)
    _, evaluation = figures(name)
    assert card.data.model_name == name
    assert (card.data.license, card.data.library_name) == ("apache-2.0", "pytorch")
    assert (card.data.pipeline_tag, card.data.datasets) == (
        "image-classification",
        ["ylecun/mnist"],
    )
    shown = [(each.metric_type, each.metric_value) for each in card.data.eval_results]
    expected = []
    for each in (evaluation["test"], evaluation["pens"]):
        expected += [
            ("accuracy", each["accuracy"]["value"]),
            ("expected_calibration_error", each["calibration_error"]),
            ("refused", each["refused"]),
        ]
    for each in evaluation["drawings"]["pens"].values():  # too few for a calibration error
        expected += [("accuracy", each["accuracy"]["value"]), ("refused", each["refused"])]
    assert shown == expected
    assert card.data.eval_results[0].dataset_type == "ylecun/mnist"
    assert card.data.eval_results[0].dataset_split == "test"


# Numbers of the template itself: digits, MNIST's sizes, names, years, the canvas and the plots.
FIXED = """\
10 28 784 20 50,000 10,000 60,000 95 15 280 16 32 256 2.0 1998 2015 2017 2019 24 30 99.9 0.9999"""


def numbers(value):
    """Yield each number in JSON, and each key that is a number, such as a stroke width."""
    if isinstance(value, dict):
        yield from (int(key) for key in value if key.isdigit())
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        yield from (number for each in inner for number in numbers(each))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def strings(value):
    """Yield each short string in JSON, and each key that contains a digit."""
    if isinstance(value, dict):
        yield from (key for key in value if re.search(r"\d", key) and not key.isdigit())
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        yield from (text for each in inner for text in strings(each))
    elif isinstance(value, str) and len(value) < 100:
        yield value


def computed(results, evaluation):
    """Yield the numbers that the card computes from figures: intervals, sums and counts."""
    test, changes, refusal = (evaluation[key] for key in ("test", "changes", "refusal"))
    shares = [(share, changes["n"]) for share in changes["changed"].values()]
    shares += [(each["refused"], each["n"]) for each in refusal["kinds"].values()]
    for share, n in shares:
        yield from wilson(round(share * n), n).values()
    confusion = np.array(test["confusion"])
    yield int(confusion.sum() - np.trace(confusion))
    yield from range(10)  # digits: rows and columns of the confusion matrix
    yield round(results["seconds"]) * 2  # threads
    for drawn in evaluation["drawings"]["pens"].values():
        yield from (each["right"] / each["n"] for each in drawn["writers"])
    yield from (
        len(results["history"]),
        len(test["mistakes"]),
        MAX_REJECTED,
        MAX_REJECTED_UNSEEN,
        MAX_REJECTED_SYNTHETIC,
    )


def written(number):
    """Return the formats in which the card may write a number."""
    if isinstance(number, int):
        return {str(number), f"{number:,}"}
    share = {f"{100 * number:.1f}", f"{100 * number:.2f}"}
    return share | {
        f"{number:g}",
        f"{number:.2f}",
        f"{number:.3f}",
        f"{number:.4f}",
        f"{number:,.0f}",
    }


def untraced(text, results, evaluation):
    """Return the numbers of a card that are not among its figures."""
    text = text.split("---\n", 2)[2]
    for string in sorted({*strings(results), *strings(evaluation)}, key=len, reverse=True):
        text = text.replace(alteration(string), "")
    text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", text, flags=re.DOTALL)  # code, links
    known = {*FIXED.split()}
    for number in (*numbers(results), *numbers(evaluation), *computed(results, evaluation)):
        known |= written(number)
    found = re.findall(r"\d[\d,]*(?:\.\d+)?", text)
    assert len(found) > 200
    return [number for number in found if number.rstrip(",") not in known]


def scramble(value, rng):
    """Return JSON with all numbers replaced by random ones."""
    if isinstance(value, dict):
        empty = value.get("confidence", 0) is None  # a bin without pictures
        return value if empty else {key: scramble(each, rng) for key, each in value.items()}
    if isinstance(value, list):
        return [scramble(each, rng) for each in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return rng.randint(20_000, 90_000) if isinstance(value, int) else rng.uniform(0.011, 0.9)


def test_each_number_of_a_card_is_one_of_its_figures(name):
    """Random figures are used, so that no number of the template agrees with one by chance."""
    results, evaluation = figures(name)
    rng = random.Random(0)
    other = scramble(results, rng) | {"recipe": scramble(results["recipe"], rng)}
    other["best_epoch"] = results["best_epoch"]
    for epoch, each in enumerate(other["history"], 1):
        each["epoch"] = epoch
    other["recipe"]["hidden_sizes"] = [8_123 for _ in results["recipe"]["hidden_sizes"]]
    measured = scramble(evaluation, rng)
    text = render_card(other, measured, where="model/weights/x")
    assert untraced(text, other, measured) == []
    assert f"{100 * measured['test']['accuracy']['value']:.2f} %" in text


def test_a_number_that_is_not_a_figure_is_found():
    results, evaluation = figures("mlp-32")
    text = render_card(results, evaluation, where="x").replace("## Factors", "It reads 98.765 %.")
    assert untraced(text, results, evaluation) == ["98.765"]


def placed(evaluation):
    """Yield regular expressions for the places of figures in a card, and the figures there."""

    def percents(*shares):
        return [f"{100 * share:.2f}" for share in shares]

    test, pens, people = (evaluation[key] for key in ("test", "pens", "drawings"))
    sets = {r"MNIST's test set, [\d,]+ images": test, r"synthetic digits [\w ]+, [\d,]+": pens}
    sets |= {
        f"people's drawings, 473, stroke width {pen} px": f for pen, f in people["pens"].items()
    }
    for label, each in sets.items():
        shares = percents(each["accuracy"]["value"], each["answered_right"]["value"])
        yield rf"^\| {label} \| (\S+) % [^|]*\| (\S+) % [^|]*\| (\S+) % \|$", [
            *shares, *percents(each["refused"])
        ]  # fmt: skip
    yield (
        "the test set, confidence differs from accuracy by ([0-9.]+) points",
        percents(test["calibration_error"]),
    )
    chance = r"([0-9.]+) points \(by chance: ([0-9.]+) points\)"
    keys = ("calibration_error", "calibration_error_by_chance")
    for each, where in ((test, "on the test set"), (pens, "on the 5,000 synthetic digits")):
        yield f"{chance} {where}", percents(*(each[key] for key in keys))
    for pen, each in people["pens"].items():
        yield rf"^\| {pen} px .*\| {chance} \|$", percents(*(each[key] for key in keys))
    worst = min(test["by_digit"], key=lambda each: each["recall"])
    yield r"of the test images, (\S+) % of the (\d)s are read correctly, and (\S+) % of all", [
        *percents(worst["recall"]), str(worst["digit"]), *percents(test["accuracy"]["value"])
    ]  # fmt: skip
    for each in test["by_digit"]:
        shares = percents(each["recall"], each["precision"], each["refused"])
        columns = r"([\d,]+) \| (\S+) % [^|]*\| (\S+) % \| (\S+) %"
        yield rf"^\| {each['digit']} \| {columns} \|$", [f"{each['n']:,}", *shares]
    for kind, each in evaluation["refusal"]["kinds"].items():
        shown = f"{100 * each['refused']:.1f}"
        yield rf"^\| {kind} \| [^|]*\| 1,000 \| (\S+) %", [shown]
    for change, share in evaluation["changes"]["changed"].items():
        yield rf"^\| {re.escape(alteration(change))} \| (\S+) %", [f"{100 * share:.1f}"]
    yield r"^\| parameters \| ([\d,]+) \|$", [f"{evaluation['size']['parameters']:,}"]
    yield r"^\| model.safetensors \| ([\d,]+) bytes", [f"{evaluation['size']['bytes']:,}"]


def test_each_figure_is_in_its_place(name):
    text = (SHIPPED / name / CARD_FILE).read_text(encoding="utf-8")
    places = list(placed(figures(name)[1]))
    assert len(places) > 50
    for pattern, expected in places:
        found = re.search(pattern, text, re.MULTILINE)
        assert found, pattern
        assert list(found.groups()) == expected, pattern


def put(value, path, new):
    """Return a copy of JSON with another value at a path of keys."""
    if not path:
        return new
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return changed


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (("test", "by_digit"), []),
        (("test", "accuracy", "value"), float("nan")),
        (("test", "mistakes", 0, "pixels"), "AA"),
        (("refusal", "kinds", "letters", "n"), 0),
        (("machine",), "<script>"),
        (("machine",), "a\n# b"),
    ],
)
def test_invalid_figures_are_an_error(path, new):
    loaded = load("mlp-32")
    wrong = dataclasses.replace(loaded, evaluation=put(loaded.evaluation, path, new))
    with pytest.raises(CheckpointError, match="is not as this version writes it"):
        card_text(wrong, where="x")


def paths_in(value, path=()):
    """Yield the paths of each key, and of the first item of each list."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else ()
    for key, each in enumerate(value[:1]) if isinstance(value, list) else items:
        yield from paths_in(each, (*path, key))


def without(value, path):
    """Return a copy of JSON without the value at a path."""
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return changed


ODD = [None, True, [], {}, [None], "x", -1, 0.5, 10**400, float("nan")]


@pytest.mark.parametrize("file", ["results", "evaluation"])
def test_edited_figures_give_a_card_or_a_checkpoint_error(file):
    """Any other exception, such as a TypeError, would be a bug."""
    loaded = load("mlp-32")
    figures, errors = dict(getattr(loaded, file)), []
    if file == "results":  # fewer epochs are quicker
        figures["history"] = [each for each in figures["history"] if each["epoch"] < 3]
        figures["best_epoch"] = 2
    edits = [without(figures, path) for path in paths_in(figures)]
    rng = random.Random(0)
    edits += [put(figures, path, new) for path in paths_in(figures) for new in rng.sample(ODD, 3)]
    for edited in edits:
        try:
            card_text(dataclasses.replace(loaded, **{file: edited}), where="x")
        except CheckpointError as error:
            errors.append(str(error))
    assert all(f"{file}.json" in error and "\n" not in error for error in errors)
    assert len(edits) / 3 < len(errors) < len(edits)


def test_each_plot_exists_and_has_a_description(name):
    folder = SHIPPED / name
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    shown = dict(re.findall(r"^!\[([^\]\n]+)\]\(plots/(\w+)\.png\)$", text, re.MULTILINE))
    descriptions = {plot: alt for alt, plot in shown.items()}
    assert sorted(descriptions) == sorted(ALL) == sorted(p.stem for p in (folder / PLOTS).glob("*"))
    assert text.count("![") == 6
    _, evaluation = figures(name)
    assert (
        f"{100 * evaluation['test']['calibration_error']:.2f} points" in descriptions["reliability"]
    )
    assert f"{100 * evaluation['test']['refused']:.2f} %" in descriptions["refusal"]
    assert f"image {evaluation['test']['mistakes'][0]['index']}, " in descriptions["mistakes"]
    total = 0
    for plot in (folder / PLOTS).glob("*.png"):
        total += plot.stat().st_size
        with Image.open(plot) as image:
            assert image.width == 1_080
            assert 200 < image.height < 1_300
            assert image.convert("L").resize((1, 1)).getpixel((0, 0)) > 180  # light
    assert total < 250_000


def test_equal_figures_give_equal_bytes(tmp_path):
    """Otherwise, a second push would create a commit."""
    folders = [tmp_path / each for each in "ab"]
    for folder in folders:
        shutil.copytree(SHIPPED / "mlp-32", folder)
        (folder / PLOTS / "training.png").write_bytes(b"stale")
        write_card(folder, where="someone/net")
    first, second = ({p.name: p.read_bytes() for p in f.rglob("*.*")} for f in folders)
    assert first == second
    assert len([name for name in first if name.endswith(".png")]) == 6
    with Image.open(folders[0] / PLOTS / "training.png") as image:
        assert image.info.keys() <= {"dpi"}  # no date, no software


def code(text):
    """Return the Python code in a card: one block with this project's Reader, one without."""
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def output(program, picture):
    """Return the lines that a program from a card prints for a picture."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program.replace('"digit.png"', repr(str(picture))), {})
    return printed.getvalue().split("\n")


@pytest.fixture
def picture(mnist, tmp_path):
    path = tmp_path / "digit.png"
    Image.fromarray(mnist[0][3]).save(path)
    return path


def check_output(program, plain, picture, reading):
    assert output(program, picture)[0] == f"{reading.verdict} {reading.digit} {reading.confidence}"
    first, verdict = output(plain, picture)[:2]
    digit, probability = first.split()
    assert int(digit) == reading.digit == 0
    assert float(probability) == pytest.approx(reading.confidence, abs=1e-6)
    assert verdict == "a digit"


def test_the_code_of_the_shipped_card_runs(name, picture, monkeypatch):
    monkeypatch.chdir(ROOT)
    program, plain = code((SHIPPED / name / CARD_FILE).read_text(encoding="utf-8"))
    assert len([line for line in program.splitlines() if line]) == 3
    check_output(program, plain, picture, Reader.load(name, device="cpu").read(picture))


def test_the_code_of_a_card_on_the_hub_runs(hub, picture, tmp_path, monkeypatch):
    files = (CONFIG_FILE, WEIGHTS_FILE, EVALUATION_FILE)
    content = {file: (SHIPPED / "mlp-32" / file).read_bytes() for file in files}
    hub.repos["tester/digits"] = [("c" * 40, content)]
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    plain, program = code(render_card(*figures("mlp-32"), where="tester/digits"))
    assert "from model" not in plain
    check_output(program, plain, picture, Reader.load("mlp-32", device="cpu").read(picture))
    assert any(request.startswith("GET /tester/digits/resolve/") for request in hub.requests)
    assert load("tester/digits").evaluation == figures("mlp-32")[1]


def test_the_plain_code_rejects_noise(picture, mnist, monkeypatch):
    monkeypatch.chdir(ROOT)
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    Image.fromarray(noise).save(picture)
    [_, plain] = code(render_card(*figures("mlp-1024"), where="model/weights/mlp-1024"))
    assert output(plain, picture)[1] == "not a digit"


@pytest.fixture
def bare(tmp_path):
    """A network without figures that does not reject."""
    torch.manual_seed(0)
    save(tmp_path / "bare", MLP((40, 6)), name="bare")
    return tmp_path / "bare"


def test_a_card_without_figures_names_the_command_that_measures_them(bare):
    (bare / PLOTS).mkdir()
    (bare / PLOTS / "refusal.png").write_bytes(b"of earlier weights")
    (bare / PLOTS / "mine.png").write_bytes(b"someone's own")
    write_card(bare, where=str(bare))
    text = (bare / CARD_FILE).read_text(encoding="utf-8")
    assert sorted(p.name for p in (bare / PLOTS).iterdir()) == ["hidden.png", "mine.png"]
    assert "784 → 40 → 6 → 10" in text
    assert text.count("Run `python -m training.evaluate CHECKPOINT`.") == 4
    assert "reads every input as one of the ten" in text
    assert "not_a_digit" not in text
    assert ModelCard(text).data.eval_results is None
    assert "nan" not in text.lower().replace("devanagari", "")


def test_the_card_of_a_network_that_does_not_reject_says_so():
    results, evaluation = figures("mlp-32")
    results["threshold"], evaluation["refusal"], evaluation["drawings"] = 1.0, None, None
    text = render_card(results, evaluation, where="someone/net")
    assert "This network does not reject input" in text
    assert "refusal.png" not in text
    assert "--drawings DRAWINGS.jsonl`." in text


def test_a_share_below_1_is_not_rounded_to_1():
    results, evaluation = figures("logistic")
    assert evaluation["test"]["mistakes"][0]["confidence"] > 0.9999
    evaluation["refusal"]["auroc"]["dots"] = 0.99996
    text = render_card(results, evaluation, where="x")
    assert "more than 99.9 %" in text
    assert "confidence of 100" not in text
    assert "| above 0.9999 |" in text


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (EVALUATION_FILE, "[]", "expected an object"),
        (EVALUATION_FILE, "{", "is not JSON"),
        (EVALUATION_FILE, '{"test": {}}', "was measured on other weights than model.safetensors"),
        (EVALUATION_FILE, '{"weights_sha256": "SHA", "test": {}}', "writes it (command: Field req"),
        (RESULTS_FILE, '{"history": [1]}', "is not as this version writes it"),
    ],
)
def test_invalid_files_of_figures_are_one_line_of_error(bare, capsys, file, content, message):
    sha = hashlib.sha256((bare / WEIGHTS_FILE).read_bytes()).hexdigest()
    (bare / file).write_text(content.replace("SHA", sha), encoding="utf-8")
    with pytest.raises(CheckpointError):
        write_card(bare, where="x")
    assert main([str(bare)]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (bare / CARD_FILE).exists()


def test_the_command_writes_cards(bare, capsys):
    assert main([str(bare), "--where", "someone/net"]) == 0
    assert capsys.readouterr().err == f"saved to {bare / CARD_FILE}\n"
    assert 'Reader.load("someone/net")' in (bare / CARD_FILE).read_text(encoding="utf-8")
    assert main(["nowhere"]) == 1
    assert capsys.readouterr().err.startswith("error: There is no folder nowhere: expected a")
    with pytest.raises(SystemExit):
        main(["a", "b", "--where", "c/d"])
    assert "--where is for one checkpoint" in capsys.readouterr().err
