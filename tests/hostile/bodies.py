"""Cases: invalid bodies of calls, and invalid fields in them."""

import json
from collections.abc import Iterator
from typing import Any

from tests.hostile.caller import ANSWERED, API, JSON, READ, REFUSED, Case, Send

STROKES = "predict_strokes"
NOT_JSON = "The body is not JSON"
NOT_OBJECT = "The body must be a JSON object"
DEEP = "at most 16 levels"
MANY = "at most 60,000 values"
LARGE = "at most 6,000,000 bytes"
TAKES = "takes"
DOT = '{"data": [[[[1, 1]]], "mlp-32"]}'

TEXTS: dict[str, tuple[bytes, tuple[int, ...] | range, str]] = {
    "nothing": (b"", (400,), NOT_JSON),
    "a space": (b" ", (400,), NOT_JSON),
    "a brace": (b"{", (400,), NOT_JSON),
    "cut in two": (DOT[:15].encode(), (400,), NOT_JSON),
    "with more after it": (DOT.encode() + b"]", (400,), NOT_JSON),
    "two of them": (DOT.encode() * 2, (400,), NOT_JSON),
    "with a byte order mark": (b"\xef\xbb\xbf" + DOT.encode(), (400,), NOT_JSON),
    "in UTF-16": (DOT.encode("utf-16"), (400,), NOT_JSON),
    "in Latin-1": (b'{"data": ["\xe9"]}', (400,), NOT_JSON),
    "with half a character": (rb'{"data": ["\ud800"]}', (400,), NOT_JSON),
    "with a NUL": (b'{"data": [\0]}', (400,), NOT_JSON),
    "with a NUL in its text": (rb'{"data": ["\u0000"]}', (422,), "Got str"),
    "with single quotes": (b"{'data': []}", (400,), NOT_JSON),
    "with a comma too many": (b'{"data": [[],]}', (400,), NOT_JSON),
    "in XML": (b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>",
                   (400,), NOT_JSON),
    "of a form": (b"data=1&fn_index=2", (400,), NOT_JSON),
    "of a pickle": (b"\x80\x04N.", (400,), NOT_JSON),
    "null": (b"null", (422,), NOT_OBJECT),
    "true": (b"true", (422,), NOT_OBJECT),
    "a number": (b"5", (422,), NOT_OBJECT),
    "a text": (b'"data"', (422,), NOT_OBJECT),
    "a list": (b"[[]]", (422,), NOT_OBJECT),
    "an empty object": (b"{}", (422,), TAKES),
    "of one key twice": (b'{"data": 5, "data": [[], "mlp-32"]}', ANSWERED, READ),
    "of one key twice, the other way round": (b'{"data": [[]], "data": 5}', (422,), TAKES),
    "16 deep": (b'{"data": ' + b"[" * 15 + b"5" + b"]" * 15 + b"}", (422,), "Got a stroke"),
    "17 deep": (b'{"data": ' + b"[" * 16 + b"]" * 16 + b"}", (413,), DEEP),
    "1,000 deep": (b"[" * 1_000 + b"]" * 1_000, (413,), DEEP),
    "1,000 deep, in objects": (b'{"a":' * 1_000 + b"1" + b"}" * 1_000, (413,), DEEP),
    "50,000 deep": (b"[" * 50_000 + b"]" * 50_000, (413,), DEEP),
    "50,000 deep and never closed": (b"[" * 50_000, (413,), DEEP),
    "100,000 deep": (b"[" * 100_000, (413,), MANY),
    "with brackets in a string only": (
        b'{"data": ["' + b"[" * 1_000 + rb"\"[[" + b'"]}', (422,), "Got str"),
    "of closing brackets": (b"[" * 17 + b"]" * 5_000_000, REFUSED, ""),
    "of closing brackets first": (b"]" * 5_000_000 + b"[" * 17, REFUSED, ""),
    "of an endless string": (b"[" * 17 + b'"' + rb"\"" * 2_500_000, REFUSED, ""),
    "of endless backslashes": (b"[" * 17 + b'"' + b"\\" * 5_000_001, REFUSED, ""),
    "of quotes": (b"[" * 17 + b'"' * 5_000_001, REFUSED, ""),
    "of 60,001 values": (b'{"data": [' + b"1," * 60_000 + b"1]}", (413,), MANY),
    "of 60,001 objects": (b'{"data": [' + b"{}" * 60_001 + b"]}", (413,), MANY),
    "of 2,000,000 values": (b'{"data": [' + b"1," * 2_000_000 + b"1]}", (413,), MANY),
    "of 6 MB and a byte": (b'{"data": ["' + b"x" * 6_000_000 + b'"]}', (413,), LARGE),
    "of a number of 5 MB": (b'{"data": [' + b"9" * 5_000_000 + b"]}", REFUSED, ""),
    "of a text of 5 MB": (b'{"data": ["' + b"x" * 5_000_000 + b'"]}', (422,), "Got str"),
    "of spaces": (b" " * 5_000_000, (400,), NOT_JSON),
}  # fmt: skip
DATA: dict[str, Any] = {
    "null": None, "text": "[]", "an object": {"0": []}, "a number": 5, "true": True,
    "an empty list": [], "too many": [[], "mlp-32", 1], "far too many": [[]] * 1_000,
}  # fmt: skip
EXTRAS: dict[str, tuple[Any, tuple[int, ...] | range]] = {
    "session_hash of a number": ({"session_hash": 5}, REFUSED),
    "session_hash of a list": ({"session_hash": ["a"]}, REFUSED),
    "session_hash of an object": ({"session_hash": {"$ne": 1}}, REFUSED),
    "session_hash of a megabyte": ({"session_hash": "x" * 1_000_000}, REFUSED),
    "session_hash with ..": ({"session_hash": "../../x"}, (200, 422)),
    "session_hash with a NUL": ({"session_hash": "a\0b"}, (200, 422)),
    "fn_index out of range": ({"fn_index": 10**6}, (422,)),
    "fn_index below zero": ({"fn_index": -1}, (422,)),
    "fn_index of a float": ({"fn_index": 0.5}, REFUSED),
    "fn_index of a text": ({"fn_index": "predict"}, REFUSED),
    "trigger_id that is invalid": ({"trigger_id": 10**9}, (200, 422)),
    "trigger_id of a text": ({"trigger_id": "x"}, REFUSED),
    "trigger_id below zero": ({"trigger_id": -1}, (200, 422)),
    "event_data that is invalid": ({"event_data": {"__class__": 1}, "trigger_id": 1}, (200, 422)),
    "event_data of a list": ({"event_data": [1]}, (200, 422)),
    "event_id that is invalid": ({"event_id": "../../x"}, (200, 422)),
    "batched": ({"batched": True}, (200, 422)),
    "batched of a text": ({"batched": "x"}, REFUSED),
    "simple_format": ({"simple_format": True}, (200, 422)),
    "request of an object": ({"request": {"username": "admin"}}, (200, 422)),
    "an oauth_token": ({"oauth_token": "hf_" + "x" * 30}, (200, 422)),
    "keys of JavaScript and Python internals": ({"__proto__": {}, "__class__": 1}, (200, 422)),
}
FUNCTIONS: dict[str, Any] = {
    "out of range": 10**6, "below zero": -1, "a float": 0.0, "true": True, "text": "0",
    "null": None, "a list": [0], "10^30": 10**30,
}  # fmt: skip
CONTENT_TYPES = ("text/plain", "text/html", "application/xml", "application/x-www-form-urlencoded",
                 "multipart/form-data", "multipart/form-data; boundary=x",
                 "application/json; x", "application/json; charset=utf-16",
                 "x" * 5_000, "", "application/jsön")  # fmt: skip


def body(call: str, data: bytes | Any) -> Send:
    return lambda caller: caller.post(call, data)


def join(**changed: Any) -> Send:
    """Return a function that joins the queue with changed fields; "out" removes a field."""

    def send(caller):
        whole = {"fn_index": caller.functions[STROKES], "data": [[]], "session_hash": "hostile"}
        return caller.post("queue/join", {k: v for k, v in (whole | changed).items() if v != "out"})

    return send


def elsewhere(other: str) -> Send:
    """Return a function that calls an endpoint with the fn_index of another one."""
    return lambda caller: caller.post(
        f"run/{STROKES}", {"data": [[], "mlp-32"], "fn_index": caller.functions[other]}
    )


def typed(kind: str) -> Send:
    headers = {"Content-Type": kind.encode("latin-1")}
    return lambda c: c.request("POST", f"{API}/run/{STROKES}", DOT.encode(), headers)


def cases() -> Iterator[Case]:
    for name, (text, status, says) in TEXTS.items():
        yield Case(f"body {name}", body(f"run/{STROKES}", text), status, says)
    for call in (f"call/{STROKES}", f"call/v2/{STROKES}", "queue/join", "component_server/",
                 f"api/{STROKES}"):  # fmt: skip
        for name in ("nothing", "a list", "17 deep", "of 60,001 values", "of 6 MB and a byte",
                     "with half a character", "of an endless string"):  # fmt: skip
            text, status, says = TEXTS[name]
            yield Case(f"body for {call} {name}", body(call, text), status, says)
    for name in ("1,000 deep", "of 6 MB and a byte", "of 2,000,000 values", "nothing", "a list"):
        yield Case(f"body for cancel {name}", body("cancel", TEXTS[name][0]), REFUSED)
    for name, data in DATA.items():
        for call in (f"run/{STROKES}", f"call/{STROKES}"):
            yield Case(f"data for {call}: {name}", body(call, {"data": data}), (422,), TAKES)
    yield Case("without data", body(f"run/{STROKES}", {"date": []}), (422,), TAKES)
    yield from _keys()
    for kind in CONTENT_TYPES:
        status = (200, 400, 415, 422)
        yield Case(f"content type {kind[:40]!r}", typed(kind), status)


def _keys() -> Iterator[Case]:
    for name, (extra, status) in EXTRAS.items():
        send = body(f"run/{STROKES}", {"data": [[[[1, 1]]], "mlp-32"], **extra})
        yield Case(f"call with {name}", send, status)
        status = range(200, 500) if 200 in status else status
        yield Case(f"queue with {name}", join(**extra), status)
    for name, index in FUNCTIONS.items():
        send = join(fn_index=index)
        yield Case(f"queue of function {name}", send, (422,), "There is no such function")
    for name, data in DATA.items():
        yield Case(f"queue with data of {name}", join(data=data), (422,))
    for other in ("predict_batch", "models"):
        send = elsewhere(other)
        yield Case(f"call with the fn_index of /{other}", send, (422,), "not the fn_index")
    yield Case("queue without a session", join(session_hash="out"), REFUSED)
    for named, says in (
        ({"data": [[]]}, "got 'data'"),
        ({"strokes": [], "model": "mlp-32", "x" * 5_000: 1}, "got 'xxx"),
        ({"strokes": [], "oauth_token": "hf_x"}, "got 'oauth_token'"),
        ({"strokes": [], "session_hash": "x"}, "got 'session_hash'"),
        ({"strokes": [], "": 1}, "got ''"),
        ({"model": "mlp-32"}, "'strokes' is missing"),
        ({}, "'strokes' is missing"),
        ({"__class__": 1}, "got '__class__'"),
    ):
        name = json.dumps(named)[:50]
        yield Case(f"named arguments {name}", body(f"call/v2/{STROKES}", named), (422,), says)
    for name in ("predict_evil", "__class__", "fn", "lambda", "read", "0", "predict%00",
                 "PREDICT", "predict%20", "v2", "x" * 3_000):  # fmt: skip
        for route in ("run", "api", "call", "call/v2"):
            send = body(f"{route}/{name}", {"data": []})
            yield Case(f"endpoint {route}/{name[:20]}", send, (404,))
    for event in ("x", "0" * 32, "..%2f..", "x" * 5_000, "%00"):
        path = f"{API}/call/{STROKES}/{event}"
        yield Case(f"event {event[:20]}", lambda c, path=path: c.get(path), range(200, 500))
    cancelled: tuple[Any, ...] = ({}, {"session_hash": 5}, {"session_hash": "x", "fn_index": 0},
        {"session_hash": "x", "fn_index": 0, "event_id": "x"},
        {"session_hash": "x", "fn_index": 10**30, "event_id": None},
        {"session_hash": "x" * 1_000_000, "fn_index": 0, "event_id": "x"})  # fmt: skip
    for i, fields in enumerate(cancelled):
        name = f"cancel {i}: {json.dumps(fields)[:50]}"
        yield Case(name, body("cancel", fields), range(200, 500))
    latin = {**JSON, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "file"}
    yield Case(
        "info with headers of another host",
        lambda c: c.request("GET", f"{API}/info", headers=latin),
        range(200, 500),
    )
