"""Hostile requests, each with the expected status and error."""

import base64
import io
import json
import zipfile
from typing import Any, NamedTuple

import numpy as np

from benchmarks.flood.questions import png
from benchmarks.serving.callers import JSON, form

API = "/gradio_api"
RUN = f"{API}/run/predict_strokes"


class Attack(NamedTuple):
    """A request, and the expected response."""

    name: str
    method: str
    path: str
    body: bytes
    status: int
    says: str  # text in the error; "" if there is no error
    upload: bytes | None = None  # a file to upload first; its path replaces PATH in `body`
    cut_off: bool = False  # the server may close the connection before the whole body is sent
    kind: str = JSON  # Content-Type


def attacks() -> list[Attack]:
    """Return all attacks."""
    return [*_too_much(), *_bombs(), *_drawings(), *_wrong_types(), *_closed_routes()]


def _too_much() -> list[Attack]:
    deep = b'{"data": [' + b"[" * 50_000 + b"]" * 50_000 + b"]}"
    many = _call([[[0, 0]] * 40_000])
    points = _call([[[1, 2]] * 10_001])
    long = _call([[[i % 2, i / 10_000, 4] for i in range(10_000)]])
    return [
        Attack("too deep", "POST", RUN, deep, 413, "at most 16 levels"),
        Attack("too many values", "POST", RUN, many, 413, " values"),
        Attack("too many points", "POST", RUN, points, 422, "at most 10000 are read"),
        Attack("too long", "POST", RUN, long, 422, "longer side"),
        Attack("too large", "POST", RUN, b" " * 6_100_000, 413, " bytes", cut_off=True),
    ]


def _bombs() -> list[Attack]:
    picture = png(np.zeros((13_000, 13_000), bool))
    url = {"url": "data:image/png;base64," + base64.b64encode(picture).decode()}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(10):
            file.writestr(f"{number}.png", bytes(8_000_000))
    batch = b'{"data": [{"path": "PATH"}, null]}'
    run = f"{API}/run/predict_batch"
    return [
        Attack("picture bomb", "POST", f"{API}/run/predict", _call(url), 422, "pixels"),
        Attack("zip bomb", "POST", run, batch, 422, "unpacks to", archive.getvalue()),
    ]


def _drawings() -> list[Attack]:
    """Return attacks with drawings within the limits that take the most time and memory."""
    explain, page = f"{API}/run/explain_strokes", f"{API}/component_server/"
    targets = {"predict": (RUN, _call), "explain": (explain, _call), "page": (page, _page_call)}
    return [
        Attack(f"{name}, {way}", "POST", path, body(strokes), 200, "")
        for name, strokes in costly_drawings().items()
        for way, (path, body) in targets.items()
    ]


def costly_drawings() -> dict[str, list]:
    """Return drawings with long lines, many points and many strokes, with two stroke widths."""
    rng = np.random.default_rng(0)
    turns = np.arange(10_000) * 0.04
    scribble = np.stack([np.abs((turns * rate) % 2 - 1) for rate in (1, 0.618)], axis=1)
    spots = rng.uniform(0, 1, (1_000, 1, 2)) + rng.normal(0, 0.02, (1_000, 10, 2))
    zigzag = [[i % 2, 0.9 * i / 500] for i in range(500)]
    shapes = {"zigzag": [zigzag], "scribble": [scribble], "1,000 strokes": spots}
    return {
        f"{name}, width {width}": [np.insert(stroke, 2, width, axis=1).tolist() for stroke in shape]
        for name, shape in shapes.items()
        for width in (1, 4)
    }


def _wrong_types() -> list[Attack]:
    predict, join, page = f"{API}/run/predict", f"{API}/queue/join", f"{API}/component_server/"
    server = _call({"path": "/etc/passwd"})
    no_function = json.dumps({"data": [], "fn_index": 10**6, "session_hash": "x"}).encode()
    no_component = b'{"data": {}, "component_id": -1, "fn_name": "read", "session_hash": "x"}'
    return [
        Attack("text for strokes", "POST", RUN, _call("abc"), 422, "Got str"),
        Attack("no model of that name", "POST", RUN, _call([], "gpt"), 422, "choose from"),
        Attack("not JSON", "POST", RUN, b"{", 400, "not JSON"),
        Attack("NaN", "POST", RUN, b'{"data": [[[[NaN, 1]]]]}', 400, "not JSON"),
        Attack("a list", "POST", RUN, b"[]", 422, "a JSON object"),
        Attack("the server's file", "POST", predict, server, 422, "not uploaded"),
        Attack("no function", "POST", join, no_function, 422, "no such function"),
        Attack("no part", "POST", page, no_component, 422, "no such component"),
        Attack("no endpoint", "POST", f"{API}/run/shell", _call([]), 404, "no endpoint /shell"),
    ]  # fmt: skip


def _closed_routes() -> list[Attack]:
    closed = ("file=/etc/passwd", "monitoring", "deep_link", "proxy=http://127.0.0.1/", "reset")
    return [
        *(Attack(f"/{path}", "GET", f"{API}/{path}", b"", 404, "nothing at") for path in closed),
        Attack("DELETE", "DELETE", "/config", b"", 404, "nothing at"),
        Attack("docs", "GET", "/docs", b"", 404, "nothing at"),
    ]


def _call(*arguments: Any) -> bytes:
    return json.dumps({"data": arguments}).encode()


def _page_call(strokes: list) -> bytes:
    """Return a request of the page; callers replace SKETCHPAD and SESSION."""
    data = {"models": ["mlp-1024", "mlp-32"], "strokes": strokes}
    page = {"component_id": "SKETCHPAD", "session_hash": "SESSION", "fn_name": "read"}
    return json.dumps({**page, "data": data}).encode()


def upload_of(attack: Attack) -> tuple[bytes, str]:
    """Return the body of the upload that an attack needs, and its Content-Type."""
    assert attack.upload
    return form("batch.zip", attack.upload)
