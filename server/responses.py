"""Responses: security headers on each, and Gradio's errors as 4xx responses with a reason."""

import asyncio
import re
import secrets
from urllib.parse import urlsplit, urlunsplit

import orjson
from starlette.responses import Response
from starlette.types import Message, Send

from server.errors import RequestError
from server.gradio_internals import UNKNOWN_CALL
from server.site import Site

SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
# Gradio compiles the template of a gr.HTML with Function(), and sets style attributes.
PAGE_CSP = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'self'; "
    "frame-ancestors {frames}"
)
DATA_CSP = b"default-src 'none'; frame-ancestors 'none'"
INTERNAL_ERROR = "Internal server error. The request was not at fault, and the error was logged."
LOST_CALL = "The server has no such call, or has been restarted since: send the call again."
BUSY = "The server has as many requests as it can handle: try again in a second."


class ClientGoneError(Exception):
    """The client did not read the response in time."""


class ResponseSender:
    """The `send` of one response: adds the security headers and limits the time of each part."""

    def __init__(self, send: Send, site: Site, *, max_seconds: float) -> None:
        self._send = send
        self._site = site
        self._max_seconds = max_seconds
        self._page: BufferedResponse | None = None
        self.status = 0  # the status that was sent; 0 before the response started

    async def send(self, message: Message) -> None:
        """Send one ASGI message. HTML pages are buffered, because their scripts get a nonce.

        Raises:
            ClientGoneError: the client did not read the message in time.
        """
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = _with_prefix(message, self._site.prefix)
            if dict(message["headers"]).get(b"content-type", b"").startswith(b"text/html"):
                self._page = BufferedResponse()
            else:
                message = _with_headers(message, DATA_CSP)
        if not self._page:
            await self._send_in_time(message)
            return
        await self._page.send(message)
        if self._page.complete:
            start, body = _with_nonce(self._page, self._site.frames)
            await self._send_in_time(start)
            await self._send_in_time({"type": "http.response.body", "body": body})

    async def end(self) -> None:
        """End a response that has started."""
        await self._send_in_time({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_in_time(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._max_seconds):
                await self._send(message)
        except TimeoutError as error:
            raise ClientGoneError from error


class BufferedResponse:
    """A response that is collected before anything of it is sent."""

    def __init__(self) -> None:
        self.start: Message = {}
        self.body = b""
        self.complete = False

    @property
    def status(self) -> int:
        """The status code."""
        return self.start["status"]

    async def send(self, message: Message) -> None:
        """Collect one ASGI message."""
        if message["type"] == "http.response.start":
            self.start = message
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            self.complete = not message.get("more_body")


def explain_lost_call(send: Send) -> Send:
    """Return a `send` for event streams that replaces Gradio's message for unknown calls."""

    async def explain(message: Message) -> None:
        if message["type"] == "http.response.body":
            text = message.get("body", b"").replace(UNKNOWN_CALL, orjson.dumps(LOST_CALL))
            message = {**message, "body": text}
        await send(message)

    return explain


def json_response(body: bytes, status: int = 200) -> Response:
    """Return a response with a body that is JSON already."""
    return Response(body, status, media_type="application/json")


def error_response(error: RequestError) -> Response:
    """Return the response to a rejected request.

    Its message is in `error`, as in Gradio's responses, and in `detail`, as in FastAPI's.
    """
    headers = {}
    if error.status == 503:
        headers["retry-after"] = "1"
    elif error.status in (400, 408, 413):
        headers["connection"] = "close"  # or the server would read the rest of the body first
    body = orjson.dumps({"error": str(error), "detail": str(error)})
    return Response(body, error.status, headers, "application/json")


def translate(response: BufferedResponse, route: str) -> Response:
    """Return Gradio's response to a call, with status 4xx for errors of the caller.

    Gradio answers 500 to every failed call. Here a call that its sender can correct gets 422.

    Raises:
        RequestError: the call failed.
    """
    if response.status < 400:
        return json_response(response.body, response.status)
    if response.status == 503:
        raise RequestError(503, BUSY)
    content = orjson.loads(response.body)
    reason = content.get("error") or content.get("detail")
    if isinstance(reason, list):  # FastAPI's list repeats all that was sent
        reason = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in reason[:3])[:300]
    status = (
        422 if response.status == 500 and route in ("run", "api") and reason else response.status
    )
    raise RequestError(status, reason if reason and status != 500 else INTERNAL_ERROR)


def _with_headers(message: Message, csp: bytes) -> Message:
    headers = [*message["headers"], *SECURITY_HEADERS, (b"content-security-policy", csp)]
    return {**message, "headers": headers}


def _with_prefix(message: Message, prefix: str) -> Message:
    """Return the start of a response whose redirect, if any, is a path under the site's prefix.

    Gradio redirects to `/card`, Starlette to a URL with the scheme that the proxy uses.
    """
    if not 300 <= message["status"] < 400:
        return message
    headers = []
    for name, value in message["headers"]:
        if name == b"location":
            target = urlsplit(value.decode("latin-1"))
            path = urlunsplit(("", "", prefix + target.path, target.query, ""))
            value = path.encode("latin-1")
        headers.append((name, value))
    return {**message, "headers": headers}


def _with_nonce(page: BufferedResponse, frames: str) -> tuple[Message, bytes]:
    """Return a page's start and body, with a new nonce in its policy and on each of its scripts."""
    nonce = secrets.token_urlsafe(16)
    body = re.sub(rb"<script(?=[\s>])", f'<script nonce="{nonce}"'.encode(), page.body)
    headers = [header for header in page.start["headers"] if header[0] != b"content-length"]
    headers += [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    csp = PAGE_CSP.format(nonce=nonce, frames=frames).encode()
    return _with_headers({**page.start, "headers": headers}, csp), body
