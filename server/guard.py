"""ASGI middleware that rejects requests before Gradio handles them.

Gradio has more routes than this app uses, and does not limit the size of a body, the time it takes
to arrive, or the calls that bypass its queue.
"""

import re
import time
import traceback

import orjson
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from server.body import (
    MAX_FORM_HEADER,
    NOT_A_FORM,
    LimitedBody,
    SingleFileForm,
    parse_json,
    read_json_body,
    replay,
)
from server.capacity import Capacity
from server.endpoints import Endpoints
from server.errors import RequestError
from server.responses import (
    INTERNAL_ERROR,
    BufferedResponse,
    ClientGoneError,
    ResponseSender,
    error_response,
    explain_lost_call,
    json_response,
    translate,
)
from server.site import Site

API = "/gradio_api/"
CALL = re.compile(rf"{API}(run|api|call/v2|call|component_server|queue/join|cancel)/?(\w*)/?")
STREAM = re.compile(rf"{API}(?:heartbeat/.+|queue/data|call/.+)/?")
UPLOAD = f"{API}upload"
# The paths that the page and Gradio's clients request. Gradio's other routes stay closed: they
# create a folder per call (deep_link), fetch URLs for a caller (file=http…, proxy=), serve files to
# anyone who knows their hash (file=), or tell how the server is used (monitoring, runs).
OPEN_PATHS = re.compile(
    r"/(?:card|lesson|health|config|theme\.css|robots\.txt|favicon\.ico|manifest\.json|pwa_icon(?:/\d+)?"
    r"|(?:assets|scripts|static|svelte)/[ -~]{1,200}"
    r"|gradio_api/(?:info|openapi\.json|theme\.css|app_id|user|login_check"
    r"|upload|cancel|component_server|heartbeat/[\w-]+"
    r"|queue/(?:join|data|status)|(?:run|api)/\w+|call/(?:v2/)?\w+(?:/\w+)?))?/?"
)
STOPPING = "The server is stopping: try again in a moment."


class RequestGuard:
    """Rejects requests that are not for this app or cost too much; passes the others on."""

    def __init__(
        self, app: ASGIApp, *, capacity: Capacity, endpoints: Endpoints, site: Site
    ) -> None:
        self.app = app
        self.capacity = capacity
        self.endpoints = endpoints
        self.site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            max_seconds = self.capacity.limits.max_seconds
            sender = ResponseSender(send, self.site, max_seconds=max_seconds)
            await self._respond(self.site.without_prefix(scope), receive, sender)

    async def _respond(self, scope: Scope, receive: Receive, sender: ResponseSender) -> None:
        """Handle one request; turn each error into a response."""
        try:
            try:
                await self._handle(scope, receive, sender)
            except RequestError as error:
                if sender.status:  # the response has started and can only break off
                    raise
                await error_response(error)(scope, receive, sender.send)
        except ClientGoneError:
            return  # uvicorn closes the connection
        except Exception as error:
            if sender.status and isinstance(error.__cause__, HTTPException):
                await (
                    sender.end()
                )  # Gradio's stream has already reported that the session is unknown
                return
            traceback.print_exc()
            if sender.status:
                raise
            internal = RequestError(500, INTERNAL_ERROR)
            await error_response(internal)(scope, receive, sender.send)

    async def _handle(self, scope: Scope, receive: Receive, sender: ResponseSender) -> None:
        path, method, headers = scope["path"], scope["method"], Headers(scope=scope)
        self.site.check_host(headers)
        if not path:
            await _redirect_to_root(scope)(scope, receive, sender.send)
            return
        if method not in ("GET", "HEAD", "POST") or not OPEN_PATHS.fullmatch(path):
            raise RequestError(404, "There is nothing at this address.")
        is_post, is_stream = method == "POST", STREAM.fullmatch(path)
        if is_post or is_stream:
            self.site.check_origin(headers)
        if is_post and self.capacity.stopping:
            raise RequestError(503, STOPPING)
        if is_post and (call := CALL.fullmatch(path)):
            response: ASGIApp = await self._call(scope, receive, route=call[1], name=call[2])
            if call[1] == "component_server":  # each stroke on the page sends dozens of calls
                response = GZipMiddleware(response, compresslevel=1)
            await response(scope, receive, sender.send)
        elif is_post and path.rstrip("/") == UPLOAD:
            response = await self._upload(scope, receive)
            await response(scope, receive, sender.send)
        elif is_stream:
            with self.capacity.stream():
                await self.app(scope, receive, explain_lost_call(sender.send))
        else:
            await self.app(scope, receive, sender.send)

    async def _call(self, scope: Scope, receive: Receive, *, route: str, name: str) -> Response:
        """Return the response to a call.

        The response is complete before the call's slot is free for the next, so that a client who
        does not read it delays no other client.

        Raises:
            RequestError: the call is invalid, costs too much, or failed.
        """
        capacity, started, status = self.capacity, time.perf_counter(), 500
        try:
            _check_content_type(Headers(scope=scope))
            async with read_json_body(receive, capacity) as body:
                parsed, changed = parse_json(body, capacity.limits)
                if self.endpoints.check(route, name, parsed) or changed:
                    body = orjson.dumps(parsed)
                buffered = BufferedResponse()
                async with capacity.slot(route, name, parsed.get("session_hash") or ""):
                    await self.app(
                        _with_json_headers(scope, body), replay(body, receive), buffered.send
                    )
            response = translate(buffered, route)
            status = response.status_code
            return response
        except RequestError as error:
            status = error.status
            raise
        finally:
            label = name if name in self.endpoints.parameters else ""
            capacity.observe(route, label, status, time.perf_counter() - started)

    async def _upload(self, scope: Scope, receive: Receive) -> Response:
        """Return the response to an upload: the path of its file.

        Raises:
            RequestError: it is too large or too slow, or does not have exactly one file.
        """
        limits = self.capacity.limits
        max_bytes = limits.max_upload + MAX_FORM_HEADER
        body = LimitedBody(receive, limits, max_bytes=max_bytes, what="An upload")
        length = dict(scope["headers"]).get(b"content-length", b"")
        expected = int(length) if length.isdigit() else limits.max_upload
        too_large = RequestError(413, f"A file may have at most {limits.max_upload:,} bytes.")
        if expected > max_bytes:
            raise too_large
        form, buffered = SingleFileForm(Headers(scope=scope), body.receive), BufferedResponse()
        scope["query_string"] = b""  # Gradio would store the progress of an upload_id
        async with self.capacity.upload(expected):
            await self.app(scope, form.receive, buffered.send)
        if buffered.status == 413:
            raise too_large
        if buffered.status != 200 or buffered.body == b"[]":
            raise RequestError(400, NOT_A_FORM)
        return json_response(buffered.body)


def _redirect_to_root(scope: Scope) -> Response:
    """Redirect `/draw` to `/draw/`, as the links on the page are relative."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return Response(status_code=307, headers={"location": "/" + query.decode("latin-1")})


def _check_content_type(headers: Headers) -> None:
    """Reject content types other than JSON, which any page may send without a CORS preflight.

    Raises:
        RequestError: the content type is not JSON.
    """
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        message = f"The body must be JSON, not {kind[:100]!r}: send Content-Type: application/json."
        raise RequestError(415, message)


def _with_json_headers(scope: Scope, body: bytes) -> Scope:
    """Return the scope of a call with the content type and length of this body."""
    others = [h for h in scope["headers"] if h[0] not in (b"content-type", b"content-length")]
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return {**scope, "headers": [*others, *headers]}
