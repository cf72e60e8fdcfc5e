"""Find, read and write a checkpoint's files: strict about every key, shape and value."""

import dataclasses
import json
import math
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model import diagnose, hub
from model.shapes import parameter_shapes

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
RESULTS_FILE = "results.json"  # how it was trained; nothing is computed from it, nor from:
EVALUATION_FILE = "evaluation.json"  # what `python -m training.evaluate` measured
NO_PICKLES = "pickles (pytorch_model.bin, .pt) are never read."
CARD_FILE = "README.md"
MAX_CARD = 64_000  # bytes of a card that are read: a long one has 20,000
MAX_JSON = 1_000_000  # bytes: 35,000 is much
MAX_HEADER = 100_000  # bytes in weights that are none: names and shapes, and what others add
SHIPPED = Path(__file__).parent / "weights"
MAX_LAYERS, MAX_UNITS = 16, 65_536  # far above what MNIST needs: a config must not eat the memory
MAX_KEYS = 2 * (MAX_LAYERS + 2)  # with the output and not_a_digit, a weight and a bias each
MIN_TEMPERATURE = 0.001  # logits divided by less would overflow
N_NAMED = 20  # files or keys of what does not fit: a large network has hundreds
_NAME = re.compile(r"\w[\w.-]{0,95}", re.ASCII)  # shown on the page: markup and code have no place
_HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


class CheckpointError(Exception):
    """A checkpoint is missing, damaged, or of another kind of network."""


class UnreachableError(CheckpointError):
    """The Hub is out of reach, and its cache here does not have the checkpoint."""


@dataclass(frozen=True)
class Config:
    """What config.json holds: enough to rebuild the network, and nothing else."""

    name: str
    hidden_sizes: tuple[int, ...]
    temperature: float = 1.0  # divides the logits, so that the probabilities are calibrated
    threshold: float = 1.0  # of the probability of `not_a_digit`, above which ink is rejected


def shipped_names() -> list[str]:
    """Return the names of the checkpoints that ship, smallest network first."""
    folders = [path.parent for path in SHIPPED.glob(f"*/{CONFIG_FILE}")]
    return [f.name for f in sorted(folders, key=lambda f: (f / WEIGHTS_FILE).stat().st_size)]


def folder_of(source: str | Path) -> Path:
    """Return the folder of a shipped checkpoint's name; any other source is itself a folder."""
    return SHIPPED / source if str(source) in shipped_names() else Path(source)


def write_network(folder: Path, config: Config, state_dict: Mapping[str, Tensor]) -> None:
    """Write model.safetensors and config.json, each file atomically.

    Raises:
        CheckpointError: a weight is NaN or infinite, or the name is invalid.
    """
    _check_name(folder / CONFIG_FILE, config.name)
    tensors = {k: v.detach().cpu().contiguous() for k, v in state_dict.items()}
    _reject_not_finite(folder / WEIGHTS_FILE, tensors)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(
        folder / WEIGHTS_FILE, lambda path: save_file(tensors, path, metadata={"format": "pt"})
    )
    write_json(folder / CONFIG_FILE, dataclasses.asdict(config))


def write_json(path: Path, value: object) -> None:
    """Write a value as indented JSON, whole or not at all."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8", newline="\n"))


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


def find_folder(
    source: str | Path,
    *,
    revision: str | None = None,
    options: hub.DownloadOptions | None = None,
) -> tuple[Path, str | None]:
    """Return the folder of a checkpoint, and its OWNER/NAME if it comes from the Hub.

    `source` is the name of a shipped checkpoint, a folder, or OWNER/NAME[@REVISION]. A checkpoint
    on the Hub is downloaded to the cache, in which the folder is named after the commit.

    Raises:
        UnreachableError: the Hub cannot be reached, and the cache does not have the checkpoint.
        CheckpointError: there is no such checkpoint.
    """
    folder = folder_of(source)
    if folder.is_dir():
        if revision:
            raise CheckpointError(f"{source} has no revisions: expected none, found {revision!r}.")
        return folder, None
    repo, named = _on_hub(source)
    if revision and named and revision != named:
        raise CheckpointError(f"{source} names another revision than {revision!r}: name one.")
    return _download(repo, revision or named, options), repo


def _on_hub(source: str | Path) -> tuple[str, str | None]:
    """Return OWNER/NAME and the revision, if one is given."""
    match = _HUB_ID.fullmatch(str(source))
    # A folder that is not there must not be looked for on the Hub, where anyone could own it.
    if not match or str(source).startswith(".") or Path(source).parent.is_dir():
        raise CheckpointError(
            f"There is no model {source}: expected one of {', '.join(shipped_names())}, "
            "a folder, or OWNER/NAME[@REVISION] on the Hugging Face Hub."
        )
    return match["repo"], match["revision"]


def _download(repo: str, revision: str | None, options: hub.DownloadOptions | None) -> Path:
    try:
        return hub.download(repo, revision, HUB_FILES, options)
    except hub.HubUnreachableError as error:
        raise UnreachableError(str(error)) from error
    except hub.MissingFileError as error:
        raise CheckpointError(
            f"{error} Expected {CONFIG_FILE}, such as {diagnose.EXAMPLE_CONFIG}, and "
            f"{WEIGHTS_FILE}; {NO_PICKLES}"
        ) from error
    except hub.FileTooLargeError as error:
        raise CheckpointError(
            f"{error} Expected {CONFIG_FILE} of at most {MAX_JSON:,} bytes, and float32 weights "
            "of its hidden_sizes."
        ) from error
    except hub.HubError as error:
        raise CheckpointError(str(error)) from error


def _max_weight_bytes(folder: Path) -> int:
    """Return the maximum size of model.safetensors, from the config in the same folder."""
    shapes = parameter_shapes(_read_config(folder / CONFIG_FILE).hidden_sizes)
    return MAX_HEADER + 4 * sum(map(math.prod, shapes.values()))


HUB_FILES = (  # in the order of their download
    hub.HubFile(CONFIG_FILE, MAX_JSON, required=True),
    hub.HubFile(RESULTS_FILE, MAX_JSON),
    hub.HubFile(EVALUATION_FILE, MAX_JSON),
    hub.HubFile(CARD_FILE, MAX_CARD),
    hub.HubFile(WEIGHTS_FILE, _max_weight_bytes, required=True),
)


def read_network(folder: Path) -> tuple[Config, dict[str, Tensor]]:
    """Read config.json, and the state_dict from model.safetensors.

    Every key must exist, have the expected shape, be float32 and finite.

    Raises:
        CheckpointError: names the file, the key, what was expected and what was found.
    """
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            found = sorted(diagnose.printable(p.name) for p in folder.iterdir())
            if len(found) > N_NAMED:
                found[N_NAMED:] = [f"{len(found) - N_NAMED} more"]
            raise CheckpointError(
                f"{folder / name} is missing: expected {CONFIG_FILE}, such as "
                f"{diagnose.EXAMPLE_CONFIG}, and {WEIGHTS_FILE}, found "
                f"{', '.join(found) or 'nothing'}; {NO_PICKLES}"
            )
    config = _read_config(folder / CONFIG_FILE)
    return config, _read_weights(folder / WEIGHTS_FILE, config.hidden_sizes)


def _read_json(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    if size > MAX_JSON:
        raise CheckpointError(f"{path}: expected at most {MAX_JSON:,} bytes, found {size:,}.")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: expected an object, found {type(value).__name__}.")
    return value


def read_figures(path: Path) -> dict[str, Any]:
    """Read results.json or evaluation.json; return an empty dict if there is no such file.

    Raises:
        CheckpointError: the file is too large, or not a JSON object.
    """
    return _read_json(path) if path.is_file() else {}


def read_card(path: Path) -> str:
    """Read at most MAX_CARD bytes of README.md; return "" if there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(MAX_CARD).decode(errors="replace")


def _read_config(path: Path) -> Config:
    value = _read_json(path)
    expected = {field.name for field in dataclasses.fields(Config)}
    if value.keys() != expected:
        unknown = diagnose.shorten(sorted(value.keys() - expected))
        missing = sorted(expected - value.keys())
        raise CheckpointError(
            f"{path}: expected the keys {sorted(expected)}; unknown {unknown}, missing {missing}. "
            + diagnose.explain_config(value)
        )
    _check_name(path, value["name"])
    sizes = value["hidden_sizes"]
    if not isinstance(sizes, list) or not sizes_fit(sizes):
        raise CheckpointError(
            f"{path}: hidden_sizes: expected a list of at most {MAX_LAYERS} whole numbers in "
            f"1..{MAX_UNITS}, found {diagnose.shorten(sizes)}."
        )
    for key, low, high in (("temperature", MIN_TEMPERATURE, 100), ("threshold", 0, 1)):
        number = value[key]
        fits = type(number) in (int, float) and low <= number <= high  # NaN does not
        if not fits or number == 0:
            least = f"of at least {low}" if low else "above 0"
            raise CheckpointError(
                f"{path}: {key}: expected a number {least} and up to {high}, found "
                f"{diagnose.shorten(number)}."
            )
    return Config(value["name"], tuple(sizes), value["temperature"], value["threshold"])


def _check_name(path: Path, name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise CheckpointError(
            f"{path}: name: expected letters, digits, '.', '_' and '-', found "
            f"{diagnose.shorten(name)}."
        )


def sizes_fit(hidden_sizes: Sequence[object]) -> bool:
    """Return whether these are the sizes of hidden layers that a checkpoint may have."""
    few = len(hidden_sizes) <= MAX_LAYERS
    return few and all(type(n) is int and 0 < n <= MAX_UNITS for n in hidden_sizes)


def _read_weights(path: Path, hidden_sizes: tuple[int, ...]) -> dict[str, Tensor]:
    shapes = parameter_shapes(hidden_sizes)
    try:
        with safe_open(path, framework="pt") as file:
            found = {k: (tuple(file.get_slice(k).get_shape()), file.get_slice(k).get_dtype())
                     for k in file.keys()}  # noqa: SIM118, not a dict  # fmt: skip
            problems = _problems(shapes, found)
            if problems:
                some = problems[:N_NAMED] + (["and more"] if len(problems) > N_NAMED else [])
                hint = diagnose.explain_weights(found, hidden_sizes, max_keys=MAX_KEYS)
                raise CheckpointError(f"{path}: {'; '.join(some)}. {hint}".rstrip())
            state = {key: file.get_tensor(key) for key in shapes}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a whole safetensors file: expected {len(shapes)} tensors, "
            f"found: {diagnose.printable(str(error), 200)}."
        ) from error
    _reject_not_finite(path, state)
    return state


def _reject_not_finite(path: Path, state: Mapping[str, Tensor]) -> None:
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
        f"{diagnose.printable(k)}: unknown key, found shape {diagnose.shorten(s)}"
        for k, (s, _) in found.items()
        if k not in shapes
    ]
    wrong = [
        f"{k}: expected shape {shapes[k]} of F32, found {diagnose.shorten(shape)} of {dtype}"
        for k, (shape, dtype) in found.items()
        if k in shapes and (shape, dtype) != (shapes[k], "F32")
    ]
    return missing + unknown + wrong
