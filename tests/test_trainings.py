import asyncio
import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.browser import ROOT, children, resident
from lesson import worker
from lesson.data import Digits, load_mnist, load_subset
from lesson.fit import Settings, SettingsError, Student, fit_epoch, parse_settings
from lesson.trainings import BusyError, Trainings, load_network
from model.mnist import has_train
from training.data import load_train_val

ENDED = ("done", "stopped", "failed")
QUICK = Settings(hidden_size=8, epochs=1)
SLOW = {"min_seconds": 600, "max_seconds": 600, "max_idle_seconds": 600}


@pytest.fixture(autouse=True)
def busy_machine(monkeypatch):
    """Wait longer for processes of the lowest priority, while other tests keep the cores busy."""
    monkeypatch.setattr("lesson.trainings.START_SECONDS", 600)
    monkeypatch.setattr("lesson.trainings.HANDOVER_SECONDS", 600)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Compute with one thread, as a worker does."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@contextlib.asynccontextmanager
async def trainings(**options):
    each = Trainings(**options)
    try:
        yield each
    finally:
        await each.close()
    assert workers() == []


def workers(pid=None):
    return children(pid or os.getpid(), "lesson.worker")


async def until(condition):
    """Wait until a condition is true, and return its value."""
    async with asyncio.timeout(120):  # a busy machine runs all other processes first
        while not (value := condition()):
            await asyncio.sleep(0.02)
        return value


async def until_state(those, visitor, *states):
    """Ask for the status of a training, as the page does, until it has one of these states."""
    await until(lambda: those.status(visitor)["state"] in states)
    return those.status(visitor)


@pytest.fixture(scope="module")
def few_digits():
    return [Digits(*(tensor[:500] for tensor in digits)) for digits in load_subset()]


def train(settings, digits, **options):
    """Train in this process, and return copies of the reports."""
    reports = worker.train(settings, *digits, stop=threading.Event(), **options)
    return [json.loads(json.dumps(report, allow_nan=False)) for report in reports]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "The settings must be an object with any of hidden_size, lr"),
        ({"momentum": 0.9}, 'No setting is called "momentum"; known: hidden_size'),
        ({"hidden_size": 7}, "The hidden size is 7; choose a whole number, 8 to 256."),
        ({"hidden_size": 257}, "The hidden size is 257;"),
        ({"hidden_size": True}, "The hidden size is true;"),
        ({"hidden_size": 32.0}, "The hidden size is 32.0; choose a whole number"),
        ({"hidden_size": "<b>" * 50}, 'The hidden size is "<b>.{37}";'),
        ({"hidden_size": -(10**5000)}, "The hidden size is too small;"),
        ({"lr": 0}, "The learning rate is 0; choose a number above 0, 2 at most."),
        ({"lr": 2.001}, "The learning rate is 2.001;"),
        ({"lr": float("nan")}, "The learning rate is NaN;"),
        ({"lr": 10**5000}, "The learning rate is too large;"),
        ({"lr": True}, "The learning rate is true;"),
        ({"lr": "0.5"}, 'The learning rate is "0.5";'),
        ({"epochs": 31}, "The number of epochs is 31; choose a whole number, 1 to 30."),
        ({"epochs": 11, "data": "mnist"}, "is 11; choose a whole number, 1 to 10."),
        ({"relu": 1}, "relu is 1; choose true or false."),
        ({"data": ["mnist"]}, "data is a list; choose subset or mnist."),
        ({"seed": -1}, "The seed is -1; choose a whole number, 0 to 4294967295."),
    ],
)
def test_invalid_settings_are_refused(value, message):
    with pytest.raises(SettingsError, match=message) as caught:
        parse_settings(value)
    assert len(str(caught.value)) < 140


@pytest.mark.parametrize(
    "value",
    [
        {"hidden_size": 8, "lr": 1e-9, "epochs": 1, "relu": False, "seed": 0},
        {"hidden_size": 256, "lr": 2, "epochs": 10, "data": "mnist", "seed": 2**32 - 1},
    ],
)
def test_settings_at_their_limits_are_accepted(value):
    assert parse_settings(value) == Settings(**value)


def test_the_same_settings_give_the_same_network(few_digits):
    first, slow, other = (
        train(Settings(epochs=1, seed=seed), few_digits, min_seconds=seconds)[-1]["network"]
        for seed, seconds in ((1, 0), (1, 0.5), (2, 0))
    )
    assert first == slow != other


@pytest.mark.parametrize("relu", [True, False])
def test_the_network_that_reads_is_the_one_that_was_trained(few_digits, relu):
    train_digits, val = few_digits
    student = Student(16, relu=relu)
    losses = list(fit_epoch(student, train_digits, torch.optim.SGD(student.parameters(), lr=0.1)))
    assert len(losses) == -(-len(train_digits.images) // 128)
    settings = Settings(hidden_size=16, relu=relu)
    mlp = load_network(worker.network(student), settings)
    assert not mlp.training
    with torch.no_grad():
        trace, logits = mlp.trace(val.images / 255), student(val.images / 255)
    torch.testing.assert_close(trace.logits, logits, atol=1e-5 if relu else 1e-4, rtol=0)
    assert (trace.rejection_log_odds < -10).all()


@pytest.mark.parametrize(("epochs", "n_vals"), [(1, 5), (5, 21), (6, 7), (30, 31)])
def test_reports_have_the_curves_and_the_weights(few_digits, epochs, n_vals):
    settings = Settings(epochs=epochs, hidden_size=40)
    first, *_, last = train(settings, few_digits)
    assert (first["epoch"], first["loss"], len(first["val"])) == (0, [], 1)
    epochs_of_vals = [point[0] for point in last["val"]]
    assert epochs_of_vals == pytest.approx(np.linspace(0, epochs, n_vals))
    assert 0 < len(last["loss"]) <= worker.MAX_POINTS
    assert last["loss"][-1][0] == last["epoch"] == epochs
    assert last["loss"][-1][1] < last["loss"][0][1]
    weights = load_network(last["network"], settings).layers[0].weight
    assert len(last["weights"]) == worker.N_UNITS
    for exact, unit in zip(weights, last["weights"], strict=False):
        levels = np.frombuffer(base64.b64decode(unit["levels"]), np.int8)
        assert unit["scale"] == exact.abs().max().item()
        assert exact.numpy() == pytest.approx(levels / 127 * unit["scale"], abs=unit["scale"] / 250)


def test_a_loss_that_is_not_finite_ends_the_training():
    with pytest.raises(worker.DivergedError):
        train(Settings(lr=2.0, relu=False), load_subset())


@pytest.mark.parametrize("visitor", ["", "a" * 65, "a b", "ä", "../x", "a\n", None, ["a"]])
async def test_a_visitor_has_a_plain_name(visitor):
    those = Trainings()
    for call in (those.status, those.stop, those.network):
        with pytest.raises(SettingsError, match="1 to 64 letters"):
            call(visitor)
    with pytest.raises(SettingsError, match="1 to 64 letters"):
        await those.start(visitor, QUICK)


async def test_mnist_that_is_not_on_the_server_is_refused(tmp_path):
    for data_dir in (None, tmp_path):
        with pytest.raises(SettingsError, match="not on this server: choose the included images"):
            await Trainings(data_dir=data_dir).start("a", Settings(data="mnist", epochs=1))


async def test_a_stopped_training_keeps_its_network_until_there_is_a_better_one():
    async with trainings(**SLOW) as those:
        assert (await those.start("a", Settings()))["state"] == "starting"
        await until(lambda: those.status("a")["epoch"] > 0.1)
        assert those.network("a") is None
        [pid] = workers()
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19
        assert os.sched_getscheduler(pid) == os.SCHED_IDLE
        assert os.getpgid(pid) == pid  # Ctrl-C in a terminal does not reach it
        assert resident(pid) < resident(os.getpid()) + 100  # MB; this process has torch, too
        assert those.stop("a")["state"] == "stopping"
        end = await until_state(those, "a", *ENDED)
        assert end["message"] == f"Stopped after {end['epoch']:.1f} of 25 epochs."
        assert end["val"][-1][0] == end["epoch"]
        network = those.network("a")
        assert network.hidden_sizes == (Settings.hidden_size,)
        await those.start("a", Settings())
        assert those.stop("a")["message"] == "Stopped before it began."
        assert those.network("a") is network
        await until(lambda: not workers())


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"max_seconds": 1}, "the limit is 1 s"),
        ({"max_idle_seconds": 1}, "its page was closed or hidden for 1 s"),
    ],
)
async def test_a_training_ends_at_its_limit_and_when_nobody_asks_for_it(limit, reason):
    settings = Settings(hidden_size=8, epochs=30)  # with a step each 0.3 s
    async with trainings(**SLOW | limit) as those:
        await those.start("a", settings)
        await until_state(those, "a", "training")
        await until(lambda: not workers())
        end = await until_state(those, "a", *ENDED)
        message = f"Stopped after {end['epoch']:.1f} of 30 epochs: {reason}."
        assert (end["state"], end["message"]) == ("stopped", message)
        assert those.network("a").hidden_sizes == (8,)


async def test_queued_run_of_a_closed_page_is_removed():
    async with trainings(max_running=1, **SLOW | {"max_idle_seconds": 0.5}) as those:
        for visitor in ("trains", "left", "waits"):
            await those.start(visitor, Settings())
        assert those.status("waits")["n_before"] == 1
        await until(lambda: those.status("trains") and those.status("waits")["n_before"] == 0)
        message = "Stopped before it began: its page was closed or hidden for 0.5 s."
        assert those.status("left")["message"] == message


async def test_trainings_wait_in_the_order_of_their_arrival_and_a_flood_is_refused():
    async with trainings(**SLOW) as those:
        starts = [await those.start(f"v{i}", Settings()) for i in range(10)]
        assert [start["state"] for start in starts] == 2 * ["starting"] + 8 * ["waiting"]
        assert [start["n_before"] for start in starts] == [0, 0, *range(8)]
        for visitor in ("another", "v0"):
            with pytest.raises(
                BusyError, match=r"8 training runs are queued\. Try again in a minute\."
            ):
                await those.start(visitor, Settings())
        assert those.status("v0")["state"] == "starting"  # it keeps the training that it has
        assert (await those.start("v2", Settings()))["n_before"] == 7  # to the end of the queue
        assert those.status("v3")["n_before"] == 0
        those.stop("v4")
        those.stop("v0")
        await until_state(those, "v3", "starting")
        assert [those.status(f"v{i}")["n_before"] for i in (5, 6, 2)] == [0, 1, 5]
        await until(lambda: len(workers()) == 2)
    assert those.status("v9")["state"] == "stopped"


async def test_a_worker_that_dies_is_reported_and_frees_its_slot():
    async with trainings(max_running=1, **SLOW) as those:
        await those.start("a", Settings())
        await those.start("b", Settings())
        [pid] = await until(workers)
        os.kill(pid, signal.SIGKILL)
        end = await until_state(those, "a", *ENDED)
        message = "The training run ended unexpectedly. Start it again."
        assert (end["state"], end["message"]) == ("failed", message)
        await until_state(those, "b", "starting")


async def test_damaged_files_are_reported_without_their_path(tmp_path, capfd):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, size in (("images-idx3", 16 + 60_000 * 784), ("labels-idx1", 8 + 60_000)):
        with (raw / f"train-{name}-ubyte").open("wb") as file:
            file.truncate(size)
    async with trainings(data_dir=tmp_path) as those:
        await those.start("a", Settings(data="mnist", epochs=1))
        end = await until_state(those, "a", *ENDED)
    message = "MNIST's files on the server are damaged: choose the included images."
    assert (end["state"], end["message"]) == ("failed", message)
    assert str(raw / "train-images-idx3-ubyte") in capfd.readouterr().err


async def test_results_with_a_network_are_kept_longest():
    async with trainings(max_kept=1, min_seconds=0) as those:
        await those.start("a", QUICK)
        await until_state(those, "a", "done")
        for visitor in "bcd":
            await those.start(visitor, QUICK)
            those.stop(visitor)
        assert those.network("a") is not None
        assert [those.status(visitor)["state"] for visitor in "bc"] == ["none", "none"]
        await those.start("e", QUICK)
        await until_state(those, "e", "done")
        await those.start("f", QUICK)
        assert those.status("a") == {"state": "none", "has_network": False}
        assert those.network("e") is not None


KILLED = """
import asyncio
from lesson.fit import Settings
from lesson.trainings import Trainings

async def main():
    trainings = Trainings(min_seconds=600, max_seconds=600)
    await trainings.start("a", Settings())
    while trainings.status("a")["state"] != "training":
        await asyncio.sleep(0.05)
    print("training", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_killed_server_leaves_no_worker():
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8"
    ) as server:
        assert server.stdout.readline() == "training\n"
        [pid] = workers(server.pid)
        server.kill()
    await until(lambda: not Path(f"/proc/{pid}/cmdline").exists())


def test_all_of_mnist_is_split_as_for_training(mnist_dir, tmp_path):
    assert has_train(mnist_dir)
    for mine, theirs in zip(load_mnist(mnist_dir), load_train_val(mnist_dir, seed=42), strict=True):
        assert torch.equal(mine.images, theirs.images)
        assert torch.equal(mine.labels, theirs.labels)
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    assert not has_train(tmp_path)
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (raw / name).write_bytes(b"no digits")
    assert not has_train(tmp_path)
