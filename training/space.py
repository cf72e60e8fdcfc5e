"""Publish the app as a Space of the Hugging Face Hub, and wait until it runs."""

import re
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, SpaceCard, SpaceHardware, SpaceRuntime, constants

from model import checkpoint
from model.checkpoint import HUB_FILES
from model.hub import DownloadOptions
from training.upload import (
    PublishError,
    RepoUpdate,
    get_remote,
    translate_errors,
    upload,
)

ROOT = Path(__file__).parent.parent
# The files that the Dockerfile copies too, and the README with its picture.
FILES = (
    "README.md", "LICENSE", "THIRD_PARTY_NOTICES.md", "app.py", "requirements.txt",
    "screenshot.png",
)  # fmt: skip
FOLDERS = ("lesson", "model", "server", "ui")
TORCH = "torch>=2.8,<2.12"  # ZeroGPU's versions; cpu-basic takes any
MODEL_VARIABLE = "MODEL"  # app.py's default for --model
WAIT_SECONDS = 600  # a first build takes some minutes, since torch brings CUDA
SETTLE_SECONDS = 60  # how long the Hub may still report the state of the previous commit
POLL_SECONDS = 3.0
RUNNING = ("RUNNING", "SLEEPING")  # a sleeping Space wakes up for its next visitor
FAILED = (
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
    log: Callable[[str], object] = print,
) -> None:
    """Push the app to the Space OWNER/NAME in one commit, and wait up to `wait` s until it runs.

    `model` is OWNER/NAME[@REVISION] of a public model to serve, which is pinned to its commit; the
    default are the shipped networks. A dry run only logs what would be done.

    Raises:
        CheckpointError: the app could not load the model.
        PublishError: the Hub rejects the request or cannot be reached, or the Space does not run.
    """
    pinned, preload = _pin(model) if model else (None, None)
    create_options: dict[str, Any] = {"space_sdk": "gradio", "space_hardware": hardware}
    if pinned:
        create_options["space_variables"] = [{"key": MODEL_VARIABLE, "value": pinned}]
    update = RepoUpdate(
        repo_id,
        files=space_files(repo_id, preload),
        owned=(*FILES, *(f"{folder}/" for folder in FOLDERS)),
        is_ours=lambda remote: "model/mlp.py" in remote.oids,
        repo_type="space",
        private=private,
        create_options=create_options,
    )
    commit = upload(update, dry_run=dry_run, log=log)
    if commit is None:
        return
    with translate_errors(f"The commit is pushed: run this again. {update.url}"):
        restarts = _apply_settings(repo_id, hardware=hardware, model=pinned, log=log)
    try:
        _wait_until_running(update, commit, wait, log, restarts=restarts)
    except KeyboardInterrupt:
        message = f"interrupted. The commit is pushed; {update.url} shows whether it runs."
        raise KeyboardInterrupt(message) from None


def space_files(repo_id: str, preload: str | None = None) -> dict[str, bytes]:
    """Return the Space's files by path, with a README and requirements made for it.

    `preload` is an entry of the front matter's `preload_from_hub`.
    """
    inside = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")))
    paths = [path.relative_to(ROOT) for path in (*(ROOT / name for name in FILES), *inside)]
    files = {
        path.as_posix(): (ROOT / path).read_bytes()
        for path in paths
        if (ROOT / path).is_file()
        and "__pycache__" not in path.parts
        and not any(part.startswith(".") for part in path.parts)
    }
    files["README.md"] = _readme(files["README.md"].decode(), repo_id, preload).encode()
    files["requirements.txt"] = re.sub(
        rb"^torch\b[^#\n]*", TORCH.encode() + b"  ", files["requirements.txt"], flags=re.MULTILINE
    )
    return files


def _readme(text: str, repo_id: str, preload: str | None) -> str:
    """Return the README with the front matter of this Space."""
    card = SpaceCard(text, ignore_metadata_errors=False)
    address = f"{constants.ENDPOINT}/spaces/{repo_id}/resolve/main"
    card.data["thumbnail"] = f"{address}/{card.data['thumbnail']}"
    if preload:
        card.data["models"] = [preload.partition(" ")[0]]
        card.data["preload_from_hub"] = [preload]
    return str(card)


def _pin(model: str) -> tuple[str, str]:
    """Return OWNER/NAME@COMMIT, and the entry of `preload_from_hub` that downloads it at build.

    Raises:
        PublishError: the model is not public: the Space has no token.
        CheckpointError: the app could not load it.
    """
    repo_id, _, revision = model.partition("@")
    remote = get_remote(repo_id, "model", revision=revision or None, token=False)
    if remote is None:
        suffix = f", or it has no revision {revision}" if revision else ""
        raise PublishError(f"There is no public model {repo_id} on the Hub to serve{suffix}.")
    pinned = f"{repo_id}@{remote.head}"
    checkpoint.load(pinned, options=DownloadOptions(token=False))
    names = ",".join(file.name for file in HUB_FILES if file.name in remote.oids)
    return pinned, f"{repo_id} {names} {remote.head}"


def _apply_settings(
    repo_id: str,
    *,
    hardware: SpaceHardware | None,
    model: str | None,
    log: Callable[[str], object],
) -> bool:
    """Set the model and the hardware of an existing Space; return whether that restarts it."""
    api, restarts = HfApi(), False
    current = api.get_space_variables(repo_id).get(MODEL_VARIABLE)
    if model and (current is None or current.value != model):
        api.add_space_variable(repo_id, MODEL_VARIABLE, model)
        log(f"variable {MODEL_VARIABLE}: {model}")
        restarts = True
    if current and not model:
        api.delete_space_variable(repo_id, MODEL_VARIABLE)
        log(f"variable {MODEL_VARIABLE}: deleted, the Space serves the shipped networks")
        restarts = True
    if hardware and hardware != api.get_space_runtime(repo_id).requested_hardware:
        api.request_space_hardware(repo_id, hardware)
        log(f"hardware: {hardware.value}")
        restarts = True
    return restarts


def _wait_until_running(
    update: RepoUpdate,
    commit: str,
    seconds: float,
    log: Callable[[str], object],
    *,
    restarts: bool,
) -> None:
    """Log each stage until the Space runs this commit, after its restart if there is one.

    Raises:
        PublishError: the Space fails, or does not run in time.
    """
    stage, began = "unknown", time.monotonic()
    for runtime in _poll(update.repo_id, seconds):
        if runtime.stage != stage:
            stage = runtime.stage
            log(f"stage: {stage}")
        settled = time.monotonic() - began > SETTLE_SECONDS
        restarts = restarts and stage in RUNNING  # until it is seen to have stopped
        current = runtime.raw.get("sha") in (None, commit) and (settled or not restarts)
        if stage in RUNNING and current:
            log(f"running: {update.url}")
            return
        if stage in FAILED and (current or settled):
            reason = " ".join(str(runtime.raw.get("errorMessage") or "").split())
            flag = " --build" if stage == "BUILD_ERROR" else ""
            raise PublishError(
                f"{update.url} does not run: {stage}{reason and f', {reason}'}. "
                f"`hf spaces logs {update.repo_id}{flag}` shows its logs."
            )
    raise PublishError(
        f"{update.url} does not run after {seconds:g} s, its stage is {stage}: look there, or at "
        f"`hf spaces logs {update.repo_id} --build`."
    )


def _poll(repo_id: str, seconds: float) -> Generator[SpaceRuntime]:
    """Yield the Space's state every POLL_SECONDS; a request that fails is repeated."""
    end = time.monotonic() + seconds
    while True:
        with suppress(PublishError):
            with translate_errors():
                runtime = HfApi().get_space_runtime(repo_id)
            yield runtime
        if time.monotonic() > end:
            return
        time.sleep(min(POLL_SECONDS, max(end - time.monotonic(), 0)))
