"""Servers in the place of a Hub: silent, dripping, overloaded, broken off in the middle."""

import socket
import threading
import time
from contextlib import contextmanager

from model.checkpoint import NEEDED, SHIPPED, WEIGHTS_FILE, WELCOME
from model.hub import LIVELY


def files_of(name):
    """The files of a shipped checkpoint, as a Hub has them."""
    return {each: (SHIPPED / name / each).read_bytes() for each in (*NEEDED, *WELCOME)}


FILES = files_of("mlp-32")
OLD, NEW = "a" * 40, "b" * 40  # commits


@contextmanager
def listening(answer):
    """Serve each connection by `answer(connection, request line)` on a port of 127.0.0.1."""
    server = socket.create_server(("127.0.0.1", 0))

    def each(connection):
        with connection:
            try:
                while head := connection.recv(65_536):
                    answer(connection, head.partition(b"\r\n")[0].decode())
            except OSError:
                return

    def accept():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=each, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.close()


def head(status, *, length=0, commit=NEW, etag="0"):
    return (
        f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n"
        f'ETag: "{etag}"\r\nX-Repo-Commit: {commit}\r\n\r\n'
    ).encode()


def drip(connection, data, *, every=0.05):
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(every)


def serving(files, weights=socket.socket.sendall, *, commit=NEW, asked=None, sizes=None):
    """Return an answer of a Hub that has these files, but sends the weights' body its own way.

    Before it is asked for a body it says `sizes` of it.
    """

    def answer(connection, line):
        method, path, _ = line.split()
        if asked is not None:
            asked.append(f"{method} {path.partition('/resolve/')[2]}")
        name = path.rpartition("/")[2]
        if name not in files:
            connection.sendall(
                head("404 Not Found", commit=commit).replace(
                    b"ETag", b"X-Error-Code: EntryNotFound\r\nX"
                )
            )
            return
        body = files[name]
        said = (sizes or {}) if method == "HEAD" else {}
        length = said.get(name, len(body))
        connection.sendall(head("200 OK", length=length, etag=name + commit[0], commit=commit))
        if method == "GET":
            (weights if name == WEIGHTS_FILE else socket.socket.sendall)(connection, body)

    return answer


def silent(connection, line):
    time.sleep(30)


def dripping(connection, line):
    drip(connection, head("200 OK", length=10**6) * 100)


def unready(connection, line):
    connection.sendall(head("503 Service Unavailable"))


def no_hub(connection, line):
    connection.sendall(head("200 OK", commit="login.html"))


def hang_halfway(connection, body):
    connection.sendall(body[: len(body) // 2])
    time.sleep(30)


def drip_the_rest(connection, body):
    connection.sendall(body[: len(body) // 2])
    drip(connection, body[len(body) // 2 :])


def break_off(connection, body):
    connection.sendall(body[: len(body) // 2])
    connection.shutdown(socket.SHUT_RDWR)


def in_pieces(connection, body):
    for i in range(0, len(body), LIVELY):
        time.sleep(0.3)
        connection.sendall(body[i : i + LIVELY])
