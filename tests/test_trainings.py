import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from benchmarks.browser import ROOT, children, resident
from lesson import progress
from lesson.data import Digits, load_mnist, load_subset
from lesson.fit import Settings, SettingsError, Student, evaluate, fit_epoch, parse_settings
from lesson.trainings import (
    BusyError,
    HandoverError,
    Training,
    Trainings,
    load_network,
    parse_line,
)
from model.mnist import has_train
from training.data import load_train_val

LONG = {"least_seconds": 60, "max_seconds": 90}  # would not be over within a test


GONE = 15  # s in which what has ended is gone: a fraction of one, unless the machine is busy


class Here:
    """The processes that this test has started."""

    def __init__(self):
        self.before = set(children(os.getpid()))

    def __len__(self):
        return len(self.pids())

    def pids(self):
        return set(children(os.getpid())) - self.before


@pytest.fixture
def here():
    return Here()


@contextlib.contextmanager
def trainings(**options):
    those = Trainings(**options)
    try:
        yield those
    finally:
        those.close()


def until(condition, *, seconds, every=0.05):
    """Wait until something is so, and return how long that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds
        time.sleep(every)
    return time.monotonic() - started


def follow(those, visitor, *, state=("done", "stopped", "failed"), seconds=60):
    """Look until a training has come to a state, as the page does, and return the last look."""
    seen = []

    def there():
        seen[:] = [those.look(visitor)]
        return seen[0]["state"] in state

    until(there, seconds=seconds)
    return seen[0]


@pytest.fixture(scope="module")
def subset() -> tuple[Digits, Digits]:
    return load_subset()


def test_two_train_at_once_and_reach_94_percent_by_default(subset, here):
    started = time.monotonic()
    with trainings(least_seconds=0, patience=60) as those:
        settings = [Settings(), Settings(seed=1)]
        for visitor, chosen in zip("ab", settings, strict=True):
            assert those.start(visitor, chosen)["state"] == "starting"
        assert those.network("a") is None
        ends = [follow(those, visitor) for visitor in "ab"]
        assert time.monotonic() - started < 40  # 20 for one; and whoever else is busy goes first
        assert max(end["cpu_seconds"] for end in ends) < 10
        networks = [those.network(visitor) for visitor in "ab"]
        until(lambda: len(here) == 0, seconds=GONE)
    for end, network in zip(ends, networks, strict=True):
        assert (end["state"], end["message"], end["epoch"]) == ("done", "", Settings.epochs)
        _, accuracy = evaluate(network, subset[1])
        assert end["val_accuracy"] == pytest.approx(accuracy)
        assert 0.94 <= accuracy < 0.97
        assert [point[0] for point in end["val"]] == list(range(Settings.epochs + 1))
        assert end["val"][0][2] < 0.3
        assert 200 < len(end["loss"]) <= 300
        assert end["loss"][-1][1] < 0.25 < 1 < end["loss"][0][1]
        weights = np.frombuffer(base64.b64decode(end["weights"]), np.int8).reshape(32, 784)
        shown = weights / 127 * np.array(end["scales"])[:, None]
        exact = network.layers[0].weight[:32].numpy()
        assert (abs(shown - exact) <= abs(exact).max(1, keepdims=True) / 127).all()
        json.dumps(end, allow_nan=False)
    assert those.look("a", 250, 20)["loss"] == ends[0]["loss"][250:]
    assert those.look("a", 250, 20)["val"] == ends[0]["val"][20:]
    assert those.look("c") == {"state": "none"}


def run_here(settings, subset, **options):
    """Train in this process on a few images, and return everything that is told."""
    few = [Digits(*(tensor[:500] for tensor in digits)) for digits in subset]
    return list(progress.train(settings, *few, stop=threading.Event(), **options))


def test_the_same_settings_give_the_same_network(subset):
    first, slow, other = (
        run_here(Settings(epochs=1, seed=seed), subset, least_seconds=seconds)[-1]["model"]
        for seed, seconds in ((1, 0), (1, 0.5), (2, 0))
    )
    assert first == slow != other


@pytest.mark.parametrize(("epochs", "n_vals"), [(1, 5), (5, 21), (6, 7)])
def test_few_epochs_are_validated_at_each_quarter(subset, epochs, n_vals):
    told = run_here(Settings(epochs=epochs), subset)
    vals = [point for line in told if line["kind"] == "progress" for point in line["val"]]
    assert len(vals) == n_vals
    assert vals[1][0] == pytest.approx(0.25 if epochs <= 5 else 1)
    assert vals[-1][0] == epochs


@pytest.mark.parametrize("relu", [True, False])
def test_the_network_that_reads_is_the_one_that_learned(subset, relu):
    train, val = subset
    student = Student(16, relu=relu)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    losses = list(fit_epoch(student, train, optimizer))
    assert len(losses) == -(-len(train.images) // 128)
    assert np.mean(losses[-10:]) < 1.2 < 2 < losses[0]
    mlp, images = student.to_mlp(), val.images / 255
    assert mlp.hidden_sizes == ((16,) if relu else ())
    assert not mlp.training
    with torch.no_grad():
        trace, logits = mlp.trace(images), student(images)
    torch.testing.assert_close(trace.logits, logits, atol=1e-5 if relu else 1e-4, rtol=0)
    assert (trace.rejection_log_odds < -10).all()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "The settings are nothing; give an object: hidden_size, lr"),
        ([], "The settings are a list; give"),
        ({"momentum": 0.9}, 'No setting is called "momentum"; known: hidden_size'),
        ({1: 2}, "No setting is called 1;"),
        ({"hidden_size": 7}, "The hidden size is 7; choose a whole number, 8 to 256."),
        ({"hidden_size": 257}, "The hidden size is 257;"),
        ({"hidden_size": True}, "The hidden size is true;"),
        ({"hidden_size": 32.0}, "The hidden size is 32.0; choose a whole number"),
        ({"hidden_size": "<b>" * 50}, 'The hidden size is "<b>.{37}";'),
        ({"hidden_size": -(10**5000)}, "The hidden size is too small;"),
        ({"lr": 0}, "The learning rate is 0; choose a number above 0, 2 at most."),
        ({"lr": 2.001}, "The learning rate is 2.001;"),
        ({"lr": float("nan")}, "The learning rate is NaN;"),
        ({"lr": float("inf")}, "The learning rate is Infinity;"),
        ({"lr": 10**5000}, "The learning rate is too large;"),
        ({"lr": True}, "The learning rate is true;"),
        ({"lr": "0.5"}, 'The learning rate is "0.5";'),
        ({"epochs": 0}, "The number of epochs is 0; choose a whole number, 1 to 30."),
        ({"epochs": True}, "The number of epochs is true;"),
        ({"epochs": 31}, "The number of epochs is 31;"),
        ({"epochs": 11, "data": "mnist"}, "is 11; choose a whole number, 1 to 10."),
        ({"relu": 1}, "relu is 1; choose true or false."),
        ({"data": "cifar"}, 'data is "cifar"; choose subset or mnist.'),
        ({"data": ["mnist"]}, "data is a list;"),
        ({"seed": -1}, "The seed is -1; choose a whole number, 0 to 4294967295."),
    ],
)
def test_settings_that_nobody_can_train_with_are_refused(value, message):
    with pytest.raises(SettingsError, match=message) as caught:
        parse_settings(value)
    assert len(str(caught.value)) < 140


def test_settings_at_their_bounds_are_taken():
    assert parse_settings({}) == Settings()
    for value in (
        {"hidden_size": 8, "lr": 1e-9, "epochs": 1, "relu": False, "seed": 0},
        {"hidden_size": 256, "lr": 2, "epochs": 10, "data": "mnist", "seed": 2**32 - 1},
    ):
        parsed = parse_settings(value)
        assert {name: getattr(parsed, name) for name in value} == value


@pytest.mark.parametrize("visitor", ["", "a" * 65, "a b", "ä", "../x", "a\n", None, 3, ["a"]])
def test_a_visitor_has_a_plain_name(visitor):
    those = Trainings()
    for call in (lambda v: those.start(v, Settings()), those.look, those.stop, those.network):
        with pytest.raises(SettingsError, match="1 to 64 letters"):
            call(visitor)


def test_what_is_not_there_is_said(tmp_path):
    for data_dir in (None, tmp_path):
        with pytest.raises(SettingsError, match="on the server: choose the images that ship"):
            Trainings(data_dir=data_dir).start("a", Settings(data="mnist", epochs=1))
    for since in (True, 1.5, "1", None):
        with pytest.raises(SettingsError, match="give a whole number"):
            Trainings().look("a", since)


def test_stopped_it_keeps_what_it_has_learned_until_there_is_better(subset, here):
    with trainings(**LONG) as those:
        those.start("a", Settings())
        began = follow(those, "a", state=("training",))
        assert began["weights"] or began["step"] == 0
        until(lambda: those.look("a")["epoch"] > 0.2, seconds=60)
        [pid] = here.pids()
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19
        assert os.sched_getscheduler(pid) == os.SCHED_IDLE
        assert os.getpgid(pid) == pid  # Ctrl-C in a terminal is not for it
        now = those.look("a")
        assert those.look("a", since_step=now["step"])["weights"] is None
        those.stop("a")
        assert until(lambda: those.look("a")["state"] == "stopped", seconds=GONE) < 5
        end, network = those.look("a"), those.network("a")
        assert end["message"] == f"Stopped after {end['epoch']:.1f} of {end['epochs']} epochs."
        assert 0.2 < end["epoch"] < 20
        assert evaluate(network, subset[1])[1] == pytest.approx(end["val_accuracy"])
        those.start("a", Settings())
        assert those.stop("a")["message"] == "Stopped before it began."
        assert those.network("a") is network
        until(lambda: len(here) == 0, seconds=GONE)


def test_it_ends_with_its_time_and_with_a_closed_tab(here):
    with trainings(patience=2, least_seconds=60, max_seconds=2) as those:
        those.start("closed", Settings(hidden_size=8))
        those.start("open", Settings(hidden_size=8))
        end = follow(those, "open")
        assert end["message"].startswith("Ended (the limit is 2 s) after ")
        until(lambda: len(here) == 0, seconds=GONE)
        end = those.look("closed")
        assert end["message"].startswith("Ended (2 s without a look) ")
        assert those.network("open").hidden_sizes == (8,)


def test_a_flood_is_refused_and_leaves_nothing_behind(here):
    threads, before = threading.active_count(), resident(os.getpid())
    with trainings(**LONG) as those:
        states, refused = [], []
        for i in range(20):
            try:
                states.append(those.start(f"v{i}", Settings()))
            except BusyError as error:
                refused.append(str(error))
        assert [state["place"] for state in states] == [0, 0, *range(1, 9)]
        assert states[-1]["message"] == "Waiting for a free place: 7 before you."
        message = "8 trainings wait already. Try again in a minute."
        assert refused == 10 * [message]
        with pytest.raises(BusyError):  # and keeps the training that it has
            those.start("v0", Settings())
        assert those.start("v2", Settings())["place"] == 8
        for _ in range(60):
            assert len(here) <= 2
            time.sleep(0.05)
        assert max(map(resident, here.pids())) < 400
        assert resident(os.getpid()) - before < 50
        those.stop("v0")
        assert those.look("v3")["place"] == 1
        until(lambda: those.look("v3")["place"] == 0, seconds=GONE)
        until(lambda: len(here) == 2, seconds=GONE)
        started = time.monotonic()
        those.close()
        assert time.monotonic() - started < 3
        assert len(here) == 0
        assert those.look("v9")["state"] == "stopped"
        with pytest.raises(BusyError, match="server is stopping"):
            those.start("late", Settings())
    until(lambda: threading.active_count() <= threads, seconds=GONE)


def test_a_worker_that_dies_is_said_and_makes_room(here):
    with trainings(most_running=1, **LONG) as those:
        those.start("a", Settings())
        those.start("b", Settings())
        until(lambda: len(here) == 1, seconds=GONE)
        [pid] = here.pids()
        os.kill(pid, signal.SIGKILL)
        end = follow(those, "a", seconds=GONE)
        assert end["state"] == "failed"
        assert end["message"] == "The training ended unexpectedly. Start it again."
        until(lambda: len(here.pids() - {pid}) == 1, seconds=GONE)
        assert those.look("b")["state"] == "starting"


def test_too_large_a_learning_rate_is_said():
    with trainings(least_seconds=0) as those:
        those.start("a", Settings(lr=2.0, relu=False))
        end = follow(those, "a")
        assert (end["state"], end["message"][:34]) == (
            "failed",
            "The loss is not a number any more:",
        )
        assert those.network("a") is None


KILLED = """
import time
from lesson.fit import Settings
from lesson.trainings import Trainings
those = Trainings(least_seconds=60)
those.start("a", Settings())
while those.look("a")["state"] != "training":
    time.sleep(0.05)
print("training", flush=True)
time.sleep(60)
"""


def test_a_killed_server_leaves_no_worker():
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8"
    ) as server:
        assert server.stdout.readline() == "training\n"
        [worker] = children(server.pid)
        server.kill()
    until(lambda: not Path(f"/proc/{worker}/cmdline").exists(), seconds=GONE)


def test_only_the_network_that_was_asked_for_is_taken():
    mlp = Student(16).to_mlp()

    def told(state):
        return {"model": base64.b64encode(safetensors.torch.save(state)).decode()}

    state = mlp.state_dict()
    taken = load_network(told(state), Settings(hidden_size=16))
    assert all(torch.equal(taken.state_dict()[name], state[name]) for name in state)
    assert not any(parameter.requires_grad for parameter in taken.parameters())
    for settings in (Settings(hidden_size=32), Settings(hidden_size=16, relu=False)):
        with pytest.raises(HandoverError, match="shapes"):
            load_network(told(state), settings)
    state["layers.0.bias"][0] = float("nan")
    with pytest.raises(HandoverError, match="not finite"):
        load_network(told(state), Settings(hidden_size=16))


PROGRESS = {"kind": "progress", "epoch": 1, "step": 2, "n_steps": 9, "seconds": 0.5} | {
    "loss": [[0.5, 1.2]], "val": [[0.5, 1.2, 0.4]], "scales": [0.1] * 8, "weights": "A" * 8364
}  # fmt: skip


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (b"Segmentation fault", "a line is not JSON"),
        (b"[" * 100_000, "a line is not JSON"),
        (b"\xff", "a line is not JSON"),
        ([], "expected a line of kind started, progress, done, failed, found \\[\\]"),
        (None, "found None"),
        ({"kind": ["done"]}, "expected a line of kind"),
        ({"kind": "progress", "epoch": 1}, "a line of kind progress lacks loss, n_steps"),
        (PROGRESS | {"loss": 3}, "expected a list of points, got 3"),
        (PROGRESS | {"loss": [[0.5]]}, "expected 2 numbers"),
        (PROGRESS | {"scales": ["a"] * 8}, "expected 8 numbers"),
        (PROGRESS | {"epoch": True}, "expected 4 numbers"),
        (PROGRESS | {"weights": None}, "expected text"),
        (PROGRESS | {"weights": "A"}, "weights are 1 characters"),
        ({"kind": "failed", "message": {}}, "expected text"),
    ],
)
def test_a_line_that_no_worker_writes_is_refused(told, message):
    """And nothing else is: a TypeError or a KeyError would be a bug of this program."""
    line = told if isinstance(told, bytes) else json.dumps(told).encode()
    with pytest.raises(HandoverError, match=message):
        Training("a", Settings(hidden_size=8), looked=0).take(parse_line(line))


@pytest.mark.parametrize("model", [3, "no base64!", "bm8gc2FmZXRlbnNvcnM="])
def test_a_network_that_cannot_be_read_is_refused(model):
    with pytest.raises(HandoverError):
        load_network({"model": model}, Settings())


def test_damaged_files_are_said_without_their_path(tmp_path, caplog):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, size in (("images-idx3", 16 + 60_000 * 784), ("labels-idx1", 8 + 60_000)):
        with (raw / f"train-{name}-ubyte").open("wb") as file:
            file.truncate(size)
    with trainings(data_dir=tmp_path) as those:
        those.start("a", Settings(data="mnist", epochs=1))
        end = follow(those, "a")
    assert end["state"] == "failed"
    assert end["message"] == "MNIST's files on the server are damaged: choose the images that ship."
    assert str(raw / "train-images-idx3-ubyte") in caplog.text


def test_networks_are_forgotten_by_age_and_number():
    those = Trainings(kept=2, kept_seconds=10)
    for used, forgotten in (
        ({"a": (True, 95), "b": (True, 96), "c": (True, 85)}, ["c"]),
        ({"a": (True, 95), "b": (True, 96), "c": (True, 97)}, ["a"]),
        ({"a": (True, 95), "b": (True, 96), "c": (False, 97)}, ["c"]),
        ({"a": (True, 89), "b": (True, 96)}, ["a"]),
        ({"a": (True, 90), "b": (True, 96)}, []),
    ):
        assert those._unused(used, 100) == forgotten


def test_a_training_that_never_began_pushes_out_none_that_has_a_result():
    quick = Settings(hidden_size=8, epochs=1)
    with trainings(kept=1, patience=2, least_seconds=0) as those:
        those.start("a", quick)
        assert follow(those, "a")["state"] == "done"
        for visitor in "bcd":
            those.start(visitor, quick)
            those.stop(visitor)
        until(lambda: list(those._newest) == ["a"], seconds=GONE)
        assert those.network("a") is not None
        those.start("e", quick)
        assert follow(those, "e")["state"] == "done"
        until(
            lambda: list(those._networks) == ["e"], seconds=GONE
        )  # to ask for it would be to use it
        assert those.look("a") == {"state": "none"}
        assert those.network("e") is not None


def test_all_of_mnist_is_split_as_training_splits_it(mnist_dir, tmp_path):
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
