"""Publish to a Hub on loopback, with the real client through real sockets."""

import copy
import os
import re
import shutil
import signal
import subprocess
import time

import gradio
import httpx2
import pytest
import yaml
from huggingface_hub import CommitOperationAdd, HfApi, constants, set_client_factory
from huggingface_hub.utils import get_session
from huggingface_hub.utils._http import default_client_factory
from packaging.requirements import Requirement

import training.hub
import training.space
from benchmarks.browser import running
from model import checkpoint
from model.checkpoint import SHIPPED, WEIGHTS_FILE
from tests.conftest import ROOT, ask, run
from tests.loopback_hub import ACCOUNT, READ_ONLY_TOKEN, TOKEN
from training import publish
from training.space import FILES, FOLDERS, TORCH, space_files

# huggingface_hub's own, where it sends a file to LFS
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
WRONG_TOKEN = (
    "The Hub answered 401: the token in HF_TOKEN is not valid: correct it, or unset it and "
    "`hf auth login`."
)
DRY = "dry run: nothing is sent, and whether the token may write there is not asked"
REPO, SPACE = f"{ACCOUNT}/digits", f"{ACCOUNT}/draw"


@pytest.fixture(autouse=True)
def client(hub, monkeypatch, tmp_path):
    """The client, in this process, asks the Hub on loopback."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    resolve = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", resolve)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield
    set_client_factory(default_client_factory)


@pytest.fixture
def net(tmp_path):
    """A checkpoint with all that is pushed."""
    folder = tmp_path / "net"
    shutil.copytree(SHIPPED / "mlp-32", folder)
    (folder / "plots" / "mine.png").write_bytes(b"PNG")
    return folder


def paths(net):
    """What a checkpoint's folder holds."""
    return {each.relative_to(net).as_posix() for each in net.rglob("*") if each.is_file()}


@pytest.fixture
def call(capsys):
    """Run the command; return its status, its lines, and its lines on stderr."""

    def call(*arguments):
        capsys.readouterr()
        status = publish.main([str(each) for each in arguments])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return call


def sent(hub):
    """What was asked of the Hub but to look."""
    return [line for line in hub.requests if not line.startswith(("GET", "HEAD"))]


def test_a_new_repository_in_one_commit(hub, net, call):
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


def test_the_same_again_makes_no_commit(hub, net, call):
    call(net, REPO)
    hub.requests.clear()
    status, out, _ = call(net, REPO)
    assert status == 0
    [(commit, _)] = hub.repos[REPO]
    assert out[-1] == f"nothing to push: it is all there: {hub.url}/{REPO}/commit/{commit}"
    assert sent(hub) == []


def test_the_client_itself_skips_what_is_there(hub, net, call):
    call(net, REPO)
    hub.requests.clear()
    paths = (WEIGHTS_FILE, "config.json")
    operations = [CommitOperationAdd(name, net / name) for name in paths]
    done = HfApi().create_commit(REPO, operations, commit_message="again")
    assert [done.oid] == [oid for oid, _ in hub.repos[REPO]]
    assert not any("/commit/" in line for line in sent(hub))


def test_a_change_is_a_commit_and_the_old_one_stays(hub, net, call):
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


def test_a_tag_stays_where_it_is(hub, net, call):
    call(net, REPO)
    assert call(net, REPO, "--tag", "v1")[1][-1] == "tagged: v1"  # what was there, now with a name
    status, out, err = call(net, REPO, "--tag", "v1")
    assert (status, err, len(hub.repos[REPO])) == (0, [], 1)
    assert out[-1] == "tagged: v1, as it was"
    (net / "plots" / "mine.png").write_bytes(b"another")
    hub.requests.clear()
    status, _, err = call(net, REPO, "--tag", "v1")
    assert status == 1
    commit = hub.repos[REPO][0][0][:12]
    assert err == [
        f"error: The tag v1 is at another commit, {commit}, which stays as it is: choose another "
        "tag."
    ]
    assert sent(hub) == []


def test_a_dry_run_sends_nothing_and_needs_nothing(hub, net, call, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    status, out, err = call(net, REPO, "--tag", "v1", "--dry-run")
    assert (status, err) == (0, [])
    assert out[0] == f"model {hub.url}/{REPO}: new"
    assert out[-2:] == ["  tag    v1", DRY]
    assert (sent(hub), hub.repos) == ([], {})
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    status, out, err = call(net, REPO, "--dry-run")
    assert (status, err) == (0, [])
    assert out[0] == (
        "taken for new, what is there is not known: The Hub cannot be reached (ConnectError): "
        "check the network."
    )
    assert any("model.safetensors" in line for line in out)


def spoil(net, name, content=None):
    if content is None:
        (net / name).unlink()
    else:
        (net / name).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (WEIGHTS_FILE, b"x" * 100, "model.safetensors is not a whole safetensors file"),
        (WEIGHTS_FILE, None, "model.safetensors is missing"),
        ("README.md", None, "README.md is missing: `python -m training.card "),
        ("results.json", b'{"name": "other"}', "is of other, the weights are of mlp-32"),
        ("results.json", b'{"name": "mlp-32", "recipe": 3}', "is not as this version writes it ("),
        ("evaluation.json", None, "evaluation.json is missing: `python -m training.evaluate "),
        ("evaluation.json", b"{}", "was measured on other weights than model.safetensors"),
    ],
)
def test_what_is_not_whole_is_not_sent(hub, net, call, name, content, message):
    spoil(net, name, content)
    status, out, err = call(net, REPO)
    assert (status, out, len(err)) == (1, [], 1)
    assert message in err[0]
    assert hub.requests == []


def test_a_card_without_its_plots_is_not_sent(hub, net, call):
    (net / "plots" / "refusal.png").unlink()
    status, _, err = call(net, REPO)
    assert status == 1
    assert err == [
        f"error: {net}/plots/refusal.png is missing: `python -m training.card {net}` makes it."
    ]
    assert hub.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", REPO], "There is no checkpoint nowhere: expected a folder, or one of logist"),
        (["mlp-32", "digits"], "Not a name on the Hub: 'digits', expected OWNER/NAME."),
        (["mlp-32", "a/b/c"], "Not a name on the Hub: Repo id must be"),
        (["mlp-32", f"{ACCOUNT}/-x"], "Not a name on the Hub: "),
        (["mlp-32", REPO, "--tag", "a b"], "Not a tag: 'a b'"),
        (["mlp-32", REPO, "--private"], f"{REPO} is there and public: --private is for a new one"),
        (["mlp-32", f"{ACCOUNT}/taken"], f"The name {ACCOUNT}/taken is taken by something else (c"),
        (["mlp-32", f"{ACCOUNT}/resnet"], f"The name {ACCOUNT}/resnet is taken by something else"),
        (["--space", f"{ACCOUNT}/taken"], f"The name {ACCOUNT}/taken is taken by something else"),
    ],
)
def test_what_would_mislead_is_refused(hub, call, arguments, message):
    hub.repos[REPO] = [("c" * 40, {".gitattributes": b"x"})]
    bert = {"config.json": b'{"model_type": "bert"}', "pytorch_model.bin": b"x"}
    hub.repos[f"{ACCOUNT}/taken"] = [("d" * 40, bert)]
    resnet = {"config.json": b'{"model_type": "resnet", "hidden_sizes": [256]}'}
    hub.repos[f"{ACCOUNT}/resnet"] = [("f" * 40, resnet)]
    hub.repos[f"spaces/{ACCOUNT}/taken"] = [("e" * 40, {"app.py": b"print()"})]
    before = copy.deepcopy(hub.repos)
    status, _, err = call(*arguments)
    assert (status, len(err)) == (1, 1)
    assert err[0].startswith(f"error: {message}")
    assert (sent(hub), hub.repos) == ([], before)


def test_the_hubs_own_first_files_are_no_obstacle(hub, net, call):
    hub.repos[REPO] = [("c" * 40, {".gitattributes": b"x", "README.md": b"hello"})]
    assert call(net, REPO)[0] == 0
    assert set(hub.files(REPO)) == {".gitattributes", *paths(net)}


LIMITED = {"ratelimit": '"api";r=0;t=55'}
FAILURES = [
    ("whoami", 401, WRONG_TOKEN),
    ("whoami", (429, LIMITED), "The Hub answered 429: too many requests: wait 55 s."),
    ("whoami", 503, "The Hub answered 503: try again later."),
    ("info", 500, "The Hub answered 500: try again later."),
    ("create", 409, "The Hub answered 409: the name is taken, by what the token may not see"),
    ("commit", 409, "The Hub answered 409: someone else changes it at this moment: run this again"),
    ("create", 500, "The Hub answered 500: try again later. Nothing was pushed."),
    ("validate", 500, "The Hub answered 500: try again later."),
    ("preupload", (429, {"Retry-After": "120"}), "The Hub answered 429: too many requests: wait 1"),
    ("preupload", 429, "The Hub answered 429: too many requests: wait some minutes."),
    ("batch", 403, "The Hub answered 403: the token may not write there"),
    ("upload", 500, "The Hub answered 500: try again later. Error while uploading '"),
    ("upload", 403, "The Hub answered 403: the token may not write there"),
    ("commit", 400, "The Hub answered 400: as the test asked."),
    ("commit", 404, "The Hub answered 404: it is not there, or the token may not see it."),
    ("commit", 412, "The Hub answered 412: someone pushed to it in between: run this again."),
    ("commit", 500, "The Hub answered 500: try again later."),
]


@pytest.mark.parametrize(
    ("step", "failure", "message", "existed"),
    [(*each, False) for each in FAILURES]
    + [(*each, True) for each in FAILURES if each[0] != "create"],
)
def test_a_failure_is_one_line_and_leaves_nothing(hub, net, call, step, failure, message, existed):
    hub.repos |= {REPO: [("c" * 40, {"README.md": b"mine"})]} if existed else {}
    before, began = copy.deepcopy(hub.repos), time.monotonic()
    hub.fail[step] = failure
    status, _, err = call(net, REPO)
    assert (status, len(err)) == (1, 1)
    assert err[0].startswith(f"error: {message}")
    assert hub.repos == before
    late = step not in ("whoami", "info", "create")
    deleted = f"Nothing was pushed; {REPO}, created a moment ago, is deleted again."
    assert err[0].endswith(deleted) == (late and not existed)
    assert time.monotonic() - began < 3


def test_the_owner_must_be_yours(hub, net, call):
    status, _, err = call(net, "somebody/digits")
    assert (status, hub.repos) == (1, {})
    assert err[0].startswith("error: The Hub answered 403: the token may not write there: make one")
    assert "(You cannot create under somebody)" in err[0]


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (None, "There is no Hugging Face token: log in with `hf auth login`, or set HF_TOKEN."),
        ("hf_wrong", WRONG_TOKEN),
        (READ_ONLY_TOKEN, "The Hub answered 403: the token may not write there: make one with wr"),
    ],
)
def test_a_token_that_does_not_do(hub, net, call, monkeypatch, token, message):
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    status, _, err = call(net, REPO)
    assert (status, len(err), hub.repos) == (1, 1, {})
    assert err[0].startswith(f"error: {message}")


def test_no_network_is_said_at_once(net, call, monkeypatch):
    for address in ("http://127.0.0.1:9", "http://hub.invalid"):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        status, _, err = call(net, REPO)
        assert status == 1
        assert err == ["error: The Hub cannot be reached (ConnectError): check the network."]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert call(net, REPO)[2] == ["error: HF_HUB_OFFLINE is set: unset it to publish."]


@pytest.mark.parametrize("step", ["whoami", "commit"])
def test_a_hub_that_says_nothing_is_not_waited_for(hub, net, call, monkeypatch, step):
    monkeypatch.setattr(training.hub, "READ_SECONDS", 0.3)
    monkeypatch.setattr(training.hub, "WRITE_SECONDS", 0.3)
    hub.fail[step] = lambda: time.sleep(0.6) or 500
    status, _, err = call(net, REPO)
    assert (status, len(err)) == (1, 1)
    assert err[0].startswith("error: The Hub does not answer within 0.3 s: check the network")
    assert hub.repos == {}


def test_an_answer_that_is_lost(hub, net, call, monkeypatch):
    monkeypatch.setattr(training.hub, "WRITE_SECONDS", 0.3)
    hub.repos[REPO] = []
    files = publish._read(net, REPO)
    hub.fail["commit"] = lambda: (hub.commit(REPO, files) and time.sleep(0.6)) or 500
    status, _, err = call(net, REPO)
    assert status == 1
    assert err == [
        "error: The Hub does not answer within 0.3 s: check the network, or try again later. "
        f"Yet it is all there: {hub.url}/{REPO}/commit/{hub.head(REPO)}"
    ]


def test_an_answer_that_is_no_hubs(hub, net, call):
    hub.fail["info"] = 200
    status, _, err = call(net, REPO)
    assert (status, len(err)) == (1, 1)
    assert err[0].startswith("error: The Hub's answer is not understood (KeyError: 'id').")


def test_a_login_that_names_no_account(hub):
    hub.fail["whoami"] = 200
    with pytest.raises(training.hub.PublishError, match="answer is not understood: it names no"):
        training.hub.check_login(REPO)


@pytest.mark.parametrize(
    "bug", [lambda: {}["a"], lambda: None + 1, lambda: int("a"), lambda: next(iter([1])).name]
)
def test_a_bug_is_not_taken_for_an_answer_of_the_hub(bug):
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)), training.hub.told():
        bug()


def test_someone_pushed_in_between(hub, net, call):
    call(net, REPO)
    (net / "plots" / "mine.png").write_bytes(b"mine")
    hub.fail["commit"] = lambda: hub.commit(REPO, {"config.json": b"theirs"}) and None
    status, _, err = call(net, REPO)
    assert status == 1
    assert err == [
        "error: The Hub answered 412: someone pushed to it in between: run this again. "
        "Nothing was pushed."
    ]
    assert hub.files(REPO) == {"config.json": b"theirs"}


def test_a_tag_that_fails_is_made_the_next_time(hub, net, call):
    hub.fail["tag"] = 500
    status, _, err = call(net, REPO, "--tag", "v1")
    [(commit, _)] = hub.repos[REPO]
    assert status == 1
    assert err == [
        f"error: The Hub answered 500: try again later. The commit {commit} is pushed, without "
        "its tag: run this again."
    ]
    hub.fail.clear()
    assert call(net, REPO, "--tag", "v1")[0] == 0
    assert (hub.tags[REPO], len(hub.repos[REPO])) == ({"v1": commit}, 1)


def test_what_cannot_be_taken_back_is_named(hub, net, call):
    hub.fail |= {"commit": 500, "delete": 403}
    status, _, err = call(net, REPO)
    assert status == 1
    assert err == [
        f"error: The Hub answered 500: try again later. {hub.url}/{REPO} was created, and may be "
        "empty: run this again, what is there is not sent twice."
    ]
    assert hub.files(REPO) == {}


def test_ctrl_c_takes_back_what_was_created(hub, net, call):
    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        return 500

    hub.fail["commit"] = interrupt
    status, _, err = call(net, REPO)
    assert status == 130
    assert err == [
        f"interrupted. Nothing was pushed; {REPO}, created a moment ago, is deleted again."
    ]
    assert hub.repos == {}


def test_what_someone_else_brought_is_not_taken_back(hub, net, call):
    hub.fail["commit"] = lambda: (hub.commit(REPO, {"theirs.txt": b"x"}) and None) or 500
    assert call(net, REPO)[2] == [
        "error: The Hub answered 500: try again later. Nothing was pushed."
    ]
    assert hub.files(REPO) == {"theirs.txt": b"x"}


@pytest.mark.parametrize(
    ("step", "arguments", "said"),
    [
        (
            "tag",
            (REPO, "--tag", "v1"),
            r"The commit \w+ is pushed, without its tag: run this again.",
        ),
        ("runtime", ("--space", SPACE), r"The commit is pushed; whether it runs, http\S+ says."),
    ],
)
def test_ctrl_c_after_the_commit_says_that_it_is_pushed(hub, net, call, step, arguments, said):
    hub.fail[step] = lambda: os.kill(os.getpid(), signal.SIGINT) or time.sleep(0.2)
    status, _, err = call(*([] if step == "runtime" else [net]), *arguments)
    assert (status, len(err)) == (130, 1)
    assert re.fullmatch(f"interrupted. {said}", err[0])


@pytest.mark.parametrize("step", ["create", "commit"])
def test_what_a_silent_hub_did_is_not_known(hub, net, call, monkeypatch, step):
    monkeypatch.setattr(training.hub, "WRITE_SECONDS", 0.3)
    if step == "commit":
        hub.repos[REPO] = [("c" * 40, {"README.md": b"mine"})]

    def late():
        if step == "create":
            hub.repos[REPO] = []
        time.sleep(0.5)
        return 500

    hub.fail[step] = late
    [line] = call(net, REPO)[2]
    if step == "create":
        assert line.endswith("created a moment ago, is deleted again.")
        assert hub.repos == {}
    else:
        assert line.endswith(
            "It may have arrived: run this again, what is there is not sent twice."
        )


def test_only_publishing_is_bounded(net, call, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    call(net, REPO)
    assert type(get_session()) is httpx2.Client


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((302, {"Location": "/api/whoami-v2"}), "The Hub cannot be reached (TooManyRedirects)"),
        ((200, {"Content-Encoding": "gzip"}), "The Hub cannot be reached (DecodingError)"),
    ],
)
def test_what_is_between_here_and_the_hub(hub, net, call, answer, message):
    hub.fail["whoami"] = answer
    status, _, err = call(net, REPO)
    assert (status, len(err)) == (1, 1)
    assert err[0].startswith(f"error: {message}")


def test_ctrl_c_before_anything(hub, net, call):
    hub.fail["whoami"] = lambda: os.kill(os.getpid(), signal.SIGINT) or time.sleep(0.2)
    assert call(net, REPO)[::2] == (130, ["interrupted: nothing was pushed"])


def test_the_command(hub, tmp_path):
    done = run("-m", "training.publish", "mlp-32", REPO, env=hub.environment(str(tmp_path)))
    assert (done.returncode, done.stderr) == (0, "")
    [(commit, _)] = hub.repos[REPO]
    assert done.stdout.endswith(f"\npushed: {hub.url}/{REPO}/commit/{commit}\n")


@pytest.mark.parametrize(
    "arguments", [[], ["mlp-32"], ["mlp-32", REPO, "--hardware", "cpu-basic"], ["--space", SPACE,
     "--tag", "v1"], ["--space", SPACE, "--hardware", "abacus"]],
)  # fmt: skip
def test_what_is_no_command(hub, call, arguments):
    with pytest.raises(SystemExit, match="2"):
        call(*arguments)
    assert hub.requests == []


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Ask a Space more often than a real one is."""
    monkeypatch.setattr(training.space, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(training.space, "SETTLE_SECONDS", 0.1)


def test_a_space_holds_what_the_app_needs(hub, call):
    status, out, err = call("--space", SPACE, "--private", "--hardware", "zero-a10g")
    assert (status, err) == (0, [])
    [(commit, files)] = hub.repos[f"spaces/{SPACE}"]
    listed = subprocess.run(
        ["git", "ls-files", *FILES, *FOLDERS],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert set(files) == set(listed.stdout.split())
    made = {path for path in files if files[path] != (ROOT / path).read_bytes()}
    assert made == {"README.md", "requirements.txt"}
    assert hub.private == {f"spaces/{SPACE}"}
    assert hub.hardware == {f"spaces/{SPACE}": "zero-a10g"}
    assert out[0] == f"space {hub.url}/spaces/{SPACE}: new, private"
    assert out[-3:] == [
        f"pushed: {hub.url}/spaces/{SPACE}/commit/{commit}",
        "stage: RUNNING",
        f"it runs: {hub.url}/spaces/{SPACE}",
    ]


def test_a_space_holds_nothing_that_python_left(tmp_path, monkeypatch):
    for path in (*FILES, "ui/why.js", "ui/__pycache__/why.pyc", "model/.config.json.x7"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("---\n---\n", encoding="utf-8")
    monkeypatch.setattr(training.space, "ROOT", tmp_path)
    assert set(space_files(SPACE)) == {*FILES, "ui/why.js"}


def test_the_image_holds_the_same():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", dockerfile, re.MULTILINE)
    copied = {path for line in lines for path in line.split()}
    assert copied | {"README.md", "screenshot.png"} == {*FILES, *FOLDERS}


def test_a_space_serves_from_its_files_alone(tmp_path):
    space = tmp_path / "space"
    for path, content in space_files(SPACE).items():
        (space / path).parent.mkdir(parents=True, exist_ok=True)
        (space / path).write_bytes(content)
    with running(command=[str(space / "app.py")]) as (url, _):
        assert ask(url, "predict_strokes", [[[0, 0], [100, 0], [40, 150]]])["digit"] == 7


def test_a_space_is_brought_up_to_date(hub, call):
    call("--space", SPACE)
    [(_, files)] = hub.repos[f"spaces/{SPACE}"]
    hub.requests.clear()
    assert call("--space", SPACE)[1][-1] == f"it runs: {hub.url}/spaces/{SPACE}"
    assert (sent(hub), len(hub.repos[f"spaces/{SPACE}"])) == ([], 1)
    hub.commit(f"spaces/{SPACE}", files | {"ui/old.js": b"x", "notes.txt": b"x", "app.py": b"x"})
    status, out, _ = call("--space", SPACE, "--hardware", "t4-small")
    assert status == 0
    assert [line for line in out if "delete" in line] == ["  delete ui/old.js"]
    assert hub.files(f"spaces/{SPACE}") == files | {"notes.txt": b"x"}
    assert hub.hardware == {f"spaces/{SPACE}": "t4-small"}


def test_a_space_dry_run_sends_nothing(hub, call):
    status, out, _ = call("--space", SPACE, "--dry-run")
    assert (status, out[-1], sent(hub)) == (0, DRY, [])


BUILD = [{"stage": "BUILDING"}, {"stage": "BUILDING"}, {"stage": "APP_STARTING"}]
LOGS = f"`hf spaces logs {SPACE}` shows its logs."


@pytest.mark.parametrize(
    ("stages", "lines", "error"),
    [
        ([*BUILD, {"stage": "RUNNING"}], ["BUILDING", "APP_STARTING", "RUNNING"], None),
        (
            [{"stage": "RUNNING", "sha": "of before"}, *BUILD, {"stage": "RUNNING"}],
            ["RUNNING", "BUILDING", "APP_STARTING", "RUNNING"],
            None,
        ),
        ([{"stage": "SLEEPING"}], ["SLEEPING"], None),
        (
            [*BUILD[:1], {"stage": "BUILD_ERROR", "errorMessage": "pip:\n no torch"}],
            ["BUILDING", "BUILD_ERROR"],
            f"does not run: BUILD_ERROR, pip: no torch. `hf spaces logs {SPACE} --build` shows",
        ),
        (
            [{"stage": "RUNTIME_ERROR", "errorMessage": "Exit code: 1"}],
            ["RUNTIME_ERROR"],
            f"does not run: RUNTIME_ERROR, Exit code: 1. {LOGS}",
        ),
        ([{"stage": "CONFIG_ERROR"}], ["CONFIG_ERROR"], f"does not run: CONFIG_ERROR. {LOGS}"),
        ([{"stage": "NO_APP_FILE"}], ["NO_APP_FILE"], f"does not run: NO_APP_FILE. {LOGS}"),
        ([{"stage": "PAUSED"}], ["PAUSED"], f"does not run: PAUSED. {LOGS}"),
        (
            [{"stage": "BUILD_ERROR", "sha": "of before"}, {"stage": "RUNNING"}],
            ["BUILD_ERROR", "RUNNING"],
            None,
        ),
        (BUILD[:1], ["BUILDING"], "does not run after 0.3 s, its stage is BUILDING: look there"),
        (
            [{"stage": "RUNNING", "sha": "of before"}],
            ["RUNNING"],
            "does not run after 0.3 s, its stage is RUNNING",
        ),
    ],
)
def test_a_space_is_waited_for(hub, call, stages, lines, error):
    hub.stages = list(stages)
    status, out, err = call("--space", SPACE, "--wait", "0.3")
    assert [line for line in out if line.startswith("stage")] == [f"stage: {s}" for s in lines]
    assert status == (1 if error else 0)
    assert len(err) == status
    assert not error or f"error: {hub.url}/spaces/{SPACE} {error}" in err[0]
    assert bool(error) != (out[-1] == f"it runs: {hub.url}/spaces/{SPACE}")


def test_one_lost_answer_is_asked_again(hub, call):
    answers = iter([500, None])
    hub.fail["runtime"] = lambda: next(answers, None)
    assert call("--space", SPACE)[0] == 0
    hub.fail["runtime"] = 500
    status, _, err = call("--space", SPACE, "--wait", "0.1")
    assert status == 1
    assert "does not run after 0.1 s, its stage is not known" in err[0]


def test_a_space_without_a_plan(hub, call):
    hub.fail["create"] = 402
    status, _, err = call("--space", SPACE)
    assert (status, hub.repos) == (1, {})
    assert err == [
        "error: The Hub answered 402: that needs a paid plan; a free account has two Spaces with "
        "--hardware zero-a10g (as the test asked). Nothing was pushed."
    ]


def test_a_failed_space_commit_leaves_nothing(hub, call):
    hub.fail["commit"] = 500
    status, _, err = call("--space", SPACE)
    assert (status, len(err), hub.repos) == (1, 1, {})


def test_a_space_serves_a_model_of_the_hub(hub, call, net):
    call(net, REPO, "--tag", "v1")
    commit = hub.head(REPO)
    hub.commit(REPO, {})  # main moves on: the Space is pinned
    assert call("--space", SPACE, "--model", f"{REPO}@v1")[0] == 0
    front = matter(hub.files(f"spaces/{SPACE}")["README.md"].decode())
    assert front["models"] == [REPO]
    names = "config.json,model.safetensors,results.json,evaluation.json,README.md"
    assert front["preload_from_hub"] == [f"{REPO} {names} {commit}"]
    assert hub.variables[f"spaces/{SPACE}"] == {"MODEL": f"{REPO}@{commit}"}
    asked = len(hub.requests)
    call("--space", SPACE)
    assert hub.variables[f"spaces/{SPACE}"] == {}
    runtimes = [line for line in hub.requests[asked:] if line.endswith("/runtime")]
    assert len(runtimes) > 1  # the first that runs may still have the old variable
    call("--space", SPACE, "--model", f"{REPO}@v1")
    assert hub.variables[f"spaces/{SPACE}"] == {"MODEL": f"{REPO}@{commit}"}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (REPO, f"There is no public model {REPO} on the Hub"),
        (f"{ACCOUNT}/none", f"There is no public model {ACCOUNT}/none on the Hub"),
        (
            f"{ACCOUNT}/bare@v9",
            f"There is no public model {ACCOUNT}/bare on the Hub to serve, or it has no revis",
        ),
        (f"{ACCOUNT}/bare", f"{ACCOUNT}/bare@{'c' * 40} on the Hub: config.json is not there."),
        (f"{ACCOUNT}/bert", "This is a config of transformers, whose models are of other kinds."),
    ],
)
def test_a_space_needs_no_secret_to_read_its_model(hub, call, net, model, message):
    call(net, REPO, "--private")
    hub.repos[f"{ACCOUNT}/bare"] = [("c" * 40, {"pytorch_model.bin": b"x"})]
    bert = {"config.json": b'{"model_type": "bert"}', "model.safetensors": b"x"}
    hub.repos[f"{ACCOUNT}/bert"] = [("d" * 40, bert)]
    status, _, err = call("--space", SPACE, "--model", model)
    assert (status, len(err)) == (1, 1)
    assert message in err[0]
    assert f"spaces/{SPACE}" not in hub.repos


def matter(text):
    return yaml.safe_load(text.split("---\n")[1])


def required(text):
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return {each.name: each.specifier for each in map(Requirement, filter(None, lines))}


COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def test_the_front_matter_is_right():
    front = matter((ROOT / "README.md").read_text(encoding="utf-8"))
    assert (front["sdk"], front["license"]) == ("gradio", "apache-2.0")
    assert front["sdk_version"] == gradio.__version__
    assert required((ROOT / "requirements.txt").read_text(encoding="utf-8"))["gradio"].contains(
        front["sdk_version"]
    )
    assert front["python_version"] == "3.12.12"  # text, not a number; ZeroGPU has this one
    assert (ROOT / front["app_file"]).is_file()
    assert (ROOT / front["thumbnail"]).is_file()
    assert len(front["short_description"]) <= 60
    assert {front["colorFrom"], front["colorTo"]} <= COLOURS
    assert all(re.fullmatch(r"[a-z-]+", tag) for tag in front["tags"])


def test_the_spaces_own_front_matter_and_requirements(hub):
    files = space_files(SPACE)
    there, here = (
        matter(text)
        for text in (files["README.md"].decode(), (ROOT / "README.md").read_text(encoding="utf-8"))
    )
    assert there.pop("thumbnail") == f"{hub.url}/spaces/{SPACE}/resolve/main/screenshot.png"
    assert there == {key: value for key, value in here.items() if key != "thumbnail"}
    asked, served = (
        required((ROOT / "requirements.txt").read_text(encoding="utf-8")),
        required(files["requirements.txt"].decode()),
    )
    assert served == asked | {"torch": Requirement(TORCH).specifier}
    assert all(asked["torch"].contains(f"2.{minor}") for minor in range(8, 12))  # what ZeroGPU has
