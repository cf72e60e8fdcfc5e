"""The gate: what a request must be before Gradio sees it.

Gradio opens more doors than this app uses, and sets no limit to a body's size, to the time that
it takes to arrive, or to the calls that skip its queue. All of that is here, as ASGI middleware.
Only what asks for leave to call from another site's page (CORS) is Gradio's own.
"""

import re
import time
import traceback

import orjson
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.answer import WRONG, Answer, GoneError, Heard, Told, retell
from server.body import Bounded, again, parse, read_body
from server.calls import RefusedError
from server.traffic import Traffic

PREFIX = "/gradio_api/"
CALL = re.compile(rf"{PREFIX}(run|api|call/v2|call|component_server|queue/join|cancel)/?(\w*)/?")
STREAM = re.compile(rf"{PREFIX}(?:heartbeat/.+|queue/data|call/.+)/?")
UPLOAD = f"{PREFIX}upload"
# What the page and Gradio's clients ask for. All else of Gradio's is closed: it would write a
# folder a call (deep_link), fetch addresses for callers (file=http…, proxy=), give files to
# anyone who knows their hash (file=), or tell how the server is used (monitoring, runs).
OPEN = re.compile(
    r"/(?:card|lesson|health|config|theme\.css|robots\.txt|favicon\.ico|manifest\.json|pwa_icon(?:/\d+)?"
    r"|(?:assets|static|svelte)/[ -~]{1,200}"
    r"|gradio_api/(?:info|openapi\.json|theme\.css|app_id|user|login_check|startup-events"
    r"|upload|cancel|component_server|heartbeat/[\w-]+"
    r"|queue/(?:join|data|status)|(?:run|api)/\w+|call/(?:v2/)?\w+(?:/\w+)?))?/?"
)
FORM = 10_000  # bytes of a form around an uploaded file
# All that Gradio is known to raise on a form of another kind.
MALFORMED = (TypeError, ValueError, LookupError, AttributeError)
NO_FORM = 'Send multipart/form-data, with one file in a field "files" that has a filename.'
STOPPING = "The server is stopping: try again in a moment."


class Gate:
    """ASGI middleware: refuse what is not a request to this app, or costs too much."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self.app = app
        self.traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            answer = Answer(send, seconds=self.traffic.limits.max_seconds)
            await self._answer(scope, receive, answer)

    async def _answer(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        try:
            await self._pass_on(scope, receive, answer)
        except RefusedError as refused:
            await answer.refuse(refused)
        except GoneError:
            return  # and the connection is closed
        except Exception as error:
            if answer.status and isinstance(error.__cause__, HTTPException):
                await answer.end()  # Gradio has said in its stream that there is no such session
                return
            traceback.print_exc()
            await answer.refuse(RefusedError(500, WRONG))

    async def _pass_on(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        path, method = scope["path"], scope["method"]
        if method not in ("GET", "HEAD", "POST") or not OPEN.fullmatch(path):
            raise RefusedError(404, "There is nothing at this address.")
        if method == "POST" and self.traffic.stopping:
            raise RefusedError(503, STOPPING)
        if method == "POST" and (call := CALL.fullmatch(path)):
            await answer.tell(await self._call(scope, receive, route=call[1], name=call[2]))
        elif method == "POST" and path.rstrip("/") == UPLOAD:
            await answer.tell(await self._upload(scope, receive))
        elif STREAM.fullmatch(path):
            with self.traffic.stream():
                await self.app(scope, receive, answer.send)
        else:
            await self.app(scope, receive, answer.send)

    async def _call(self, scope: Scope, receive: Receive, *, route: str, name: str) -> Told:
        """Return the answer to a call.

        It is whole before its turn ends, so that a caller who does not take it holds up nobody.

        Raises:
            RefusedError: it is not a call, or costs too much.
        """
        traffic, started, status = self.traffic, time.perf_counter(), 500
        try:
            async with read_body(receive, traffic) as body:
                parsed, changed = parse(body, traffic.limits)
                if traffic.calls.check(route, name, parsed) or changed:
                    body = orjson.dumps(parsed)
                heard = Heard()
                async with traffic.turn(route, name, parsed.get("session_hash") or ""):
                    await self.app(_as_json(scope, body), again(body, receive), heard.hear)
            told = retell(heard, route)
            status = told.status
            return told
        except RefusedError as refused:
            status = refused.status
            raise
        finally:
            label = name if name in traffic.calls.parameters else ""
            traffic.observe(route, label, status, time.perf_counter() - started)

    async def _upload(self, scope: Scope, receive: Receive) -> Told:
        """Return where an upload lies.

        Raises:
            RefusedError: it is too large or too slow, of no file or of several.
        """
        limits = self.traffic.limits
        bounded = Bounded(receive, limits, most=limits.max_upload + FORM, what="An upload")
        length = dict(scope["headers"]).get(b"content-length", b"")
        expected = int(length) if length.isdigit() else limits.max_upload
        too_large = RefusedError(413, f"A file has at most {limits.max_upload:,} bytes here.")
        if expected > limits.max_upload + FORM:
            raise too_large
        parts = _Parts(scope, bounded.receive)
        heard = Heard()
        scope["query_string"] = b""  # Gradio would keep what it says of an upload's progress
        async with self.traffic.room(expected):
            try:
                await self.app(scope, parts.receive, heard.hear)
            except MALFORMED as error:
                raise RefusedError(400, NO_FORM) from error
        if heard.start["status"] == 413:
            raise too_large
        if heard.start["status"] != 200 or heard.body == b"[]":
            raise RefusedError(400, NO_FORM)
        return Told(200, heard.body, [])


class _Parts:
    """A form on its way in, with at most one file: each costs a folder."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        kind = dict(scope["headers"]).get(b"content-type", b"")
        found = re.search(rb'boundary="?([^";,]+)', kind)
        self._mark = b"--" + found[1].strip() if found else b""
        self._receive = receive
        self._tail = b""
        self._count = 0

    async def receive(self) -> Message:
        """Receive the next piece of it.

        Raises:
            RefusedError: there is more than one part.
        """
        message = await self._receive()
        if self._mark:
            piece = self._tail + message.get("body", b"")
            self._count += piece.count(self._mark)
            self._tail = piece[-(len(self._mark) - 1) :]
            if self._count > 2:  # before the part, and after it
                raise RefusedError(413, "One file at a time is taken here.")
        return message


def _as_json(scope: Scope, body: bytes) -> Scope:
    """Return the scope of a call as what its body is, whatever its headers say."""
    others = [h for h in scope["headers"] if h[0] not in (b"content-type", b"content-length")]
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return {**scope, "headers": [*others, *headers]}
