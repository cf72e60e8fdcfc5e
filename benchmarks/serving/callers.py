"""Callers of the API, each in its own process.

This module imports neither torch nor gradio, so that sixteen callers start in seconds.
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
HEAD_START = 0.1  # s between sending a task and its start, so that all callers have received it
Send = Callable[[str, int], None]  # sends one call: (endpoint, index of the drawing)


class Drawing(NamedTuple):
    """One drawing, as strokes and as a picture."""

    strokes: list
    picture: Path


class Task(NamedTuple):
    """A task of the callers: call endpoints in turn for some time."""

    way: str
    endpoints: tuple[str, ...]
    start: float  # time.monotonic(), which all processes share
    seconds: float


class Done(NamedTuple):
    """The result of a task of one caller."""

    latencies: dict[str, list[float]]  # s, by endpoint
    seconds: float  # from the start until the last response


def by_client(url: str, drawings: Sequence[Drawing], _source: str = "") -> Send:
    """Call through gradio_client, which uploads pictures and uses the queue."""
    client = connect(url)

    def send(endpoint: str, i: int) -> None:
        strokes, picture = drawings[i]
        ink = strokes if endpoint.endswith("strokes") else handle_file(picture)
        client.predict(ink, MODEL, api_name=f"/{endpoint}")

    return send


def by_run(url: str, drawings: Sequence[Drawing], source: str = "") -> Send:
    """Call by one POST, without the queue; a picture is a data URL."""
    connection = open_connection(url, source)
    bodies = [{True: _list(d.strokes), False: _list(_data_url(d.picture))} for d in drawings]

    def send(endpoint: str, i: int) -> None:
        post(connection, f"run/{endpoint}", bodies[i][endpoint.endswith("strokes")])

    return send


def by_call(url: str, drawings: Sequence[Drawing], source: str = "") -> Send:
    """Call by a POST and an event stream, through the queue; a picture is a data URL."""
    connection = open_connection(url, source)
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


def by_page(url: str, drawings: Sequence[Drawing], source: str = "") -> Send:
    """Call as the page does while a stroke is drawn, with the cookies that it was given."""
    connection = open_connection(url, source)
    connection.request("GET", "/")
    page = connection.getresponse()
    page.read()
    headers = {"Content-Type": JSON, "Cookie": (page.headers["Set-Cookie"] or "").split(";")[0]}
    connection.request("GET", "/config")
    parts = json.loads(_answer(connection))["components"]
    sketchpad = next(part["id"] for part in parts if part["props"].get("elem_id") == "sketchpad")
    call = {"component_id": sketchpad, "fn_name": "read", "session_hash": f"page{id(connection)}"}
    requests = [{"models": [MODEL], "strokes": d.strokes, "parts": ["layers"]} for d in drawings]
    bodies = [json.dumps(call | {"data": request}).encode() for request in requests]

    def send(_: str, i: int) -> None:
        connection.request("POST", "/gradio_api/component_server", bodies[i], headers)
        if b'"readings"' not in (body := _answer(connection)):
            raise RuntimeError(f"read: {body[:200]!r}")

    return send


WAYS = {"gradio_client": by_client, "run": by_run, "call/v2": by_call}


@cache
def connect(url: str) -> Client:
    """Return a client with one SSL context; by default it creates two per call."""
    context = ssl.create_default_context()  # httpx accepts it, although the type hint is bool
    return Client(url, verbose=False, ssl_verify=context)  # ty: ignore[invalid-argument-type]


def open_connection(url: str, source: str = "") -> http.client.HTTPConnection:
    """Return a connection that is kept open between calls, from an address of this machine."""
    address = (source, 0) if source else None
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=120, source_address=address)


def post(
    connection: http.client.HTTPConnection,
    call: str,
    body: bytes,
    kind: str = JSON,
) -> bytes:
    """Post a body to the API; return the body of the response."""
    connection.request("POST", f"/gradio_api/{call}", body, {"Content-Type": kind})
    return _answer(connection)


def upload(connection: http.client.HTTPConnection, path: Path) -> str:
    """Upload a file over plain HTTP; return its path on the server."""
    return json.loads(post(connection, "upload", *form(path.name, path.read_bytes())))[0]


def form(name: str, content: bytes) -> tuple[bytes, str]:
    """Return the multipart body that uploads a file, and its Content-Type."""
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


class CallerPool:
    """Caller processes that wait for tasks."""

    def __init__(self, pipes: Sequence[Connection]) -> None:
        self.pipes = pipes

    def run(
        self, way: str, endpoints: Iterable[str], *, callers: int, seconds: float
    ) -> list[Done]:
        """Run the same task in a number of callers at once; return the result of each."""
        start = time.monotonic() + HEAD_START
        task = Task(way, tuple(endpoints), start, seconds)
        for pipe in self.pipes[:callers]:
            pipe.send(task)
        return [pipe.recv() for pipe in self.pipes[:callers]]


@contextmanager
def caller_pool(
    url: str, drawings: Sequence[Drawing], *, callers: int, addresses: bool = False
) -> Generator[CallerPool]:
    """Start callers, and end them when the block ends.

    With `addresses`, each one calls from a loopback address of its own, which Linux allows.
    """
    spawn = multiprocessing.get_context("spawn")  # a fork would share the parent's open files
    pipes, processes = [], []
    for number in range(callers):
        pipe, remote = spawn.Pipe()
        rotated = (*drawings[number % len(drawings) :], *drawings[: number % len(drawings)])
        source = f"127.0.0.{2 + number}" if addresses else ""
        process = spawn.Process(target=run_tasks, args=(remote, url, rotated, source), daemon=True)
        process.start()
        remote.close()
        pipes.append(pipe)
        processes.append(process)
    for pipe in pipes:
        pipe.recv()
    yield CallerPool(pipes)
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send(None)
        process.join()


def run_tasks(pipe: Connection, url: str, drawings: Sequence[Drawing], source: str) -> None:
    """Run tasks from the pipe until None; an exception ends the caller."""
    ways = WAYS | {"page": by_page}
    connect(url)
    pipe.send("ready")
    while task := pipe.recv():
        # A new connection for each task, because an idle one may have been closed.
        pipe.send(_run_task(task, ways[task.way](url, drawings, source), len(drawings)))


def _run_task(task: Task, send: Send, count: int) -> Done:
    latencies = {endpoint: [] for endpoint in task.endpoints}
    time.sleep(max(0.0, task.start - time.monotonic()))
    turn = 0
    while turn == 0 or time.monotonic() < task.start + task.seconds:
        for endpoint in task.endpoints:
            started = time.perf_counter()
            send(endpoint, turn % count)
            latencies[endpoint].append(time.perf_counter() - started)
        turn += 1
    return Done(latencies, time.monotonic() - task.start)
