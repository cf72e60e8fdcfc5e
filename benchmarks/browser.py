"""The app in a process of its own and a real browser on it: what benchmarks and tests drive."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
DEVICES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
        "device_scale_factor": 3,
    },
}


@contextmanager
def serve(
    *arguments: str,
    host: str = "127.0.0.1",
    by_environment: bool = False,
    env: dict[str, str] | None = None,
) -> Generator[str]:
    """Run app.py on a free port, given by flag or by environment, until the block ends."""
    with process(*arguments, host=host, by_environment=by_environment, env=env) as (url, _):
        yield url


@contextmanager
def process(
    *arguments: str,
    host: str = "127.0.0.1",
    by_environment: bool = False,
    env: dict[str, str] | None = None,
    log: IO[str] | None = None,
) -> Generator[tuple[str, subprocess.Popen]]:
    """Run app.py as `serve` does, and give the process too; `log` takes what it complains of."""
    with socket.socket() as free:
        free.bind((host, 0))
        port = str(free.getsockname()[1])
    where = [] if by_environment else ["--port", port]
    env = os.environ | (env or {}) | ({"GRADIO_SERVER_PORT": port} if by_environment else {})
    command = [sys.executable, "app.py", *where, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=log)
    url = f"http://{host}:{port}"
    try:
        _wait_until_up(url, process)
        yield url, process
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_up(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"app.py ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/config", timeout=5) as answer:
                answer.read()
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{url} did not answer")


@contextmanager
def chromium() -> Generator[Browser]:
    """Start the chromium on the PATH, else Playwright's own, installed if need be."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()
