"""Cases: invalid requests to the functions of the page's components."""

from collections.abc import Iterator
from typing import Any

from tests.hostile.caller import ANSWERED, API, REFUSED, Case, Send, form

DOT = [[[1, 1]]]
ODD = {"null": None, "a number": 7, "true": True, "text": "evil", "a list": [[]],
       "an object": {"__class__": 1}, "below zero": -1, "10^30": 10**30, "0.5": 0.5}  # fmt: skip
PARTS = {
    ("sketchpad", "read"): {
        "models": ["mlp-32"], "strokes": DOT, "picture": None, "chosen": 3, "against": 5,
        "parts": ["layers", "unit"], "units": [{"layer": 0, "unit": 3}],
    },
    ("unit", "account"): {
        "model": "mlp-32", "layer": 0, "unit": 0, "strokes": DOT, "picture": None,
    },
    ("network", "tiles"): {"model": "mlp-32", "units": [0, 1]},
    ("lesson-sketchpad", "read"): {"strokes": DOT, "picture": None, "chosen": 3},
    ("lesson", "train"): {"visitor": "hostile", "settings": {"hidden_size": 10**9}},
    ("lesson", "status"): {"visitor": "hostile"},
    ("lesson", "stop"): {"visitor": "hostile"},
    ("lesson", "yours"): {"visitor": "hostile", "strokes": DOT, "picture": None},
}  # fmt: skip
MODELS: dict[str, Any] = {
    "none": [], "three": ["mlp-32"] * 3, "a thousand": ["mlp-32"] * 1_000, "of numbers": [1],
    "of null": [None], "of lists": [["mlp-32"]], "with a path": ["../x"], "unknown": ["gpt2"],
    "of a megabyte": ["x" * 1_000_000],
}  # fmt: skip
UNITS: dict[str, Any] = {
    "none": [], "out of range": [32], "below zero": [-1], "of true": [True], "of floats": [0.0],
    "of text": ["0"], "20,000 times one": [0] * 20_000, "of lists": [[0]], "10^30": [10**30],
}  # fmt: skip
FUNCTIONS = ("__class__", "__init__", "__getattribute__", "postprocess", "preprocess", "get_config",
             "api_info", "as_example", "load_event_to_attach", "server_fns", "account", "_id", "",
             "read\0", "Read", "x" * 5_000, "key", "unload", "attach_load_event", "move_resource_"
             "to_block_cache", "async_move_resource_to_block_cache")  # fmt: skip
COMPONENTS = {"unknown": 10**6, "below zero": -1, "text": "1", "null": None, "true": True,
              "a float": 1.0, "a list": [1], "10^30": 10**30}  # fmt: skip


def request(part: str, function: str, question: Any, **other: Any) -> Send:
    return lambda caller: caller.page(part, function, question, **other)


def without(key: str) -> Send:
    def send(caller):
        whole = {"component_id": caller.parts["sketchpad"], "fn_name": "read",
                 "session_hash": "x", "data": {}}  # fmt: skip
        del whole[key]
        return caller.post("component_server/", whole)

    return send


def multipart(caller):
    fields = {"component_id": caller.parts["sketchpad"], "fn_name": "read", "session_hash": "x"}
    body, headers = form([*((k, None, str(v).encode()) for k, v in fields.items()),
                          ("data", "x.png", b"evil")])  # fmt: skip
    return caller.post("component_server/", body, headers)


def cases() -> Iterator[Case]:
    for (part, function), question in PARTS.items():
        for name, odd in ODD.items():
            send = request(part, function, odd)
            yield Case(f"page: {function} of {part} with {name}", send, ANSWERED, "error")
        for key in question:
            for name, odd in ODD.items():
                send = request(part, function, question | {key: odd})
                yield Case(f"page: {key} to {function} of {part} is {name}", send, ANSWERED)
    for name, models in MODELS.items():
        send = request("sketchpad", "read", {"models": models, "strokes": DOT})
        yield Case(f"page: models, {name}", send, ANSWERED, "error")
    for name, units in UNITS.items():
        send = request("network", "tiles", {"model": "mlp-32", "units": units})
        yield Case(f"page: units, {name}", send, ANSWERED)
    for function in FUNCTIONS:
        send = request("sketchpad", function, {})
        yield Case(f"page: function {function[:40]!r}", send, REFUSED)
    for name, component in COMPONENTS.items():
        send = request("sketchpad", "read", {}, component_id=component)
        yield Case(f"page: component {name}", send, (422,), "The page has no such component")
    for name, odd in ODD.items():
        if not isinstance(odd, str):
            send = request("sketchpad", "read", {}, session_hash=odd)
            yield Case(f"page: session {name}", send, REFUSED)
            yield Case(f"page: function {name}", request("sketchpad", odd, {}), REFUSED)
    send = request("sketchpad", "read", {}, session_hash="x" * 1_000_000)
    yield Case("page: session of a megabyte", send, REFUSED)
    for key in ("component_id", "fn_name", "session_hash", "data"):
        yield Case(f"page: without {key}", without(key), REFUSED)
    yield Case("page: as a form", multipart, REFUSED)
    for picture in ("data:text/html,x", "http://127.0.0.1:1/x.png", "/etc/passwd", "data:image/"):
        send = request("sketchpad", "read", {"models": ["mlp-32"], "picture": picture})
        yield Case(f"page: picture {picture}", send, ANSWERED, "error")
    send = request("sketchpad", "read", {"models": ["mlp-32"], "path": "/etc/passwd"})
    yield Case("page: a path", send, ANSWERED, "error")
    yield Case("page: by GET", lambda c: c.get(f"{API}/component_server/"), REFUSED)
