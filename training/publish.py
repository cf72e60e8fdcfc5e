"""Publish a checkpoint, or the app, on the Hugging Face Hub: python -m training.publish"""

import argparse
import dataclasses
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from huggingface_hub import SpaceHardware

from model import checkpoint, hub
from model.checkpoint import (
    CARD_FILE,
    CONFIG_FILE,
    EVALUATION_FILE,
    HUB_FILES,
    MAX_JSON,
    RESULTS_FILE,
)
from training.card import PLOTS, card_text, check_evaluation
from training.space import WAIT_SECONDS, publish_space
from training.upload import PublishError, RemoteRepo, RepoUpdate, configure_client, upload


def push(
    source: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    tag: str | None = None,
    dry_run: bool = False,
    log: Callable[[str], object] = print,
) -> str | None:
    """Push a checkpoint (a folder, or a shipped one by name) to OWNER/NAME; return the commit.

    The checkpoint is first loaded as strictly as the app loads it. A dry run only logs what would
    be done, and returns None.

    Raises:
        CheckpointError: the checkpoint is damaged.
        PublishError: its figures or its card are missing, or the Hub rejects the request or cannot
            be reached.
    """
    update = RepoUpdate(
        repo_id,
        files=_files(_folder(source), repo_id),
        owned=(*(file.name for file in HUB_FILES), f"{PLOTS}/"),
        is_ours=lambda remote: _is_checkpoint(repo_id, remote),
        private=private,
        tag=tag,
    )
    return upload(update, dry_run=dry_run, log=log)


def _folder(source: str | Path) -> Path:
    folder = checkpoint.folder_of(source)
    if not folder.is_dir():
        raise PublishError(
            f"There is no checkpoint {source}: expected a folder, or one of "
            f"{', '.join(checkpoint.shipped_names())}."
        )
    return folder


def _files(folder: Path, repo_id: str) -> dict[str, bytes]:
    """Return the files to push, by path, with a card whose code loads the model from `repo_id`.

    Raises:
        CheckpointError: the checkpoint is damaged.
        PublishError: a file is missing, or belongs to other weights.
    """
    loaded = checkpoint.load(folder.resolve())
    for name, command in (
        (EVALUATION_FILE, f"training.evaluate {folder}"),
        (CARD_FILE, f"training.card {folder}"),
    ):
        if not (folder / name).is_file():
            raise PublishError(f"{folder / name} is missing: `python -m {command}` writes it.")
    # Weights that another program trained have no results: their card says so.
    if loaded.results and loaded.results.get("name") != loaded.config.name:
        raise PublishError(
            f"{folder / RESULTS_FILE} is of {loaded.results.get('name')}, but the weights are of "
            f"{loaded.config.name}: `python -m training` writes both."
        )
    paths = [folder / file.name for file in HUB_FILES] + sorted(folder.glob(f"{PLOTS}/*.png"))
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths if p.is_file()}
    check_evaluation(loaded)
    card = card_text(loaded, where=repo_id)
    for plot in re.findall(rf"\]\(({PLOTS}/[^)]+)\)", card):
        if plot not in files:
            raise PublishError(
                f"{folder / plot} is missing: `python -m training.card {folder}` writes it."
            )
    return files | {CARD_FILE: card.encode()}


def _is_checkpoint(repo_id: str, remote: RemoteRepo) -> bool:
    """Return whether a repository's config.json has the keys of this project's."""
    config = hub.HubFile(CONFIG_FILE, MAX_JSON, required=True)
    try:
        folder = hub.download(repo_id, remote.head, [config])
        found = json.loads((folder / CONFIG_FILE).read_bytes())
    except (hub.MissingFileError, hub.FileTooLargeError, ValueError):
        return False
    except hub.HubError as error:
        raise PublishError(str(error)) from error
    keys = {field.name for field in dataclasses.fields(checkpoint.Config)}
    return isinstance(found, dict) and found.keys() == keys


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    shared = {"private": options.private, "dry_run": options.dry_run}
    if options.space:
        if options.checkpoint or options.tag:
            parser.error("--space takes neither a checkpoint nor --tag")
    elif not options.repo_id or options.model or options.hardware:
        parser.error("expected CHECKPOINT OWNER/NAME, or --space OWNER/NAME")
    configure_client()
    try:
        if options.space:
            publish_space(
                options.space,
                **shared,
                hardware=options.hardware,
                model=options.model,
                wait=options.wait,
            )
        else:
            push(options.checkpoint, options.repo_id, **shared, tag=options.tag)
    except (checkpoint.CheckpointError, PublishError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or "interrupted: nothing was pushed", file=sys.stderr)
        return 130
    return 0


def _hardware(name: str) -> SpaceHardware:
    try:
        return SpaceHardware(name)
    except ValueError as error:
        known = ", ".join(each.value for each in SpaceHardware)
        raise argparse.ArgumentTypeError(f"unknown hardware {name}, expected {known}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.publish", description=__doc__)
    add = parser.add_argument
    add("checkpoint", nargs="?", help="a folder, or a shipped network, such as mlp-32")
    add("repo_id", nargs="?", metavar="OWNER/NAME", help="the model's name on the Hub")
    add("--space", metavar="OWNER/NAME", help="publish the app as a Space instead of a checkpoint")
    add("--private", action="store_true", help="create a private repository")
    add("--tag", help="a name for the commit, such as v1")
    add(
        "--hardware", type=_hardware, metavar="NAME",
        help="of the Space, such as cpu-basic (needs a paid plan) or zero-a10g (does not)",
    )  # fmt: skip
    add("--model", metavar="OWNER/NAME[@REVISION]", help="the model that the Space serves")
    add(
        "--wait", type=float, default=WAIT_SECONDS, metavar="SECONDS",
        help="how long to wait until the Space runs (%(default)s)",
    )  # fmt: skip
    add("--dry-run", action="store_true", help="only print what would be done; needs no token")
    return parser


if __name__ == "__main__":
    sys.exit(main())
