"""Callers of the API, each in a process of its own: their arithmetic is not the server's.

Imports neither torch nor gradio, so that sixteen of them start in seconds.
"""

import base64
import http.client
import json
import multiprocessing
import ssl
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from gradio_client import Client, handle_file

MODEL = "mlp-1024"
JSON = "application/json"
BOUNDARY = "a-file-follows"
HEAD_START = 0.1  # s from an order until it begins, so that all callers have read it
Send = Callable[[str, int], None]  # one call: the endpoint, and which of the drawings


class Drawing(NamedTuple):
    """One drawing, as strokes and as a picture."""

    strokes: list
    picture: Path


class Order(NamedTuple):
    """What callers do next: call these endpoints in turn, in this way, for so long."""

    way: str
    endpoints: tuple[str, ...]
    start: float  # time.monotonic(), which all processes share
    seconds: float


class Done(NamedTuple):
    """What one caller has done."""

    latencies: dict[str, list[float]]  # s, by endpoint
    seconds: float  # from the start until its last answer


def by_client(url: str, drawings: Sequence[Drawing]) -> Send:
    """Call by gradio_client: a picture is uploaded, and the queue is joined."""
    client = connect(url)

    def send(endpoint: str, i: int) -> None:
        strokes, picture = drawings[i]
        ink = strokes if endpoint.endswith("strokes") else handle_file(picture)
        client.predict(ink, MODEL, api_name=f"/{endpoint}")

    return send


def by_run(url: str, drawings: Sequence[Drawing]) -> Send:
    """Call by one POST: a picture is a data URL, and the queue is passed by."""
    connection = open_connection(url)
    bodies = [{True: _list(d.strokes), False: _list(_data_url(d.picture))} for d in drawings]

    def send(endpoint: str, i: int) -> None:
        post(connection, f"run/{endpoint}", bodies[i][endpoint.endswith("strokes")])

    return send


def by_call(url: str, drawings: Sequence[Drawing]) -> Send:
    """Call by a POST and a stream of events: the queue is joined."""
    connection = open_connection(url)
    bodies = [
        {True: _named(strokes=d.strokes), False: _named(image=_data_url(d.picture))}
        for d in drawings
    ]

    def send(endpoint: str, i: int) -> None:
        body = bodies[i][endpoint.endswith("strokes")]
        event = json.loads(post(connection, f"call/v2/{endpoint}", body))["event_id"]
        connection.request("GET", f"/gradio_api/call/{endpoint}/{event}")
        events = _answer(connection)
        if not events.startswith(b"event: complete"):
            raise RuntimeError(f"{endpoint}: {events[:200]!r}")

    return send


WAYS = {"gradio_client": by_client, "run": by_run, "call/v2": by_call}


@cache
def connect(url: str) -> Client:
    """Return a client that makes its SSL context once: by itself it makes two a call."""
    context = ssl.create_default_context()  # httpx takes it, though the client's hint is bool
    return Client(url, verbose=False, ssl_verify=context)  # ty: ignore[invalid-argument-type]


def open_connection(url: str) -> http.client.HTTPConnection:
    """Return a connection that is kept between calls."""
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)


def post(
    connection: http.client.HTTPConnection,
    call: str,
    body: bytes,
    kind: str = JSON,
) -> bytes:
    """Post a body to the API; return what is answered."""
    connection.request("POST", f"/gradio_api/{call}", body, {"Content-Type": kind})
    return _answer(connection)


def upload(connection: http.client.HTTPConnection, path: Path) -> str:
    """Upload a file over plain HTTP; return its path on the server."""
    return json.loads(post(connection, "upload", *form(path.name, path.read_bytes())))[0]


def form(name: str, content: bytes) -> tuple[bytes, str]:
    """Return the body that uploads a file, and the body's type."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"'
    body = f"{head}\r\n\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, f"multipart/form-data; boundary={BOUNDARY}"


def _answer(connection: http.client.HTTPConnection) -> bytes:
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(f"{response.status}: {body[:200]!r}")
    return body


def _list(ink: Any) -> bytes:
    return json.dumps({"data": [ink, MODEL]}).encode()


def _named(**ink: Any) -> bytes:
    return json.dumps({**ink, "model": MODEL}).encode()


def _data_url(picture: Path) -> dict[str, str]:
    return {"url": "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()}


class Crew:
    """Callers that wait for orders."""

    def __init__(self, pipes: Sequence[Connection]) -> None:
        self.pipes = pipes

    def carry_out(
        self, way: str, endpoints: Iterable[str], *, callers: int, seconds: float
    ) -> list[Done]:
        """Let so many callers do the same at once; return what each has done."""
        start = time.monotonic() + HEAD_START
        order = Order(way, tuple(endpoints), start, seconds)
        for pipe in self.pipes[:callers]:
            pipe.send(order)
        return [pipe.recv() for pipe in self.pipes[:callers]]


@contextmanager
def crew(url: str, drawings: Sequence[Drawing], *, callers: int) -> Generator[Crew]:
    """Start callers, and end them when the block ends."""
    spawn = multiprocessing.get_context("spawn")  # a fork would share what the parent has open
    pipes, processes = [], []
    for number in range(callers):
        mine, theirs = spawn.Pipe()
        turned = (*drawings[number % len(drawings) :], *drawings[: number % len(drawings)])
        process = spawn.Process(target=obey, args=(theirs, url, turned), daemon=True)
        process.start()
        theirs.close()
        pipes.append(mine)
        processes.append(process)
    for pipe in pipes:
        pipe.recv()
    yield Crew(pipes)
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send(None)
        process.join()


def obey(pipe: Connection, url: str, drawings: Sequence[Drawing]) -> None:
    """Carry out orders until there are no more; what goes wrong ends the caller."""
    connect(url)
    pipe.send("ready")
    while order := pipe.recv():
        # A connection that was idle between two orders may be closed by now: a new one is made.
        pipe.send(_carry_out(order, WAYS[order.way](url, drawings), len(drawings)))


def _carry_out(order: Order, send: Send, count: int) -> Done:
    latencies = {endpoint: [] for endpoint in order.endpoints}
    time.sleep(max(0.0, order.start - time.monotonic()))
    turn = 0
    while time.monotonic() < order.start + order.seconds:
        for endpoint in order.endpoints:
            started = time.perf_counter()
            send(endpoint, turn % count)
            latencies[endpoint].append(time.perf_counter() - started)
        turn += 1
    return Done(latencies, time.monotonic() - order.start)
