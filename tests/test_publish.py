"""Tests of publishing to a loopback Hub, with the real client and real sockets."""

import copy
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import gradio
import pytest
import yaml
from huggingface_hub import ModelCard, constants, set_client_factory
from huggingface_hub.utils import enable_progress_bars
from huggingface_hub.utils._http import default_client_factory
from packaging.requirements import Requirement

from benchmarks.browser import running
from model import Reader, checkpoint
from model.checkpoint import SHIPPED, WEIGHTS_FILE
from tests.conftest import ROOT, ask, run
from tests.loopback_hub import ACCOUNT, READ_ONLY_TOKEN, TOKEN
from training import publish, space, upload
from training.space import FILES, FOLDERS, TORCH, space_files

# huggingface_hub raises this warning when it uploads a file to LFS.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
WRONG_TOKEN = (
    "The Hub answered 401: the token in HF_TOKEN is not valid: correct it, or unset it and "
    "`hf auth login`."
)
DRY = "dry run: nothing is sent, and the token's write access is not checked"
REPO, SPACE = f"{ACCOUNT}/digits", f"{ACCOUNT}/draw"
DELETED = f"Nothing was pushed, and {REPO}, which was new, is deleted again."
RERUN = "run this again, files that arrived are not sent twice."
EXISTING = [("c" * 40, {"README.md": b"mine"})]  # a repository with the Hub's first commit


@pytest.fixture(autouse=True)
def client(hub, monkeypatch, tmp_path):
    """Point huggingface_hub at the Hub on loopback."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    resolve = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", resolve)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(space, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(space, "SETTLE_SECONDS", 0.1)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield
    set_client_factory(default_client_factory)
    enable_progress_bars()


@pytest.fixture
def net(tmp_path):
    """Return a checkpoint with all files that are pushed."""
    folder = tmp_path / "net"
    shutil.copytree(SHIPPED / "mlp-32", folder)
    (folder / "plots" / "mine.png").write_bytes(b"PNG")
    return folder


@pytest.fixture
def call(capsys):
    """Return a function that runs the command; it returns status, stdout and stderr lines."""

    def call(*arguments):
        capsys.readouterr()
        status = publish.main([str(each) for each in arguments])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return call


@pytest.fixture
def error(call):
    """Return a function that runs a failing command; it returns the line on stderr."""

    def error(*arguments):
        status, _, [line] = call(*arguments)
        assert status == 1
        return line.removeprefix("error: ")

    return error


def paths(net):
    """Return the paths of a checkpoint's files."""
    return {each.relative_to(net).as_posix() for each in net.rglob("*") if each.is_file()}


def writes(hub):
    """Return the requests that change something on the Hub."""
    return [line for line in hub.requests if not line.startswith(("GET", "HEAD"))]


@pytest.fixture
def silence(monkeypatch):
    """Set the timeout to 1 s; return a function that keeps the Hub silent until the test ends."""
    monkeypatch.setattr(upload, "TIMEOUT", 1.0)
    ended = threading.Event()
    yield lambda: ended.wait(30) and 500
    ended.set()


def interrupt():
    """Press Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.2)
    return 500


def test_a_new_repository_is_pushed_in_one_commit(hub, net, call):
    status, out, err = call(net, REPO, "--private", "--tag", "v1")
    assert (status, err) == (0, [])
    [(commit, files)] = hub.repos[REPO]
    assert set(files) == paths(net) > {"README.md", "evaluation.json", "plots/mine.png"}
    assert files[WEIGHTS_FILE] == (net / WEIGHTS_FILE).read_bytes()
    assert f'Reader.load("{REPO}")' in files["README.md"].decode()
    assert hub.private == {REPO}
    assert hub.tags == {REPO: {"v1": commit}}
    assert out[0] == f"model {hub.url}/{REPO}: new, private"
    assert "  add    model.safetensors (102,444 bytes)" in out
    assert out[-2:] == [f"pushed: {hub.url}/{REPO}/commit/{commit}", "tagged: v1"]


def test_identical_files_make_no_commit(hub, net, call):
    call(net, REPO)
    hub.requests.clear()
    status, out, _ = call(net, REPO)
    [(commit, _)] = hub.repos[REPO]
    assert status == 0
    assert out[-1] == (
        f"nothing to push, the files are identical: {hub.url}/{REPO}/commit/{commit}"
    )
    assert writes(hub) == []


def test_a_changed_checkpoint_is_pushed_as_a_new_commit(hub, net, call):
    call(net, REPO, "--tag", "v1")
    (net / "plots" / "mine.png").rename(net / "plots" / "other.png")
    shutil.copytree(SHIPPED / "logistic", net, dirs_exist_ok=True)
    hub.repos[REPO][-1][1]["notes.txt"] = b"mine"
    status, out, _ = call(net, REPO)
    assert status == 0
    (old, _), (new, files) = hub.repos[REPO]
    assert set(files) == paths(net) | {"notes.txt"}
    assert "  delete plots/mine.png" in out
    assert any(line.startswith("  change model.safetensors") for line in out)
    sizes = [checkpoint.load(f"{REPO}@{each}").config.hidden_sizes for each in (old, new, "v1")]
    assert sizes == [(32,), (), (32,)]


def test_a_tag_is_never_moved(hub, net, call, error):
    call(net, REPO)
    assert call(net, REPO, "--tag", "v1")[1][-1] == "tagged: v1"
    status, out, err = call(net, REPO, "--tag", "v1")
    assert (status, err, len(hub.repos[REPO])) == (0, [], 1)
    assert out[-1] == "tagged: v1, as before"
    (net / "plots" / "mine.png").write_bytes(b"another")
    hub.requests.clear()
    assert error(net, REPO, "--tag", "v1") == (
        f"The tag v1 is at another commit, {hub.head(REPO)[:12]}, and tags do not move: choose "
        "another tag."
    )
    assert writes(hub) == []


def test_a_dry_run_sends_nothing_and_needs_neither_token_nor_network(hub, net, call, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    status, out, err = call(net, REPO, "--tag", "v1", "--dry-run")
    assert (status, err) == (0, [])
    assert out[0] == f"model {hub.url}/{REPO}: new"
    assert out[-2:] == ["  tag    v1", DRY]
    assert call("--space", SPACE, "--dry-run")[1][-1] == DRY
    assert (writes(hub), hub.repos) == ([], {})
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    status, out, err = call(net, REPO, "--dry-run")
    assert (status, err) == (0, [])
    assert out[0].endswith("not reached: The Hub cannot be reached (ConnectError): check the netw"
                           "ork.")  # fmt: skip
    assert any("model.safetensors" in line for line in out)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (WEIGHTS_FILE, b"x" * 100, "model.safetensors is not a whole safetensors file"),
        ("README.md", None, "README.md is missing: `python -m training.card "),
        ("results.json", b'{"name": "other"}', "is of other, but the weights are of mlp-32"),
        ("results.json", b'{"name": "mlp-32", "recipe": 3}', "is not as this version writes it ("),
        ("evaluation.json", None, "evaluation.json is missing: `python -m training.evaluate "),
        ("evaluation.json", b"{}", "was measured on other weights than model.safetensors"),
        ("plots/refusal.png", None, "refusal.png is missing: `python -m training.card "),
    ],
)
def test_an_incomplete_checkpoint_is_not_sent(hub, net, error, name, content, message):
    if content is None:
        (net / name).unlink()
    else:
        (net / name).write_bytes(content)
    assert message in error(net, REPO)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", REPO], "There is no checkpoint nowhere: expected a folder, or one of logist"),
        (["mlp-32", "digits"], "Not a name on the Hub: 'digits', expected OWNER/NAME."),
        (["mlp-32", f"{ACCOUNT}/-x"], "Not a name on the Hub: "),
        (["mlp-32", REPO, "--tag", "a b"], "Not a tag: 'a b'"),
        (["mlp-32", REPO, "--private"], f"{REPO} exists and is public: --private is for a new re"),
        (["mlp-32", f"{ACCOUNT}/bert"], f"{ACCOUNT}/bert exists and holds something else (config"),
        (["--space", f"{ACCOUNT}/app"], f"{ACCOUNT}/app exists and holds something else (app.py)"),
    ],
)
def test_nothing_is_overwritten_or_misnamed(hub, error, arguments, message):
    hub.repos |= {
        REPO: copy.deepcopy(EXISTING),
        f"{ACCOUNT}/bert": [("d" * 40, {"config.json": b'{"hidden_sizes": [256]}', "x": b"x"})],
        f"spaces/{ACCOUNT}/app": [("e" * 40, {"app.py": b"print()"})],
    }
    before = copy.deepcopy(hub.repos)
    assert error(*arguments).startswith(message)
    assert (writes(hub), hub.repos) == ([], before)


@pytest.mark.parametrize("arguments", [
    [], ["mlp-32"], ["mlp-32", REPO, "--hardware", "cpu-basic"], ["--space", SPACE, "--tag", "v1"],
    ["--space", SPACE, "--hardware", "abacus"],
])  # fmt: skip
def test_invalid_combinations_of_arguments_are_refused(hub, call, arguments):
    with pytest.raises(SystemExit, match="2"):
        call(*arguments)
    assert hub.requests == []


def test_the_hubs_initial_files_may_be_overwritten(hub, net, call):
    hub.repos[REPO] = [("c" * 40, {".gitattributes": b"x", "README.md": b"hello"})]
    assert call(net, REPO)[0] == 0
    assert set(hub.files(REPO)) == {".gitattributes", *paths(net)}


@pytest.mark.parametrize(
    ("step", "failure", "message"),
    [
        ("whoami", 401, WRONG_TOKEN),
        ("whoami", 503, "The Hub answered 503: try again later."),
        ("whoami", (429, {"ratelimit": '"api";r=0;t=55'}), "The Hub answered 429: too many reques"
         "ts: wait 55 s."),
        ("whoami", (302, {"Location": "/api/whoami-v2"}), "The Hub cannot be reached (TooManyRedir"
         "ects): check the network."),
        ("info", 200, "The request to the Hub failed (KeyError: 'id')."),
        ("create", 409, "The Hub answered 409: the name is in use by a repository that the token m"
         "ay not see: choose another (as the test asked). Nothing was pushed."),
        ("create", 500, "The Hub answered 500: try again later. Nothing was pushed."),
        ("validate", 500, f"The Hub answered 500: try again later. {DELETED}"),
        ("upload", 403, "The Hub answered 403: the token has no write access: make one that has, f"
         f"or an owner that you are (as the test asked). {DELETED}"),
        ("commit", 400, "The Hub answered 400: the request is invalid (as the test asked). "
         f"{DELETED}"),
        ("commit", 500, f"The Hub answered 500: try again later. {DELETED}"),
    ],
)  # fmt: skip
def test_a_failed_push_reports_one_line_and_leaves_no_repository(
    hub, net, error, step, failure, message
):
    hub.fail[step] = failure
    assert error(net, REPO) == message
    assert hub.repos == {}


def test_a_temporary_failure_is_retried_without_output(hub, net, call):
    answers = iter([503, None])
    hub.fail["preupload"] = lambda: next(answers, None)
    status, _, err = call(net, REPO)
    assert (status, err, len(hub.repos[REPO])) == (0, [], 1)


@pytest.mark.parametrize("files", [EXISTING[0][1], {"theirs.txt": b"x"}])
def test_a_failed_push_only_deletes_repositories_that_it_created(hub, net, error, files):
    """The repository existed before, or someone pushed to it after this run had created it."""
    if files == EXISTING[0][1]:
        hub.repos[REPO] = copy.deepcopy(EXISTING)
    hub.fail["commit"] = lambda: (hub.commit(REPO, files) and None) or 500
    assert error(net, REPO) == "The Hub answered 500: try again later. Nothing was pushed."
    assert hub.files(REPO) == files


def test_a_concurrent_push_is_not_overwritten(hub, net, call, error):
    call(net, REPO)
    (net / "plots" / "mine.png").write_bytes(b"mine")
    hub.fail["commit"] = lambda: hub.commit(REPO, {"config.json": b"theirs"}) and None
    assert error(net, REPO) == (
        "The Hub answered 412: someone pushed to it in the meantime: run this again. "
        "Nothing was pushed."
    )
    assert hub.files(REPO) == {"config.json": b"theirs"}


@pytest.mark.parametrize(
    ("token", "owner", "message"),
    [
        (None, ACCOUNT, "There is no Hugging Face token: log in with `hf auth login`, or set HF_T"),
        (READ_ONLY_TOKEN, ACCOUNT, "The Hub answered 403: the token has no write access: make one"),
        (TOKEN, "somebody", "The Hub answered 403: the token has no write access: make one that h"
         "as, for an owner that you are (You cannot create under somebody)."),
    ],
)  # fmt: skip
def test_a_token_without_write_access_is_refused(
    hub, net, error, monkeypatch, token, owner, message
):
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    assert error(net, f"{owner}/digits").startswith(message)
    assert hub.repos == {}


def test_without_network_the_push_fails_in_one_line(net, error, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert error(net, REPO) == "The Hub cannot be reached (ConnectError): check the network."
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert error(net, REPO) == "HF_HUB_OFFLINE is set: unset it to publish."


@pytest.mark.parametrize(
    ("step", "existed", "left"),
    [
        ("whoami", False, ""),
        ("create", False, DELETED),
        ("commit", False, DELETED),
        ("commit", True, f"The push may still arrive: {RERUN}"),
    ],
)
def test_a_silent_hub_is_a_timeout(hub, net, error, silence, step, existed, left):
    if existed:
        hub.repos[REPO] = copy.deepcopy(EXISTING)

    def fail():
        if step == "create":
            hub.repos[REPO] = []  # created, but without a response
        return silence()

    hub.fail[step] = fail
    line = error(net, REPO)
    assert line.startswith("The Hub did not answer within 1 s: check the network, or try later.")
    assert line.endswith(left)
    assert (REPO in hub.repos) == existed


def test_a_commit_without_a_response_is_found(hub, net, error, silence):
    hub.repos[REPO] = []
    files = publish._files(net, REPO)
    hub.fail["commit"] = lambda: hub.commit(REPO, files) and silence()
    url = f"{hub.url}/{REPO}/commit/"
    assert error(net, REPO).endswith(f"All files have arrived nevertheless: {url}{hub.head(REPO)}")


def test_a_repository_that_cannot_be_deleted_is_reported(hub, net, error):
    hub.fail |= {"commit": 500, "delete": 403}
    assert error(net, REPO) == (
        f"The Hub answered 500: try again later. {hub.url}/{REPO} may have been created, and may "
        f"be empty: {RERUN}"
    )


def test_a_failed_tag_is_created_by_the_next_push(hub, net, call, error):
    hub.fail["tag"] = 500
    line = error(net, REPO, "--tag", "v1")
    [(commit, _)] = hub.repos[REPO]
    assert line == (
        f"The Hub answered 500: try again later. The commit {commit} is pushed, without its tag: "
        "run this again."
    )
    hub.fail.clear()
    assert call(net, REPO, "--tag", "v1")[0] == 0
    assert (hub.tags[REPO], len(hub.repos[REPO])) == ({"v1": commit}, 1)


@pytest.mark.parametrize(
    ("step", "arguments", "message"),
    [
        ("whoami", (REPO,), "interrupted: nothing was pushed"),
        ("commit", (REPO,), f"interrupted. {DELETED}"),
        ("tag", (REPO, "--tag", "v1"), r"interrupted. The commit \w+ is pushed, without its tag: "
         "run this again."),
        ("runtime", ("--space", SPACE), r"interrupted. The commit is pushed; http\S+ shows whether "
         "it runs."),
    ],
)  # fmt: skip
def test_ctrl_c_reports_what_was_pushed(hub, net, call, step, arguments, message):
    hub.fail[step] = interrupt
    status, _, [line] = call(*([] if step == "runtime" else [net]), *arguments)
    assert status == 130
    assert re.fullmatch(message, line)
    assert (hub.repos == {}) == (step in ("whoami", "commit"))


def test_training_keeps_its_checkpoint_when_the_push_fails(hub, mnist_dir, call, tmp_path):
    out = tmp_path / "trained"
    training = [
        "-m", "training", "--epochs", "1", "--synthetic-digits", "0", "--outliers", "0",
        "--samples", "20", "--quiet", "--data-dir", mnist_dir, "--out", str(out), "--push", REPO,
    ]  # fmt: skip
    done = run(*training, env=hub.environment(str(tmp_path / "home"), READ_ONLY_TOKEN))
    assert done.returncode == 1
    assert "The Hub answered 403: the token has no write access" in done.stderr.splitlines()[-1]
    assert hub.repos == {}
    assert call(out, REPO)[0] == 0
    [(_, files)] = hub.repos[REPO]
    assert files.keys() == paths(out) > {"plots/confusion.png"}
    card = ModelCard(files["README.md"].decode())
    accuracy = Reader.load(out).evaluation["test"]["accuracy"]["value"]
    assert card.data.eval_results[0].metric_value == accuracy


def test_a_wrong_token_is_reported_before_training(hub, tmp_path):
    env = hub.environment(str(tmp_path / "home"), "hf_wrong")
    done = run("-m", "training", "--data-dir", str(tmp_path), "--push", REPO, env=env)
    assert (done.returncode, done.stderr) == (1, f"error: {WRONG_TOKEN}\n")


def test_a_space_contains_the_files_of_the_app(hub, call):
    status, out, err = call("--space", SPACE, "--private", "--hardware", "zero-a10g")
    assert (status, err) == (0, [])
    [(commit, files)] = hub.repos[f"spaces/{SPACE}"]
    command = ["git", "ls-files", *FILES, *FOLDERS]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert set(files) == set(listed.stdout.split())
    made = {path for path in files if files[path] != (ROOT / path).read_bytes()}
    assert made == {"README.md", "requirements.txt"}
    assert hub.private == {f"spaces/{SPACE}"}
    assert hub.hardware == {f"spaces/{SPACE}": "zero-a10g"}
    assert out[0] == f"space {hub.url}/spaces/{SPACE}: new, private"
    assert out[-3:] == [
        f"pushed: {hub.url}/spaces/{SPACE}/commit/{commit}",
        "stage: RUNNING",
        f"running: {hub.url}/spaces/{SPACE}",
    ]


def test_a_space_contains_no_caches_and_no_hidden_files(tmp_path, monkeypatch):
    for path in (*FILES, "ui/why.js", "ui/__pycache__/why.pyc", "model/.config.json.x7"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("---\nthumbnail: a.png\n---\n", encoding="utf-8")
    monkeypatch.setattr(space, "ROOT", tmp_path)
    assert set(space_files(SPACE)) == {*FILES, "ui/why.js"}


def test_the_image_contains_the_files_of_a_space():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", dockerfile, re.MULTILINE)
    copied = {path for line in lines for path in line.split()}
    assert copied | {"README.md", "screenshot.png"} == {*FILES, *FOLDERS}


def test_the_app_runs_from_the_files_of_a_space(tmp_path):
    folder = tmp_path / "space"
    for path, content in space_files(SPACE).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    with running(command=[str(folder / "app.py")]) as (url, _):
        assert ask(url, "predict_strokes", [[[0, 0], [100, 0], [40, 150]]])["digit"] == 7


def test_a_space_is_updated(hub, call):
    call("--space", SPACE)
    [(_, files)] = hub.repos[f"spaces/{SPACE}"]
    hub.requests.clear()
    assert call("--space", SPACE)[1][-1] == f"running: {hub.url}/spaces/{SPACE}"
    assert (writes(hub), len(hub.repos[f"spaces/{SPACE}"])) == ([], 1)
    hub.commit(f"spaces/{SPACE}", files | {"ui/old.js": b"x", "notes.txt": b"x", "app.py": b"x"})
    status, out, _ = call("--space", SPACE, "--hardware", "t4-small")
    assert status == 0
    assert [line for line in out if "delete" in line] == ["  delete ui/old.js"]
    assert hub.files(f"spaces/{SPACE}") == files | {"notes.txt": b"x"}
    assert hub.hardware == {f"spaces/{SPACE}": "t4-small"}


BUILD = [{"stage": "BUILDING"}, {"stage": "BUILDING"}, {"stage": "APP_STARTING"}]
OLD = {"stage": "RUNNING", "sha": "the commit before"}


@pytest.mark.parametrize(
    ("stages", "lines", "message"),
    [
        ([OLD, *BUILD, {"stage": "RUNNING"}], ["RUNNING", "BUILDING", "APP_STARTING", "RUNNING"],
         None),
        ([{"stage": "SLEEPING"}], ["SLEEPING"], None),
        ([OLD | {"stage": "BUILD_ERROR"}, {"stage": "RUNNING"}], ["BUILD_ERROR", "RUNNING"], None),
        ([*BUILD[:1], {"stage": "BUILD_ERROR", "errorMessage": "pip:\n no torch"}],
         ["BUILDING", "BUILD_ERROR"], "does not run: BUILD_ERROR, pip: no torch. `hf spaces logs "
         f"{SPACE} --build` shows its logs."),
        ([{"stage": "PAUSED"}], ["PAUSED"], f"does not run: PAUSED. `hf spaces logs {SPACE}` sh"),
        (BUILD[:1], ["BUILDING"], "does not run after 0.3 s, its stage is BUILDING: look there"),
        ([OLD], ["RUNNING"], "does not run after 0.3 s, its stage is RUNNING"),
    ],
)  # fmt: skip
def test_the_command_waits_until_a_space_runs(hub, call, stages, lines, message):
    hub.stages = list(stages)
    status, out, err = call("--space", SPACE, "--wait", "0.3")
    assert [line for line in out if line.startswith("stage")] == [f"stage: {s}" for s in lines]
    if message is None:
        assert (status, out[-1], err) == (0, f"running: {hub.url}/spaces/{SPACE}", [])
    else:
        assert err[0].startswith(f"error: {hub.url}/spaces/{SPACE} {message}")


def test_a_failed_request_for_the_stage_is_repeated(hub, call, error):
    answers = iter([500, None])
    hub.fail["runtime"] = lambda: next(answers, None)
    assert call("--space", SPACE)[0] == 0
    hub.fail["runtime"] = 500
    message = "does not run after 0.1 s, its stage is unknown"
    assert message in error("--space", SPACE, "--wait", "0.1")


def test_a_space_that_needs_a_paid_plan_is_reported(hub, error):
    hub.fail["create"] = 402
    assert error("--space", SPACE) == (
        "The Hub answered 402: that needs a paid plan; a free account has two Spaces with "
        "--hardware zero-a10g (as the test asked). Nothing was pushed."
    )


def test_a_space_serves_a_model_pinned_to_its_commit(hub, call, net):
    call(net, REPO, "--tag", "v1")
    commit = hub.head(REPO)
    hub.commit(REPO, {})  # a later commit on main
    assert call("--space", SPACE, "--model", f"{REPO}@v1")[0] == 0
    front = front_matter(hub.files(f"spaces/{SPACE}")["README.md"].decode())
    assert front["models"] == [REPO]
    names = "config.json,results.json,evaluation.json,README.md,model.safetensors"
    assert front["preload_from_hub"] == [f"{REPO} {names} {commit}"]
    assert hub.variables[f"spaces/{SPACE}"] == {"MODEL": f"{REPO}@{commit}"}
    hub.requests.clear()
    call("--space", SPACE)
    assert hub.variables[f"spaces/{SPACE}"] == {}
    runtimes = [line for line in hub.requests if line.endswith("/runtime")]
    assert len(runtimes) > 1  # the Space may still run with the old variable
    call("--space", SPACE, "--model", f"{REPO}@v1")
    assert hub.variables[f"spaces/{SPACE}"] == {"MODEL": f"{REPO}@{commit}"}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (REPO, f"There is no public model {REPO} on the Hub to serve."),
        (f"{ACCOUNT}/bare@v9", f"no public model {ACCOUNT}/bare on the Hub to serve, or it has no "
         "revision v9."),
        (f"{ACCOUNT}/bare", f"{ACCOUNT}/bare@{'c' * 40} on the Hub: config.json is missing."),
    ],
)  # fmt: skip
def test_a_space_serves_only_public_models_that_it_can_load(hub, call, error, net, model, message):
    call(net, REPO, "--private")
    hub.repos[f"{ACCOUNT}/bare"] = [("c" * 40, {"pytorch_model.bin": b"x"})]
    assert message in error("--space", SPACE, "--model", model)
    assert f"spaces/{SPACE}" not in hub.repos


def front_matter(text):
    """Return the metadata of a README."""
    return yaml.safe_load(text.split("---\n")[1])


def requirements(text):
    """Return the version range of each requirement by name."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return {each.name: each.specifier for each in map(Requirement, filter(None, lines))}


def test_the_readmes_front_matter_is_valid():
    front = front_matter((ROOT / "README.md").read_text(encoding="utf-8"))
    assert (front["sdk"], front["license"]) == ("gradio", "apache-2.0")
    assert front["sdk_version"] == gradio.__version__
    ranges = requirements((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert ranges["gradio"].contains(front["sdk_version"])
    assert front["python_version"] == "3.12.12"  # a string; the version that ZeroGPU has
    assert (ROOT / front["app_file"]).is_file()
    assert (ROOT / front["thumbnail"]).is_file()
    assert len(front["short_description"]) <= 60
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {front["colorFrom"], front["colorTo"]} <= colours
    assert all(re.fullmatch(r"[a-z-]+", tag) for tag in front["tags"])


def test_a_space_gets_its_own_thumbnail_and_torch_version(hub):
    files = space_files(SPACE)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    own, pushed = front_matter(readme), front_matter(files["README.md"].decode())
    thumbnail = f"{hub.url}/spaces/{SPACE}/resolve/main/screenshot.png"
    assert pushed == own | {"thumbnail": thumbnail}
    assert files["README.md"].decode().split("---\n", 2)[2] == readme.split("---\n", 2)[2]
    own = requirements((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert requirements(files["requirements.txt"].decode()) == own | {
        "torch": Requirement(TORCH).specifier
    }
    assert all(
        own["torch"].contains(f"2.{minor}") for minor in range(8, 12)
    )  # the versions that ZeroGPU has
