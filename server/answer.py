"""An answer on its way out: gets the headers, and loses what is nobody's business."""

import asyncio
import re
import secrets
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import orjson
from starlette.types import Message, Send

from server.calls import RefusedError
from server.site import Site
from server.traffic import BUSY

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
    "frame-ancestors {frames}"
)
CSP_OF_DATA = b"default-src 'none'; frame-ancestors 'none'"
WRONG = "Something went wrong here, not with your call; it has been noted."
JSON = (b"content-type", b"application/json")


class GoneError(Exception):
    """A caller does not take the answer."""


class Answer:
    """One answer, message by message."""

    def __init__(self, send: Send, site: Site, *, seconds: float) -> None:
        self._send = send
        self._site = site
        self._seconds = seconds  # that the caller may take to take a part of it
        self._page: Heard | None = None
        self.status = 0  # of what was sent; 0 before

    async def send(self, message: Message) -> None:
        """Send a message, with the headers; a page is held until it is whole, for its nonce.

        Raises:
            GoneError: the caller does not take it.
        """
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = _with_location(message, self._site.prefix)
            if dict(message["headers"]).get(b"content-type", b"").startswith(b"text/html"):
                self._page = Heard()
            else:
                message = _with_headers(message, CSP_OF_DATA)
        if not self._page:
            await self._in_time(message)
            return
        await self._page.hear(message)
        if self._page.whole:
            start, body = _with_nonce(self._page, self._site.frames)
            await self._in_time(start)
            await self._in_time({"type": "http.response.body", "body": body})

    async def tell(self, told: "Told") -> None:
        """Send a whole answer of JSON."""
        length = (b"content-length", str(len(told.body)).encode())
        headers = [JSON, length, *told.headers]
        start = {"type": "http.response.start", "status": told.status, "headers": headers}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": told.body})

    async def refuse(self, refused: RefusedError) -> None:
        """Say why not, unless an answer is under way: then it breaks off."""
        if self.status:
            raise refused
        # The rest of a body that is not wanted would be read first.
        close = [(b"connection", b"close")] if refused.status in (400, 408, 413) else []
        await self.tell(Told.refusal(refused.status, str(refused), close))

    async def end(self) -> None:
        """End an answer that is under way."""
        await self._in_time({"type": "http.response.body", "body": b"", "more_body": False})

    async def _in_time(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._send(message)
        except TimeoutError as error:
            raise GoneError from error


class Heard:
    """An answer of Gradio's, kept until it is whole."""

    def __init__(self) -> None:
        self.start: Message = {}
        self.body = b""
        self.whole = False

    async def hear(self, message: Message) -> None:
        """Take one of its messages."""
        if message["type"] == "http.response.start":
            self.start = message
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            self.whole = not message.get("more_body")


class Told(NamedTuple):
    """What a caller is told."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]

    @classmethod
    def refusal(
        cls, status: int, message: str, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> "Told":
        """Say no: in `error` as Gradio does, in `detail` as FastAPI does."""
        again = [(b"retry-after", b"1")] if status == 503 else []
        return cls(status, orjson.dumps({"error": message, "detail": message}), [*headers, *again])


def retell(heard: Heard, route: str) -> Told:
    """Return what Gradio answers to a call; a failure as the gate's own are told.

    What a caller can mend is 422: Gradio says 500 of it, as of all that fails.
    """
    status = heard.start["status"]
    if status < 400:
        return Told(status, heard.body, [])
    if status == 503:
        return Told.refusal(503, BUSY)
    said = orjson.loads(heard.body)
    reason = said.get("error") or said.get("detail")
    if isinstance(reason, list):  # of FastAPI, with all that was sent
        reason = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in reason[:3])[:300]
    if status == 500 and route in ("run", "api") and reason:
        status = 422
    return Told.refusal(status, reason if reason and status != 500 else WRONG)


def _with_headers(message: Message, csp: bytes) -> Message:
    headers = [*message["headers"], *HEADERS, (b"content-security-policy", csp)]
    return {**message, "headers": headers}


def _with_location(message: Message, prefix: str) -> Message:
    """Return the start of a response; a redirect leads to a path below the site's prefix.

    Gradio redirects to `/card`, Starlette to a URL with the scheme that the proxy uses.
    """
    if not 300 <= message["status"] < 400:
        return message
    headers = []
    for name, value in message["headers"]:
        if name == b"location":
            to = urlsplit(value.decode("latin-1"))
            value = urlunsplit(("", "", prefix + to.path, to.query, "")).encode("latin-1")
        headers.append((name, value))
    return {**message, "headers": headers}


def _with_nonce(page: Heard, frames: str) -> tuple[Message, bytes]:
    nonce = secrets.token_urlsafe(16)
    body = re.sub(rb"<script(?=[\s>])", f'<script nonce="{nonce}"'.encode(), page.body)
    headers = [header for header in page.start["headers"] if header[0] != b"content-length"]
    headers += [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    start = {**page.start, "headers": headers}
    return _with_headers(start, CSP.format(nonce=nonce, frames=frames).encode()), body
