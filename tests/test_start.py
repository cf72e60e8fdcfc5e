"""Tests of the start of the app: loading page, port, and models from the Hub."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from gradio_client import Client
from playwright.sync_api import expect

from benchmarks.browser import running
from model.checkpoint import WEIGHTS_FILE
from server.capacity import Capacity
from server.limits import ServerLimits
from server.listen import listen, url_of
from server.loading import loading_app
from server.serve import Server
from server.site import Site
from tests.conftest import ROOT, ask, run
from tests.rough_hub import FILES, files_of, hang_halfway, listening, serving, silent

REPO = "tester/digits"
SEVEN = [[[0, 0], [100, 0], [40, 150]]]


def get(url, **headers):
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=5
        ) as each:
            return each.status, each.headers, each.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


@contextmanager
def loading_page(site=None):
    """Serve the loading page on a free port; yield its address."""
    loaded = threading.Event()
    capacity = Capacity(ServerLimits(), uploads=None)
    listener = listen("127.0.0.1", [0])
    server = Server(
        listener,
        capacity,
        loading=loading_app(site or Site(), model="me/<b>digits</b>"),
        load=loaded.wait,
        ready=lambda: None,
    )
    server.start()
    yield url_of(listener)
    server.stop()
    loaded.set()


@pytest.fixture
def page_url():
    with loading_page() as url:
        yield url


def test_the_loading_page_rejects_other_hosts():
    with loading_page(Site(loopback=True)) as url:
        assert get(f"{url}/health")[0] == 503
        status, _, body = get(url, Host="evil.example")
    assert status == 403
    assert "listens on this machine only" in json.loads(body)["error"]


def test_during_loading_pages_say_so_and_calls_get_503(page_url):
    status, headers, body = get(page_url)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<strong>me/&lt;b&gt;digits&lt;/b&gt;</strong>" in body
    nonce = re.search(r"'nonce-([\w-]{20,})'", headers["content-security-policy"])[1]
    assert body.count(f'nonce="{nonce}"') == 2
    assert "https://huggingface.co" in headers["content-security-policy"]
    assert get(f"{page_url}/card", Accept="text/html")[0] == 200
    status, headers, body = get(f"{page_url}/health")
    assert (status, json.loads(body), headers["retry-after"]) == (503, {"status": "loading"}, "1")
    for path in ("/config", "/gradio_api/info"):
        status, headers, body = get(page_url + path)
        assert status == 503
        assert json.loads(body)["error"] == json.loads(body)["detail"]
        assert "being loaded" in body
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    with pytest.raises(urllib.error.HTTPError, match="503"):
        ask(page_url, "predict_strokes", SEVEN)


def test_the_loading_page_works_below_a_prefix():
    with loading_page(Site(root_path="/draw")) as url:
        for path in ("/draw/health", "/health"):  # a proxy may keep the prefix or strip it
            status, _, body = get(url + path)
            assert (status, json.loads(body)) == (503, {"status": "loading"})
        for path in ("/draw", "/draw/", "/"):
            assert 'fetch("/draw/health"' in get(url + path)[2]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("device", "scheme"), [("desktop", "light"), ("phone", "dark")], indirect=["device"]
)
def test_the_loading_page_is_accessible_and_fits(browser, page_url, device, scheme):
    page = browser.new_page(**device, color_scheme=scheme)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(page_url)
    expect(page.get_by_role("status")).to_contain_text("Loading me/<b>digits</b>")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert Axe().run(page).response["violations"] == []
    assert errors == []
    page.close()


@contextmanager
def starting(url, home, free_port):
    """Start the app with a model of the Hub at `url`, and wait for the loading page."""
    env = os.environ | {"HF_ENDPOINT": url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "app.py", "--port", str(free_port), "--model", REPO]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, encoding="utf-8")
    url = f"http://127.0.0.1:{free_port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                assert get(f"{url}/health")[0] == 503
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield url, process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.browser
def test_the_loading_page_is_replaced_by_the_app(browser, tmp_path, free_port):
    release = threading.Event()

    def send_slowly(connection, body):
        while not release.wait(1):  # 3 MB take a minute
            connection.sendall(body[:50_000])
            body = body[50_000:]
        connection.sendall(body)

    with (
        listening(serving(files_of("mlp-1024"), send_slowly)) as hub_url,
        starting(hub_url, tmp_path, free_port) as (url, _),
    ):
        page = browser.new_page()
        page.goto(url)
        expect(page.get_by_role("status")).to_contain_text(f"Loading {REPO}")
        release.set()
        expect(page.get_by_test_id("answer")).to_contain_text("nothing drawn", timeout=30_000)
        page.close()
        answer = Client(url, verbose=False).predict(SEVEN, api_name="/predict_strokes")
        assert (answer["digit"], answer["model"]) == (7, REPO)


def test_sigterm_during_a_download_ends_the_app(tmp_path, free_port):
    with (
        listening(serving(FILES, hang_halfway)) as hub_url,
        starting(hub_url, tmp_path, free_port) as (_, process),
    ):
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        _, errors = process.communicate(timeout=10)
        assert time.monotonic() - started < 5
        assert (process.returncode, errors) == (0, "")
    assert [*tmp_path.rglob(f"snapshots/*/{WEIGHTS_FILE}")] == []


def test_a_missing_model_is_reported_in_one_line(hub, tmp_path):
    env = hub.environment(str(tmp_path / "home")) | {"MODEL": "tester/nothing"}
    done = run("app.py", "--port", "0", env=env)
    assert done.returncode == 1
    assert re.fullmatch(
        "error: tester/nothing on the Hub: RepositoryNotFoundError.*\n", done.stderr
    )


# A stand-in for the package `spaces`, which needs a torch with CUDA. It makes torch report CUDA.
# The first launch prints the declared functions: the platform ends a Space that declares none.
SPACES = """
import gradio, torch
declared = []
def GPU(function=None, *, duration=None):
    declared.append(function.__name__)
    return function
torch.cuda.is_available = lambda: True
before = gradio.Blocks.launch
def launch(*arguments, **options):
    print("declared:", declared, flush=True)
    gradio.Blocks.launch = before
    return before(*arguments, **options)
gradio.Blocks.launch = launch
"""


def test_a_space_starts_on_zerogpu_if_the_hub_is_silent(tmp_path):
    (tmp_path / "spaces.py").write_text(SPACES, encoding="utf-8")
    space = {
        "SYSTEM": "spaces", "SPACE_ID": "me/digits", "SPACE_HOST": "me-digits.hf.space",
        "SPACES_ZERO_GPU": "true", "PYTHONPATH": str(tmp_path),
        "HF_HOME": str(tmp_path / "home"), "MODEL": REPO,
        "GRADIO_SERVER_NAME": "0.0.0.0",
    }  # fmt: skip
    with (
        (tmp_path / "log").open("w", encoding="utf-8") as log,
        listening(silent) as hub_url,
        running(
            by_environment=True, env=space | {"HF_ENDPOINT": hub_url}, stdout=log, stderr=log
        ) as (url, _),
    ):
        assert (
            ask(url, "predict_strokes", SEVEN)["digit"] == 7
        )  # Gradio would close this route on a Space
        proxied = {"Host": "me-digits.hf.space", "X-Forwarded-Proto": "https"}
        _, headers, page = get(f"{url}/?__theme=dark&__sign=x", **proxied)
        assert '"root":"https://me-digits.hf.space"' in page
        assert "https://huggingface.co" in headers["content-security-policy"]
        assert get(f"{url.replace('127.0.0.1', '127.0.0.2')}/health")[0] == 200  # any address
    output = (tmp_path / "log").read_text(encoding="utf-8")
    assert "declared: ['_nothing']" in output
    assert f"{REPO}: the Hub did not answer within 3.5 s, and it is not in the cache" in output
    assert "Serving the shipped mlp-1024.\n" in output
