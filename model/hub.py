"""Fetch a checkpoint's files from the Hugging Face Hub into its cache, and wait for it in bounds.

huggingface_hub does the work. Left to itself, it tries a Hub that is not there for 23 s, and waits
minutes for one that says nothing.
"""

import logging
import re
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

PATIENCE = 3.5  # s for a sign of life: with the client's import and what came before, below 5
LIVELY = 50_000  # bytes that are one; fewer may be dripped to hold a caller up
LONGEST = 300.0  # s in all, however lively: what 4 MB take at LIVELY bytes in PATIENCE
NOT_NOW = (408, 429)  # with all from 500 on: the Hub has not said no
_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubError(Exception):
    """The Hub said no, or has not what was asked for."""


class SilentError(HubError):
    """The Hub is out of reach, and the cache does not have it."""


class MissingError(HubError):
    """A file that is needed is not there."""


class TooLargeError(HubError):
    """A file has more bytes than it may."""


class StaleWarning(UserWarning):
    """The Hub is out of reach: what was last known of it is taken from the cache."""


@dataclass(frozen=True)
class Pull:
    """How to ask the Hub; the names are huggingface_hub's."""

    cache_dir: str | Path | None = None  # HF_HUB_CACHE
    token: str | bool | None = None  # the one that `hf auth login` keeps
    force_download: bool = False  # though the cache has it
    local_files_only: bool = False  # ask nobody
    patience: float = PATIENCE  # s without a sign of life, after which the Hub is out of reach


def fetch(
    repo: str,
    revision: str | None,
    *,
    needed: Sequence[str],
    welcome: Sequence[str] = (),
    largest: Mapping[str, int],
    check: Callable[[Path], Mapping[str, int]] = lambda path: {},
    pull: Pull | None = None,
) -> Path:
    """Return the cache's folder of a commit of OWNER/NAME, named after it, with these files.

    A branch, a tag or a short commit is looked up once, so that all files are of one commit. A
    commit in full that is in the cache is asked of nobody. `largest` says how many bytes each file
    may have; of a larger one the download ends, and a welcome one is left out. `check` is given the
    first needed file before the others are asked for, may raise, and returns more of `largest`.

    The Hub is out of reach when it has neither answered a request nor sent 50 kB for
    `pull.patience` s, after LONGEST s in all, or when it says "not now" (408, 429, 5xx). Then what
    the cache has of the revision is taken, with a StaleWarning; never another commit than the one
    asked for.

    Raises:
        SilentError: the Hub is out of reach, and the cache does not have it.
        MissingError: a needed file is not there.
        TooLargeError: one has more bytes than it may.
        HubError: the Hub said no, or that can be no name or revision.
    """
    _refuse_path(revision)
    where = f"{repo}@{revision}" if revision else repo
    wanted = _Wanted(repo, revision or "main", needed, welcome, largest, check, pull or Pull())
    known = wanted.known()
    if known and (wanted.pull.local_files_only or known.name == revision):
        return known
    if wanted.pull.local_files_only:
        raise SilentError(f"{where} is not in the cache, and the Hub is not to be asked.")
    try:
        return _download(wanted)
    except _OutOfReachError as error:
        if not known:
            forced = wanted.pull.force_download
            lacking = "it is asked for anew" if forced else "it is not in the cache"
            raise SilentError(f"{where}: {error}, and {lacking}: check the network.") from error
        message = f"{where}: {error}: serving commit {known.name[:12]} from the cache."
        warnings.warn(message, StaleWarning, stacklevel=2)
        return known
    except HubError as error:
        raise type(error)(f"{where} on the Hub: {error}") from error


def cached(
    repo: str, revision: str | None, needed: Sequence[str], cache_dir: str | Path | None = None
) -> Path | None:
    """Return the folder of the commit last known by this revision, if all files needed are there.

    Raises:
        HubError: that can be no name on the Hub.
    """
    # Imported here: a second that those who use the shipped weights need not wait for.
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    _refuse_path(revision)
    try:
        found = [
            try_to_load_from_cache(repo, name, revision=revision, cache_dir=cache_dir)
            for name in needed
        ]
    except HFValidationError as error:
        raise HubError(f"{repo} can be no name on the Hub: {error}") from error
    paths = [Path(path) for path in found if isinstance(path, str)]
    return paths[0].parent if len(paths) == len(needed) else None


def _refuse_path(revision: str | None) -> None:
    """Refuse a revision that would lead out of the cache, where it names a file."""
    name = revision or ""
    if ".." in name or name.startswith("/") or not name.isprintable():
        raise HubError(f"{revision!r} can be no revision.")


@dataclass(frozen=True)
class _Wanted:
    """What is to be fetched."""

    repo: str
    revision: str
    needed: Sequence[str]
    welcome: Sequence[str]
    largest: Mapping[str, int]  # bytes
    check: Callable[[Path], Mapping[str, int]]
    pull: Pull

    def known(self) -> Path | None:
        """Return the folder of the commit last known, if it may be taken."""
        if self.pull.force_download:
            return None
        return cached(self.repo, self.revision, self.needed, self.pull.cache_dir)

    def take(self, name: str, commit: str, **options: Any) -> Path:
        """Return the path in the cache of a file, downloaded if need be."""
        from huggingface_hub import hf_hub_download

        pull = self.pull
        path = hf_hub_download(
            self.repo, name, revision=commit, cache_dir=pull.cache_dir, token=pull.token,
            force_download=pull.force_download, **options,
        )  # fmt: skip
        return Path(path)


class _OutOfReachError(Exception):
    """The Hub is out of reach, and why."""


class _GivenUpError(Exception):
    """Nobody waits for this download any more."""


class _Watch:
    """How a download goes on, seen from the thread that waits for it."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.ends = time.monotonic() + LONGEST
        self.given_up = False
        self.asking = False  # while there is nothing to ask, the cache's lock may be waited for
        self.live()

    def live(self) -> None:
        """Note a sign of life."""
        self._since, self._n_bytes = time.monotonic(), 0

    def hear(self, n_bytes: int) -> None:
        """Note what has come."""
        self._n_bytes += n_bytes
        if self._n_bytes >= LIVELY:
            self.live()

    def expect(self, name: str, largest: int) -> None:
        """Note which file comes next, and how many bytes it may have."""
        self._name, self._largest = name, largest

    def bound(self, n_bytes: int) -> None:
        """Refuse a file of so many bytes, if they are too many."""
        if n_bytes > self._largest:
            raise TooLargeError(f"{self._name} has more than {self._largest:,} bytes.")

    def remaining(self) -> float:
        """Return for how long it may still say nothing, in s."""
        return min(self._since + self.patience, self.ends) - time.monotonic()


def _download(wanted: _Wanted) -> Path:
    """Download in a thread of its own: looking a name up, for one, cannot be given a time limit.

    Raises:
        _OutOfReachError: the Hub is out of reach.
        HubError: it said no.
    """
    watch, future = _Watch(wanted.pull.patience), Future()

    def work() -> None:
        try:
            with _heard(watch):
                folder = _take_all(wanted, watch)
        except BaseException as error:  # raised again in the thread that waits
            future.set_exception(_told_apart(error))
        else:
            future.set_result(folder)

    threading.Thread(target=work, daemon=True, name=f"pull {wanted.repo}").start()
    try:
        while (left := watch.remaining()) > 0:
            if wait([future], timeout=left).done:
                return future.result()
    finally:
        watch.given_up = True
    if time.monotonic() > watch.ends:
        raise _OutOfReachError(f"the Hub was not done within {LONGEST:g} s")
    other = "" if watch.asking else ", or another process is fetching it"
    raise _OutOfReachError(f"the Hub did not answer within {watch.patience:g} s{other}")


def _take_all(wanted: _Wanted, watch: _Watch) -> Path:
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        """Hears of what comes by Xet too, which is not the client's own HTTP, and unpacked."""

        n_bytes = 0

        def update(self, n: float | None = 1) -> bool | None:
            self.n_bytes += int(n or 0)
            watch.bound(self.n_bytes)
            watch.hear(int(n or 0))
            return super().update(n)

    def take(name: str) -> Path:
        watch.expect(name, largest[name])
        return wanted.take(name, commit, tqdm_class=Bar)

    largest = dict(wanted.largest)
    watch.expect(wanted.needed[0], largest[wanted.needed[0]])
    commit = _look_up(wanted)
    whole = replace(wanted, revision=commit).known()
    if whole:
        _remember(whole, wanted.revision)
        return whole
    first = take(wanted.needed[0])
    largest |= wanted.check(first)
    for name in wanted.welcome:
        try:
            take(name)
        except LocalEntryNotFoundError:  # an EntryNotFoundError, though the Hub is out of reach
            raise
        except (EntryNotFoundError, TooLargeError):
            continue
    for name in wanted.needed[1:]:  # the last: where they are, all is there
        take(name)
    _remember(first.parent, wanted.revision)
    return first.parent


def _look_up(wanted: _Wanted) -> str:
    """Return the commit that a branch, a tag or the beginning of a commit stands for now."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(wanted.repo, wanted.needed[0], revision=wanted.revision)
    found = get_hf_file_metadata(url, token=wanted.pull.token)
    commit = found.commit_hash or ""
    if not _COMMIT.fullmatch(commit):  # a folder will be named after it
        raise _OutOfReachError(f"what answers at {url.partition(wanted.repo)[0]} is no Hub")
    if _COMMIT.fullmatch(wanted.revision) and commit != wanted.revision:
        raise HubError(f"asked for this commit, it gave {commit}.")
    return commit


def _remember(folder: Path, revision: str) -> None:
    """Keep which commit the revision stood for, where huggingface_hub does.

    It would itself do so with the first file, and an interruption would leave a name without
    weights in place of the one that had them.
    """
    ref = folder.parents[1] / "refs" / revision
    if folder.name == revision or (
        ref.is_file() and ref.read_text(encoding="utf-8") == folder.name
    ):
        return
    with suppress(OSError):  # a cache that cannot be written to is as good for now
        ref.parent.mkdir(parents=True, exist_ok=True)
        beside = ref.with_name(f"{ref.name}.{threading.get_ident()}.tmp")
        beside.write_text(folder.name, encoding="utf-8")
        beside.replace(ref)


@contextmanager
def _heard(watch: _Watch) -> Generator[None]:
    """Watch this thread's requests, limit their time, and end them when nobody waits any more.

    huggingface_hub takes no client per call, so hooks are added to the one that all its callers in
    this process share. They ignore the requests of other threads.
    """
    from huggingface_hub import get_session

    thread, seen = threading.get_ident(), set()

    def begin(request: "httpx2.Request") -> None:
        if threading.get_ident() == thread:
            if watch.given_up:
                raise _GivenUpError
            # A little longer than who waits here does: that one says why.
            limits = dict.fromkeys(("connect", "read", "write", "pool"), 1.25 * watch.patience)
            request.extensions["timeout"] = limits
            watch.asking = True

    def answered(response: "httpx2.Response") -> None:
        if threading.get_ident() == thread:
            request = response.request
            # The same over again, after a break, is no progress; the rest (206) is.
            new = (request.method, request.url) not in seen or response.status_code == 206
            seen.add((request.method, request.url))
            if new and not response.has_redirect_location:
                watch.live()
            if request.method == "HEAD":
                watch.bound(_size(response))
            response.stream = _counted(response.stream, watch, new=new, again=response.is_error)

    client = get_session()

    def change(edit: Callable[[list, Any], list]) -> None:
        hooks = client.event_hooks
        client.event_hooks = {
            "request": edit(hooks["request"], begin),
            "response": edit(hooks["response"], answered),
        }

    with _added(change), _quiet(thread):
        yield


_SHARED = threading.Lock()  # held while lists that other threads use are replaced


@contextmanager
def _added(change: Callable[[Callable[[list, Any], list]], None]) -> Generator[None]:
    """Have something in a list of a shared object while this runs.

    `change` replaces the list by an edited copy. The list itself must not change: a thread that is
    iterating over it would skip the hook after one that is removed, and so lose its timeout.
    """
    with _SHARED:
        change(lambda items, item: [*items, item])
    try:
        yield
    finally:
        with _SHARED:
            change(lambda items, item: [each for each in items if each is not item])


def _size(response: "httpx2.Response") -> int:
    """Return how many bytes the file has by its headers; 0 if they do not say."""
    own = "0" if response.has_redirect_location else response.headers.get("content-length", "0")
    size = response.headers.get("x-linked-size", own)
    return int(size[:18]) if size.isdecimal() else 0  # int() refuses thousands of digits


def _counted(stream: Any, watch: _Watch, *, new: bool, again: bool) -> Any:
    """Return a body that tells the watch of each piece that has come, if that is new.

    `again` is whether it may be asked for once more, after a pause.
    """
    import httpx2

    class Counted(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            n_bytes = 0
            try:
                for piece in stream:
                    if watch.given_up:
                        raise _GivenUpError
                    n_bytes += len(piece)
                    watch.bound(n_bytes)
                    watch.hear(len(piece) if new else 0)
                    yield piece
            except httpx2.TransportError as error:
                if watch.given_up:  # or it would be asked for again
                    raise _GivenUpError from error
                raise

        def close(self) -> None:
            watch.asking = again
            stream.close()

    return Counted()


@contextmanager
def _quiet(thread: int) -> Generator[None]:
    """Keep huggingface_hub from logging each attempt of this thread: one line sums them up."""

    def others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    handlers = list(logging.getLogger("huggingface_hub").handlers)

    def change(edit: Callable[[list, Any], list]) -> None:
        for handler in handlers:
            handler.filters = edit(handler.filters, others)

    with _added(change):
        yield


def _told_apart(error: BaseException) -> BaseException:
    """Return what an error of the client's means to those who asked."""
    import httpx2
    from huggingface_hub import errors

    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else 0
    kind = type(error).__name__
    if isinstance(error, errors.HFValidationError):
        return HubError(f"it can be no name: {error}")
    if isinstance(error, ValueError) and isinstance(error.__cause__, Exception):
        return _told_apart(error.__cause__)  # of a download that is forced, a ValueError says so
    if isinstance(error, errors.OfflineModeIsEnabled):
        return _OutOfReachError("HF_HUB_OFFLINE is set")
    if status in NOT_NOW or status >= 500:
        return _OutOfReachError(f"the Hub answered {status}")
    if isinstance(error, (errors.LocalEntryNotFoundError, httpx2.TransportError)):
        cause = str(error.__cause__ or error).partition("\n")[0]
        return _OutOfReachError(f"the Hub cannot be reached ({cause or kind})")
    if isinstance(error, errors.RemoteEntryNotFoundError):
        name = error.response.url.path.rpartition("/")[2]
        return MissingError(f"{name} is not there.")
    if isinstance(error, errors.HfHubHTTPError):
        return HubError(
            f"{kind}. Check the name and the revision, and log in with `hf auth login` if it is "
            "private."
        )
    if isinstance(error, (httpx2.HTTPError, OSError)):
        return HubError(
            f"{kind}. Check the name and the network, and that the cache can be written to "
            "(HF_HOME says where it is)."
        )
    return error
