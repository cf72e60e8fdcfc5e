"""A client for the installed Firefox, through its remote protocol Marionette.

Playwright can only drive its own build of Firefox.
"""

import itertools
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

START = 60  # s; timeout of the start
PATH = shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """A window of Firefox. Source: firefox-source-docs, testing/marionette/Protocol."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb")
        self._ids = itertools.count(1)
        self._receive()  # the greeting
        self._send("WebDriver:NewSession")

    def goto(self, url: str) -> None:
        self._send("WebDriver:Navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression."""
        script = f"return {expression}"
        return self._send("WebDriver:ExecuteScript", script=script, args=[])["value"]

    def wait_for(self, expression: str, *, seconds: float = 90) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{expression} did not become true")
            time.sleep(0.1)

    def choose_file(self, selector: str, path: Path) -> None:
        found = self._send("WebDriver:FindElement", using="css selector", value=selector)
        [name] = found["value"].values()
        self._send("WebDriver:ElementSendKeys", id=name, text=str(path.resolve()))

    def draw(self, strokes: Sequence[Sequence[tuple[float, float]]], *, tool: str) -> None:
        """Draw strokes, in CSS px of the window, by mouse or touch; Marionette has no pens."""
        actions: list[dict[str, Any]] = []
        for stroke in strokes:
            moves = [
                {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0}
                for x, y in stroke
            ]
            down, up = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
            actions += [moves[0], down, *moves[1:], up]
        parameters = {"pointerType": tool}
        pointer = {"type": "pointer", "id": tool, "parameters": parameters, "actions": actions}
        self._send("WebDriver:PerformActions", actions=[pointer])

    def _send(self, name: str, **parameters: Any) -> Any:
        message = json.dumps([0, next(self._ids), name, parameters]).encode()
        self._connection.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._receive()
        if error:
            raise RuntimeError(f"{name}: {error['message']}")
        return result

    def _receive(self) -> Any:
        length = b"".join(iter(lambda: self._stream.read(1), b":"))
        return json.loads(self._stream.read(int(length)))


@contextmanager
def firefox(**preferences: Any) -> Generator[Firefox]:
    """Run a headless Firefox with these preferences, where "_" stands for "."."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {name.replace("_", "."): value for name, value in preferences.items()}
    settings |= {"marionette.port": port}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in settings.items()]
        Path(folder, "user.js").write_text("\n".join(lines), encoding="utf-8")
        process = subprocess.Popen(
            [PATH, "--headless", "--no-remote", "--marionette", "--profile", folder],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            with _connect(port, process) as connection:
                yield Firefox(connection)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _connect(port: int, process: subprocess.Popen) -> socket.socket:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        time.sleep(0.2)
    raise RuntimeError(f"Firefox did not start, or ended with status {process.poll()}")
