"""What publishing asks of the Hugging Face Hub: in bounded time, in one commit, or not at all."""

import hashlib
import os
import re
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    is_offline_mode,
    set_client_factory,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (
    disable_progress_bars,
    enable_progress_bars,
    hf_raise_for_status,
    validate_repo_id,
)
from huggingface_hub.utils._http import default_client_factory  # no public name undoes the setting

CONNECT_SECONDS, READ_SECONDS, WRITE_SECONDS = 5, 10, 60  # a commit of MB takes the Hub a while
BLANK = {".gitattributes", ".gitignore", "LICENSE", "README.md"}  # the Hub's own first commit
_AGAIN = "run this again, what is there is not sent twice."
_TAG = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
_HINTS = {
    401: "the token is not valid: log in with `hf auth login`",
    402: "that needs a paid plan; a free account has two Spaces with --hardware zero-a10g",
    403: "the token may not write there: make one with write access, for an owner that you are",
    404: "it is not there, or the token may not see it",
    409: "someone else changes it at this moment: run this again",
    412: "someone pushed to it in between: run this again",
}


class PublishError(Exception):
    """What was to be published was not: the message says why, and what to do."""


class NoAnswerError(PublishError):
    """The Hub was asked and did not answer: what it did is not known."""


@dataclass(frozen=True)
class Remote:
    """What a repository holds now."""

    head: str  # its last commit
    private: bool
    oids: Mapping[str, str]  # by path: SHA-256 of what Git LFS keeps, else git's own SHA-1

    def holds(self, path: str, content: bytes) -> bool:
        """Return whether the file is there, with this content."""
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return self.oids.get(path) in (blob, hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class Parcel:
    """What a repository of the Hub shall hold.

    `ours` are the paths that this project writes, a folder with its "/": what else is there stays.
    `is_ours` tells a repository of this kind from any other. `create` is for create_repo.
    """

    repo_id: str
    files: Mapping[str, bytes]
    ours: tuple[str, ...]
    is_ours: Callable[[Remote], bool]
    repo_type: str = "model"
    create: Mapping[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Return the address of its page."""
        kind = "" if self.repo_type == "model" else f"{self.repo_type}s/"
        return f"{constants.ENDPOINT}/{kind}{self.repo_id}"


@dataclass(frozen=True)
class Change:
    """What of a parcel is not there yet, and what is there and should not be."""

    add: Mapping[str, bytes]
    delete: list[str]


class _Client(httpx2.Client):
    """huggingface_hub's client, but that each call is made once and ends.

    The library sets no limit, and tries some calls six times, up to 400 s, with a line for each.
    """

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if is_offline_mode():
            raise PublishError("HF_HUB_OFFLINE is set: unset it to publish.")
        seconds = READ_SECONDS if request.method in ("GET", "HEAD") else WRITE_SECONDS
        limits = httpx2.Timeout(seconds, connect=CONNECT_SECONDS)
        request.extensions["timeout"] = limits.as_dict()
        try:
            response = super().send(request, **options)
        except httpx2.TimeoutException as error:
            raise NoAnswerError(
                f"The Hub does not answer within {seconds} s: check the network, or try "
                "again later."
            ) from error
        except httpx2.RequestError as error:
            raise NoAnswerError(
                f"The Hub cannot be reached ({type(error).__name__}): check the network."
            ) from error
        if response.status_code in (408, 429) or response.status_code >= 500:
            response.read()
            hf_raise_for_status(response)
        return response


@contextmanager
def connect() -> Generator[HfApi]:
    """Give the API, with all its calls bounded in time; what else is in this process is not."""
    # hf_xet has a network of its own, with limits of its own; a digit reader's MBs need no Xet.
    without_xet, constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET, True
    set_client_factory(lambda: _Client(follow_redirects=True))
    disable_progress_bars()
    try:
        yield HfApi()
    finally:
        constants.HF_HUB_DISABLE_XET = without_xet
        set_client_factory(default_client_factory)
        enable_progress_bars()


def check_name(repo_id: str) -> None:
    """Check that it is OWNER/NAME, as the Hub wants it.

    Raises:
        PublishError: it is not.
    """
    with told():
        validate_repo_id(repo_id)
    if "/" not in repo_id:
        raise PublishError(f"Not a name on the Hub: {repo_id!r}, expected OWNER/NAME.")


def check_login(repo_id: str) -> str:
    """Check the name and the token before the work, not after; return the token's account.

    Raises:
        PublishError: no such name can be, no token, one that is not valid, or no Hub.
    """
    check_name(repo_id)
    with connect() as api, told():
        found = api.whoami()
    name = found.get("name") if isinstance(found, dict) else None
    if not isinstance(name, str):
        raise PublishError("The Hub's answer is not understood: it names no account.")
    return name


def look(
    api: HfApi,
    repo_id: str,
    repo_type: str,
    *,
    revision: str | None = None,
    token: bool | None = None,
) -> Remote | None:
    """Return what the repository holds; None if there is none that the token may see.

    `token=False` looks as anyone can.

    Raises:
        PublishError: the Hub refuses, or cannot be reached.
    """
    with told():
        try:
            ask = api.space_info if repo_type == "space" else api.model_info
            info = ask(repo_id, revision=revision, files_metadata=True, token=token)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            return None
    oids = {
        each.rfilename: (each.lfs.sha256 if each.lfs else each.blob_id) or ""
        for each in info.siblings or []
    }
    return Remote(info.sha or "", bool(info.private), oids)


def send(
    api: HfApi,
    parcel: Parcel,
    *,
    private: bool = False,
    tag: str | None = None,
    dry_run: bool = False,
    say: Callable[[str], object] = print,
) -> str | None:
    """Bring the parcel to the Hub in one commit, and tag it; return the commit.

    What is there already is not sent again, and makes no commit. `dry_run` says what would be done,
    needs neither token nor network, and returns None.

    Raises:
        PublishError: it cannot be; the repository is as it was, or as the message says.
        KeyboardInterrupt: with a message that says the same, or without while nothing is pushed.
    """
    check_name(parcel.repo_id)
    if tag is not None and not _TAG.fullmatch(tag):
        raise PublishError(f"Not a tag: {tag!r}, expected letters, digits, '.', '_' and '-'.")
    if not dry_run:
        with told():
            api.whoami()
    remote, tagged = _look_before(api, parcel, tag, dry_run=dry_run, say=say)
    change = _difference(parcel, remote)
    _refuse(parcel, remote, change, private=private, tag=tag, tagged=tagged)
    for line in _plan(parcel, remote, change, private=private, tag=tag):
        say(line)
    if dry_run:
        say("dry run: nothing is sent, and whether the token may write there is not asked")
        return None
    if remote and not change.add and not change.delete:
        commit = remote.head
        say(f"nothing to push: it is all there: {parcel.url}/commit/{commit}")
    else:
        commit = _commit(api, parcel, remote, change, private=private)
        say(f"pushed: {parcel.url}/commit/{commit}")
    if tag and tagged is None:
        after = f"The commit {commit} is pushed, without its tag: run this again."
        with told(after), interrupted(after):
            api.create_tag(parcel.repo_id, tag=tag, revision=commit, repo_type=parcel.repo_type)
    if tag:
        say(f"tagged: {tag}" if tagged is None else f"tagged: {tag}, as it was")
    return commit


def _look_before(
    api: HfApi, parcel: Parcel, tag: str | None, *, dry_run: bool, say: Callable[[str], object]
) -> tuple[Remote | None, str | None]:
    """Return what is there, and the commit that the tag is at; a dry run may not be told."""
    try:
        remote = look(api, parcel.repo_id, parcel.repo_type)
        if remote is None or tag is None:
            return remote, None
        with told():
            refs = api.list_repo_refs(parcel.repo_id, repo_type=parcel.repo_type)
        return remote, next((ref.target_commit for ref in refs.tags if ref.name == tag), None)
    except PublishError as error:
        if not dry_run:
            raise
        say(f"taken for new, what is there is not known: {error}")
        return None, None


def _difference(parcel: Parcel, remote: Remote | None) -> Change:
    there = remote.oids if remote else {}
    add = {k: v for k, v in parcel.files.items() if not (remote and remote.holds(k, v))}
    folders = tuple(path for path in parcel.ours if path.endswith("/"))
    ours = (path for path in there if path in parcel.ours or path.startswith(folders))
    return Change(add, sorted(path for path in ours if path not in parcel.files))


def _refuse(
    parcel: Parcel,
    remote: Remote | None,
    change: Change,
    *,
    private: bool,
    tag: str | None,
    tagged: str | None,
) -> None:
    if remote is None:
        return
    if not remote.oids.keys() <= BLANK and not parcel.is_ours(remote):
        found = ", ".join(sorted(remote.oids)[:4])
        raise PublishError(
            f"The name {parcel.repo_id} is taken by something else ({found}): choose another."
        )
    if private and not remote.private:
        raise PublishError(
            f"{parcel.repo_id} is there and public: --private is for a new one. Change it in "
            f"{parcel.url}/settings, or choose another name."
        )
    if tagged and (change.add or change.delete or tagged != remote.head):
        raise PublishError(
            f"The tag {tag} is at another commit, {tagged[:12]}, which stays as it is: choose "
            "another tag."
        )


def _plan(
    parcel: Parcel, remote: Remote | None, change: Change, *, private: bool, tag: str | None
) -> Iterator[str]:
    state = "there already" if remote else "new, private" if private else "new"
    yield f"{parcel.repo_type} {parcel.url}: {state}"
    for path, content in change.add.items():
        what = "change" if remote and path in remote.oids else "add"
        yield f"  {what:6} {path} ({len(content):,} bytes)"
    for path in change.delete:
        yield f"  delete {path}"
    same = len(parcel.files) - len(change.add)
    if same:
        yield f"  {same} of {len(parcel.files)} files stay as they are"
    if tag:
        yield f"  tag    {tag}"


def _commit(
    api: HfApi, parcel: Parcel, remote: Remote | None, change: Change, *, private: bool
) -> str:
    """Create the repository if it is new, and commit; take back what this call created."""
    created, new = False, remote is None
    try:
        if remote is None:
            with told():
                api.create_repo(
                    parcel.repo_id,
                    repo_type=parcel.repo_type,
                    private=private or None,
                    **parcel.create,
                )
            created = True
            remote = look(api, parcel.repo_id, parcel.repo_type)
        with told():
            return api.create_commit(
                parcel.repo_id,
                [CommitOperationDelete(path) for path in change.delete]
                + [CommitOperationAdd(path, content) for path, content in change.add.items()],
                commit_message=f"Upload {parcel.repo_id.partition('/')[2]}",
                repo_type=parcel.repo_type,
                parent_commit=remote.head if remote else None,
            ).oid
    except NoAnswerError as error:
        left = _take_back(api, parcel, created=new, known=False)
        raise PublishError(f"{error} {left}") from error
    except PublishError as error:
        raise PublishError(f"{error} {_take_back(api, parcel, created=created)}") from error
    except KeyboardInterrupt:
        left = _take_back(api, parcel, created=new, known=False)
        raise KeyboardInterrupt(f"interrupted. {left}") from None


def _take_back(api: HfApi, parcel: Parcel, *, created: bool, known: bool = True) -> str:
    """Delete the repository if this run created it and it is empty; say what is left.

    Where it is not `known` what the Hub did with the last call, it may still be at it.
    """
    try:
        remote = look(api, parcel.repo_id, parcel.repo_type)
        change = _difference(parcel, remote)
        if remote and not change.add and not change.delete:
            return f"Yet it is all there: {parcel.url}/commit/{remote.head}"
        if not created or remote is None or not remote.oids.keys() <= BLANK:
            return "Nothing was pushed." if known else f"It may have arrived: {_AGAIN}"
        with told():
            api.delete_repo(parcel.repo_id, repo_type=parcel.repo_type, missing_ok=True)
    except PublishError:
        made = f"{parcel.url} was created, and may be empty" if created else "It may have arrived"
        return f"{made}: {_AGAIN}"
    return f"Nothing was pushed; {parcel.repo_id}, created a moment ago, is deleted again."


@contextmanager
def interrupted(after: str) -> Generator[None]:
    """Let Ctrl-C tell what has been done by then."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted. {after}") from None


@contextmanager
def told(after: str = "") -> Generator[None]:
    """Turn what the Hub and its library raise into one line, with `after` at its end.

    Raises:
        PublishError: with that line.
    """
    try:
        yield
    except (PublishError, OSError) as error:  # the library's named errors are OSErrors, too
        kind = type(error) if isinstance(error, PublishError) else PublishError
        raise kind(f"{_explain(error)} {after}".strip()) from error
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        if not _in_library(error):
            raise  # a bug of this program
        cause = error.__cause__ if isinstance(error, RuntimeError) else None  # of a failed upload
        said = f"{_explain(cause)} {error}" if cause else _explain(error)
        raise PublishError(f"{said} {after}".strip()) from error


def _in_library(error: BaseException) -> bool:
    """Return whether huggingface_hub raised this, rather than the code that calls it.

    The library reads the Hub's answers without checking them: one that lacks a field ends in a
    KeyError, one that is a list in a TypeError, one that is not JSON in a ValueError.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [frame.f_globals.get("__name__", "").partition(".")[0] for frame in frames]
    known = [name for name in packages if name in ("huggingface_hub", __name__.partition(".")[0])]
    return known[-1:] == ["huggingface_hub"]


def _explain(error: BaseException) -> str:
    match error:
        case LocalTokenNotFoundError():
            return "There is no Hugging Face token: log in with `hf auth login`, or set HF_TOKEN."
        case HFValidationError():
            return f"Not a name on the Hub: {error}"
        case HfHubHTTPError():
            return _answered(error)
        case PublishError():
            return str(error)
        case UnicodeEncodeError():
            return "The token has characters that no token has: log in with `hf auth login`."
        case ValueError() if "Invalid metadata" in str(error):
            return " ".join(str(error).split())
    said = " ".join(str(error).split())
    return f"The Hub's answer is not understood ({type(error).__name__}: {said})."


def _answered(error: HfHubHTTPError) -> str:
    status, headers = error.response.status_code, error.response.headers
    hint = _HINTS.get(status, "try again later")
    if status == 409 and error.response.url.path.endswith("/repos/create"):
        hint = "the name is taken, by what the token may not see: choose another"
    if status == 401 and "HF_TOKEN" in os.environ:  # which goes before the one of a login
        hint = "the token in HF_TOKEN is not valid: correct it, or unset it and `hf auth login`"
    if status == 429:
        reset = re.search(r";\s*t=(\d+)", headers.get("ratelimit", ""))
        seconds = reset[1] if reset else headers.get("retry-after", "")
        wait = f"{seconds} s" if seconds.isdigit() else "some minutes"
        hint = f"too many requests: wait {wait}"
    said = " ".join((error.server_message or "").split())
    if said and status in (400, 402, 403, 409, 413):
        hint = f"{hint} ({said})" if status in _HINTS else said
    return f"The Hub answered {status}: {hint}."
