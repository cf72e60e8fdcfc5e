import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.checkpoint import (
    CONFIG_FILE,
    EVALUATION_FILE,
    RESULTS_FILE,
    WEIGHTS_FILE,
    CheckpointError,
    load,
    save,
    shipped_names,
    write_json,
    write_whole,
)
from model.mlp import MLP
from tests.conftest import run


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save(tmp_path / "tiny", MLP((4, 3)), name="tiny", temperature=1.25, threshold=0.5)
    return tmp_path / "tiny"


def test_round_trip_is_exact(folder):
    torch.manual_seed(0)
    model, loaded = MLP((4, 3)), load(folder)
    assert loaded.config.name == "tiny"
    assert loaded.config.hidden_sizes == (4, 3)
    assert (loaded.config.temperature, loaded.config.threshold) == (1.25, 0.5)
    assert loaded.results == loaded.evaluation == {}
    for key, tensor in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[key], tensor)
    assert sorted(p.name for p in folder.iterdir()) == [CONFIG_FILE, WEIGHTS_FILE]


def change_weights(folder, change):
    state = load_file(folder / WEIGHTS_FILE)
    change(state)
    save_file(state, folder / WEIGHTS_FILE)


def change_config(folder, **changes):
    config = json.loads((folder / CONFIG_FILE).read_text()) | changes
    (folder / CONFIG_FILE).write_text(json.dumps({k: v for k, v in config.items() if v != "-"}))


def set_first(state, value):
    state["layers.0.bias"][0] = value


DAMAGE = {
    "missing key": (
        lambda f: change_weights(f, lambda s: s.pop("layers.1.bias")),
        r"model\.safetensors: layers\.1\.bias: missing, expected shape \(3,\)",
    ),
    "unknown key": (
        lambda f: change_weights(f, lambda s: s.update({"linear1.weight": torch.zeros(2)})),
        r"model\.safetensors: linear1\.weight: unknown key, found shape \(2,\)",
    ),
    "wrong shape": (
        lambda f: change_weights(f, lambda s: s.update({"layers.0.bias": torch.zeros(5)})),
        r"layers\.0\.bias: expected shape \(4,\) of F32, found \(5,\) of F32",
    ),
    "wrong type": (
        lambda f: change_weights(f, lambda s: s.update({"layers.0.bias": torch.zeros(4).half()})),
        r"layers\.0\.bias: expected shape \(4,\) of F32, found \(4,\) of F16",
    ),
    "NaN": (
        lambda f: change_weights(f, lambda s: set_first(s, float("nan"))),
        r"layers\.0\.bias: expected finite numbers, found 1 of 4 NaN",
    ),
    "infinite": (
        lambda f: change_weights(f, lambda s: set_first(s, float("-inf"))),
        r"layers\.0\.bias: expected finite numbers, found 1 of 4",
    ),
    "truncated": (
        lambda f: (f / WEIGHTS_FILE).write_bytes((f / WEIGHTS_FILE).read_bytes()[:-7]),
        r"model\.safetensors is not a whole safetensors file: expected 8 tensors, found",
    ),
    "empty": (
        lambda f: (f / WEIGHTS_FILE).write_bytes(b""),
        r"model\.safetensors is not a whole safetensors file",
    ),
    "a pickle in its place": (
        lambda f: torch.save({}, f / WEIGHTS_FILE),
        r"model\.safetensors is not a whole safetensors file",
    ),
    "a pickle beside it": (
        lambda f: (f / WEIGHTS_FILE).rename(f / "pytorch_model.bin"),
        r"model\.safetensors is missing.* found config\.json, pytorch_model\.bin.*never read",
    ),
    "no config": (
        lambda f: (f / CONFIG_FILE).unlink(),
        r"config\.json is missing: expected config\.json and model\.safetensors",
    ),
    "unknown config key": (
        lambda f: change_config(f, layers=3),
        r"config\.json: expected the keys .*unknown \['layers'\], missing \[\]",
    ),
    "missing config key": (
        lambda f: change_config(f, name="-"),
        r"config\.json: .*unknown \[\], missing \['name'\]",
    ),
    "config is no JSON": (
        lambda f: (f / CONFIG_FILE).write_text("{"),
        r"config\.json is not JSON",
    ),
    "config is a list": (
        lambda f: (f / CONFIG_FILE).write_text("[]"),
        r"config\.json: expected an object, found list",
    ),
    "name is a number": (
        lambda f: change_config(f, name=3),
        r"config\.json: name: expected letters.*, found 3",
    ),
    "name is code": (
        lambda f: change_config(f, name="${alert(1)}"),
        r"config\.json: name: expected letters.*found '\$\{alert\(1\)\}'",
    ),
    "sizes are text": (
        lambda f: change_config(f, hidden_sizes="32"),
        r"config\.json: hidden_sizes: expected a list .*found '32'",
    ),
    "a size is 0": (
        lambda f: change_config(f, hidden_sizes=[4, 0]),
        r"hidden_sizes: .*found \[4, 0\]",
    ),
    "a size is true": (
        lambda f: change_config(f, hidden_sizes=[True]),
        r"hidden_sizes: .*found \[True\]",
    ),
    "a size that would fill the memory": (
        lambda f: change_config(f, hidden_sizes=[10**12]),
        r"hidden_sizes: .*1\.\.65536",
    ),
    "temperature is 0": (
        lambda f: change_config(f, temperature=0),
        r"config\.json: temperature: expected a number above 0 and up to 100, found 0",
    ),
    "threshold is NaN": (
        lambda f: change_config(f, threshold=float("nan")),
        r"config\.json: threshold: expected a number above 0 and up to 1, found nan",
    ),
    "threshold is text": (
        lambda f: change_config(f, threshold="0.5"),
        r"threshold: expected a number above 0 and up to 1, found '0\.5'",
    ),
    "no head": (
        lambda f: change_weights(f, lambda s: s.pop("not_a_digit.weight")),
        r"not_a_digit\.weight: missing, expected shape \(1, 3\)",
    ),
    "other sizes than the weights": (
        lambda f: change_config(f, hidden_sizes=[4]),
        r"layers\.2\.weight: unknown key.*layers\.1\.weight: expected shape \(10, 4\)",
    ),
    "evaluation is a list": (
        lambda f: (f / EVALUATION_FILE).write_text("[]"),
        r"evaluation\.json: expected an object, found list",
    ),
    "results are no JSON": (
        lambda f: (f / RESULTS_FILE).write_text("?"),
        r"results\.json is not JSON",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named(folder, damage):
    harm, message = DAMAGE[damage]
    harm(folder)
    with pytest.raises(CheckpointError, match=message):
        load(folder)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(CheckpointError, match="expected one of logistic, mlp-32, mlp-1024"):
        load("mlp-33")


@pytest.mark.parametrize("source", ["./nowhere", "../nowhere", "model/nowhere", "a b/c", "/no/it"])
def test_a_folder_that_is_not_there_is_not_asked_of_the_hub(source):
    with pytest.raises(CheckpointError, match=f"There is no model {source}"):
        load(source)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    model = MLP(())
    torch.nn.init.constant_(model.layers[0].bias, float("nan"))
    with pytest.raises(CheckpointError, match=r"layers\.0\.bias: expected finite"):
        save(tmp_path / "bad", model, name="bad")
    assert not (tmp_path / "bad").exists()


def test_killed_while_it_saves_the_old_checkpoint_is_whole(folder):
    """Killed halfway through the new file, in a process of its own."""
    before = (folder / WEIGHTS_FILE).read_bytes()
    code = f"""
import os, pathlib
from model.checkpoint import write_whole
def write_half(beside):
    beside.write_bytes(b"half")
    os.kill(os.getpid(), 9)
write_whole(pathlib.Path({str(folder / WEIGHTS_FILE)!r}), write_half)
"""
    assert run("-c", code).returncode == -9
    assert (folder / WEIGHTS_FILE).read_bytes() == before
    assert load(folder).config.name == "tiny"


def test_a_failed_save_leaves_the_old_file_and_nothing_else(folder):
    path = folder / CONFIG_FILE
    before = path.read_text()

    def fail_halfway(beside):
        beside.write_text("{")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, fail_halfway)
    assert path.read_text() == before
    assert sorted(p.name for p in folder.iterdir()) == [CONFIG_FILE, WEIGHTS_FILE]


def test_write_json_can_be_read_by_others(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o644


def test_the_shipped_checkpoints_say_how_they_were_made():
    assert shipped_names() == ["logistic", "mlp-32", "mlp-1024"]
    for name in shipped_names():
        loaded = load(name)
        assert loaded.config.name == loaded.results["name"] == name
        assert f"--preset {name}" in loaded.results["command"]
        assert loaded.results["seed"] == 42
        assert loaded.results["recipe"]["hidden_sizes"] == list(loaded.config.hidden_sizes)
        assert len(loaded.results["history"]) == loaded.results["recipe"]["epochs"]
