"""Tests of the lesson's code and figures, on the page and in the notebook."""

import ast
import base64
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from lesson import live, notebook
from lesson.data import ShippedMNIST, load_subset
from lesson.figures import figures, fill_in
from lesson.fit import BATCH_SIZE, Student
from lesson.framing import ANEW, NAMES
from lesson.source import STEPS, steps
from model import Reader
from model.preprocess import preprocess
from tests.conftest import ROOT
from training.data import import_torchvision
from training.synthetic.canvas import canvas_picture
from ui.lesson.lesson import PEN, SIDE, ink_of, message

CLAIM = re.compile(r"  # (\(.*\)|torch\.Size\(.*\)|nn\.\w+\([^)]*\)).*$")


@pytest.fixture(scope="module")
def reader(torch_device):
    return Reader.load("mlp-32", device=str(torch_device))


@pytest.fixture(scope="module")
def logistic(torch_device):
    return Reader.load("logistic", device=str(torch_device))


def picture_of(image):
    """Return a request with a picture, as the page sends it."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"strokes": None, "picture": url}


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text)]


def output_of(outputs, code):
    """Return the output of the part of live code that contains `code`."""
    [key] = [
        f"{step.number}-{i}"
        for step in steps()
        for i, part in enumerate(step.parts)
        if part.kind == "live" and code in part.text
    ]
    return outputs[key]


@pytest.mark.parametrize("name", [*range(10), "mnist", "blank"])
def test_live_code_computes_the_numbers_of_the_reading(name, digits, mnist, reader, logistic):
    label = name if isinstance(name, int) else 3
    question: dict = {"mnist": picture_of(mnist[0][2]), "blank": {"strokes": []}}.get(
        name, {"strokes": digits[label]["strokes"]}
    )
    ink = reading, sheet = ink_of(question, reader)
    strokes = question.get("strokes")
    baseline = logistic.read_again(reading)
    known = live.names_for(reader, logistic, reading, sheet=sheet, label=label)
    before = known.copy()
    outputs = live.run(known)
    assert known == before
    response = message(reader, logistic, ink, label=label)["lesson"]
    assert response["outputs"] == outputs

    image = torch.from_numpy(reading.input)
    middle = image[12:17, 12:17].round(decimals=2)
    assert output_of(outputs, "drawing.shape") == f"{torch.Size([1, 28, 28])}\n{middle!r}"
    assert output_of(outputs, "logistic.layers") == f"tensor([{baseline.logits.argmax()}])"

    shapes, difference = output_of(outputs, "inputs = ").splitlines()
    assert shapes == "(torch.Size([128, 784]), torch.Size([128, 32]))"
    assert numbers(difference)[0] < 1e-4
    on = int((reading.layers[0].pre_activations > 0).sum())
    assert output_of(outputs, "activations = ") == f"tensor({on})"
    assert numbers(output_of(outputs, "layer1.bias + layer2.bias"))[0] < 1e-3

    logits = torch.from_numpy(reading.logits)
    probs = reading.probabilities  # None for a blank, but the text computes them
    probs = (logits / reader.temperature).softmax(0).numpy() if probs is None else probs
    shown = [probs.max(), probs.argmax(), 1]
    assert numbers(output_of(outputs, "F.softmax")) == pytest.approx(shown, abs=6e-5)  # four digits
    loss = float(-logits.log_softmax(0)[label])
    assert numbers(output_of(outputs, "F.cross_entropy")) == pytest.approx(
        [loss], abs=6e-5, rel=1e-4
    )
    train, _ = load_subset()
    rest = reader.cpu_model(train.images[1:BATCH_SIZE] / 255).argmax(1)
    right = int((rest == train.labels[1:BATCH_SIZE]).sum()) + int(logits.argmax() == label)
    assert numbers(output_of(outputs, "right = ")) == pytest.approx([right / BATCH_SIZE], abs=6e-5)

    done = preprocess(sheet)
    wanted = (done.inverted, done.box, round(done.scale, 3), done.shift)
    assert output_of(outputs, "preprocess(sheet)") == repr(wanted)
    assert done.inverted == bool(strokes)  # ink is dark on the sketchpad and light in MNIST
    if strokes:
        left, top, right, bottom = np.array(done.box) * SIDE / len(sheet)
        points = np.concatenate([np.array(stroke) for stroke in strokes])[:, :2]
        ends = [*points.min(axis=0) - PEN / 2, *points.max(axis=0) + PEN / 2]
        assert [left, top, right, bottom] == pytest.approx(ends, abs=SIDE / len(sheet))


def pixels_of(stage):
    return np.frombuffer(base64.b64decode(stage["pixels"]), np.uint8).reshape(28, 28)


@pytest.mark.parametrize("digit", range(10))
def test_strokes_have_a_last_stage_that_draws_them_again(digit, digits, reader, logistic):
    strokes = [[[x / 3, y / 3] for x, y, *_ in each] for each in digits[digit]["strokes"]]  # small
    ink = ink_of({"strokes": strokes}, reader)
    found = message(reader, logistic, ink, label=None)["lesson"]["stages"]
    assert [stage["name"] for stage in found] == [*NAMES, ANEW]
    images = [preprocess(ink.sheet).image, reader.read_strokes(strokes).input]
    for stage, image in zip(found[-2:], images, strict=True):
        assert (pixels_of(stage) == (255 * image).round()).all()
    assert (
        np.abs(images[0] - images[1]).max() > 0.2
    )  # the pen is thick compared with the small strokes
    assert found[-1]["digit"] == ink.reading.logits.argmax()


@pytest.mark.parametrize("kind", ["mnist", "uneven", "16 bits"])
def test_the_last_stage_of_a_picture_is_the_input_of_the_network(
    kind, digits, mnist, reader, logistic
):
    canvas = canvas_picture(digits[3]["strokes"], stroke_width=18)
    picture = {
        "mnist": lambda: mnist[0][2],
        "uneven": lambda: (canvas * np.linspace(0.5, 0.8, 280)).astype(np.uint8),
        "16 bits": lambda: 201 * canvas.astype(np.uint16),
    }[kind]()
    ink = ink_of(picture_of(picture), reader)
    assert (preprocess(ink.sheet).image == ink.reading.input).all()
    found = message(reader, logistic, ink, label=None)["lesson"]["stages"]
    assert [stage["name"] for stage in found] == [*NAMES]
    assert (pixels_of(found[-1]) == (255 * ink.reading.input).round()).all()
    assert found[-1]["digit"] == ink.reading.logits.argmax()


@pytest.fixture
def one_thread():
    """Restore the number of threads that the lesson's code changes, and close its plots."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
    plt.close("all")


def claims_of(code, known):
    """Run code; yield each value that a comment claims, and the actual value."""
    for node in ast.parse(code).body:
        value = None
        if isinstance(node, ast.Expr):
            value = eval(compile(ast.Expression(node.value), "<lesson>", "eval"), known)
        else:
            exec(compile(ast.Module([node], []), "<lesson>", "exec"), known)
        claim = CLAIM.search(code.splitlines()[node.end_lineno - 1])
        if claim and isinstance(node, ast.Assign):
            value = known[node.targets[0].id]
            value = tuple(value.shape) if isinstance(value, torch.Tensor) else value
        if claim:
            yield repr(eval(claim[1], known)), repr(value)


# Raised by torch when matplotlib converts a tensor to an array.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_values_in_comments_are_correct(mnist_dir, tmp_path, monkeypatch, one_thread):
    (tmp_path / "data").symlink_to(mnist_dir)
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("Agg")
    known, claims = {}, []
    for code in (notebook.IMPORTS, notebook.DRAWING):
        claims += claims_of(code, known)
    known["sheet"] = canvas_picture(known["strokes"], stroke_width=18)
    for step in steps():
        for part in step.parts:
            if part.kind in ("code", "live", "source"):
                claims += claims_of(part.text, known)
    assert len(claims) == 6
    for claimed, given in claims:
        assert claimed == given

    assert known["image"].shape == (1, 28, 28)
    assert torch.equal(known["view"][:, :, 0], known["image"][0])
    sizes = [len(known[name]) for name in ("train_set", "val_set", "train_loader", "val_loader")]
    assert sizes == [50_000, 10_000, 391, 40]
    assert not set(known["train_set"].indices) & set(known["val_set"].indices)

    student = Student(16)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.5)
    losses = list(known["fit_epoch"](student, load_subset()[0], optimizer))
    assert len(losses) == 63
    assert np.mean(losses[-10:]) < 0.6 < 1.5 < losses[0]


def test_every_figure_in_the_text_exists():
    for step in steps():
        shown = [step.idea, *(p.text for p in step.parts if p.kind in ("text", "try", "picture"))]
        for text in [*shown, *(part.text for part in step.maths)]:
            assert not re.search(r"\{[^}]*\.[^}]*\}", text), text
    with pytest.raises(LookupError, match="there is no accuracies"):
        fill_in("{logistic.test.accuracies.value}")


def test_figures_were_measured_with_the_settings_in_the_text():
    measured = figures()["lesson"]
    assert [measured["tutorial"][name]["lr"] for name in ("slow", "fast")] == [0.001, 0.5]
    assert measured["linear"]["hidden_size"] == 32


def test_measured_percentages_are_not_written_by_hand():
    found = []
    for path in sorted(STEPS.glob("*.md")):
        text = re.sub(r"\{[^}]*\}", "", path.read_text(encoding="utf-8"))
        found += [(path.name, share) for share in re.findall(r"\d[\d.,]*\s?%", text)]
    examples = [("1-data.md", "97 %"), ("2-logistic.md", "87 %"), ("5-output.md", "90 %")]
    assert found == [*examples, ("7-beyond.md", "99 %")]


def test_the_notebook_matches_its_source():
    assert notebook.NOTEBOOK.read_text(encoding="utf-8") == notebook.as_text(), (
        "The lesson has changed: python -m lesson.notebook"
    )
    keys = [cell["id"] for cell in notebook.notebook()["cells"]]
    assert len(set(keys)) == len(keys)


def test_cells_are_split_after_each_expression():
    assert notebook.split("a = 1\na\n\nb = (\n    2\n)\nb  # two\n") == [
        "a = 1\na",
        "b = (\n    2\n)\nb  # two",
    ]
    assert notebook.split("a\nb = 1") == ["a", "b = 1"]


PRINT_NUMBERS = """\
import json
names = ["drawing", "hidden", "activations", "logits", "probs"]
numbers = {name: globals()[name][0].flatten().tolist() for name in names}
print(json.dumps(numbers | {"losses": losses, "val_accuracy": val_accuracy, "on": str(root)}))"""


def execute(project, env):
    """Run the notebook with one more cell, PRINT_NUMBERS, in a new kernel; return its cells."""
    for name in ("lesson", "model", "training"):
        (project / name).symlink_to(ROOT / name)
    document = json.loads(notebook.NOTEBOOK.read_text(encoding="utf-8"))
    cell = {"cell_type": "code", "id": "numbers", "metadata": {}, "source": PRINT_NUMBERS}
    document["cells"].append(cell | {"execution_count": None, "outputs": []})
    path = project / "notebooks" / "lesson.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps(document), encoding="utf-8")
    command = [Path(sys.executable).with_name("jupyter-execute"), "--inplace", str(path)]
    env = os.environ | {"IPYTHONDIR": str(project / "ipython")} | env
    done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8", timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@pytest.fixture(scope="module")
def executed(mnist_dir, tmp_path_factory):
    """Run the notebook with all of MNIST; return the project's folder and the cells."""
    project = tmp_path_factory.mktemp("project")
    (project / "data").symlink_to(mnist_dir)
    return project, execute(project, {})


def test_offline_the_notebook_uses_the_shipped_images(tmp_path):
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    cells = execute(tmp_path, nowhere | {name.lower(): url for name, url in nowhere.items()})
    [outputs] = [cell["outputs"] for cell in cells if cell["id"] == "mnist"]
    text = "".join("".join(output["text"]) for output in outputs)
    assert f"MNIST is not in {Path('data', 'MNIST', 'raw')} and could not be downloaded" in text
    assert "now uses the 9,000 images that the project includes" in text
    answer = json.loads("".join(cells[-1]["outputs"][0]["text"]))
    assert len(answer["losses"]) == 5 * 59  # 7,500 images in batches of 128
    assert 0.85 < answer["val_accuracy"] < 0.985


def test_the_shipped_images_have_the_interface_of_torchvisions_mnist():
    train, val = load_subset()
    dataset = ShippedMNIST("data", train=True, download=True)
    assert len(dataset) == len(train.images) + len(val.images) == 9_000
    image, label = dataset[8_000]
    assert (np.array(image).reshape(-1) == val.images[0].numpy()).all()
    assert (label, type(label)) == (int(val.labels[0]), int)
    tensor, _ = ShippedMNIST(transform=import_torchvision().transforms.ToTensor())[0]
    assert tensor.shape == (1, 28, 28)


def test_the_notebook_computes_the_numbers_of_the_reading(executed, reader):
    project, cells = executed
    given = json.loads("".join(cells[-1]["outputs"][0]["text"]))
    assert given["on"] == str(project)
    reading = reader.read_strokes(notebook.STROKES)
    assert reading.digit == 7
    wanted = {
        "drawing": reading.input.ravel(),
        "hidden": reading.layers[0].pre_activations,
        "activations": reading.layers[0].activations,
        "logits": reading.logits,
        "probs": reading.probabilities,
    }
    for name, numbers_of in wanted.items():
        assert given[name] == pytest.approx(numbers_of.tolist(), abs=1e-4), name
    assert np.mean(given["losses"][:10]) > 1.0
    assert np.mean(given["losses"][-100:]) < 0.2
    assert 0.94 < given["val_accuracy"] < 0.985


def test_the_notebook_shows_values_and_plots_without_warnings(executed):
    _, cells = executed
    drawn = {f"{s.number}-{i}" for s in steps() for i, p in enumerate(s.parts) if "plt." in p.text}
    for cell in cells:
        kinds = [output["output_type"] for output in cell.get("outputs", [])]
        names = [output.get("name") for output in cell.get("outputs", [])]
        assert "stderr" not in names, cell
        pictures = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        assert len(pictures) == (cell["id"] in drawn), cell["id"]
        assert kinds.count("execute_result") <= 1
    assert len(drawn) > 15
