"""What the tests share: real servers, a real browser, real digits."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import loopback_hub

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def mnist() -> tuple[np.ndarray, np.ndarray]:
    """The first 500 images of the test set, (500, 28, 28) uint8, and their labels."""
    with np.load(DATA / "mnist-test-500.npz") as file:
        return file["images"], file["labels"].astype(np.int64)


@pytest.fixture(scope="session")
def digits() -> list[dict]:
    """One drawing of each digit, made for this project: {"digit", "strokes"}."""
    return [json.loads(line) for line in (ROOT / "ui" / "examples.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def mnist_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with the real MNIST, in which drawings may be kept; CI must have it."""
    folder = os.environ.get("MNIST_DIR")
    if not folder:
        reason = "set MNIST_DIR to a folder that holds MNIST/raw to run this on the real data"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    mine = tmp_path_factory.mktemp("data")
    (mine / "MNIST").symlink_to(Path(folder).resolve() / "MNIST")
    return str(mine)


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run this project's Python with these arguments, from the project's folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT, env=os.environ | (env or {}), capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@contextmanager
def serve(
    *arguments: str,
    host: str = "127.0.0.1",
    by_environment: bool = False,
    env: dict[str, str] | None = None,
) -> Iterator[str]:
    """Run app.py on a free port, given by flag or by environment, until the block ends."""
    with socket.socket() as free:
        free.bind((host, 0))
        port = str(free.getsockname()[1])
    where = [] if by_environment else ["--port", port]
    env = os.environ | (env or {}) | ({"GRADIO_SERVER_PORT": port} if by_environment else {})
    process = subprocess.Popen([sys.executable, "app.py", *where, *arguments], cwd=ROOT, env=env)
    url = f"http://{host}:{port}"
    try:
        _wait_until_up(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_up(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, f"app.py ended with status {process.returncode}"
        try:
            with urllib.request.urlopen(f"{url}/config", timeout=5) as answer:
                answer.read()
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{url} did not answer")


@pytest.fixture(scope="session")
def app_url() -> Iterator[str]:
    """The app as it ships, in a process of its own."""
    with serve() as url:
        yield url


@pytest.fixture
def hub() -> Iterator[loopback_hub.Hub]:
    """An empty Hugging Face Hub on loopback."""
    hub, server = loopback_hub.start()
    yield hub
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The chromium on the PATH, else Playwright's own, installed if need be."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        install = [sys.executable, "-m", "playwright", "install", "chromium"]
        subprocess.run(install, check=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()
