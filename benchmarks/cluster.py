"""Start replicas of the app, with HAProxy in front; used by benchmarks and tests."""

import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.browser import ROOT, free_port, running

CONFIGURATION = ROOT / "deploy" / "haproxy.cfg"
START_SECONDS = 20  # for HAProxy to have checked the replicas
NOT_STICKY = {
    r"^    (?:cookie|dynamic-cookie-key) .*\n": "",
    r"^    balance .*$": "    balance roundrobin",
}


class Replica(NamedTuple):
    """One process of the app."""

    url: str
    process: subprocess.Popen


class Cluster:
    """Replicas behind a balancer; `url` is the balancer's."""

    def __init__(self, n_replicas: int, stack: ExitStack, *, sticky: bool) -> None:
        self._stack = stack
        self.replicas = [Replica(*stack.enter_context(running())) for _ in range(n_replicas)]
        urls = [replica.url for replica in self.replicas]
        self.url = stack.enter_context(balancer(urls, sticky=sticky))

    def restart(self, i: int) -> None:
        """Wait until the process of a replica has ended, and start a new one at its address."""
        self.replicas[i].process.wait(timeout=30)
        port = urlsplit(self.replicas[i].url).port
        self.replicas[i] = Replica(*self._stack.enter_context(running(port=port)))


def find_haproxy() -> str | None:
    """Return the path of HAProxy, if it is installed."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def cluster(n_replicas: int, *, sticky: bool = True) -> Generator[Cluster]:
    """Run replicas of app.py, and HAProxy with deploy/haproxy.cfg, until the block ends.

    `sticky=False` removes the rules that send a client to the same replica each time.
    """
    with ExitStack() as stack:
        yield Cluster(n_replicas, stack, sticky=sticky)


@contextmanager
def balancer(urls: list[str], *, sticky: bool = True) -> Generator[str]:
    """Run HAProxy in front of the replicas at these URLs until the block ends; yield its own URL.

    Raises:
        RuntimeError: HAProxy is not installed, or does not start.
    """
    port = free_port()
    text, url = configuration(port, urls, sticky=sticky), f"http://127.0.0.1:{port}"
    with haproxy(text, COOKIE_KEY="loopback") as process:
        _wait_until_up(url, process, has_replicas=bool(urls))
        yield url


@contextmanager
def haproxy(text: str, **variables: str) -> Generator[subprocess.Popen]:
    """Run HAProxy with this configuration and these environment variables until the block ends.

    Raises:
        RuntimeError: HAProxy is not installed.
    """
    program = find_haproxy()
    if not program:
        raise RuntimeError("HAProxy is not installed: apt-get install haproxy")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "haproxy.cfg")
        path.write_text(text, encoding="utf-8")
        command = [program, "-q", "-db", "-f", str(path)]
        process = subprocess.Popen(command, env=os.environ | variables)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def configuration(port: int, urls: list[str], *, sticky: bool = True) -> str:
    """Return deploy/haproxy.cfg for replicas on this machine, which need no DNS."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    addresses = [urlsplit(url).netloc for url in urls]
    servers = [f"    server replica{i} {each}" for i, each in enumerate(addresses, start=1)]
    changes = {
        r"^    bind :8080 .*$": f"    bind 127.0.0.1:{port}",
        r"^    server-template .*$": "\n".join(servers),
        r"^resolvers dns\n(?:    .*\n)*": "",
    }
    for pattern, new in (changes | ({} if sticky else NOT_STICKY)).items():
        text, n = re.subn(pattern, new, text, flags=re.MULTILINE)
        assert n, f"{CONFIGURATION.name} has nothing like {pattern}"
    return text


def _wait_until_up(url: str, process: subprocess.Popen, *, has_replicas: bool) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"HAProxy ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except urllib.error.HTTPError:  # from HAProxy itself
            if not has_replicas:
                return
        except OSError:  # HAProxy does not listen yet
            pass
        time.sleep(0.05)
    raise TimeoutError(f"{url} did not answer")
