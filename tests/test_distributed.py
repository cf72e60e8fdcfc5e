"""Training in several processes, started by torchrun as a user starts it."""

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from benchmarks.browser import children
from model.device import DeviceError
from tests import small_training
from tests.conftest import NOTHING_DRAWN, run, start_training
from training import distributed
from training.loop import compose_batch
from training.recipe import Recipe
from training.state import STATE_FILE

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
PLAIN = {"hidden_sizes": [16], "epochs": 1, "batch_size": 67}  # the last batch is one image
DISTILLED = {
    "hidden_sizes": [24], "epochs": 1, "batch_size": 50, "optimizer": "adamw", "lr": 2e-3,
    "weight_decay": 0.05, "warmup": 0.05, "cosine_decay": True, "distort": 0.7,
    "synthetic_digits": 0.3, "written_digits": 0.4, "outliers": 0.8, "ema_decay": 0.9,
    "teachers": ["a", "b"],
}  # fmt: skip
WITHOUT_OUTLIERS = DISTILLED | {"outliers": 0.0, "synthetic_digits": 0.25}


@pytest.mark.parametrize("changes", [PLAIN, DISTILLED], ids=["plain", "distilled"])
def test_two_processes_reach_the_weights_of_one(tmp_path, changes):
    one, two = tmp_path / "one.pt", tmp_path / "two.pt"
    done = run(*TORCHRUN, "-m", "tests.small_training", str(two), json.dumps(changes))
    assert done.returncode == 0, done.stderr
    small_training.main(str(one), json.dumps(changes))
    expected, found = torch.load(one), torch.load(two)
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    for name, weights in expected["weights"].items():
        torch.testing.assert_close(found["weights"][name], weights, rtol=0, atol=1e-4, msg=name)


@pytest.mark.parametrize("changes", [DISTILLED, WITHOUT_OUTLIERS])
@pytest.mark.parametrize("n", [2, 3])
def test_the_shards_of_a_batch_are_the_batch(changes, n):
    recipe = Recipe(**changes)
    digits = small_training.random_split(43, seed=3)
    drawn = small_training.random_split(13 + 17 + 34 if recipe.outliers else 11 + 17, seed=4)

    def compose(rows):
        generator = torch.Generator().manual_seed(1)
        return compose_batch(recipe, digits, drawn, generator=generator, rows=rows)

    images, labels = compose(slice(None))
    parts = [compose(slice(rank, None, n)) for rank in range(n)]
    sizes = [len(part) for _, part in parts]
    assert max(sizes) - min(sizes) <= 3  # digits, plain and distorted images are each divided
    found = torch.cat([part for part, _ in parts])
    nearest = torch.cdist(found.double(), images.double()).min(1)
    assert nearest.values.max() < 1e-4
    assert sorted(nearest.indices.tolist()) == list(range(len(images)))
    assert torch.equal(torch.cat([part for _, part in parts]), labels[nearest.indices])


@pytest.fixture
def training(mnist_dir, tmp_path):
    """Start a long training of two processes; yield torchrun after two epochs, and the folder."""
    out = tmp_path / "net"
    process, _ = start_training(
        *TORCHRUN, "-m", "training", "--hidden-sizes", "8", "--epochs", "1000",
        "--batch-size", "2048", "--out", str(out), *NOTHING_DRAWN, "--data-dir", mnist_dir,
        "--save-seconds", "0", shown=3,
    )  # fmt: skip
    yield process, out
    with suppress(ProcessLookupError):  # all have ended
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the children from /proc")
@pytest.mark.parametrize("event", ["Ctrl-C", "rank 0 is killed", "rank 1 is killed"])
def test_an_interruption_ends_all_processes_and_leaves_whole_files(training, event):
    process, out = training
    workers = sorted(children(process.pid))  # in the order of their start
    assert len(workers) == 2
    if event == "Ctrl-C":
        process.send_signal(signal.SIGINT)
    else:
        os.kill(workers[int(event.split()[1])], signal.SIGKILL)
    errors = process.communicate(timeout=20)[1]
    assert process.returncode != 0
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    if event == "Ctrl-C":
        assert "interrupted: --resume continues from the last saved epoch" in errors
        assert "[rank" not in errors  # a traceback of a process
    left = {path.name for path in out.iterdir() if not path.name.startswith(f".{STATE_FILE}.")}
    assert left == {STATE_FILE}
    assert torch.load(out / STATE_FILE, weights_only=True)["result"]["history"]


def test_every_process_has_a_device_of_its_own(monkeypatch):
    variables = {
        "TORCHELASTIC_RUN_ID": "x", "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "2",
    }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert distributed.pick_local_device("cpu") == torch.device("cpu")
    assert distributed.local_rows() == slice(3, None, 4)
    assert distributed.launcher() == ["torchrun", "--nnodes", "2", "--nproc-per-node", "2"]
    with pytest.raises(DeviceError, match="Several processes cannot share cuda:1"):
        distributed.pick_local_device("cuda:1")
    monkeypatch.setattr(distributed, "pick_device", torch.device)  # as with two GPUs
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    assert distributed.pick_local_device("cuda") == torch.device("cuda:1")


def test_variables_of_another_launcher_start_no_process_group(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("RANK", "3")
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
