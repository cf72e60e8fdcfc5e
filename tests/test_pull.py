"""Pull from a Hub that is out of reach, silent, slow or half there: real sockets and client."""

import gzip
import io
import json
import logging
import re
import threading
import time

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants

from app import load_readers
from model import CheckpointError, Reader
from model.checkpoint import (
    CARD_FILE,
    CONFIG_FILE,
    EVALUATION_FILE,
    MAX_CARD,
    MAX_HEADER,
    MAX_JSON,
    RESULTS_FILE,
    SHIPPED,
    WEIGHTS_FILE,
    WELCOME,
    UnreachableError,
    load,
)
from model.hub import LIVELY, Pull, StaleWarning
from model.limits import LIMITS
from model.mlp import MLP
from tests.rough_hub import (
    FILES,
    NEW,
    OLD,
    break_off,
    drip_the_rest,
    dripping,
    hang_halfway,
    head,
    in_pieces,
    listening,
    no_hub,
    serving,
    silent,
    unready,
)

REPO = "tester/digits"
CONFIG = (SHIPPED / "logistic" / CONFIG_FILE).read_bytes()
QUICK = Pull(patience=0.8)


@pytest.fixture
def point(monkeypatch, tmp_path):
    """Point this process's client at an address, with a cache of its own."""

    def at(url):
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        huggingface_hub.close_session()

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "hf_loopback")
    yield at
    huggingface_hub.close_session()


def left_in(folder):
    """Files of a download that was begun, once its thread has tidied up."""
    deadline = time.monotonic() + 3
    while left := [*folder.rglob("*.incomplete"), *folder.rglob(f"snapshots/*/{WEIGHTS_FILE}")]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return left


BAD = {
    "silent": (silent, "did not answer within 0.8 s"),
    "dripping its headers": (dripping, "did not answer within 0.8 s"),
    "overloaded": (unready, "answered 503"),
    "no Hub at all": (no_hub, "is no Hub"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_hub_that_says_nothing_of_use_is_given_up(point, tmp_path, kind):
    answer, message = BAD[kind]
    with listening(answer) as url:
        point(url)
        started = time.monotonic()
        with pytest.raises(
            UnreachableError, match=f"{REPO}: .*{message}, and it is not in the cache"
        ):
            load(REPO, pull=QUICK)
        assert time.monotonic() - started < 2
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_a_hub_that_is_not_there_is_said_at_once(point, url):
    point(url)
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=r"the Hub cannot be reached .*check the network"):
        load(REPO)
    assert time.monotonic() - started < 4.5


def test_a_welcome_file_that_cannot_be_had_is_not_one_that_is_not_there(point):
    def answer(connection, line):
        if RESULTS_FILE in line:
            connection.sendall(head("403 Forbidden"))
        else:
            serving(FILES)(connection, line)

    with listening(answer) as url:
        point(url)
        with pytest.raises(UnreachableError, match=r"the Hub cannot be reached .*403"):
            load(REPO)


@pytest.mark.parametrize("weights", [hang_halfway, drip_the_rest, break_off])
def test_weights_that_stop_halfway_leave_nothing_and_the_next_load_works(
    point, tmp_path, monkeypatch, weights
):
    said = io.StringIO()
    handlers = [logging.StreamHandler(said)]
    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "handlers", handlers)
    with listening(serving(FILES, weights)) as url:
        point(url)
        started = time.monotonic()
        with pytest.raises(UnreachableError, match=r"did not answer within 0\.8 s"):
            load(REPO, pull=QUICK)
        assert time.monotonic() - started < 2.5
    assert left_in(tmp_path) == []
    assert said.getvalue() == ""  # the client's own words of each try
    with listening(serving(FILES)) as url:
        point(url)
        assert load(REPO).revision == NEW


def test_a_slow_download_that_goes_on_is_waited_for(point):
    with listening(serving(FILES, in_pieces)) as url:
        point(url)
        started = time.monotonic()
        assert load(REPO, pull=QUICK).revision == NEW
        assert time.monotonic() - started > QUICK.patience


def test_that_another_process_may_be_fetching_it_is_said(point):
    with listening(serving(FILES, in_pieces)) as url:
        point(url)
        first = threading.Thread(target=load, args=(REPO,))
        first.start()
        time.sleep(0.3)
        with pytest.raises(
            UnreachableError, match=r"within 0\.3 s, or another process is fetching it, and"
        ):
            load(REPO, pull=Pull(patience=0.3))
        first.join()


@pytest.fixture
def two_repos(point):
    """A Hub with a repository that sends its weights when it is let, and one that is silent."""
    # Downloads that earlier tests gave up still have their hooks and filters until they end.
    until(lambda: not any(each.name.startswith("pull ") for each in threading.enumerate()))
    let = threading.Event()

    def when_let(connection, body):
        assert let.wait(10)
        connection.sendall(body)

    def answer(connection, line):
        (silent if "/tester/silent/" in line else serving(FILES, when_let))(connection, line)

    with listening(answer) as url:
        point(url)
        yield let


def shared_lists():
    """What the client and its log have for all who use them."""
    hooks = huggingface_hub.get_session().event_hooks
    filters = [handler.filters for handler in logging.getLogger("huggingface_hub").handlers]
    return {key: list(each) for key, each in hooks.items()}, [list(each) for each in filters]


def pull(repo, ended):
    """Load in a thread; note what came of it."""

    def work():
        try:
            ended[repo] = load(repo, pull=Pull(patience=3)).revision
        except UnreachableError as error:
            ended[repo] = str(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_two_loads_at_once_do_not_disturb_each_other(two_repos):
    two_repos.set()
    before, ended = shared_lists(), {}
    threads = [pull(f"tester/{name}", ended) for name in ("silent", "fine")]
    for thread in threads:
        thread.join(10)
    assert ended["tester/fine"] == NEW
    assert "tester/silent: the Hub did not answer within 3 s, and" in ended["tester/silent"]
    until(lambda: shared_lists() == before)  # once the request that was given up has timed out


def test_a_load_that_ends_takes_no_timeout_from_another(two_repos):
    """While one thread goes through the client's hooks, another removes its own."""
    before, ended, fine_is_done = shared_lists(), {}, threading.Event()

    def hold(request):  # between the hooks of the two loads
        if "/tester/silent/" in str(request.url):
            two_repos.set()
            assert fine_is_done.wait(10)

    fine = pull("tester/fine", ended)
    until(lambda: shared_lists() != before)
    huggingface_hub.get_session().event_hooks["request"].append(hold)
    other = pull("tester/silent", ended)
    fine.join(10)
    fine_is_done.set()
    other.join(10)
    assert ended["tester/fine"] == NEW
    # The request began, so no other process is suspected, and it ends with its timeout.
    assert "tester/silent: the Hub did not answer within 3 s, and" in ended["tester/silent"]
    until(lambda: "pull tester/silent" not in {thread.name for thread in threading.enumerate()})
    huggingface_hub.get_session().event_hooks["request"].remove(hold)
    assert shared_lists() == before


def until(condition):
    """Wait until something is so."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_download_has_an_end_however_lively(point, monkeypatch):
    monkeypatch.setattr("model.hub.LONGEST", 0.5)
    large = json.loads(FILES[CONFIG_FILE]) | {"hidden_sizes": [4096]}
    endless = {CONFIG_FILE: json.dumps(large).encode(), WEIGHTS_FILE: bytes(10**7)}
    with listening(serving(endless, in_pieces)) as url:
        point(url)
        started = time.monotonic()
        with pytest.raises(UnreachableError, match=r"the Hub was not done within 0\.5 s"):
            load(REPO, pull=QUICK)
        assert time.monotonic() - started < 2.5


TOO_LARGE = {CONFIG_FILE: MAX_JSON + 1, WEIGHTS_FILE: 2 * len(FILES[WEIGHTS_FILE]) + MAX_HEADER}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_needed_file_that_is_too_large_is_not_asked_for(point, tmp_path, name):
    asked = []
    with listening(serving(FILES | {name: bytes(TOO_LARGE[name])}, asked=asked)) as url:
        point(url)
        with pytest.raises(
            CheckpointError, match=rf"{REPO} on the Hub: {name} has more than [\d,]+ bytes\. Expect"
        ) as caught:
            load(REPO)
    assert not isinstance(caught.value, UnreachableError)
    assert [line for line in asked if line.startswith("GET") and name in line] == []
    assert left_in(tmp_path) == []


def test_weights_that_are_larger_than_was_said_end(point, tmp_path):
    files = FILES | {WEIGHTS_FILE: bytes(3 * 10**7)}
    sent = []

    def count(connection, body):
        for i in range(0, len(body), LIVELY):
            connection.sendall(body[i : i + LIVELY])
            sent.append(LIVELY)
            time.sleep(0.002)

    sizes = {WEIGHTS_FILE: len(FILES[WEIGHTS_FILE])}
    with listening(serving(files, count, sizes=sizes)) as url:
        point(url)
        with pytest.raises(
            CheckpointError, match=r"model\.safetensors has more than 201,\d+ bytes"
        ):
            load(REPO)
    assert left_in(tmp_path) == []
    assert sum(sent) < 5 * 10**6  # of 30 MB


def test_weights_that_unpack_to_more_end(point, tmp_path):
    packed = gzip.compress(bytes(3 * 10**7))

    def answer(connection, line):
        if line.startswith("GET") and WEIGHTS_FILE in line:
            told = head("200 OK", length=len(packed), etag=WEIGHTS_FILE)
            connection.sendall(told.replace(b"ETag", b"Content-Encoding: gzip\r\nETag") + packed)
        else:
            serving(FILES)(connection, line)

    with listening(answer) as url:
        point(url)
        with pytest.raises(
            CheckpointError, match=r"model\.safetensors has more than 201,\d+ bytes"
        ):
            load(REPO)
    assert left_in(tmp_path) == []


def test_what_is_welcome_and_too_large_is_left_out(point):
    large = {CARD_FILE: MAX_CARD + 1, EVALUATION_FILE: MAX_JSON + 1}
    asked = []
    files = FILES | {name: bytes(size) for name, size in large.items()}
    with listening(serving(files, asked=asked)) as url:
        point(url)
        loaded = load(REPO)
    assert (loaded.card, loaded.evaluation) == ("", {})
    assert loaded.results["name"] == "mlp-32"
    assert [line for line in asked if line.startswith("GET") and line.split("/")[-1] in large] == []


def test_all_files_are_of_the_commit_that_a_name_stands_for(point):
    asked = []
    with listening(serving(FILES, asked=asked)) as url:
        point(url)
        before = {
            key: list(hooks) for key, hooks in huggingface_hub.get_session().event_hooks.items()
        }
        for revision in ("v1", NEW[:7], NEW):
            assert load(REPO, revision=revision).revision == NEW
        assert load(f"{REPO}@v1").revision == NEW
        assert huggingface_hub.get_session().event_hooks == before  # others' calls are as they were
    assert [line for line in asked if line.startswith("GET")] == [
        f"GET {NEW}/{name}" for name in (CONFIG_FILE, *WELCOME, WEIGHTS_FILE)
    ]
    names = [line.split("/")[0] for line in asked if not line.startswith(f"HEAD {NEW}")]
    assert [name for name in names if not name.startswith("GET")] == [
        "HEAD v1",
        f"HEAD {NEW[:7]}",
        "HEAD v1",
    ]


@pytest.fixture
def downloaded(point):
    """The cache has what v1 and main stood for; now nobody listens."""
    with listening(serving(FILES, commit=OLD)) as url:
        point(url)
        for revision in (None, "v1"):
            assert load(REPO, revision=revision).revision == OLD
    point("http://127.0.0.1:9")


def test_out_of_reach_the_last_commit_known_is_taken_and_it_is_said(downloaded):
    with pytest.warns(
        StaleWarning, match=rf"{REPO}: the Hub cannot be reached .*: serving commit a{{12}} "
    ):
        reader = Reader.load(REPO)
    assert (reader.name, reader.revision) == (REPO, OLD)
    with pytest.warns(StaleWarning, match=f"{REPO}@v1: "):
        assert Reader.load(REPO, revision="v1").revision == OLD


def test_a_commit_in_the_cache_needs_nobody_and_no_other_is_taken_for_it(downloaded):
    assert load(REPO, revision=OLD).revision == OLD
    for other in (NEW, "v2"):
        with pytest.raises(UnreachableError, match=f"{REPO}@{other}: .*not in the cache"):
            load(REPO, revision=other)


def test_offline_the_cache_is_asked_alone(downloaded, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.warns(StaleWarning, match="HF_HUB_OFFLINE is set: serving commit a"):
        assert load(REPO).revision == OLD
    with pytest.raises(UnreachableError, match="HF_HUB_OFFLINE is set, and it is not in the cache"):
        load("tester/other")


def test_an_update_that_hangs_leaves_the_commit_before(downloaded, point):
    with listening(serving(FILES, hang_halfway)) as url:
        point(url)
        with pytest.warns(StaleWarning, match="did not answer within 0.8 s: serving commit a"):
            assert load(REPO, pull=QUICK).revision == OLD
    with listening(serving(FILES)) as url:
        point(url)
        assert load(REPO).revision == NEW


def test_what_the_hub_answers_counts_though_the_cache_has_more(downloaded, point, hub):
    point(hub.url)
    with pytest.raises(
        CheckpointError, match="tester/digits on the Hub: RepositoryNotFoundError"
    ) as caught:
        load(REPO)
    assert not isinstance(caught.value, UnreachableError)


def test_another_commit_than_the_one_asked_for_is_refused(point):
    with listening(serving(FILES, commit=OLD)) as url:
        point(url)
        with pytest.raises(CheckpointError, match=f"asked for this commit, it gave {OLD}"):
            load(REPO, revision=NEW)


def test_of_a_config_that_does_not_fit_no_weights_are_fetched(point):
    asked = []
    with listening(serving(FILES | {CONFIG_FILE: b"{}"}, asked=asked)) as url:
        point(url)
        with pytest.raises(CheckpointError, match=r"config\.json: expected the keys"):
            load(REPO)
    assert [line for line in asked if WEIGHTS_FILE in line] == []


@pytest.mark.parametrize("revision", ["../../main", "/etc", "a..b", "a\0b"])
def test_a_revision_that_would_leave_the_cache_is_refused(point, revision):
    point("http://127.0.0.1:9")
    for force in (False, True):
        with pytest.raises(CheckpointError, match="can be no revision"):
            load(REPO, revision=revision, pull=Pull(force_download=force))


@pytest.mark.parametrize("source", ["mlp-32", SHIPPED / "mlp-32"])
def test_what_lies_here_has_no_revisions(source):
    with pytest.raises(CheckpointError, match=r"mlp-32 has no revisions: .* found 'x'"):
        Reader.load(source, revision="x")


def test_two_revisions_are_one_too_many(point):
    point("http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match="digits@v1 names another revision than 'v2'"):
        load(f"{REPO}@v1", revision="v2")


@pytest.mark.parametrize(
    ("repo", "files", "message"),
    [
        ("tester/nothing", {}, "tester/nothing on the Hub: RepositoryNotFoundError"),
        (f"{REPO}@v9", {}, f"{REPO}@v9 on the Hub: RevisionNotFoundError"),
        (
            REPO,
            {"pytorch_model.bin": b"x"},
            "config.json is not there. Expected config.json, such",
        ),
        (
            REPO,
            {CONFIG_FILE: CONFIG},
            "model.safetensors is not there. Expected config.js",
        ),
        (REPO, {CONFIG_FILE: b"{}", WEIGHTS_FILE: b"x"}, "missing ['hidden_sizes', 'name', 'te"),
        (REPO, {CONFIG_FILE: CONFIG, WEIGHTS_FILE: b"x"}, "is not a whole safetensors file"),
    ],
)
def test_what_the_hub_does_not_have_is_said(point, hub, repo, files, message):
    hub.repos[REPO] = [(NEW, files)]
    point(hub.url)
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        load(repo)
    assert "\n" not in str(caught.value)


def test_an_mlp_comes_as_from_the_mixin_but_strictly(point, tmp_path):
    expected = load("mlp-32").model.state_dict()
    with listening(serving(FILES)) as url:
        point(url)
        model = MLP.from_pretrained(
            REPO, revision=NEW, cache_dir=tmp_path / "mine", token=False, force_download=True
        )
    assert not model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(tensor, expected[key]) for key, tensor in model.state_dict().items())
    options = {"cache_dir": tmp_path / "mine", "local_files_only": True}
    assert MLP.from_pretrained(REPO, revision=NEW, **options).hidden_sizes == (32,)
    with pytest.raises(UnreachableError, match="digits is not in the cache, and the Hub is not to"):
        MLP.from_pretrained(REPO, local_files_only=True)
    model.save_pretrained(tmp_path / "again")
    again = MLP.from_pretrained(tmp_path / "again").state_dict()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in again.items())


def test_what_the_mixin_would_let_pass_is_refused(tmp_path):
    with pytest.raises(ValueError, match="strict=False would leave random weights"):
        MLP.from_pretrained("mlp-32", strict=False)
    with pytest.raises(TypeError, match="hidden_sizes"):
        MLP.from_pretrained("mlp-32", hidden_sizes=(16,))
    MLP((3,)).save_pretrained(tmp_path / "net")
    (tmp_path / "net" / CONFIG_FILE).unlink()
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        MLP.from_pretrained(tmp_path / "net")


def test_a_download_is_forced_or_it_is_an_error(downloaded):
    with pytest.raises(UnreachableError, match="and it is asked for anew: check the network"):
        load(REPO, pull=Pull(force_download=True))
    with pytest.raises(CheckpointError, match="it can be no name"):
        load("-a/..b", pull=Pull(force_download=True))


def test_the_app_says_what_it_serves_in_place_of_what_was_asked_for(downloaded, capfd):
    readers, name = load_readers(REPO, LIMITS)
    assert (name, readers[name].revision) == (REPO, OLD)
    said = capfd.readouterr().err.splitlines()
    assert [line.endswith(f": serving commit {OLD[:12]} from the cache.") for line in said] == [
        True
    ]
    readers, name = load_readers(f"{REPO}@{NEW}", LIMITS)
    assert (name, sorted(readers)) == ("mlp-1024", ["logistic", "mlp-1024", "mlp-32"])
    said = capfd.readouterr().err.splitlines()
    assert [line.endswith("check the network. Serving the shipped mlp-1024.") for line in said] == [
        True
    ]
