"""Fixtures and functions for all tests: servers, a browser, a Hub and digits."""

import asyncio
import inspect
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import DEVICES, ROOT, bypass_proxies, chromium, serve
from benchmarks.browser import free_port as find_free_port
from benchmarks.cluster import find_haproxy
from model.device import available_devices
from model.mnist import SHA256, read
from tests import loopback_hub
from tests.visitor import Visitor

DATA = Path(__file__).parent / "data"
# Options of a training without drawn images, which take minutes to generate.
NOTHING_DRAWN = ("--synthetic-digits", "0", "--written-digits", "0", "--outliers", "0")
needs_haproxy = pytest.mark.skipif(
    not find_haproxy(), reason="HAProxy is not installed: apt-get install haproxy"
)
needs_loopback_addresses = pytest.mark.skipif(
    sys.platform != "linux", reason="needs several loopback addresses"
)
expect.set_options(timeout=20_000)  # ms: a busy machine takes seconds to load a page
bypass_proxies()


@pytest.fixture(scope="session", params=available_devices())
def torch_device(request: pytest.FixtureRequest) -> torch.device:
    """Return each device of this machine that a network can run on."""
    return torch.device(request.param)


@pytest.fixture(scope="session")
def mnist() -> tuple[np.ndarray, np.ndarray]:
    """Return the first 500 test images, (500, 28, 28) uint8, and their labels, (500,) int64."""
    with np.load(DATA / "mnist-test-500.npz") as file:
        return file["images"], file["labels"].astype(np.int64)


@pytest.fixture(scope="session")
def digits() -> list[dict]:
    """Return one drawing of each digit, made for this project: {"digit", "strokes"}."""
    return [
        json.loads(line)
        for line in (ROOT / "ui" / "draw" / "examples.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    ]


@pytest.fixture(scope="session")
def mnist_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a temporary folder with all of MNIST, uncompressed; tests may write to it."""
    folder = os.environ.get("MNIST_DIR")
    if not folder:
        pytest.skip("set MNIST_DIR to a folder that holds MNIST's files, to run this on real data")
    data = tmp_path_factory.mktemp("data")
    raw = data / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in SHA256:
        (raw / name).write_bytes(read(folder, name))
    return str(data)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need all of MNIST, also in the report that .ci/run checks."""
    for item in items:
        if isinstance(item, pytest.Function) and "mnist_dir" in item.fixturenames:
            item.add_marker("mnist")
            item.user_properties.append(("needs", "MNIST"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test in a thread of its own: in this one, Playwright's event loop is running."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, pyfuncitem.obj(**arguments)).result()
    return True


def run(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, by default in the project's folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd, env=os.environ | (env or {}), capture_output=True, encoding="utf-8", timeout=300,
    )  # fmt: skip


def start_training(*arguments: str, shown: int) -> tuple[subprocess.Popen[str], str]:
    """Start a training with these arguments of Python, in a session of its own.

    Return it and its stderr, once the progress bar has shown the accuracy `shown` times.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8",
        start_new_session=True,
        # A background job of a shell, as in CI, ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stderr is not None
    seen = ""
    while seen.count("val=") < shown:
        seen += process.stderr.read(20)
        assert process.poll() is None, seen
    return process, seen


def post(url: str, call: str, body: Any, *, timeout: float = 30) -> Any:
    """Post JSON to a route of Gradio's API; return the JSON of the response."""
    request = urllib.request.Request(
        f"{url}/gradio_api/{call}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.loads(answer.read())


def ask(url: str, name: str, *data: Any, timeout: float = 30) -> Any:
    """Call an endpoint through `run`; return its result."""
    return post(url, f"run/{name}", {"data": data}, timeout=timeout)["data"][0]


def ask_page(url: str, piece: str, function: str, question: Any) -> Any:
    """Call a function of a component of the page, as its JavaScript does."""
    with urllib.request.urlopen(f"{url}/config") as answer:
        parts = json.loads(answer.read())["components"]
    asked = next(part["id"] for part in parts if part["props"].get("elem_id") == piece)
    body = {"component_id": asked, "fn_name": function, "session_hash": "x", "data": question}
    return post(url, "component_server/", body)


@pytest.fixture(scope="session")
def app_url() -> Iterator[str]:
    """Run the app with its default options; yield its URL."""
    with serve() as url:
        yield url


@pytest.fixture
def free_port() -> int:
    """Return a free port."""
    return find_free_port()


@pytest.fixture
def hub() -> Iterator[loopback_hub.Hub]:
    """Yield an empty Hugging Face Hub on loopback."""
    hub, server = loopback_hub.start()
    yield hub
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Yield a real Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def device(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the settings of a desktop, or of the devices that a test is parametrised with."""
    return DEVICES[getattr(request, "param", "desktop")]


@pytest.fixture(scope="session")
def open_pages(browser: Browser) -> dict[tuple, Page]:
    """Return the open page of each device, which tests use one after the other."""
    return {}


@pytest.fixture
def page(
    browser: Browser, app_url: str, device: dict[str, Any], open_pages: dict[tuple, Page]
) -> Iterator[Page]:
    """Yield a page without storage or settings of earlier tests.

    An open page loads the app three times as fast as a new one, so it is used again, unless the
    previous test failed or closed it.
    """
    key = tuple(device["viewport"].values())
    page = open_pages.pop(key, None)
    if page is None or page.is_closed():
        page = browser.new_context(**device).new_page()
    yield page
    if not page.is_closed():
        forget_visit(page, app_url)
        open_pages[key] = page


@pytest.fixture
def visitor(page: Page, app_url: str) -> Iterator[Visitor]:
    """Yield a visitor of the drawing page."""
    yield from visit(Visitor, page, app_url)


def visit(kind: type[Visitor], page: Page, app_url: str) -> Iterator[Visitor]:
    """Yield a visitor of this kind; assert that the page raised no error."""
    visitor = kind(page.context, app_url, page)
    yield visitor
    assert visitor.faults == []
    visitor.leave()


def forget_visit(page: Page, url: str) -> None:
    """Reset the settings and the storage that a visitor has changed in the browser.

    Storage is cleared at an address without scripts, since the page saves the drawing whenever a
    response arrives.
    """
    page.context.set_offline(False)
    page.unroute_all(behavior="ignoreErrors")
    page.emulate_media(color_scheme="null", reduced_motion="null", media="null")
    for other in page.context.pages:
        if other is not page:
            other.close()
    page.context.clear_permissions()
    page.context.clear_cookies()
    page.goto(f"{url}/health")
    page.evaluate("localStorage.clear(); sessionStorage.clear()")
