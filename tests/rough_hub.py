"""Socket servers that stand in for a Hub; they can stall and announce wrong sizes."""

import json
import socket
import threading
import time
from contextlib import contextmanager

from model.checkpoint import HUB_FILES, SHIPPED, WEIGHTS_FILE


def files_of(name):
    """Return the files of a shipped checkpoint by name, as in a repository on the Hub."""
    return {each.name: (SHIPPED / name / each.name).read_bytes() for each in HUB_FILES}


FILES = files_of("mlp-32")
OLD, NEW = "a" * 40, "b" * 40  # commits


@contextmanager
def listening(answer):
    """Serve each request with `answer(connection, request line)` on a free port of 127.0.0.1."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with connection:
            try:
                while request := connection.recv(65_536):
                    answer(connection, request.partition(b"\r\n")[0].decode())
            except OSError:
                return

    def accept():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.close()


def head(status, *, length=0, commit=NEW, etag="0", extra=""):
    """Return the status line and the headers of a response."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{extra}"
        f'ETag: "{etag}"\r\nX-Repo-Commit: {commit}\r\n\r\n'
    ).encode()


def serving(files, weights=socket.socket.sendall, *, commit=NEW, asked=None, sizes=None):
    """Return an `answer` of a Hub that has these files in one commit.

    `weights(connection, body)` sends the body of model.safetensors. `asked` collects the requests.
    `sizes` replaces the announced sizes of files, in bytes.
    """
    sizes = {name: len(body) for name, body in files.items()} | (sizes or {})
    siblings = [{"rfilename": name, "size": size} for name, size in sizes.items()]

    def answer(connection, line):
        method, path, _ = line.split()
        if asked is not None:
            asked.append(f"{method} {path}")
        if path.startswith("/api/"):
            about = {"id": "tester/digits", "sha": commit, "siblings": siblings}
            body = json.dumps(about).encode()
            connection.sendall(head("200 OK", length=len(body)) + body)
            return
        name = path.rpartition("/")[2]
        length = sizes[name] if method == "HEAD" else len(files[name])
        connection.sendall(head("200 OK", length=length, etag=name + commit[0], commit=commit))
        if method == "GET":
            (weights if name == WEIGHTS_FILE else socket.socket.sendall)(connection, files[name])

    return answer


def silent(connection, line):
    """Send no response."""
    time.sleep(30)


def dripping(connection, line):
    """Send endless headers, one byte at a time, so that no timeout of a single read expires."""
    for byte in head("200 OK") * 100:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def hang_halfway(connection, body):
    """Stop in the middle of a body."""
    connection.sendall(body[: len(body) // 2])
    time.sleep(30)
