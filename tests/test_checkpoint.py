"""Tests of checkpoints: save, load, and errors for damaged files and other networks."""

import json
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.checkpoint import (
    CONFIG_FILE,
    EVALUATION_FILE,
    MAX_JSON,
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


def test_save_and_load_round_trip_is_exact(folder):
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
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")) | changes
    (folder / CONFIG_FILE).write_text(
        json.dumps({k: v for k, v in config.items() if v != "-"}), encoding="utf-8"
    )


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
    "a pickle with another name": (
        lambda f: (f / WEIGHTS_FILE).rename(f / "pytorch_model.bin"),
        r"model\.safetensors is missing.* found config\.json, pytorch_model\.bin.*never read",
    ),
    "no config": (
        lambda f: (f / CONFIG_FILE).unlink(),
        r"config\.json is missing: expected config\.json, such as .*, and model\.safetensors",
    ),
    "unknown config key": (
        lambda f: change_config(f, layers=3),
        r"config\.json: expected the keys .*unknown \['layers'\], missing \[\]",
    ),
    "missing config key": (
        lambda f: change_config(f, name="-"),
        r"config\.json: .*unknown \[\], missing \['name'\]",
    ),
    "config is not JSON": (
        lambda f: (f / CONFIG_FILE).write_text("{", encoding="utf-8"),
        r"config\.json is not JSON",
    ),
    "config is a list": (
        lambda f: (f / CONFIG_FILE).write_text("[]", encoding="utf-8"),
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
    "a size that exceeds the memory": (
        lambda f: change_config(f, hidden_sizes=[10**12]),
        r"hidden_sizes: .*1\.\.65536",
    ),
    "temperature is 0": (
        lambda f: change_config(f, temperature=0),
        r"config\.json: temperature: expected a number of at least 0\.001 and up to 100, found 0",
    ),
    "temperature that makes the logits overflow": (
        lambda f: change_config(f, temperature=1e-320),
        r"temperature: expected a number of at least 0\.001 and up to 100, found 1e-320",
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
        r"layers\.2\.weight: unknown key.*layers\.1\.weight: expected shape \(10, 4\).*"
        r"These are the weights of hidden_sizes \[4, 3\]\.$",
    ),
    "a config of transformers": (
        lambda f: change_config(f, model_type="vit", hidden_sizes="-"),
        r"unknown \['model_type'\], missing \['hidden_sizes'\]\. This is a config of transformers",
    ),
    "a config as PyTorchModelHubMixin writes it": (
        lambda f: (f / CONFIG_FILE).write_text('{"hidden_size": 128}', encoding="utf-8"),
        r"unknown \['hidden_size'\], .*Write one such as \{\"name\": \"mine\", \"hidden_sizes\": ",
    ),
    "evaluation is a list": (
        lambda f: (f / EVALUATION_FILE).write_text("[]", encoding="utf-8"),
        r"evaluation\.json: expected an object, found list",
    ),
    "results are not JSON": (
        lambda f: (f / RESULTS_FILE).write_text("?", encoding="utf-8"),
        r"results\.json is not JSON",
    ),
    "results are too large": (
        lambda f: (f / RESULTS_FILE).write_text(
            '{"x": "' + MAX_JSON * "x" + '"}', encoding="utf-8"
        ),
        r"results\.json: expected at most 1,000,000 bytes, found 1,000,009\.",
    ),
    "config is too large": (
        lambda f: (f / CONFIG_FILE).write_text('{"x": "' + MAX_JSON * "x" + '"}', encoding="utf-8"),
        r"config\.json: expected at most 1,000,000 bytes, found 1,000,009\.",
    ),
    "sizes are long": (
        lambda f: change_config(f, hidden_sizes=900_000 * "x"),
        r"hidden_sizes: expected a list .*found 'x+\.\.\.x+'\.$",
    ),
    "unknown config keys with escape codes, and long ones": (
        lambda f: change_config(f, **{"\x1b[2J\nerror": 1}, **{900 * c: 1 for c in "abcdefg"}),
        r"unknown \['\\x1b\[2J\\nerror', 'a+\.\.\.a+', .*missing \[\]",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_reported(folder, damage):
    apply, message = DAMAGE[damage]
    apply(folder)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(folder)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1500


def tutorial(names, *, hidden=(4, 3), dtype=torch.float32):
    sizes = (784, *hidden, 10)
    state = {}
    for name, n_in, n_out in zip(names, sizes, sizes[1:], strict=False):
        state |= {f"{name}.weight": torch.zeros(n_out, n_in, dtype=dtype)}
        state |= {f"{name}.bias": torch.zeros(n_out, dtype=dtype)}
    return state


RENAME = (
    r"layers\.0\.weight: missing, expected shape \(4, 784\).*{0}\.weight: unknown key, found shape "
    r"\(4, 784\).*under other names: rename {0}\.\* to layers\.0\.\*, {1}\.\* to layers\.1\.\*, "
    r"{2}\.\* to layers\.2\.\*\. .*an eleventh output, not_a_digit: weights of 0 and a bias of -100"
)
OTHER_WEIGHTS = {
    "linear": (
        tutorial(["linear1", "linear2", "linear3"]),
        RENAME.format("linear1", "linear2", "linear3"),
    ),
    "fc": (tutorial(["fc1", "fc2", "out"]), RENAME.format("fc1", "fc2", "out")),
    "layer": (
        tutorial(["layer9", "layer10", "layer11"]),
        RENAME.format("layer9", "layer10", "layer11"),
    ),
    "nested": (
        tutorial(["net.0", "net.2", "net.4"]),
        RENAME.format(r"net\.0", r"net\.2", r"net\.4"),
    ),
    "sequential": (tutorial(["0", "2", "4"]), RENAME.format("0", "2", "4")),
    "equal layers": (
        tutorial(["fc9", "fc10", "fc11"], hidden=(8, 8)),
        r"rename fc9.* to layers\.0.*fc10.* to layers\.1.*fc11.* hidden_sizes \[8, 8\]\.",
    ),
    "half": (
        tutorial(["fc1", "fc2", "fc3"], dtype=torch.bfloat16),
        r"rename fc1.*Convert them with tensor\.float\(\)\.",
    ),
    "without the eleventh output": (
        tutorial(["layers.0", "layers.1", "layers.2"]),
        r"not_a_digit\.bias: missing, expected shape \(1,\)\. This project's networks have an ele",
    ),
    "convolutional": (
        {"conv1.weight": torch.zeros(8, 1, 3, 3), "fc.weight": torch.zeros(10, 64)},
        r"another kind of network: expected only linear layers, 784 pixels → hidden → 10 digits\.",
    ),
    "large": (
        {f"encoder.{i}.weight": torch.zeros(2, 2) for i in range(500)},
        r"encoder\.\d+\.weight: unknown key.*; and more\. This is another kind of network",
    ),
    "of thousands of layers that fit": (
        tutorial(range(8000), hidden=[1] * 7999),
        r"and more\. This is another kind of network",
    ),
    "with escape codes and long names": (
        tutorial(["\x1b[2J\nerror: ", 9000 * "1", "²"]),
        r"'\\x1b\[2J\\nerror: \.weight': unknown key.*, '1{80}'…\.\* to layers\.1.*, ²\.\* to ",
    ),
    "of many dimensions": (
        {"x": torch.zeros([1] * 60)},
        r"x: unknown key, found shape \(1, 1, .*\.\.\.\)",
    ),
}


@pytest.mark.parametrize("kind", OTHER_WEIGHTS)
def test_other_weights_are_refused_with_advice(folder, kind):
    state, message = OTHER_WEIGHTS[kind]
    save_file(state, folder / WEIGHTS_FILE)
    started = time.monotonic()
    with pytest.raises(CheckpointError, match=message) as caught:
        load(folder)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 2500
    assert time.monotonic() - started < 5  # quadratic comparison took a minute


def test_renamed_weights_of_a_tutorial_are_loaded(folder):
    torch.manual_seed(0)
    layers = [torch.nn.Linear(784, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3), torch.nn.ReLU()]
    sequential = torch.nn.Sequential(*layers, torch.nn.Linear(3, 10))
    names = {"0": "layers.0", "2": "layers.1", "4": "layers.2"}
    state = {
        f"{names[key[0]]}.{key[2:]}": tensor for key, tensor in sequential.state_dict().items()
    }
    head = {"not_a_digit.weight": torch.zeros(1, 3), "not_a_digit.bias": torch.tensor([-100.0])}
    save_file(state | head, folder / WEIGHTS_FILE)
    images = torch.rand(5, 784)
    trace = load(folder).model.trace(images)
    assert torch.equal(trace.logits, sequential(images))
    assert trace.rejection_log_odds.sigmoid().max() < 1e-30


def test_an_unknown_name_is_refused_with_the_known_names():
    with pytest.raises(CheckpointError, match="expected one of logistic, mlp-32, mlp-1024"):
        load("mlp-33")


@pytest.mark.parametrize("source", ["./nowhere", "../nowhere", "model/nowhere", "a b/c", "/no/it"])
def test_a_missing_folder_is_not_requested_from_the_hub(source):
    with pytest.raises(CheckpointError, match=f"There is no model {source}"):
        load(source)


def test_an_invalid_name_is_not_saved(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json: name: .*found 'my net'"):
        MLP(()).save_pretrained(tmp_path / "my net")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    model = MLP(())
    torch.nn.init.constant_(model.layers[0].bias, float("nan"))
    with pytest.raises(CheckpointError, match=r"layers\.0\.bias: expected finite"):
        save(tmp_path / "bad", model, name="bad")
    assert not (tmp_path / "bad").exists()


def test_a_process_killed_while_saving_leaves_the_old_file(folder):
    before = (folder / WEIGHTS_FILE).read_bytes()
    code = f"""
import os, pathlib
from model.checkpoint import write_whole
def write_half(file):
    file.write_bytes(b"half")
    os.kill(os.getpid(), 9)
write_whole(pathlib.Path({str(folder / WEIGHTS_FILE)!r}), write_half)
"""
    assert run("-c", code).returncode == -9
    assert (folder / WEIGHTS_FILE).read_bytes() == before
    assert load(folder).config.name == "tiny"


def test_a_failed_save_leaves_only_the_old_file(folder):
    path = folder / CONFIG_FILE
    before = path.read_text(encoding="utf-8")

    def fail_halfway(file):
        file.write_text("{", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, fail_halfway)
    assert path.read_text(encoding="utf-8") == before
    assert sorted(p.name for p in folder.iterdir()) == [CONFIG_FILE, WEIGHTS_FILE]


def test_write_json_makes_files_readable_by_other_users(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o644


def test_shipped_checkpoints_record_their_training():
    assert shipped_names() == ["logistic", "mlp-32", "mlp-1024"]
    for name in shipped_names():
        loaded = load(name)
        assert loaded.config.name == loaded.results["name"] == name
        assert f"--preset {name}" in loaded.results["command"]
        assert loaded.results["seed"] == 42
        assert loaded.results["recipe"]["hidden_sizes"] == list(loaded.config.hidden_sizes)
        assert len(loaded.results["history"]) == loaded.results["recipe"]["epochs"]
