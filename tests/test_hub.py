"""Tests of downloads from the Hub, with the real client and real sockets."""

import gzip
import re
import threading

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
    HUB_FILES,
    MAX_CARD,
    MAX_HEADER,
    MAX_JSON,
    SHIPPED,
    WEIGHTS_FILE,
    UnreachableError,
    load,
)
from model.hub import DownloadOptions, StaleWarning
from model.limits import LIMITS
from model.mlp import MLP
from tests.rough_hub import FILES, NEW, OLD, dripping, hang_halfway, head, listening, serving

REPO = "tester/digits"
CONFIG = FILES[CONFIG_FILE]
REFUSING = "http://127.0.0.1:9"  # a closed port
IMPATIENT = DownloadOptions(download_timeout=0.8)


@pytest.fixture
def use_hub_url(monkeypatch, tmp_path):
    """Return a function that points huggingface_hub at a URL, with an empty cache."""

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


@pytest.fixture
def downloaded(use_hub_url):
    """Fill the cache with the commit OLD as main and v1; then the Hub is unreachable."""
    with listening(serving(FILES, commit=OLD)) as url:
        use_hub_url(url)
        for revision in (None, "v1"):
            assert load(REPO, revision=revision).revision == OLD
    use_hub_url(REFUSING)


def requests_for(name, asked):
    """Return the methods of the requests for a file."""
    return [line.split()[0] for line in asked if line.endswith(f"/{name}")]


def cached_weights(tmp_path):
    """Return the weights in the cache, complete or not."""
    return [*tmp_path.rglob("*.incomplete"), *tmp_path.rglob(f"snapshots/*/{WEIGHTS_FILE}")]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (dripping, r"did not answer within 3\.5 s"),
        (lambda connection, _: connection.sendall(head("503 Unavailable")), "answered 503"),
        (
            lambda connection, _: connection.sendall(head("200 OK", length=6) + b"<html>"),
            r"http://\S+ does not answer as the Hub does \(JSONDecodeError\)",
        ),
        (serving(FILES, commit="../../etc"), "answered '../../etc', which is no commit"),
    ],
)
def test_a_hub_that_fails_counts_as_unreachable(use_hub_url, answer, message):
    with listening(answer) as url:
        use_hub_url(url)
        with pytest.raises(
            UnreachableError, match=f"{REPO}: .*{message}, and it is not in the cache: check the "
        ):
            load(REPO)


@pytest.mark.parametrize("url", [REFUSING, "http://no-such-host.invalid"])
def test_a_failed_connection_is_reported_with_its_cause(use_hub_url, url):
    use_hub_url(url)
    with pytest.raises(UnreachableError, match=r"the Hub cannot be reached \(\[Errno -?\d+\] "):
        load(REPO)


def test_a_stalled_download_is_abandoned_and_a_later_one_works(use_hub_url):
    resume = threading.Event()

    def stall(connection, body):
        connection.sendall(body[: len(body) // 2])
        assert resume.wait(30)
        connection.sendall(body[len(body) // 2 :])

    with listening(serving(FILES, stall)) as url:
        use_hub_url(url)
        with pytest.raises(UnreachableError, match=r"download did not finish within 0\.8 s, and"):
            load(REPO, options=IMPATIENT)
        resume.set()
        assert load(REPO).revision == NEW


TOO_LARGE = {CONFIG_FILE: MAX_JSON + 1, WEIGHTS_FILE: 2 * len(FILES[WEIGHTS_FILE]) + MAX_HEADER}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_required_file_that_is_too_large_is_not_requested(use_hub_url, name):
    asked = []
    with listening(serving(FILES, asked=asked, sizes={name: TOO_LARGE[name]})) as url:
        use_hub_url(url)
        message = rf"{REPO} on the Hub: {name} has more than [\d,]+ bytes\. Expected config"
        with pytest.raises(CheckpointError, match=message) as caught:
            load(REPO)
    assert not isinstance(caught.value, UnreachableError)
    assert requests_for(name, asked) == []


@pytest.mark.parametrize("compressed", [False, True])
def test_a_download_larger_than_announced_is_stopped(use_hub_url, tmp_path, compressed):
    """The Hub announces the right size and sends 60 MB, or 60 KB that unpack to as much."""
    size, sent = 6 * 10**7, []

    def send_more(connection, line):
        if not (line.startswith("GET") and WEIGHTS_FILE in line):
            serving(FILES)(connection, line)
        elif compressed:
            body = gzip.compress(bytes(size))
            extra = "Content-Encoding: gzip\r\n"
            connection.sendall(head("200 OK", length=len(body), extra=extra) + body)
        else:
            connection.sendall(head("200 OK", length=size))
            for _ in range(size // 10**6):
                connection.sendall(bytes(10**6))
                sent.append(10**6)

    with listening(send_more) as url:
        use_hub_url(url)
        with pytest.raises(CheckpointError, match=r"safetensors has more than 201,\d+ bytes"):
            load(REPO)
    assert cached_weights(tmp_path) == []
    assert sum(sent) < size / 2


def test_optional_files_that_are_too_large_or_missing_are_skipped(use_hub_url):
    asked, large = [], {CARD_FILE: MAX_CARD + 1, EVALUATION_FILE: MAX_JSON + 1}
    with listening(serving(FILES, asked=asked, sizes=large)) as url:
        use_hub_url(url)
        loaded = load(REPO)
    assert (loaded.card, loaded.evaluation, loaded.results["name"]) == ("", {}, "mlp-32")
    assert [requests_for(name, asked) for name in large] == [[], []]
    required = {name: FILES[name] for name in (CONFIG_FILE, WEIGHTS_FILE)}
    with listening(serving(required, commit=OLD)) as url:
        use_hub_url(url)
        assert load(REPO).results == {}


def test_all_files_come_from_the_commit_of_the_revision(use_hub_url):
    asked = []
    with listening(serving(FILES, asked=asked)) as url:
        use_hub_url(url)
        assert load(f"{REPO}@v1").revision == NEW
        assert [line.split("/resolve/")[1] for line in asked if "GET /tester" in line] == [
            f"{NEW}/{file.name}" for file in HUB_FILES
        ]
        asked.clear()
        assert load(REPO, revision="v1").revision == NEW
        assert asked == [f"GET /api/models/{REPO}/revision/v1?blobs=true"]
        asked.clear()
        assert load(REPO, revision=NEW).revision == NEW
        assert asked == []  # the commit is in the cache


def test_the_last_known_commit_is_loaded_if_the_hub_is_unreachable(downloaded):
    message = rf"{REPO}: the Hub cannot be reached \(.*\): serving commit a{{12}} from the cache\."
    with pytest.warns(StaleWarning, match=message):
        reader = Reader.load(REPO)
    assert (reader.name, reader.revision) == (REPO, OLD)
    with pytest.warns(StaleWarning, match=f"{REPO}@v1: "):
        assert Reader.load(REPO, revision="v1").revision == OLD
    assert load(REPO, revision=OLD).revision == OLD
    for other in (NEW, "v2"):
        with pytest.raises(UnreachableError, match=f"{REPO}@{other}: .*not in the cache"):
            load(REPO, revision=other)


def test_offline_mode_uses_the_cache(downloaded, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.warns(StaleWarning, match="HF_HUB_OFFLINE is set: serving commit a"):
        assert load(REPO).revision == OLD
    with pytest.raises(UnreachableError, match="HF_HUB_OFFLINE is set, and it is not in the cache"):
        load("tester/other")


def test_an_interrupted_update_keeps_the_previous_commit(downloaded, use_hub_url):
    with listening(serving(FILES, hang_halfway)) as url:
        use_hub_url(url)
        with pytest.warns(StaleWarning, match=r"not finish within 0\.8 s: serving commit a"):
            assert load(REPO, options=IMPATIENT).revision == OLD
    use_hub_url(REFUSING)
    with pytest.warns(StaleWarning, match="serving commit a"):
        assert load(REPO).revision == OLD


def test_the_cache_is_not_used_if_the_hub_refuses(downloaded, use_hub_url, hub):
    use_hub_url(hub.url)
    with pytest.raises(CheckpointError, match=f"{REPO} on the Hub: RepositoryNotFound") as caught:
        load(REPO)
    assert not isinstance(caught.value, UnreachableError)


def test_another_commit_than_the_requested_one_is_refused(use_hub_url):
    with listening(serving(FILES, commit=OLD)) as url:
        use_hub_url(url)
        with pytest.raises(CheckpointError, match=f"expected commit {NEW}, found {OLD}"):
            load(REPO, revision=NEW)


@pytest.mark.parametrize("revision", ["../../main", "/etc", "a..b", "a\0b"])
def test_a_revision_outside_the_cache_is_refused(use_hub_url, revision):
    use_hub_url(REFUSING)
    for force in (False, True):
        with pytest.raises(CheckpointError, match="Invalid revision"):
            load(REPO, revision=revision, options=DownloadOptions(force_download=force))


def test_a_revision_is_refused_twice_or_for_a_folder(use_hub_url):
    use_hub_url(REFUSING)
    with pytest.raises(CheckpointError, match=r"mlp-32 has no revisions: .* found 'x'"):
        load(SHIPPED / "mlp-32", revision="x")
    with pytest.raises(CheckpointError, match="digits@v1 names another revision than 'v2'"):
        load(f"{REPO}@v1", revision="v2")


@pytest.mark.parametrize(
    ("repo", "files", "message"),
    [
        ("tester/nothing", {}, "tester/nothing on the Hub: RepositoryNotFoundError"),
        (f"{REPO}@v9", {}, f"{REPO}@v9 on the Hub: RevisionNotFoundError"),
        (REPO, {"pytorch_model.bin": b"x"}, "config.json is missing. Expected config.json, such"),
        (REPO, {CONFIG_FILE: CONFIG}, "model.safetensors is missing. Expected config.json"),
        (REPO, {CONFIG_FILE: b"{}", WEIGHTS_FILE: b"x"}, "missing ['hidden_sizes', 'name', 'te"),
        (REPO, {CONFIG_FILE: CONFIG, WEIGHTS_FILE: b"x"}, "is not a whole safetensors file"),
        ("-a/..b", {}, "Invalid name on the Hub: Repo id must"),
    ],
)
def test_missing_or_invalid_files_are_reported_in_one_line(use_hub_url, hub, repo, files, message):
    hub.repos[REPO] = [(NEW, files)]
    use_hub_url(hub.url)
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        load(repo)
    assert "\n" not in str(caught.value)


def test_weights_are_not_requested_for_an_invalid_config(use_hub_url):
    asked = []
    with listening(serving(FILES | {CONFIG_FILE: b"{}"}, asked=asked)) as url:
        use_hub_url(url)
        with pytest.raises(CheckpointError, match=r"config\.json: expected the keys"):
            load(REPO)
    assert requests_for(WEIGHTS_FILE, asked) == []


def test_from_pretrained_accepts_the_options_of_the_mixin(use_hub_url, tmp_path):
    expected = load("mlp-32").model.state_dict()
    with listening(serving(FILES)) as url:
        use_hub_url(url)
        model = MLP.from_pretrained(
            REPO, revision=NEW, cache_dir=tmp_path / "mine", token=False, force_download=True
        )
    assert not model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(tensor, expected[key]) for key, tensor in model.state_dict().items())
    options = {"cache_dir": tmp_path / "mine", "local_files_only": True}
    assert MLP.from_pretrained(REPO, revision=NEW, **options).hidden_sizes == (32,)
    with pytest.raises(UnreachableError, match="digits is not in the cache, and local_files_only"):
        MLP.from_pretrained(REPO, local_files_only=True)
    model.save_pretrained(tmp_path / "again")
    again = MLP.from_pretrained(tmp_path / "again").state_dict()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in again.items())


def test_from_pretrained_is_strict(tmp_path):
    with pytest.raises(ValueError, match="strict=False would leave random weights"):
        MLP.from_pretrained("mlp-32", strict=False)
    with pytest.raises(TypeError, match="hidden_sizes"):
        MLP.from_pretrained("mlp-32", hidden_sizes=(16,))
    MLP((3,)).save_pretrained(tmp_path / "net")
    (tmp_path / "net" / CONFIG_FILE).unlink()
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        MLP.from_pretrained(tmp_path / "net")


def test_a_forced_download_does_not_use_the_cache(downloaded):
    with pytest.raises(UnreachableError, match="and force_download is set: check the network"):
        load(REPO, options=DownloadOptions(force_download=True))


def test_the_app_reports_the_model_that_it_serves_instead(downloaded, capfd):
    readers, name = load_readers(REPO, LIMITS)
    assert (name, readers[name].revision) == (REPO, OLD)
    [line] = capfd.readouterr().err.splitlines()
    assert line.endswith(f": serving commit {OLD[:12]} from the cache.")
    readers, name = load_readers(f"{REPO}@{NEW}", LIMITS)
    assert (name, sorted(readers)) == ("mlp-1024", ["logistic", "mlp-1024", "mlp-32"])
    [line] = capfd.readouterr().err.splitlines()
    assert line.endswith("check the network. Serving the shipped mlp-1024.")
