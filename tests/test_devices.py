"""Tests of devices: no operation mixes devices, and copies to the host are explicit.

CI has no GPU. The `meta` device finds most of the same errors: layers, sums, `cat` and
cross-entropy refuse to mix it with CPU tensors, and `numpy()`, `item()` and `tolist()` raise.
"""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import model.reader
from model import Reader, checkpoint, explain
from model.device import DeviceError, available_devices, pick_device
from model.mlp import MLP
from tests.conftest import run
from training import augment
from training.augment import distort
from training.data import Split, SyntheticData
from training.loop import (
    TrainedLogits,
    _epoch,
    _optimizer,
    compose_batch,
    train,
    training_step,
    update_ema,
)
from training.recipe import PRESETS, Recipe
from ui.api import _stroke_explanation
from ui.lesson import lesson
from ui.message import message

META = torch.device("meta")
SEVEN = [[[0, 0], [100, 0], [40, 150]], [[20, 80], [90, 80]]]


@pytest.fixture
def meta_readers(monkeypatch):
    """Return the shipped readers on `meta`. Copies to the host are replaced by zeros."""
    monkeypatch.setattr(model.reader, "to_host", lambda each: np.zeros(each.shape, np.float32))
    names = checkpoint.shipped_names()
    return {name: Reader(checkpoint.load(name), device=META) for name in names}


@pytest.mark.parametrize("name", checkpoint.shipped_names())
def test_the_drawing_page_reads_and_explains_on_the_networks_device(meta_readers, name):
    reader = meta_readers[name]
    reading = reader.read_strokes(SEVEN)
    assert reading.input.max() == 1
    response = message(reader, reading, strokes=SEVEN, chosen=None, against=None)
    assert len(response["logits"]) == 11
    assert len(_stroke_explanation(reader, reading, SEVEN)["contributions"]) == 10
    if reading.layers:
        assert explain.unit(reader.cpu_model, reading, layer=0, index=3).activation == 0
    assert len(list(reader.read_many(np.zeros((3, 28, 28), np.uint8)))) == 1


def test_the_lesson_computes_on_the_networks_device(meta_readers):
    reader, baseline = meta_readers["mlp-32"], meta_readers["logistic"]
    ink = lesson.ink_of({"strokes": SEVEN}, reader)
    response = lesson.message(reader, baseline, ink, label=7)
    assert [stage["name"] for stage in response["lesson"]["stages"]][-1] == "drawn anew"
    assert lesson.fixed(reader, baseline)["network"]["name"] == "mlp-32"


def split_on(device, n=20, *, label=10):
    images = torch.zeros(n, 784, dtype=torch.uint8, device=device)
    return Split(images, torch.zeros(n, dtype=torch.int64, device=device) + label)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_training_step_computes_on_one_device(preset):
    recipe = PRESETS[preset]
    network, ema = (MLP(recipe.hidden_sizes).to(META) for _ in range(2))
    teacher = MLP((1_024, 1_024)).to(META) if recipe.teachers else None
    batch = compose_batch(recipe, split_on(META, label=3), split_on(META), generator=None)
    optimizer = _optimizer(network, recipe)
    student, teacher = (each and TrainedLogits(each, outliers=True) for each in (network, teacher))
    loss = training_step(student, optimizer, *batch, teacher=teacher)
    assert (loss.device, loss.shape) == (META, ())
    update_ema(ema, network, decay=recipe.ema_decay)
    assert {each.device for each in ema.parameters()} == {META}


def test_a_training_step_with_mixed_devices_is_an_error():
    network = MLP((8,)).to(META)
    optimizer = _optimizer(network, Recipe())
    images, labels = compose_batch(Recipe(), split_on("cpu", label=3), None, generator=None)
    with pytest.raises(RuntimeError, match="device"):
        training_step(TrainedLogits(network, outliers=False), optimizer, images, labels)


def test_readings_are_the_same_on_every_device(torch_device, mnist):
    reference = Reader.load("mlp-1024", device="cpu")
    reader = Reader.load("mlp-1024", device=str(torch_device))
    assert {each.device.type for each in reader.model.parameters()} == {torch_device.type}
    for expected, reading in zip(
        reference.read_batch(mnist[0][:50]), reader.read_batch(mnist[0][:50]), strict=True
    ):
        assert isinstance(reading.logits, np.ndarray)
        np.testing.assert_allclose(reading.logits, expected.logits, atol=1e-3)
        assert (reading.verdict, reading.digit) == (expected.verdict, expected.digit)


def test_readings_are_computed_on_the_cpu_by_default():
    reader = Reader.load("mlp-32")
    assert reader.device == torch.device("cpu")
    assert reader.cpu_model is reader.model  # no second copy of the weights


@pytest.mark.parametrize(
    "arguments",
    [
        ("app.py", "--port", "0"),
        ("-m", "training", "--data-dir", "nowhere"),
        ("-m", "training.evaluate", "--data-dir", "nowhere"),
    ],
    ids=["app", "training", "evaluate"],
)
def test_a_missing_device_is_reported_in_one_line(arguments):
    done = run(*arguments, "--device", "cuda:99")
    assert done.returncode == 1
    expected = "error: There is no device 'cuda:99' here: use auto, cpu"
    assert [line for line in done.stderr.splitlines() if line.startswith(expected)]
    assert "Traceback" not in done.stderr


def test_pick_device_accepts_available_devices_only():
    assert [str(pick_device(name)) for name in available_devices()] == available_devices()
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    absent = [] if torch.cuda.is_available() else ["cuda"]
    for name in ("cuda:99", "gpu", "meta", "", *absent):
        with pytest.raises(DeviceError, match="use auto, cpu"):
            pick_device(name)


def test_a_failed_training_restores_the_matmul_precision():
    before = torch.get_float32_matmul_precision()
    wrong = split_on("cpu", label=99)  # not a class
    with pytest.raises(IndexError):
        train(Recipe(epochs=1), wrong, wrong, progress=False)
    assert torch.get_float32_matmul_precision() == before


def test_the_last_batch_has_its_share_of_synthetic_images():
    recipe = Recipe(batch_size=256, synthetic_digits=0.3, written_digits=0.1, outliers=0.7)
    pool = split_on("cpu", 400)
    synthetic = SyntheticData(*[pool] * 6)
    batches = list(_epoch(recipe, split_on("cpu", 336), synthetic, generator=torch.Generator()))
    assert [(len(digits.images), len(drawn.images)) for digits, drawn in batches] == [
        (256, 77 + 26 + 179),
        (80, 24 + 8 + 56),
    ]


class Operators(TorchDispatchMode):
    """Records the names of the operators that torch runs."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, operator, types, arguments=(), keywords=None):
        self.names.append(operator.name())
        return operator(*arguments, **(keywords or {}))


def test_constants_of_distortion_are_created_once_per_device(torch_device):
    images = torch.zeros(2, 784, device=torch_device)
    distort(images)
    with Operators() as operators:
        distort(images)
    assert any("grid_sampler" in name for name in operators.names)
    assert not [name for name in operators.names if "arange" in name or "bicubic" in name]
    assert augment._pixel_centres(images.device).device == images.device
