"""The gate: what a request must be before Gradio sees it, and the headers of every answer.

Gradio opens more doors than this app uses, and sets no limit to a body's size, to the time that
it takes to arrive, or to the calls that skip its queue. All of that is here, as ASGI middleware.
"""

import asyncio
import re
import secrets
import time
import traceback
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import orjson
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.calls import Calls, RefusedError
from server.limits import ServerLimits
from server.uploads import Uploads

PREFIX = "/gradio_api/"
CALL = re.compile(rf"{PREFIX}(run|api|call/v2|call|component_server|queue/join|cancel)/?(\w*)/?")
UPLOAD = f"{PREFIX}upload"
# What the page and Gradio's clients ask for. All else of Gradio's is closed: it would write a
# folder a call (deep_link), fetch addresses for callers (file=http…, proxy=), give files to
# anyone who knows their hash (file=), or tell how the server is used (monitoring, runs).
OPEN = re.compile(
    r"/(?:health|config|theme\.css|robots\.txt|favicon\.ico|manifest\.json|pwa_icon(?:/\d+)?"
    r"|(?:assets|static|svelte)/[ -~]{1,200}"
    r"|gradio_api/(?:info|openapi\.json|theme\.css|app_id|user|login_check|startup-events"
    r"|upload|cancel|component_server|heartbeat/[\w-]+"
    r"|queue/(?:join|data|status)|(?:run|api)/\w+|call/(?:v2/)?\w+(?:/\w+)?))?/?"
)
MARKED = re.compile(rb"meta|\\")  # `meta` may be written with escapes
TEXT = bytes(set(range(256)) - set(b'"[]{}'))
FORM = 10_000  # bytes of a form around an uploaded file
ARRIVING = 10  # bodies of full size that may be in memory at once
# Hugging Face shows a Space in a frame of its own page.
FRAMES = "'self' https://huggingface.co https://*.huggingface.co https://*.hf.space"
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
# Gradio builds a gr.HTML's template by Function(), and styles elements one by one.
CSP = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'self'; "
    f"frame-ancestors {FRAMES}"
)
CSP_OF_DATA = b"default-src 'none'; frame-ancestors 'none'"
# All that Gradio is known to raise on a form of another kind.
MALFORMED = (TypeError, ValueError, LookupError, AttributeError)
NO_FORM = 'Send multipart/form-data, with each file in a field "files" that has a filename.'
BUSY = "The server has as many calls as it takes: try again in a second."
FULL = "The server has as many uploads as it takes: try again in a minute."
STOPPING = "The server is stopping: try again in a moment."
WRONG = "Something went wrong here, not with your call; it has been noted."


class Traffic:
    """What is under way: for the gate, and for those who stop or watch the server."""

    def __init__(self, limits: ServerLimits, uploads: Uploads, calls: Calls) -> None:
        self.limits = limits
        self.uploads = uploads
        self.calls = calls
        self.under_way = 0  # calls that are in work or wait
        self.arriving = 0  # bytes of the bodies that are held
        self.stopping = False
        self.observe: Callable[[str, int, float], None] = lambda name, status, seconds: None
        self.batches = asyncio.Semaphore(1)  # a batch takes seconds, and would hold up the others
        self.running = asyncio.Semaphore(limits.max_running)

    @asynccontextmanager
    async def turn(self, route: str, name: str) -> AsyncGenerator[None]:
        """Wait for a call's turn.

        The page does not wait: a hand is drawing. What joins Gradio's queue waits there for its
        work, and here for its turn to join: that takes some of the one event loop's time, too.

        Raises:
            RefusedError: too many are waiting.
        """
        if self.under_way >= self.limits.max_queue:
            raise RefusedError(503, BUSY)
        self.under_way += 1
        try:
            if route == "component_server":
                yield
            else:
                alone = name == "predict_batch" and route in ("run", "api")
                async with self.batches if alone else self.running:
                    yield
        finally:
            self.under_way -= 1


class Gate:
    """ASGI middleware: refuse what is not a request to this app, or costs too much."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self.app = app
        self.traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, Answer(send))

    async def _answer(self, scope: Scope, receive: Receive, answer: "Answer") -> None:
        try:
            await self._pass_on(scope, receive, answer)
        except RefusedError as refused:
            await answer.refuse(scope, receive, refused)
        except Exception as error:
            if answer.status and isinstance(error.__cause__, HTTPException):
                await answer.end()  # Gradio has said in its stream that there is no such session
                return
            traceback.print_exc()
            await answer.refuse(scope, receive, RefusedError(500, WRONG))

    async def _pass_on(self, scope: Scope, receive: Receive, answer: "Answer") -> None:
        path, method = scope["path"], scope["method"]
        if method not in ("GET", "HEAD", "POST") or not OPEN.fullmatch(path):
            raise RefusedError(404, "There is nothing at this address.")
        call = CALL.fullmatch(path) if method == "POST" else None
        if call:
            await self._call(scope, receive, answer, route=call[1], name=call[2])
        elif path.rstrip("/") == UPLOAD:
            await self._upload(scope, receive, answer)
        else:
            await self.app(scope, receive, answer.send)

    async def _call(
        self, scope: Scope, receive: Receive, answer: "Answer", *, route: str, name: str
    ) -> None:
        traffic, started = self.traffic, time.perf_counter()
        label = name if name in traffic.calls.parameters else route
        try:
            if traffic.stopping:
                raise RefusedError(503, STOPPING)
            async with self._body(receive) as body:
                parsed = _parse(body, traffic.limits)
                changed = bool(MARKED.search(body)) and _unmark(parsed)
                if traffic.calls.check(route, name, parsed) or changed:
                    body = orjson.dumps(parsed)
                    scope["headers"] = [h for h in scope["headers"] if h[0] != b"content-length"]
                sending = answer.send_call if route in ("run", "api") else answer.send_join
                async with traffic.turn(route, name):
                    await self.app(scope, _again(body, receive), sending)
            status = answer.status
        except RefusedError as refused:
            status = refused.status
            raise
        except Exception:
            status = 500
            raise
        finally:
            traffic.observe(label, status, time.perf_counter() - started)

    @asynccontextmanager
    async def _body(self, receive: Receive) -> AsyncGenerator[bytes]:
        """Read a body as far as it may go.

        Raises:
            RefusedError: it is too large or too slow, or there are too many.
        """
        limits, traffic = self.traffic.limits, self.traffic
        parts, size = [], 0
        deadline = asyncio.get_running_loop().time() + limits.max_seconds
        try:
            while True:
                message = await _in_time(receive, deadline, limits)
                part = message.get("body", b"")
                size += len(part)
                if size > limits.max_json:
                    raise RefusedError(
                        413, f"A JSON body has at most {limits.max_json:,} bytes here."
                    )
                traffic.arriving += len(part)
                parts.append(part)
                if traffic.arriving > ARRIVING * limits.max_json:
                    raise RefusedError(503, BUSY)
                if not message.get("more_body"):
                    break
            yield b"".join(parts)
        finally:
            traffic.arriving -= sum(map(len, parts))

    async def _upload(self, scope: Scope, receive: Receive, answer: "Answer") -> None:
        limits, uploads = self.traffic.limits, self.traffic.uploads
        if self.traffic.stopping:
            raise RefusedError(503, STOPPING)
        too_large = RefusedError(413, f"A file has at most {limits.max_upload:,} bytes here.")
        length = dict(scope["headers"]).get(b"content-length", b"")
        expected = int(length) if length.isdigit() else limits.max_upload
        if expected > limits.max_upload + FORM:
            raise too_large
        if not uploads.has_room(expected):
            await asyncio.to_thread(uploads.clean, room=expected)
            if not uploads.has_room(expected):
                raise RefusedError(503, FULL)
        deadline = asyncio.get_running_loop().time() + limits.max_seconds
        size = 0

        async def bounded() -> Message:
            nonlocal size
            message = await _in_time(receive, deadline, limits)
            size += len(message.get("body", b""))
            if size > limits.max_upload + FORM:
                raise too_large
            return message

        scope["query_string"] = b""  # Gradio would keep what it says of an upload's progress
        try:
            await self.app(scope, bounded, answer.send)
        except MALFORMED as error:
            raise RefusedError(400, NO_FORM) from error


async def _in_time(receive: Receive, deadline: float, limits: ServerLimits) -> Message:
    try:
        async with asyncio.timeout_at(deadline):
            message = await receive()
    except TimeoutError as error:
        said = f"A request has {limits.max_seconds} seconds to arrive."
        raise RefusedError(408, said) from error
    if message["type"] == "http.disconnect":
        raise RefusedError(400, "The request ended before it was complete.")
    return message


def _parse(body: bytes, limits: ServerLimits) -> Any:
    """Return what a JSON body holds, counted before it is unpacked into Python's objects.

    Raises:
        RefusedError: it is not JSON, or has too many values or too deep ones.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > limits.max_values:
        raise RefusedError(413, f"A JSON body has at most {limits.max_values:,} values here.")
    if _depth(body, limits.max_depth) > limits.max_depth:
        raise RefusedError(413, f"A JSON body is at most {limits.max_depth} levels deep here.")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, f"The body is not JSON: {error}.") from error


def _unmark(value: dict | list) -> bool:
    """Take the mark off all that says it is a file; return whether there was one.

    Gradio would look for marked files on the server's disk, or download them where they are
    addresses. An endpoint finds its upload without.
    """
    marked = isinstance(value, dict) and value.pop("meta", None) is not None
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            marked |= _unmark(each)
    return marked


def _depth(body: bytes, enough: int) -> int:
    """Return how deep the brackets of JSON go; those in its strings do not count.

    A body may be megabytes, and the page waits meanwhile: nothing here goes byte by byte in Python.
    """
    if body.count(b"[") + body.count(b"{") <= enough:
        return 0
    marks = body.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, TEXT)
    brackets = np.frombuffer(b"".join(marks.split(b'"')[::2]), np.uint8)
    opening = (brackets == ord("[")) | (brackets == ord("{"))
    return int(np.where(opening, 1, -1).cumsum().max(initial=0))


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read once more, and then what comes after it."""
    rest = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return rest.pop() if rest else await receive()

    return replay


class Answer:
    """One answer on its way out: gets the headers, and loses what is nobody's business."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._forward = send
        self._failed: Held | None = None
        self.status = 0  # of what was sent; 0 before

    async def refuse(self, scope: Scope, receive: Receive, refused: RefusedError) -> None:
        """Send a refusal, unless an answer is under way: then it breaks off."""
        if self.status:
            raise refused
        message = str(refused)
        headers = {"retry-after": "1"} if refused.status == 503 else {}
        if refused.status in (400, 408, 413):
            headers["connection"] = "close"  # the rest of the body would be read first
        # `error` as Gradio says it, `detail` as FastAPI does: clients look for either.
        told = JSONResponse({"error": message, "detail": message}, refused.status, headers)
        await told(scope, receive, self.send)

    async def send(self, message: Message) -> None:
        """Send a message of Gradio's, with the headers; a page is held until it has its nonce."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            kind = dict(message["headers"]).get(b"content-type", b"")
            if kind.startswith(b"text/html"):
                self._forward = Held(self._send, _with_nonce).send
            else:
                message = _with_headers(message, CSP_OF_DATA)
        await self._forward(message)

    async def end(self) -> None:
        """End an answer that is under way."""
        await self._forward({"type": "http.response.body", "body": b"", "more_body": False})

    async def send_call(self, message: Message) -> None:
        """Send a message of a call that skips the queue; a failure is told as it should be."""
        if message["type"] == "http.response.start" and message["status"] == 500:
            self._failed = Held(self.send, _failure)
        await (self._failed.send if self._failed else self.send)(message)

    async def send_join(self, message: Message) -> None:
        """Send a message of a call that joins the queue; a full one is told as it should be."""
        if message["type"] == "http.response.start" and message["status"] == 503:
            self._failed = Held(self.send, _busy)
        await (self._failed.send if self._failed else self.send)(message)


class Held:
    """An answer that is held until it is whole, changed, and sent on."""

    def __init__(
        self, send: Send, change: Callable[[Message, bytes], tuple[Message, bytes]]
    ) -> None:
        self._send = send
        self._change = change
        self._parts: list[bytes] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._parts.append(message.get("body", b""))
        if message.get("more_body"):
            return
        start, body = self._change(self._start, b"".join(self._parts))
        headers = [h for h in start["headers"] if h[0] != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _with_headers(message: Message, csp: bytes) -> Message:
    headers = [*message["headers"], *HEADERS, (b"content-security-policy", csp)]
    return {**message, "headers": headers}


def _with_nonce(start: Message, body: bytes) -> tuple[Message, bytes]:
    nonce = secrets.token_urlsafe(16)
    body = re.sub(rb"<script(?=[\s>])", f'<script nonce="{nonce}"'.encode(), body)
    return _with_headers(start, CSP.format(nonce=nonce).encode()), body


def _failure(start: Message, body: bytes) -> tuple[Message, bytes]:
    """Return what Gradio says of a failed call: 422 if the caller can mend it, and why."""
    said = orjson.loads(body).get("error")
    told = orjson.dumps({"error": said or WRONG, "detail": said or WRONG})
    return {**start, "status": 422 if said else 500}, told


def _busy(start: Message, body: bytes) -> tuple[Message, bytes]:
    """Return what the gate says itself of a full queue, in the place of Gradio's words."""
    headers = [*start["headers"], (b"retry-after", b"1")]
    return {**start, "headers": headers}, orjson.dumps({"error": BUSY, "detail": BUSY})
