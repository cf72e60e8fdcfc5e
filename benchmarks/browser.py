"""Start the app in a process, and a real browser; used by benchmarks and tests."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

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


def bypass_proxies() -> None:
    """Make this process and its children bypass proxies for addresses on this machine."""
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,127.0.0.2,localhost,::1"


@contextmanager
def serve(
    *arguments: str,
    host: str = "127.0.0.1",
    by_environment: bool = False,
    env: dict[str, str] | None = None,
) -> Generator[str]:
    """Run app.py on a free port until the block ends; yield its URL. See `running`."""
    with running(*arguments, host=host, by_environment=by_environment, env=env) as (url, _):
        yield url


@contextmanager
def running(
    *arguments: str,
    command: Sequence[str] = ("app.py",),
    host: str = "127.0.0.1",
    port: int | None = None,
    by_environment: bool = False,
    env: dict[str, str] | None = None,
    every: float = 0.2,
    **streams: Any,
) -> Generator[tuple[str, subprocess.Popen]]:
    """Run the app until the block ends; yield its URL and its process.

    `command` are the arguments of Python. The port, by default a free one, is passed as a flag, or
    in an environment variable if `by_environment`. The server is polled `every` so many seconds
    until it responds. `streams` are passed to subprocess.Popen.
    """
    bypass_proxies()
    port = port or free_port(host)
    where = [] if by_environment else ["--port", str(port)]
    env = os.environ | (env or {}) | ({"GRADIO_SERVER_PORT": str(port)} if by_environment else {})
    process = subprocess.Popen(
        [sys.executable, *command, *where, *arguments], cwd=ROOT, env=env, **streams
    )
    url = f"http://{host}:{port}"
    try:
        _wait_until_up(url, process, every)
        yield url, process
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port of this machine that is free now."""
    with socket.socket() as free:
        free.bind((host, 0))
        return free.getsockname()[1]


def _wait_until_up(url: str, process: subprocess.Popen, every: float) -> None:
    deadline = time.monotonic() + 180  # s; a busy machine needs a minute
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"app.py ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/config", timeout=30) as answer:
                answer.read()
            return
        except OSError:
            time.sleep(every)
    raise TimeoutError(f"{url} did not answer")


def resident(pid: int) -> float:
    """Return the resident memory of a process in MB; NaN if there is no /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return float("nan")
    kilobytes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(kilobytes[0]) / 1000 if kilobytes else float("nan")  # an ending process has none


def children(pid: int, command: str = "") -> list[int]:
    """Return the child processes whose command line contains `command`.

    An empty command also matches zombies. The list is empty if there is no /proc.
    """
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process has just ended
            parent = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            if int(parent) == pid and command.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def find_chromium() -> str | None:
    """Return the path of Chromium, if it is installed.

    Its headless shell is preferred: it has no windows, and opens a page in half the CPU time.
    """
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def chromium() -> Generator[Browser]:
    """Start the Chromium on the PATH, or Playwright's own, which is installed if necessary."""
    path = find_chromium()
    if not path:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()
