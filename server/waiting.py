"""What answers while a model is fetched: a page that says so, and gives way to the app's own."""

import html
import json
import math
import secrets
import socket
import sys
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from string import Template
from typing import Any

from starlette.datastructures import Headers

from server.answer import CSP_OF_DATA, HEADERS, JSON, Told
from server.calls import RefusedError
from server.site import Site

PAGE = Template((Path(__file__).parent / "waiting.html").read_text(encoding="utf-8"))
CSP = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors {frames}"
)
DEADLINE = 10  # s of a connection in all, however slowly it talks: the page comes back for more
MOST = 64  # connections at a time; more are closed at once
LOADING = "The model is being loaded: try again in a moment."


@contextmanager
def waiting(listener: socket.socket, site: Site, *, model: str) -> Generator[None]:
    """Answer on a listening socket until the block ends; the socket stays open.

    Pages, at `/` and wherever a browser goes, are the waiting page, with 200. Other requests get
    503, and `/health` says "loading".
    """
    server = _Server(listener, type("Answer", (_Answer,), {"model": model, "site": site}))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.hang_up()


class _Server(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, answer: type[BaseHTTPRequestHandler]) -> None:
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}  # and when each has to end
        super().__init__(listener.getsockname(), answer, bind_and_activate=False)
        self.socket.close()  # which the base class has made
        self.socket = listener

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Take a connection in, unless there are too many."""
        with self._lock:
            if len(self._open) >= MOST:
                return False
            self._open[request] = time.monotonic() + DEADLINE
        return True

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End what has lasted too long: a timeout is of each piece, and bytes may be dripped."""
        self.hang_up(time.monotonic())

    def hang_up(self, now: float = math.inf) -> None:
        """End the connections that had to end by now; each thread then closes its own."""
        with self._lock:
            for request in [each for each, ends in self._open.items() if ends <= now]:
                with suppress(OSError):  # who called has gone
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong here; that a caller has gone did not."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Answer(BaseHTTPRequestHandler):
    model: str
    site: Site
    timeout = 5  # s between two pieces of a request

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].removeprefix(self.site.prefix)
        try:
            self.site.check_host(Headers(dict(self.headers)))
        except RefusedError as refused:
            told = Told.refusal(refused.status, str(refused))
            self._tell(told.status, told.body, [JSON, *told.headers], CSP_OF_DATA)
            return
        if path == "/health":
            body = json.dumps({"status": "loading"}).encode()
            self._tell(503, body, [JSON, (b"retry-after", b"1")], CSP_OF_DATA)
        elif path in ("", "/") or "text/html" in self.headers.get("Accept", ""):
            self._page()
        else:
            self.send_error(503)

    def do_HEAD(self) -> None:
        self.do_GET()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse: also what http.server knows no method for."""
        told = Told.refusal(503, LOADING)
        self._tell(503, told.body, [JSON, *told.headers], CSP_OF_DATA)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: neither does the app of each request."""

    def _page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        model, health = html.escape(self.model), f"{self.site.prefix}/health"
        page = PAGE.substitute(nonce=nonce, model=model, health=health)
        kind = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
        csp = CSP.format(nonce=nonce, frames=self.site.frames)
        self._tell(200, page.encode(), kind, csp.encode())

    def _tell(
        self, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]], csp: bytes
    ) -> None:
        self.send_response_only(status)
        length = (b"content-length", str(len(body)).encode())
        for name, value in (*headers, length, *HEADERS, (b"content-security-policy", csp)):
            self.send_header(name.decode(), value.decode())
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
