"""Save and load a network strictly: model.safetensors and config.json in a folder."""

import dataclasses
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.mlp import MLP, parameter_shapes

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
RESULTS_FILE = "results.json"  # how it was trained; nothing is computed from it, nor from:
EVALUATION_FILE = "evaluation.json"  # what training/evaluate.py measured
CARD_FILE = "README.md"
MAX_CARD = 64_000  # bytes of a card that are read: a long one has 20,000
SHIPPED = Path(__file__).parent / "weights"
MAX_LAYERS, MAX_UNITS = 16, 65_536  # far above what MNIST needs: a config must not eat the memory
_NAME = re.compile(r"\w[\w.-]{0,95}", re.ASCII)  # shown on the page: markup and code have no place
_HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


class CheckpointError(Exception):
    """A checkpoint is missing, damaged, or of another kind of network."""


@dataclass(frozen=True)
class Config:
    """What config.json holds: enough to rebuild the network, and nothing else."""

    name: str
    hidden_sizes: tuple[int, ...]
    temperature: float = 1.0  # divides the logits, so that the probabilities are calibrated
    threshold: float = 1.0  # of the probability of `not_a_digit`, above which ink is refused


@dataclass(frozen=True)
class Checkpoint:
    """A network as it was loaded, with the figures that were measured on it."""

    config: Config
    model: MLP
    results: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""  # README.md, of which no more than MAX_CARD bytes are read
    folder: Path | None = None  # where its files lie
    revision: str | None = None  # the Hub's commit, where it came from there


def shipped_names() -> list[str]:
    """Return the names of the checkpoints that ship, smallest network first."""
    folders = [path.parent for path in SHIPPED.glob(f"*/{CONFIG_FILE}")]
    return [f.name for f in sorted(folders, key=lambda f: (f / WEIGHTS_FILE).stat().st_size)]


def save(
    folder: str | Path, model: MLP, *, name: str, temperature: float = 1.0, threshold: float = 1.0
) -> None:
    """Write model.safetensors and config.json; each file is replaced whole, or not at all.

    Raises:
        CheckpointError: a weight is NaN or infinite.
    """
    folder = Path(folder)
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    _refuse_not_finite(folder / WEIGHTS_FILE, tensors)
    folder.mkdir(parents=True, exist_ok=True)
    config = dataclasses.asdict(Config(name, model.hidden_sizes, temperature, threshold))
    write_whole(
        folder / WEIGHTS_FILE, lambda path: save_file(tensors, path, metadata={"format": "pt"})
    )
    write_json(folder / CONFIG_FILE, config)


def write_json(path: Path, value: object) -> None:
    """Write a value as indented JSON, whole or not at all."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then rename it: a reader never sees half a file."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    beside = Path(name)
    try:
        write(beside)
        beside.chmod(0o644)  # mkstemp's files are for their owner alone
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def load(source: str | Path, *, revision: str | None = None) -> Checkpoint:
    """Load a shipped checkpoint by its name, a folder, or the Hub's OWNER/NAME[@REVISION].

    Nothing but safetensors is read and no code is run. Every key must be there, fit, be float32
    and finite; nothing is filled in.

    Raises:
        CheckpointError: names the file, the key, what was expected and what was found.
    """
    if str(source) in shipped_names():
        return _load_folder(SHIPPED / source)
    if Path(source).is_dir():
        return _load_folder(Path(source))
    match = _HUB_ID.fullmatch(str(source))
    # A folder that is not there must not be looked for on the Hub, where anyone could own it.
    if not match or str(source).startswith(".") or Path(source).parent.is_dir():
        raise CheckpointError(
            f"There is no model {source}: expected one of {', '.join(shipped_names())}, "
            "a folder, or OWNER/NAME[@REVISION] on the Hugging Face Hub."
        )
    return _load_hub(match["repo"], revision or match["revision"])


def _load_hub(repo: str, revision: str | None) -> Checkpoint:
    # Imported here: a second that those who use the shipped weights need not wait for.
    import httpx2
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    where = f"{repo}@{revision}" if revision else repo
    try:
        folder = Path(hf_hub_download(repo, CONFIG_FILE, revision=revision)).parent
        commit = folder.name  # the cache keeps each commit in a folder named after it
        hf_hub_download(repo, WEIGHTS_FILE, revision=commit)
        for welcome in (RESULTS_FILE, EVALUATION_FILE, CARD_FILE):  # not needed
            with suppress(EntryNotFoundError):
                hf_hub_download(repo, welcome, revision=commit)
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"{where} is not in the cache and the Hub cannot be reached: check the network, "
            "or leave out --model to serve the shipped weights."
        ) from error
    except EntryNotFoundError as error:
        raise CheckpointError(
            f"{where} on the Hub: expected {CONFIG_FILE} and {WEIGHTS_FILE}, one is not there. "
            "Pickles (pytorch_model.bin, .pt) are never read."
        ) from error
    except HfHubHTTPError as error:
        raise CheckpointError(
            f"{where} on the Hub: {type(error).__name__}. Check the name and the revision, and "
            "log in with `hf auth login` if it is private."
        ) from error
    except (HFValidationError, httpx2.HTTPError, OSError) as error:
        raise CheckpointError(
            f"{where} on the Hub: {type(error).__name__}. Check the name and the network, and that "
            "the cache can be written to (HF_HOME says where it is)."
        ) from error
    loaded = _load_folder(folder)
    # By its name on the Hub: the one in its config may be that of a shipped network.
    config = replace(loaded.config, name=repo)
    return replace(loaded, config=config, revision=commit)


def _load_folder(folder: Path) -> Checkpoint:
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            found = sorted(p.name for p in folder.iterdir())
            raise CheckpointError(
                f"{folder / name} is missing: expected {CONFIG_FILE} and {WEIGHTS_FILE}, found "
                f"{', '.join(found) or 'nothing'}. Pickles (.bin, .pt) are never read."
            )
    config = _read_config(folder / CONFIG_FILE)
    state = _read_weights(folder / WEIGHTS_FILE, parameter_shapes(config.hidden_sizes))
    with torch.device("meta"):
        model = MLP(config.hidden_sizes)
    model.load_state_dict(state, assign=True)
    model.eval().requires_grad_(False)
    results, evaluation = (_read_figures(folder / n) for n in (RESULTS_FILE, EVALUATION_FILE))
    card = _read_card(folder / CARD_FILE)
    return Checkpoint(config, model, results, evaluation, card, folder)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: expected an object, found {type(value).__name__}.")
    return value


def _read_figures(path: Path) -> dict[str, Any]:
    return _read_json(path) if path.is_file() else {}


def _read_card(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(MAX_CARD).decode(errors="replace")


def _read_config(path: Path) -> Config:
    value = _read_json(path)
    expected = {field.name for field in dataclasses.fields(Config)}
    if value.keys() != expected:
        unknown, missing = sorted(value.keys() - expected), sorted(expected - value.keys())
        raise CheckpointError(
            f"{path}: expected the keys {sorted(expected)}; unknown {unknown}, missing {missing}."
        )
    if not isinstance(value["name"], str) or not _NAME.fullmatch(value["name"]):
        raise CheckpointError(
            f"{path}: name: expected letters, digits, '.', '_' and '-', found {value['name']!r}."
        )
    sizes = value["hidden_sizes"]
    if not isinstance(sizes, list) or not sizes_fit(sizes):
        raise CheckpointError(
            f"{path}: hidden_sizes: expected a list of at most {MAX_LAYERS} whole numbers in "
            f"1..{MAX_UNITS}, found {sizes!r}."
        )
    for key, high in (("temperature", 100), ("threshold", 1)):
        number = value[key]
        if type(number) not in (int, float) or not 0 < number <= high:  # NaN is not, either
            raise CheckpointError(
                f"{path}: {key}: expected a number above 0 and up to {high}, found {number!r}."
            )
    return Config(value["name"], tuple(sizes), value["temperature"], value["threshold"])


def sizes_fit(hidden_sizes: Sequence[object]) -> bool:
    """Return whether these are the sizes of hidden layers that a checkpoint may have."""
    few = len(hidden_sizes) <= MAX_LAYERS
    return few and all(type(n) is int and 0 < n <= MAX_UNITS for n in hidden_sizes)


def _read_weights(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            found = {k: (tuple(file.get_slice(k).get_shape()), file.get_slice(k).get_dtype())
                     for k in file.keys()}  # noqa: SIM118, not a dict  # fmt: skip
            problems = _problems(shapes, found)
            if problems:
                raise CheckpointError(f"{path}: " + "; ".join(problems) + ".")
            state = {key: file.get_tensor(key) for key in shapes}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a whole safetensors file: expected {len(shapes)} tensors, "
            f"found: {error}."
        ) from error
    _refuse_not_finite(path, state)
    return state


def _refuse_not_finite(path: Path, state: Mapping[str, Tensor]) -> None:
    for key, tensor in state.items():
        n_bad = int((~tensor.isfinite()).sum())
        if n_bad:
            raise CheckpointError(
                f"{path}: {key}: expected finite numbers, found {n_bad} of {tensor.numel()} NaN "
                "or infinite."
            )


def _problems(
    shapes: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[tuple[int, ...], str]]
) -> list[str]:
    missing = [f"{k}: missing, expected shape {s}" for k, s in shapes.items() if k not in found]
    unknown = [
        f"{k}: unknown key, found shape {s}" for k, (s, _) in found.items() if k not in shapes
    ]
    wrong = [
        f"{k}: expected shape {shapes[k]} of F32, found {shape} of {dtype}"
        for k, (shape, dtype) in found.items()
        if k in shapes and (shape, dtype) != (shapes[k], "F32")
    ]
    return missing + unknown + wrong
