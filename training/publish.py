"""Publish a checkpoint, or the app, on the Hugging Face Hub: python -m training.publish"""

import argparse
import dataclasses
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from huggingface_hub import SpaceHardware, hf_hub_url
from huggingface_hub.utils import build_hf_headers, get_session

from model import checkpoint
from model.checkpoint import (
    CARD_FILE,
    CONFIG_FILE,
    EVALUATION_FILE,
    NEEDED,
    RESULTS_FILE,
    WELCOME,
)
from training.card import PLOTS, check_evaluation, text
from training.hub import Parcel, PublishError, Remote, connect, send, told
from training.space import WAIT_SECONDS, publish_space

_OURS = (*NEEDED, *WELCOME)


def push(
    source: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    tag: str | None = None,
    dry_run: bool = False,
    say: Callable[[str], object] = print,
) -> str | None:
    """Push a checkpoint, a folder or one that ships, to OWNER/NAME; return the commit.

    It is loaded first, as strictly as it is served. A dry run says what it would do, and returns
    None.

    Raises:
        CheckpointError: the checkpoint is damaged.
        PublishError: it lacks its figures or its card, or the Hub refuses or cannot be reached;
            nothing is half-pushed.
    """
    parcel = Parcel(
        repo_id,
        files=_read(_folder(source), repo_id),
        ours=(*_OURS, f"{PLOTS}/"),
        is_ours=lambda remote: _is_checkpoint(repo_id, remote),
    )
    with connect() as api:
        return send(api, parcel, private=private, tag=tag, dry_run=dry_run, say=say)


def _folder(source: str | Path) -> Path:
    folder = checkpoint.folder_of(source)
    if not folder.is_dir():
        raise PublishError(
            f"There is no checkpoint {source}: expected a folder, or one of "
            f"{', '.join(checkpoint.shipped_names())}."
        )
    return folder


def _read(folder: Path, repo_id: str) -> dict[str, bytes]:
    """Return the files to push, by path; the card is written for where they go.

    Raises:
        CheckpointError, PublishError: they are not what they should be.
    """
    loaded = checkpoint.load(folder.resolve())
    for name, maker in (
        (EVALUATION_FILE, f"training.evaluate {folder}"),
        (CARD_FILE, f"training.card {folder}"),
    ):
        if not (folder / name).is_file():
            raise PublishError(f"{folder / name} is missing: `python -m {maker}` makes it.")
    # Weights that another program trained have no results: their card says as much.
    if loaded.results and loaded.results.get("name") != loaded.config.name:
        raise PublishError(
            f"{folder / RESULTS_FILE} is of {loaded.results.get('name')}, the weights are of "
            f"{loaded.config.name}: `python -m training` makes both."
        )
    paths = [folder / name for name in _OURS] + sorted(folder.glob(f"{PLOTS}/*.png"))
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths if p.is_file()}
    check_evaluation(loaded)
    card = text(loaded, where=repo_id)
    for plot in re.findall(rf"\]\(({PLOTS}/[^)]+)\)", card):
        if plot not in files:
            raise PublishError(
                f"{folder / plot} is missing: `python -m training.card {folder}` makes it."
            )
    return files | {CARD_FILE: card.encode()}


def _is_checkpoint(repo_id: str, remote: Remote) -> bool:
    """Return whether the config.json that is there is that of a network of this project."""
    if CONFIG_FILE not in remote.oids:
        return False
    url = hf_hub_url(repo_id, CONFIG_FILE, revision=remote.head)
    with told():
        answer = get_session().get(url, headers=build_hf_headers())
    try:
        found = answer.json() if answer.status_code == 200 else None
    except ValueError:  # not JSON: another program's file of this name
        return False
    keys = {each.name for each in dataclasses.fields(checkpoint.Config)}
    return isinstance(found, dict) and found.keys() == keys  # others have hidden_sizes, too


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
    except KeyboardInterrupt as stopped:
        print(str(stopped) or "interrupted: nothing was pushed", file=sys.stderr)
        return 130
    return 0


def _hardware(name: str) -> SpaceHardware:
    try:
        return SpaceHardware(name)
    except ValueError as error:
        known = ", ".join(each.value for each in SpaceHardware)
        raise argparse.ArgumentTypeError(f"there is no {name}, but {known}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.publish", description=__doc__)
    add = parser.add_argument
    add("checkpoint", nargs="?", help="a folder, or a network that ships, such as mlp-32")
    add("repo_id", nargs="?", metavar="OWNER/NAME", help="the model's name on the Hub")
    add("--space", metavar="OWNER/NAME", help="publish the app there, as a Space, instead")
    add("--private", action="store_true", help="create it for its owner's eyes alone")
    add("--tag", help="a name for the commit, such as v1")
    add(
        "--hardware", type=_hardware, metavar="NAME",
        help="of the Space, such as cpu-basic (asks for a plan) or zero-a10g (does not)",
    )  # fmt: skip
    add("--model", metavar="OWNER/NAME[@REVISION]", help="the model that the Space serves")
    add(
        "--wait", type=float, default=WAIT_SECONDS, metavar="SECONDS",
        help=f"for the Space to run ({WAIT_SECONDS})",
    )  # fmt: skip
    add("--dry-run", action="store_true", help="say what would be done; no token is needed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
