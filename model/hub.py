"""Download the files of one commit from the Hugging Face Hub, within limits of time and size.

huggingface_hub alone waits much longer: 23 s for a Hub that refuses connections, and minutes for
one that accepts them and sends nothing.
"""

import re
import threading
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubError(Exception):
    """The Hub rejected the request, or does not have the requested model."""


class HubUnreachableError(HubError):
    """The Hub cannot be reached, and the cache does not have the files."""


class MissingFileError(HubError):
    """The repository lacks a required file."""


class FileTooLargeError(HubError):
    """A file is larger than its limit."""


class StaleWarning(UserWarning):
    """The Hub cannot be reached: the last known commit is loaded from the cache."""


@dataclass(frozen=True)
class HubFile:
    """A file to download.

    `max_bytes` may be a function of the folder of the files downloaded before this one. An optional
    file is skipped if it is missing or too large.
    """

    name: str
    max_bytes: int | Callable[[Path], int]
    required: bool = False


@dataclass(frozen=True)
class DownloadOptions:
    """Options of a download. The first four are huggingface_hub's."""

    cache_dir: str | Path | None = None  # default: HF_HUB_CACHE
    token: str | bool | None = None  # default: the token saved by `hf auth login`
    force_download: bool = False  # download even if the files are cached
    local_files_only: bool = False  # send no request
    response_timeout: float = 3.5  # s until the Hub's first response, including the DNS lookup
    download_timeout: float = 60.0  # s for all files: 3 MB need 55 kB/s


def download(
    repo_id: str,
    revision: str | None,
    files: Sequence[HubFile],
    options: DownloadOptions | None = None,
) -> Path:
    """Download files of OWNER/NAME into the cache, and return the folder that holds them.

    The files are downloaded in the order given; the first and the last must be required. All are
    of one commit, the folder's name: a branch or a tag is resolved once. If `revision` is a full
    commit hash and the required files are cached, no request is sent.

    The Hub counts as unreachable if a timeout of `options` expires or if it answers 408, 429 or
    5xx. Then the last known commit of the revision is loaded from the cache, with a StaleWarning.

    Raises:
        HubUnreachableError: the Hub cannot be reached, and the cache does not have the files.
        MissingFileError: a required file is missing.
        FileTooLargeError: a required file is too large.
        HubError: the Hub rejected the request, or the name or the revision is invalid.
    """
    options = options or DownloadOptions()
    name = f"{repo_id}@{revision}" if revision else repo_id
    known = cached(repo_id, revision, files, options.cache_dir)
    if options.force_download:
        known = None
    if known and (options.local_files_only or known.name == revision):
        return known
    if options.local_files_only:
        raise HubUnreachableError(f"{name} is not in the cache, and local_files_only is set.")
    try:
        return _Download(repo_id, revision or "main", files, options).run()
    except HubUnreachableError as error:
        if known is None:
            reason = "force_download is set" if options.force_download else "it is not in the cache"
            raise HubUnreachableError(
                f"{name}: {error}, and {reason}: check the network."
            ) from error
        message = f"{name}: {error}: serving commit {known.name[:12]} from the cache."
        warnings.warn(message, StaleWarning, stacklevel=2)
        return known
    except HubError as error:
        raise type(error)(f"{name} on the Hub: {error}") from error


def cached(
    repo_id: str,
    revision: str | None,
    files: Sequence[HubFile],
    cache_dir: str | Path | None = None,
) -> Path | None:
    """Return the cached folder of a revision's last known commit, if it has the required files.

    Raises:
        HubError: the name or the revision is invalid.
    """
    # Imported here: it takes a second, which the shipped weights do not need.
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    text = revision or ""
    if ".." in text or text.startswith("/") or not text.isprintable():
        raise HubError(f"Invalid revision: {revision!r}.")  # it is part of a path in the cache
    try:
        found = [
            try_to_load_from_cache(repo_id, file.name, revision=revision, cache_dir=cache_dir)
            for file in files
            if file.required
        ]
    except HFValidationError as error:
        raise HubError(f"Invalid name on the Hub: {error}") from error
    paths = [Path(path) for path in found if isinstance(path, str)]
    return paths[0].parent if len(paths) == len(found) else None


@dataclass(frozen=True)
class _Download:
    """A download; each of its steps has a time limit."""

    repo_id: str
    revision: str
    files: Sequence[HubFile]
    options: DownloadOptions

    def run(self) -> Path:
        """Return the folder of the files in the cache."""
        options = self.options
        commit, sizes = _call_with_timeout(
            options.response_timeout, "the Hub did not answer", self._resolve
        )
        for file in self.files:
            if file.required and file.name not in sizes:
                raise MissingFileError(f"{file.name} is missing.")
        return _call_with_timeout(
            options.download_timeout, "the download did not finish", self._download, commit, sizes
        )

    def _resolve(self) -> tuple[str, dict[str, int]]:
        """Return the commit that the revision stands for now, and each file's size in bytes."""
        from huggingface_hub import HfApi

        with _translate_errors():
            info = HfApi().model_info(
                self.repo_id,
                revision=self.revision,
                files_metadata=True,
                timeout=self.options.response_timeout,
                token=self.options.token,
            )
        commit = info.sha or ""
        if not _COMMIT.fullmatch(commit):  # it becomes the name of a folder
            raise HubUnreachableError(f"the Hub answered {commit[:80]!r}, which is no commit")
        if _COMMIT.fullmatch(self.revision) and commit != self.revision:
            raise HubError(f"expected commit {self.revision}, found {commit}.")
        return commit, {each.rfilename: each.size or 0 for each in info.siblings or []}

    def _download(self, commit: str, sizes: Mapping[str, int]) -> Path:
        """Return the folder of a commit in the cache, after downloading the files it lacks."""
        folder = Path()
        for file in self.files:
            if file.name not in sizes:
                continue
            limit = file.max_bytes if isinstance(file.max_bytes, int) else file.max_bytes(folder)
            if sizes[file.name] <= limit:
                folder = self._download_file(commit, file.name, max_bytes=limit).parent
            elif file.required:
                raise FileTooLargeError(f"{file.name} has more than {limit:,} bytes.")
        if cached(self.repo_id, self.revision, self.files, self.options.cache_dir) != folder:
            # Record the commit of the revision only after all files have arrived, so that after an
            # interruption the revision still refers to the previous commit.
            name = self.files[0].name
            self._download_file(self.revision, name, max_bytes=sizes[name])
        return folder

    def _download_file(self, revision: str, name: str, *, max_bytes: int) -> Path:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.utils import tqdm

        class LimitedProgressBar(tqdm):
            """Ends the download of a file that is larger than the Hub announced."""

            n_bytes = 0

            def update(self, n: float | None = 1) -> bool | None:
                self.n_bytes += int(n or 0)
                if self.n_bytes > max_bytes:
                    raise FileTooLargeError(f"{name} has more than {max_bytes:,} bytes.")
                return super().update(n)

        with _translate_errors():
            path = hf_hub_download(
                self.repo_id,
                name,
                revision=revision,
                cache_dir=self.options.cache_dir,
                token=self.options.token,
                force_download=self.options.force_download,
                tqdm_class=LimitedProgressBar,
            )
        return Path(path)


def _call_with_timeout(
    seconds: float, failure: str, function: Callable[..., T], *arguments: object
) -> T:
    """Call a function in a daemon thread, and abandon the thread when the time is up.

    A DNS lookup, for example, can be neither interrupted nor given a timeout.

    Raises:
        HubUnreachableError: the time is up; the message begins with `failure`.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function(*arguments))
        except BaseException as error:  # raised again in the waiting thread
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="hub download").start()
    if not wait([future], timeout=seconds).done:
        raise HubUnreachableError(f"{failure} within {seconds:g} s")
    return future.result()


@contextmanager
def _translate_errors() -> Generator[None]:
    """Turn an error of huggingface_hub, or of its HTTP client, into a HubError with one line."""
    import httpx2

    try:
        yield
    except (httpx2.HTTPError, OSError, ValueError, KeyError, TypeError) as error:
        raise _describe(error) from error


def _describe(error: BaseException) -> HubError:
    import httpx2
    from huggingface_hub import constants, errors

    if isinstance(error, ValueError) and error.__cause__:  # of a forced download
        return _describe(error.__cause__)
    kind = type(error).__name__
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else 0
    if isinstance(error, errors.OfflineModeIsEnabled):
        return HubUnreachableError("HF_HUB_OFFLINE is set")
    if status in (408, 429) or status >= 500:
        return HubUnreachableError(f"the Hub answered {status}")
    if status:
        return HubError(
            f"{kind}. Check the name and the revision, and log in with `hf auth login` if it is "
            "private."
        )
    if isinstance(error, (errors.LocalEntryNotFoundError, httpx2.HTTPError)):
        cause = str(error.__cause__ or error).partition("\n")[0]
        return HubUnreachableError(f"the Hub cannot be reached ({cause or kind})")
    if isinstance(error, OSError):
        text = " ".join(str(error).split())
        return HubError(f"{kind}: {text} Check that the cache can be written to (HF_HOME).")
    return HubUnreachableError(f"{constants.ENDPOINT} does not answer as the Hub does ({kind})")
