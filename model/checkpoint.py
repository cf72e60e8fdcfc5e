"""Save and load checkpoints: a network with its configuration, figures and model card."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from model import checkpoint_files, hub
from model.checkpoint_files import (
    CARD_FILE,
    CONFIG_FILE,
    EVALUATION_FILE,
    HUB_FILES,
    MAX_CARD,
    MAX_HEADER,
    MAX_JSON,
    MAX_LAYERS,
    MAX_UNITS,
    RESULTS_FILE,
    SHIPPED,
    WEIGHTS_FILE,
    CheckpointError,
    Config,
    UnreachableError,
    folder_of,
    shipped_names,
    sizes_fit,
    write_json,
    write_whole,
)
from model.mlp import MLP
from model.old_results import rename_old_keys

__all__ = [
    "CARD_FILE", "CONFIG_FILE", "EVALUATION_FILE", "HUB_FILES", "MAX_CARD", "MAX_HEADER",
    "MAX_JSON", "MAX_LAYERS", "MAX_UNITS", "RESULTS_FILE", "SHIPPED", "WEIGHTS_FILE",
    "Checkpoint", "CheckpointError", "Config", "UnreachableError", "folder_of", "load", "save",
    "shipped_names", "sizes_fit", "write_json", "write_whole",
]  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """A loaded network, with the figures that were measured on it."""

    config: Config
    model: MLP
    results: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""  # README.md, at most MAX_CARD bytes of it
    folder: Path | None = None  # where its files are
    revision: str | None = None  # the commit on the Hub, if it comes from there

    @property
    def weights_sha256(self) -> str:
        """The SHA-256 of model.safetensors."""
        assert self.folder, "a loaded checkpoint has a folder"
        return hashlib.sha256((self.folder / WEIGHTS_FILE).read_bytes()).hexdigest()


def save(
    folder: str | Path, model: MLP, *, name: str, temperature: float = 1.0, threshold: float = 1.0
) -> None:
    """Write model.safetensors and config.json, each file atomically.

    Raises:
        CheckpointError: a weight is NaN or infinite, or the name is invalid.
    """
    config = Config(name, model.hidden_sizes, temperature, threshold)
    checkpoint_files.write_network(Path(folder), config, model.state_dict())


def load(
    source: str | Path,
    *,
    revision: str | None = None,
    options: hub.DownloadOptions | None = None,
) -> Checkpoint:
    """Load a shipped checkpoint by name, a folder, or OWNER/NAME[@REVISION] from the Hub.

    Only safetensors files are read, and no code is run. Loading is strict: every key must exist,
    have the expected shape, be float32 and finite. `options` are those of the download. If the Hub
    cannot be reached, the last known commit of the revision is loaded from the cache, with a
    `hub.StaleWarning`.

    Raises:
        UnreachableError: the Hub cannot be reached, and the cache does not have the checkpoint.
        CheckpointError: names the file, the key, what was expected and what was found.
    """
    folder, repo = checkpoint_files.find_folder(source, revision=revision, options=options)
    config, state_dict = checkpoint_files.read_network(folder)
    loaded = Checkpoint(
        config,
        MLP.from_state_dict(config.hidden_sizes, state_dict),
        results=rename_old_keys(checkpoint_files.read_figures(folder / RESULTS_FILE)),
        evaluation=checkpoint_files.read_figures(folder / EVALUATION_FILE),
        card=checkpoint_files.read_card(folder / CARD_FILE),
        folder=folder,
    )
    if repo is None:
        return loaded
    # The name in the config may be that of a shipped network: use the repository's instead.
    return replace(loaded, config=replace(config, name=repo), revision=folder.name)
