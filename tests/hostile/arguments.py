"""Cases: invalid and extreme values for the arguments file, strokes and model."""

import json
from collections.abc import Iterator
from typing import Any

from tests.hostile.caller import ANSWERED, READ, REFUSED, Answer, Caller, Case, Send

META = {"meta": {"_type": "gradio.FileData"}}
NOT_HERE = "was not uploaded, or was deleted"
SEND = "Send the picture as a file"
NUMBERS = "A point is not two numbers"
FINITE = "not a finite number below 1e9"
SHAPE = "Got a stroke of shape"
MODELS = "choose from: logistic, mlp-32, mlp-1024"
NO_ADDRESS = "URLs are not fetched"

STROKES: dict[str, tuple[Any, str]] = {
    "text": ("0,0", "Got str"),
    "a number": (5, "Got int"),
    "true": (True, "Got bool"),
    "null": (None, "Got NoneType"),
    "an object": ({"0": []}, "Got dict"),
    "a number for a stroke": ([5], SHAPE),
    "null for a stroke": ([None], ""),
    "text for a stroke": (["abc"], ""),
    "an object for a stroke": ([{"x": 1}], ""),
    "true for a point": ([[True]], "not two numbers"),
    "null for a point": ([[None, None]], ""),
    "text for points": ([["a", "b"]], ""),
    "text for numbers": ([[["1", "2"], ["3", "4"]]], ""),
    "null for numbers": ([[[None, None]]], ""),
    "true for numbers": ([[[True, False], [False, True]]], ""),
    "objects for points": ([[{"x": 1, "y": 2}]], NUMBERS),
    "one number for a point": ([[[1]]], SHAPE),
    "four numbers for a point": ([[[1, 2, 1, 1]]], SHAPE),
    "points of two lengths": ([[[1, 2], [1, 2, 1]]], NUMBERS),
    "lists for numbers": ([[[[1], [2]]]], SHAPE),
    "lists ten deep": ([[[[[[[[[[1]]]]]]]]]], SHAPE),
    "10^9": ([[[1e9, 0]]], FINITE),
    "-10^9": ([[[-1e9, 0]]], FINITE),
    "10^308": ([[[1e308, -1e308]]], FINITE),
    "2^64": ([[[2**64, 0]]], FINITE),
    "a pen of width 0": ([[[0, 0, 0], [1, 1, 0]]], "the stroke width"),
    "a pen too thin": ([[[0, 0, 0.124], [1, 1, 0.124]]], "the stroke width"),
    "a pen too thick": ([[[0, 0, 4.01], [1, 1, 4.01]]], "the stroke width"),
    "a pen of negative width": ([[[0, 0, -1]]], "the stroke width"),
    "a pen of width 10^8": ([[[0, 0, 1e8]]], "the stroke width"),
    "1,001 strokes": ([[[0, 0]]] * 1_001, "at most 1000 are read"),
    "1,001 empty strokes": ([[]] * 1_001, "at most 1000 are read"),
    "10,001 points": ([[[0, 0]] * 10_001], "at most 10000 are read"),
    "Quick, Draw!'s format": ([[[0, 9, 8, 7], [0, 1, 2, 3]]], "convert Quick, Draw"),
    "Quick, Draw!'s format, two and four points": (
        [[[0, 9], [0, 9]], [[0, 9, 8, 7], [0, 1, 2, 3]]], "convert Quick, Draw",
    ),
    "times for widths": ([[[0, 0, 0], [1, 1, 16], [2, 2, 32], [3, 3, 48]]], "not a time"),
    "10,001 points in two strokes": ([[[0, 0]] * 5_000, [[0, 0]] * 5_001], "10000 are read"),
}  # fmt: skip
DRAWN: dict[str, Any] = {
    "nothing": [],
    "an empty stroke": [[]],
    "a point": [[[0, 0]]],
    "minus zero": [[[-0.0, -0.0], [0, 1]]],
    "the smallest number": [[[5e-324, 0], [0, 5e-324]]],
    "just below 10^9": [[[999_999_999, -999_999_999], [0, 0]]],
    "large and small together": [[[1e8, 1e8], [1e8 + 1e-6, 1e8]]],
    "the longest line": [[[0, 0], [9e8, 1e-9]]],
    "1,000 strokes": [[[i, i % 7]] for i in range(1_000)],
    "10,000 points": [[[i % 100, i // 100] for i in range(10_000)]],
    "10,000 points, zigzag": [[[i % 2 * 100, i] for i in range(10_000)]],
    "10,000 points with widths": [[[i % 100, i // 100, 0.125 + i % 31 / 8] for i in range(10_000)]],
    "the thinnest and the thickest pen": [[[0, 0, 0.125], [9, 9, 4]]],
}
TEXTS = {  # not valid JSON, or numbers out of range
    "10^400, a whole number": f"[[[{10**400}, 0]]]",
    "NaN": "[[[NaN, 0]]]",
    "Infinity": "[[[Infinity, 0]]]",
    "-Infinity": "[[[-Infinity, 0]]]",
    "1e999": "[[[1e999, 0]]]",
    "-1e999": "[[[-1e999, 0]]]",
    "a number of 5,000 digits": f"[[[{'9' * 5_000}, 0]]]",
    "a number of 300 digits": f"[[[{'9' * 300}, 0]]]",
    "0x10": "[[[0x10, 0]]]",
    "01": "[[[01, 0]]]",
    "a comment": "[[[1, /* 2 */ 0]]]",
    "undefined": "undefined",
}
FILES: dict[str, tuple[Any, str]] = {
    "a path of the system": ({"path": "/etc/passwd"}, NOT_HERE),
    "a path with ..": ({"path": "../../../../etc/passwd"}, NOT_HERE),
    "a path of this project": ({"path": "screenshot.png"}, NOT_HERE),
    "a path in the project": ({"path": "tests/data/../../screenshot.png"}, NOT_HERE),
    "a folder": ({"path": "/"}, NOT_HERE),
    "an empty path": ({"path": ""}, NOT_HERE),
    "a path of a device": ({"path": "/dev/zero"}, NOT_HERE),
    "a path of a process": ({"path": "/proc/self/environ"}, NOT_HERE),
    "a path of an open file": ({"path": "/proc/self/fd/0"}, NOT_HERE),
    "a path with a NUL": ({"path": "/etc/passwd\0.png"}, NOT_HERE),
    "a path that is very long": ({"path": "/x" * 50_000}, NOT_HERE),
    "a path of a very long name": ({"path": "x" * 100_000}, NOT_HERE),
    "a path in Unicode": ({"path": "\N{SKULL}"}, NOT_HERE),
    "a path in a home folder": ({"path": "~/.ssh/id_rsa"}, NOT_HERE),
    "a path of a network share": ({"path": "\\\\host\\share"}, NOT_HERE),
    "a file URL": ({"path": "file:///etc/passwd"}, NOT_HERE),
    "a URL": ({"path": "http://127.0.0.1:1/x.png"}, ""),
    "a URL of this machine": ({"url": "http://localhost/x.png"}, SEND),
    "a URL of cloud metadata": ({"url": "http://169.254.169.254/latest/meta-data"}, SEND),
    "a URL in both keys": ({"path": "http://127.0.0.1:1/", "url": "http://127.0.0.1:1/"}, ""),
    "a URL of another scheme": ({"url": "gopher://127.0.0.1/"}, SEND),
    "data that is not a picture": ({"url": "data:text/html;base64,PGI+"}, "damaged"),
    "data that is a script": ({"url": "data:image/svg+xml;base64,PHN2Zz4="}, "SVG drawing"),
    "data that is not base64": ({"url": "data:image/png;base64,%%%"}, "not base64"),
    "percent-encoded data": ({"url": "data:image/png,%89PNG"}, "not base64"),
    "empty data": ({"url": "data:image/png;base64,"}, "damaged"),
    "data without a comma": ({"url": "data:image/png"}, "not base64"),
    "data with a comma too many": ({"url": "data:image/png;base64,,AAAA"}, "not base64"),
    "data in data": ({"url": "data:image/png;base64,data:image/png;base64,AAAA"}, "not base64"),
    "data of spaces": ({"url": "data:image/png;base64," + " " * 1_000}, "damaged"),
    "data of five million line breaks": (
        {"url": "data:image/png;base64," + "\n" * 2_900_000},
        "damaged",
    ),
    "data of five million percent signs": (
        {"url": "data:image/png;base64," + "%" * 5_000_000},
        "not base64",
    ),
    "data of five million equals signs": (
        {"url": "data:image/png;base64," + "=" * 5_000_000},
        "damaged",
    ),
    "data with an incomplete byte": ({"url": "data:image/png;base64,A"}, "not base64"),
    "data of five megabytes": ({"url": "data:image/png;base64," + "A" * 5_000_000}, "damaged"),
    "data with non-ASCII characters": ({"url": "data:image/png;base64,\N{SKULL}"}, "not base64"),
    "data in capitals": ({"url": "DATA:IMAGE/PNG;BASE64,AAAA"}, "damaged"),
    "base64 alone": ({"url": "iVBORw0KGgo="}, SEND),
    "text": ("/etc/passwd", SEND),
    "null": (None, SEND),
    "a number": (7, SEND),
    "a list": ([{"path": "/etc/passwd"}], SEND),
    "an empty object": ({}, SEND),
    "a number for a path": ({"path": 7}, SEND),
    "a list for a path": ({"path": ["/etc/passwd"]}, SEND),
    "null for a path": ({"path": None, "url": None}, SEND),
    "a number for a URL": ({"url": 7}, SEND),
    "a file of a stream": ({"path": "/etc/passwd", "is_stream": True}, NOT_HERE),
    "a file with a strange key": ({"path": "/etc/passwd", "__class__": "x"}, NOT_HERE),
}
NAMES: dict[str, Any] = {
    "a number": 7,
    "true": True,
    "a list": ["mlp-32"],
    "an object": {"mlp-32": 1},
    "a path": "../weights/mlp-32",
    "a path from the root": "/etc/passwd",
    "a name of the Hub": "gpt2",
    "a name and a revision of the Hub": "openai/whisper@main",
    "a URL": "http://127.0.0.1:1/model",
    "a megabyte": "x" * 1_000_000,
    "a NUL": "mlp-32\0",
    "a space": "mlp-32 ",
    "capitals": "MLP-32",
    "a Python attribute": "__class__",
    "Unicode": "mlp\N{FIGURE DASH}32",
    "0.0": 0.5,
}
ROUTES = ("run", "call", "call_named", "join")
PARAMETER = {"predict": "image", "explain": "image", "predict_batch": "file"}


def by(route: str, endpoint: str, *arguments: Any) -> Send:
    """Return a function that calls an endpoint through one of the routes."""
    if route != "call_named":
        return lambda caller: getattr(caller, route)(endpoint, *arguments)
    names = (PARAMETER.get(endpoint, "strokes"), "model")
    named = dict(zip(names, arguments, strict=False))
    return lambda caller: caller.call_named(endpoint, **named)


def text(endpoint: str, strokes: str) -> Send:
    """Return a function that sends strokes as a literal text in the body."""
    body = f'{{"data": [{strokes}, "mlp-32"]}}'.encode()
    return lambda caller: caller.post(f"run/{endpoint}", body)


def in_the_uploads(suffix: str) -> Send:
    """Return a function that requests the path of an uploaded file plus a suffix."""

    def send(caller: Caller) -> Answer:
        path = caller.uploaded(b"secret")["path"]
        return caller.run("predict", {"path": path + suffix}, "mlp-32")

    return send


def above_the_uploads(suffix: str, **meta: Any) -> Send:
    """Return a function that requests the path of the folder of uploads plus a suffix."""

    def send(caller: Caller) -> Answer:
        path = caller.uploaded(b"secret")["path"]
        folder = path.rsplit("/", 2)[0]
        return caller.run("predict", {"path": folder + suffix, **meta}, "mlp-32")

    return send


def cases() -> Iterator[Case]:
    yield from _strokes()
    yield from _files()
    for name, model in NAMES.items():
        for route, endpoint in (("run", "predict_strokes"), ("call_named", "explain_strokes")):
            send = by(route, endpoint, [], model)
            yield Case(f"model of /{endpoint}: {name}", send, (422,), MODELS)
    for endpoint in PARAMETER:
        send = by("run", endpoint, {"path": "x"}, "gpt2")
        yield Case(f"model of /{endpoint}: a name of the Hub", send, (422,), MODELS)


def _strokes() -> Iterator[Case]:
    for name, (strokes, says) in STROKES.items():
        status = (422,) if says else (200, 422)
        send = by("run", "predict_strokes", strokes, "mlp-32")
        yield Case(f"strokes: {name}", send, status, says)
        question = {"models": ["mlp-32"], "strokes": strokes}
        if strokes is not None:  # with null, the page expects a picture
            yield Case(f"strokes on the page: {name}", on_the_page(question), ANSWERED, says)
    for name in ("text", "objects for points", "10^9", "a pen too thin", "1,001 strokes"):
        strokes, says = STROKES[name]
        for route in ROUTES:
            send = by(route, "explain_strokes", strokes, "mlp-32")
            yield Case(f"strokes to explain by {route}: {name}", send, (422,), says)
    for name, strokes in DRAWN.items():
        for endpoint in ("predict_strokes", "explain_strokes"):
            send = by("run", endpoint, strokes, "mlp-32")
            yield Case(f"strokes of /{endpoint} that are read: {name}", send, ANSWERED, READ)
    for name, strokes in TEXTS.items():
        yield Case(f"strokes that are not JSON: {name}", text("predict_strokes", strokes), REFUSED)


def on_the_page(question: Any, *, part: str = "sketchpad") -> Send:
    return lambda caller: caller.page(part, "read", question)


def _files() -> Iterator[Case]:
    for name, (file, says) in FILES.items():
        status = (422,) if says else REFUSED
        yield Case(f"file: {name}", by("run", "predict", file, "mlp-32"), status, says)
    for name in ("a path of the system", "a path with a NUL", "text", "a URL of cloud metadata"):
        file, _ = FILES[name]
        for route in ROUTES:
            yield Case(f"file to explain by {route}: {name}", by(route, "explain", file), REFUSED)
            send = by(route, "predict_batch", file)
            yield Case(f"file of a batch by {route}: {name}", send, REFUSED)
        if isinstance(file, dict):
            send = by("run", "predict", file | META)
            yield Case(f"file with Gradio's key: {name}", send, REFUSED)
    escaped = (
        rb'{"data": [{"\u0070ath": "/etc/passwd", "\u006deta": {"_type": "gradio.FileData"}}]}'
    )
    yield Case("file with escaped keys", lambda c: c.post("run/predict", escaped), REFUSED)
    deep: Any = {"path": "/etc/passwd", **META}
    for inner in ("a", "path", "url"):
        deep = {inner: deep}
    yield Case("file in a file in a file", by("run", "predict", deep), REFUSED)
    for suffix in ("/../../../../etc/passwd", "/..", "\0", "/", "/.", "x"):
        name = json.dumps(suffix)
        yield Case(f"file: an upload's path and {name}", in_the_uploads(suffix), (200, 422))
    for suffix in ("/../../../../etc/passwd", "-evil/x.png", "/..", "", "/."):
        name = json.dumps(suffix)
        yield Case(
            f"file: the uploads' folder and {name}", above_the_uploads(suffix), (422,), NOT_HERE
        )
        send = above_the_uploads(suffix, **META)
        yield Case(f"file with Gradio's key: the uploads' folder and {name}", send, REFUSED)
