"""The gate: what a request must be before Gradio sees it.

Gradio opens more doors than this app uses, and sets no limit to a body's size, to the time that
it takes to arrive, or to the calls that skip its queue. All of that is here, as ASGI middleware.
"""

import re
import time
import traceback

import orjson
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.answer import WRONG, Answer, GoneError, Heard, Told, retell
from server.body import Bounded, again, parse, read_body
from server.calls import RefusedError
from server.site import Site
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
    r"|(?:assets|scripts|static|svelte)/[ -~]{1,200}"
    r"|gradio_api/(?:info|openapi\.json|theme\.css|app_id|user|login_check"
    r"|upload|cancel|component_server|heartbeat/[\w-]+"
    r"|queue/(?:join|data|status)|(?:run|api)/\w+|call/(?:v2/)?\w+(?:/\w+)?))?/?"
)
FORM = 10_000  # bytes of a form around an uploaded file
BOUNDARY = re.compile(rb"[ -~]{1,70}")  # RFC 2046
NO_FORM = 'Send multipart/form-data, with one file in a field "files" that has a filename.'
STOPPING = "The server is stopping: try again in a moment."


class Gate:
    """ASGI middleware: refuse what is not a request to this app, or costs too much."""

    def __init__(self, app: ASGIApp, traffic: Traffic, site: Site) -> None:
        self.app = app
        self.traffic = traffic
        self.site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            answer = Answer(send, self.site, seconds=self.traffic.limits.max_seconds)
            await self._answer(self.site.without_prefix(scope), receive, answer)

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
        path, method, headers = scope["path"], scope["method"], Headers(scope=scope)
        self.site.check_host(headers)
        if not path:
            await answer.tell(_to_root(scope))
            return
        if method not in ("GET", "HEAD", "POST") or not OPEN.fullmatch(path):
            raise RefusedError(404, "There is nothing at this address.")
        if method == "POST" or STREAM.fullmatch(path):
            self.site.check_origin(headers)
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
            _check_json(Headers(scope=scope))
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
        form, heard = _Form(Headers(scope=scope), bounded.receive), Heard()
        scope["query_string"] = b""  # Gradio would keep what it says of an upload's progress
        async with self.traffic.room(expected):
            await self.app(scope, form.receive, heard.hear)
        if heard.start["status"] == 413:
            raise too_large
        if heard.start["status"] != 200 or heard.body == b"[]":
            raise RefusedError(400, NO_FORM)
        return Told(200, heard.body, [])


class _Form:
    """The body of an upload on its way in: a form of exactly one file, as each takes a folder."""

    def __init__(self, headers: Headers, receive: Receive) -> None:
        kind, options = parse_options_header(headers.get("content-type", ""))
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not BOUNDARY.fullmatch(boundary):
            raise RefusedError(400, NO_FORM)
        self._mark = b"--" + boundary
        self._receive = receive
        self._head = b""  # of the part, until it is whole
        self._tail = b""
        self._count = 0

    async def receive(self) -> Message:
        """Receive the next piece of it.

        Raises:
            RefusedError: it has several parts, or the one that it has is not a file.
        """
        message = await self._receive()
        body = message.get("body", b"")
        if len(self._head) < FORM:
            self._head += body
            if body and b"\r\n\r\n" in self._head:
                _check_file(self._head.partition(b"\r\n\r\n")[0])
                self._head = bytes(FORM)
        piece = self._tail + body
        self._count += piece.count(self._mark)
        self._tail = piece[-(len(self._mark) - 1) :]
        if self._count > 2:  # before the part, and after it
            raise RefusedError(413, "One file at a time is taken here.")
        return message


def _check_file(head: bytes) -> None:
    """Refuse a part of a form that Gradio would not take for a file.

    Raises:
        RefusedError: its field is not `files`, or it has no filename.
    """
    found = re.findall(rb"^content-disposition:(.*)$", head, re.IGNORECASE | re.MULTILINE)
    _, options = parse_options_header(found[-1].strip() if found else None)
    if options.get(b"name") != b"files" or b"filename" not in options:
        raise RefusedError(400, NO_FORM)


def _to_root(scope: Scope) -> Told:
    """Redirect `/draw` to `/draw/`, as the page's links are relative."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return Told(307, b"", [(b"location", b"/" + query)])


def _check_json(headers: Headers) -> None:
    """Refuse a Content-Type other than JSON: any page may send text or a form without a preflight.

    Raises:
        RefusedError: the Content-Type is not JSON.
    """
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        said = f"The body is JSON here, not {kind[:100]!r}: send Content-Type: application/json."
        raise RefusedError(415, said)


def _as_json(scope: Scope, body: bytes) -> Scope:
    """Return the scope of a call as what its body is, whatever its headers say."""
    others = [h for h in scope["headers"] if h[0] not in (b"content-type", b"content-length")]
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return {**scope, "headers": [*others, *headers]}
