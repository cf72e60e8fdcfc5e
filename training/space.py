"""The app as a Space: what it needs, whether it runs."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, SpaceHardware, SpaceRuntime, constants

from model import checkpoint
from model.checkpoint import NEEDED, WELCOME
from model.hub import DownloadOptions
from training.hub import (
    Parcel,
    PublishError,
    Remote,
    connect,
    interrupted,
    look,
    send,
    told,
)

ROOT = Path(__file__).parent.parent
# What the Dockerfile copies too, and the picture that the README shows.
FILES = ("README.md", "LICENSE", "app.py", "requirements.txt", "screenshot.png")
FOLDERS = ("lesson", "model", "server", "ui")
TORCH = "torch>=2.8,<2.12"  # what ZeroGPU has; cpu-basic takes any
MODEL_VARIABLE = "MODEL"  # app.py's --model, where the command line says nothing
WAIT_SECONDS = 600  # a first build takes some minutes: torch brings CUDA
SETTLE_SECONDS = 60  # within which the Hub may still tell of the commit before
POLL_SECONDS = 3.0
RUNS = ("RUNNING", "SLEEPING")  # asleep, the next visitor wakes it
ENDS = (
    "BUILD_ERROR", "CONFIG_ERROR", "NO_APP_FILE", "RUNTIME_ERROR", "PAUSED", "STOPPED", "DELETING",
)  # fmt: skip


def publish_space(
    repo_id: str,
    *,
    private: bool = False,
    hardware: SpaceHardware | None = None,
    model: str | None = None,
    wait: float = WAIT_SECONDS,
    dry_run: bool = False,
    say: Callable[[str], object] = print,
) -> None:
    """Bring the app to the Space OWNER/NAME in one commit, and wait until it runs, in s.

    `model` is OWNER/NAME[@REVISION] of a public model that it serves, pinned to its commit;
    without, what ships. `dry_run` says what would be done, and sends nothing.

    Raises:
        PublishError: it cannot be, or does not run; the message says what the Hub says of it.
    """
    with connect() as api:
        pinned, preload = _pin(api, model) if model else (None, None)
        create: dict[str, Any] = {"space_sdk": "gradio", "space_hardware": hardware}
        if pinned:
            create["space_variables"] = [{"key": MODEL_VARIABLE, "value": pinned}]
        parcel = Parcel(
            repo_id,
            files=space_files(repo_id, preload),
            ours=(*FILES, *(f"{folder}/" for folder in FOLDERS)),
            is_ours=_is_this_app,
            repo_type="space",
            create=create,
        )
        commit = send(api, parcel, private=private, dry_run=dry_run, say=say)
        if commit is None:
            return
        after = f"The commit is pushed: run this again. {parcel.url}"
        with told(after), interrupted(after):
            changed = _set(api, repo_id, hardware=hardware, model=pinned, say=say)
        with interrupted(f"The commit is pushed; whether it runs, {parcel.url} says."):
            _wait(api, parcel, commit, wait, say, changed=changed)


def space_files(repo_id: str, preload: str | None = None) -> dict[str, bytes]:
    """Return the Space's files by path; the README and the requirements are made for it."""
    inside = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")))
    paths = [ROOT / name for name in FILES] + [p for p in inside if p.is_file()]
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in paths
        if "__pycache__" not in path.parts
        and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    }
    files["README.md"] = _readme(files["README.md"].decode(), repo_id, preload).encode()
    files["requirements.txt"] = re.sub(
        rb"^torch\b[^#\n]*", TORCH.encode() + b"  ", files["requirements.txt"], flags=re.MULTILINE
    )
    return files


def _readme(text: str, repo_id: str, preload: str | None) -> str:
    """Return the README with the front matter of this Space."""
    _, front, body = text.split("---\n", 2)
    address = f"{constants.ENDPOINT}/spaces/{repo_id}/resolve/main/"
    front = re.sub(r"^thumbnail: (?!http)", rf"thumbnail: {address}", front, flags=re.MULTILINE)
    if preload:
        model = preload.partition(" ")[0]
        front += f"models:\n  - {model}\npreload_from_hub:\n  - {preload}\n"
    return f"---\n{front}---\n{body}"


def _is_this_app(remote: Remote) -> bool:
    return "model/mlp.py" in remote.oids


def _pin(api: HfApi, model: str) -> tuple[str, str]:
    """Return OWNER/NAME@COMMIT, and what the Space fetches of it when it is built.

    Raises:
        PublishError: not anyone can see it: a Space needs no secret.
        CheckpointError: the app could not load it.
    """
    repo_id, _, revision = model.partition("@")
    remote = look(api, repo_id, "model", revision=revision or None, token=False)
    if remote is None:
        of = f", or it has no revision {revision}" if revision else ""
        raise PublishError(f"There is no public model {repo_id} on the Hub to serve{of}.")
    pinned = f"{repo_id}@{remote.head}"
    checkpoint.load(pinned, options=DownloadOptions(token=False))  # as strictly as the app will
    names = ",".join(name for name in (*NEEDED, *WELCOME) if name in remote.oids)
    return pinned, f"{repo_id} {names} {remote.head}"


def _set(
    api: HfApi,
    repo_id: str,
    *,
    hardware: SpaceHardware | None,
    model: str | None,
    say: Callable[[str], object],
) -> bool:
    """Bring the settings of a Space that was there to what was asked for; return what changed."""
    changed = False
    known = api.get_space_variables(repo_id).get(MODEL_VARIABLE)
    if model and (known is None or known.value != model):
        api.add_space_variable(repo_id, MODEL_VARIABLE, model)
        say(f"{MODEL_VARIABLE} is {model}")
        changed = True
    if known and not model:
        api.delete_space_variable(repo_id, MODEL_VARIABLE)
        say(f"{MODEL_VARIABLE} is removed: it serves what ships")
        changed = True
    if hardware and hardware != api.get_space_runtime(repo_id).requested_hardware:
        api.request_space_hardware(repo_id, hardware)
        say(f"hardware: {hardware.value}")
        changed = True
    return changed


def _wait(
    api: HfApi,
    parcel: Parcel,
    commit: str,
    seconds: float,
    say: Callable[[str], object],
    *,
    changed: bool,
) -> None:
    """Say each stage until the Space runs this commit, with the settings that have `changed`.

    Raises:
        PublishError: it will not, or not within these seconds.
    """
    stage, began = "", time.monotonic()
    for runtime in _runtimes(api, parcel.repo_id, seconds):
        if runtime.stage != stage:
            stage = runtime.stage
            say(f"stage: {stage}")
        settled = time.monotonic() - began > SETTLE_SECONDS
        changed = changed and stage in RUNS  # it has stopped, to start with what is new
        fresh = runtime.raw.get("sha") in (None, commit) and (settled or not changed)
        if stage in RUNS and fresh:
            say(f"it runs: {parcel.url}")
            return
        if stage in ENDS and (fresh or settled):
            raise PublishError(_why(parcel, runtime))
    raise PublishError(
        f"{parcel.url} does not run after {seconds:g} s, its stage is {stage or 'not known'}: "
        f"look there, or at `hf spaces logs {parcel.repo_id} --build`."
    )


def _runtimes(api: HfApi, repo_id: str, seconds: float) -> Iterator[SpaceRuntime]:
    """Ask what the Space does, every POLL_SECONDS, for so many s; a lost answer is asked again."""
    end = time.monotonic() + seconds
    while True:
        with suppress(PublishError), told():
            yield api.get_space_runtime(repo_id)
        if time.monotonic() > end:
            return
        time.sleep(min(POLL_SECONDS, max(end - time.monotonic(), 0)))


def _why(parcel: Parcel, runtime: SpaceRuntime) -> str:
    said = " ".join(str(runtime.raw.get("errorMessage") or "").split())
    of = " --build" if runtime.stage == "BUILD_ERROR" else ""
    return (
        f"{parcel.url} does not run: {runtime.stage}{f', {said}' if said else ''}. "
        f"`hf spaces logs {parcel.repo_id}{of}` shows its logs."
    )
