"""Upload files to a repository of the Hugging Face Hub in one commit, or change nothing."""

import hashlib
import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

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
    logging,
    parse_ratelimit_headers,
    validate_repo_id,
)

CONNECT_TIMEOUT, TIMEOUT = 5.0, 30.0  # s to connect, and for each read or write of a request
INITIAL_FILES = {".gitattributes", ".gitignore", "LICENSE", "README.md"}  # the Hub's first commit
Operation: TypeAlias = CommitOperationAdd | CommitOperationDelete
_TAG = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
_RERUN = "run this again, files that arrived are not sent twice."
_HINTS = {
    400: "the request is invalid",
    401: "the token is not valid: log in with `hf auth login`",
    402: "that needs a paid plan; a free account has two Spaces with --hardware zero-a10g",
    403: "the token has no write access: make one that has, for an owner that you are",
    404: "it does not exist, or the token may not see it",
    409: "someone else is changing it: run this again",
    412: "someone pushed to it in the meantime: run this again",
    413: "a file is too large",
}


class PublishError(Exception):
    """Publishing failed; the message says why, and what to do."""


class NoResponseError(PublishError):
    """A request got no response: whether the Hub carried it out is unknown."""


@dataclass(frozen=True)
class RemoteRepo:
    """The state of a repository on the Hub."""

    head: str  # the last commit
    private: bool
    oids: Mapping[str, str]  # by path: SHA-256 of a Git LFS file, else git's SHA-1

    def has(self, path: str, content: bytes) -> bool:
        """Return whether a file exists with this content."""
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return self.oids.get(path) in (blob, hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class RepoUpdate:
    """The files that a repository is to hold, after one commit.

    `owned` are the paths that this project writes (folders end with "/"): an owned file that is not
    in `files` is deleted, all others stay. `is_ours` tells repositories of this project from
    others, which are not overwritten. `create_options` are those of HfApi.create_repo.
    """

    repo_id: str
    files: Mapping[str, bytes]
    owned: Sequence[str]
    is_ours: Callable[[RemoteRepo], bool]
    repo_type: str = "model"
    private: bool = False  # only for a new repository
    tag: str | None = None  # a name for the commit
    create_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address of the repository's page."""
        kind = "" if self.repo_type == "model" else f"{self.repo_type}s/"
        return f"{constants.ENDPOINT}/{kind}{self.repo_id}"

    def operations(self, remote: RemoteRepo | None) -> list[Operation]:
        """Return what has to be committed; nothing if the repository is up to date."""
        existing = remote.oids if remote else {}
        folders = tuple(path for path in self.owned if path.endswith("/"))
        owned = (path for path in existing if path in self.owned or path.startswith(folders))
        obsolete = sorted(path for path in owned if path not in self.files)
        changed = (
            CommitOperationAdd(path, content)
            for path, content in self.files.items()
            if not (remote and remote.has(path, content))
        )
        return [*map(CommitOperationDelete, obsolete), *changed]


def configure_client() -> None:
    """Set up huggingface_hub for a command: timeouts, which it lacks, and no output of its own."""
    timeout = httpx2.Timeout(TIMEOUT, connect=CONNECT_TIMEOUT)
    set_client_factory(lambda: httpx2.Client(timeout=timeout, follow_redirects=True))
    logging.set_verbosity_error()
    disable_progress_bars()


def check_login(repo_id: str) -> str:
    """Check the repository's name and the token, and return the account's name.

    Raises:
        PublishError: the name or the token is invalid, or the Hub cannot be reached.
    """
    check_name(repo_id)
    with translate_errors():
        return HfApi().whoami()["name"]


def check_name(repo_id: str) -> None:
    """Check that a repository's name is OWNER/NAME, with valid characters.

    Raises:
        PublishError: it is not.
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise PublishError(f"Not a name on the Hub: {error}") from error
    if "/" not in repo_id:
        raise PublishError(f"Not a name on the Hub: {repo_id!r}, expected OWNER/NAME.")


def get_remote(
    repo_id: str, repo_type: str, *, revision: str | None = None, token: bool | None = None
) -> RemoteRepo | None:
    """Return the state of a repository, or None if it or its revision does not exist.

    A repository that is hidden from the token does not exist, either. `token=False` asks without
    a token.

    Raises:
        PublishError: the Hub rejects the request or cannot be reached.
    """
    get_info = HfApi().space_info if repo_type == "space" else HfApi().model_info
    with translate_errors():
        try:
            info = get_info(
                repo_id, revision=revision, files_metadata=True, token=token, timeout=TIMEOUT
            )
        except (RepositoryNotFoundError, RevisionNotFoundError):
            return None
    oids = {
        each.rfilename: (each.lfs.sha256 if each.lfs else each.blob_id) or ""
        for each in info.siblings or []
    }
    return RemoteRepo(info.sha or "", bool(info.private), oids)


def upload(
    update: RepoUpdate, *, dry_run: bool = False, log: Callable[[str], object] = print
) -> str | None:
    """Bring a repository up to date in one commit, tag it, and return the commit.

    Files that the repository already has are not sent; if it has them all, there is no new commit.
    `dry_run` only logs what would be done, needs neither a token nor a network, and returns None.

    Raises:
        PublishError: nothing has changed on the Hub, or the message says what has.
        KeyboardInterrupt: its message says the same; it is empty if nothing was sent.
    """
    check_name(update.repo_id)
    if update.tag is not None and not _TAG.fullmatch(update.tag):
        raise PublishError(
            f"Not a tag: {update.tag!r}, expected letters, digits, '.', '_' and '-'."
        )
    if not dry_run:
        check_login(update.repo_id)
    try:
        remote = get_remote(update.repo_id, update.repo_type)
        tagged = _tagged_commit(update) if remote else None
    except PublishError as error:
        if not dry_run:
            raise
        log(f"the repository is assumed to be new, because the Hub was not reached: {error}")
        remote = tagged = None
    operations = update.operations(remote)
    if remote:
        _check_conflicts(update, remote, operations, tagged)
    for line in _plan(update, remote, operations):
        log(line)
    if dry_run:
        log("dry run: nothing is sent, and the token's write access is not checked")
        return None
    if remote and not operations:
        commit = remote.head
        log(f"nothing to push, the files are identical: {update.url}/commit/{commit}")
    else:
        commit = _commit(update, remote, operations)
        log(f"pushed: {update.url}/commit/{commit}")
    if update.tag and tagged is None:
        with translate_errors(f"The commit {commit} is pushed, without its tag: run this again."):
            HfApi().create_tag(
                update.repo_id, tag=update.tag, revision=commit, repo_type=update.repo_type
            )
    if update.tag:
        log(f"tagged: {update.tag}" if tagged is None else f"tagged: {update.tag}, as before")
    return commit


def _tagged_commit(update: RepoUpdate) -> str | None:
    """Return the commit that the tag is at, if it exists."""
    if update.tag is None:
        return None
    with translate_errors():
        refs = HfApi().list_repo_refs(update.repo_id, repo_type=update.repo_type)
    return next((ref.target_commit for ref in refs.tags if ref.name == update.tag), None)


def _check_conflicts(
    update: RepoUpdate, remote: RemoteRepo, operations: Sequence[Operation], tagged: str | None
) -> None:
    if not remote.oids.keys() <= INITIAL_FILES and not update.is_ours(remote):
        found = ", ".join(sorted(remote.oids)[:4])
        raise PublishError(
            f"{update.repo_id} exists and holds something else ({found}): choose another name."
        )
    if update.private and not remote.private:
        raise PublishError(
            f"{update.repo_id} exists and is public: --private is for a new repository. Change it "
            f"in {update.url}/settings, or choose another name."
        )
    if tagged and (operations or tagged != remote.head):
        raise PublishError(
            f"The tag {update.tag} is at another commit, {tagged[:12]}, and tags do not move: "
            "choose another tag."
        )


def _plan(
    update: RepoUpdate, remote: RemoteRepo | None, operations: Sequence[Operation]
) -> Iterator[str]:
    state = "exists" if remote else "new, private" if update.private else "new"
    yield f"{update.repo_type} {update.url}: {state}"
    unchanged = len(update.files)
    for each in operations:
        path = each.path_in_repo
        if isinstance(each, CommitOperationDelete):
            yield f"  delete {path}"
        else:
            verb = "change" if remote and path in remote.oids else "add"
            yield f"  {verb:6} {path} ({len(update.files[path]):,} bytes)"
            unchanged -= 1
    if unchanged:
        yield f"  {unchanged} of {len(update.files)} files are unchanged"
    if update.tag:
        yield f"  tag    {update.tag}"


def _commit(update: RepoUpdate, remote: RemoteRepo | None, operations: Sequence[Operation]) -> str:
    """Create the repository if it is new, and commit; on failure, undo what this call did."""
    is_new, created = remote is None, False
    try:
        if remote is None:
            with translate_errors():
                HfApi().create_repo(
                    update.repo_id,
                    repo_type=update.repo_type,
                    private=update.private or None,
                    **update.create_options,
                )
            created = True
            remote = get_remote(update.repo_id, update.repo_type)
        with translate_errors():
            commit = HfApi().create_commit(
                update.repo_id,
                operations,
                commit_message=f"Upload {update.repo_id.partition('/')[2]}",
                parent_commit=remote.head if remote else None,
                repo_type=update.repo_type,
            )
        return commit.oid
    except (PublishError, KeyboardInterrupt) as error:
        # Without a response, the Hub may have created the repository, or made the commit.
        rejected = isinstance(error, PublishError) and not isinstance(error, NoResponseError)
        left = _undo(update, created=created or (is_new and not rejected), rejected=rejected)
        raise type(error)(f"{str(error) or 'interrupted.'} {left}") from None


def _undo(update: RepoUpdate, *, created: bool, rejected: bool) -> str:
    """Delete the repository if this run created it and it is empty; say what is on the Hub now."""
    try:
        remote = get_remote(update.repo_id, update.repo_type)
        if remote and not update.operations(remote):
            return f"All files have arrived nevertheless: {update.url}/commit/{remote.head}"
        if not created or remote is None or not remote.oids.keys() <= INITIAL_FILES:
            return "Nothing was pushed." if rejected else f"The push may still arrive: {_RERUN}"
        with translate_errors():
            HfApi().delete_repo(update.repo_id, repo_type=update.repo_type, missing_ok=True)
    except PublishError:
        return f"{update.url} may have been created, and may be empty: {_RERUN}"
    return f"Nothing was pushed, and {update.repo_id}, which was new, is deleted again."


@contextmanager
def translate_errors(note: str = "") -> Generator[None]:
    """Turn what huggingface_hub raises into an error of one line, with `note` at its end.

    Wrap nothing but calls of the library: it raises ValueError, KeyError or TypeError when it
    cannot parse a response.

    Raises:
        PublishError: the request failed.
        KeyboardInterrupt: with `note`, after Ctrl-C.
    """
    if is_offline_mode():
        raise PublishError("HF_HUB_OFFLINE is set: unset it to publish.")
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted. {note}" if note else "") from None
    except (httpx2.HTTPError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        # A failed upload of a file is a RuntimeError with its cause.
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        kind = NoResponseError if isinstance(cause, httpx2.RequestError) else PublishError
        raise kind(f"{_describe(cause)} {note}".strip()) from error


def _describe(error: BaseException) -> str:
    text = " ".join(str(error).split())
    match error:
        case LocalTokenNotFoundError():
            return "There is no Hugging Face token: log in with `hf auth login`, or set HF_TOKEN."
        case HfHubHTTPError():
            return _describe_status(error)
        case httpx2.TimeoutException():
            return f"The Hub did not answer within {TIMEOUT:g} s: check the network, or try later."
        case httpx2.RequestError():
            return f"The Hub cannot be reached ({type(error).__name__}): check the network."
    return f"The request to the Hub failed ({type(error).__name__}: {text})."


def _describe_status(error: HfHubHTTPError) -> str:
    status, headers = error.response.status_code, error.response.headers
    hint = _HINTS.get(status, "try again later")
    if status == 409 and error.response.url.path.endswith("/repos/create"):
        hint = "the name is in use by a repository that the token may not see: choose another"
    if status == 401 and "HF_TOKEN" in os.environ:  # it has priority over a login
        hint = "the token in HF_TOKEN is not valid: correct it, or unset it and `hf auth login`"
    if status == 429:
        limit = parse_ratelimit_headers(headers)
        seconds = str(limit.reset_in_seconds) if limit else headers.get("retry-after", "")
        hint = f"too many requests: wait {f'{seconds} s' if seconds.isdigit() else 'some minutes'}"
    details = " ".join((error.server_message or "").split())
    if details and status in (400, 402, 403, 409, 413):
        hint += f" ({details})"
    return f"The Hub answered {status}: {hint}."
