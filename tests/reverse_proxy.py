"""Reverse proxies on loopback that serve the app below a path, and static sites."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer, StreamRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit


class _Forward(StreamRequestHandler):
    """Passes one request on, with its Host, if its path is below the prefix."""

    upstream: tuple[str, int]
    prefix: str
    strips: bool

    def handle(self) -> None:
        line, *headers = iter(lambda: self.rfile.readline().strip(), b"")
        method, path, version = line.decode().split()
        if not path.startswith(f"{self.prefix}/"):
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        path = path.removeprefix(self.prefix) if self.strips else path
        kept = [each for each in headers if not each.lower().startswith(b"connection:")]
        head = [f"{method} {path} {version}".encode(), *kept, b"Connection: close", b"", b""]
        with socket.create_connection(self.upstream) as server:
            server.sendall(b"\r\n".join(head))
            threading.Thread(target=self._send_body, args=(server,), daemon=True).start()
            with suppress(OSError):  # the browser has disconnected
                while part := server.recv(65_536):
                    self.wfile.write(part)

    def _send_body(self, server: socket.socket) -> None:
        with suppress(OSError, ValueError):  # the request has ended
            while part := self.rfile.read1():
                server.sendall(part)


@contextmanager
def _serving(server: BaseServer) -> Iterator[int]:
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@contextmanager
def reverse_proxy(url: str, *, prefix: str, strips: bool) -> Iterator[str]:
    """Serve `url` below a prefix, which the proxy strips or keeps; yield the proxy's address."""
    upstream = (urlsplit(url).hostname, urlsplit(url).port)
    handler = type("Forward", (_Forward,), {
        "upstream": upstream, "prefix": prefix, "strips": strips,
    })  # fmt: skip
    server = ThreadingTCPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    with _serving(server) as port:
        yield f"http://127.0.0.1:{port}{prefix}"


@contextmanager
def static_site(page: str) -> Iterator[int]:
    """Serve one HTML page at every path of 127.0.0.1 and localhost; yield the port."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Page)) as port:
        yield port
