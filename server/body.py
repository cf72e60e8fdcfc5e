"""Request bodies: read within limits, and checked before they are parsed."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import orjson
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.types import Message, Receive

from server.capacity import Capacity
from server.errors import RequestError
from server.limits import ServerLimits

META_KEY = re.compile(rb"meta|\\")  # a JSON string may spell `meta` with escapes
NOT_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))  # bytes that do not nest JSON values
MAX_FORM_HEADER = 10_000  # bytes of a multipart form around its file
BOUNDARY = re.compile(rb"[ -~]{1,70}")  # RFC 2046
NOT_A_FORM = 'Send multipart/form-data with one file, in a field named "files" with a filename.'


class LimitedBody:
    """A request body with a maximum size, which must arrive within `max_seconds`."""

    def __init__(
        self, receive: Receive, limits: ServerLimits, *, max_bytes: int, what: str
    ) -> None:
        self._receive = receive
        self._max_seconds = limits.max_seconds
        self._deadline = asyncio.get_running_loop().time() + limits.max_seconds
        self._max_bytes = max_bytes
        self._too_large = RequestError(413, f"{what} may have at most {max_bytes:,} bytes.")
        self._n_bytes = 0

    async def receive(self) -> Message:
        """Receive the next part.

        Raises:
            RequestError: the body is too large or too slow, or the client has disconnected.
        """
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            message = f"A request must arrive within {self._max_seconds} seconds."
            raise RequestError(408, message) from error
        if message["type"] == "http.disconnect":
            raise RequestError(400, "The request ended before it was complete.")
        self._n_bytes += len(message.get("body", b""))
        if self._n_bytes > self._max_bytes:
            raise self._too_large
        return message


@asynccontextmanager
async def read_json_body(receive: Receive, capacity: Capacity) -> AsyncGenerator[bytes]:
    """Read a whole JSON body, and count its bytes while the block runs.

    Raises:
        RequestError: it is too large or too slow, or there are too many bodies.
    """
    limits, parts = capacity.limits, []
    body = LimitedBody(receive, limits, max_bytes=limits.max_json, what="A JSON body")
    try:
        more = True
        while more:
            message = await body.receive()
            parts.append(message.get("body", b""))
            capacity.add_body_bytes(len(parts[-1]))
            more = message.get("more_body", False)
        yield b"".join(parts)
    finally:
        capacity.add_body_bytes(-sum(map(len, parts)))


def parse_json(body: bytes, limits: ServerLimits) -> tuple[Any, bool]:
    """Return the value of a JSON body, and whether `meta` keys were removed from it.

    Raises:
        RequestError: it is not JSON, or has too many values or levels.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > limits.max_values:
        raise RequestError(413, f"A JSON body may have at most {limits.max_values:,} values.")
    if nesting_depth(body, limits.max_depth) > limits.max_depth:
        raise RequestError(413, f"A JSON body may have at most {limits.max_depth} levels.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"The body is not JSON: {error}. Upload a file to /gradio_api/upload first."
        raise RequestError(400, message) from error
    return value, bool(META_KEY.search(body)) and _remove_meta(value)


def nesting_depth(body: bytes, limit: int) -> int:
    """Return how deeply JSON is nested; 0 if it has too few arrays and objects to be too deep.

    It runs on the event loop, so a body of megabytes is counted without a Python loop over bytes.
    """
    if body.count(b"[") + body.count(b"{") <= limit:
        return 0
    structure = body.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, NOT_STRUCTURE)
    brackets = np.frombuffer(b"".join(structure.split(b'"')[::2]), np.uint8)  # outside of strings
    opening = (brackets == ord("[")) | (brackets == ord("{"))
    return int(np.where(opening, 1, -1).cumsum().max(initial=0))


def replay(body: bytes, receive: Receive) -> Receive:
    """Return an ASGI `receive` that gives a body that was read already, then what follows it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


class SingleFileForm:
    """The body of an upload: a multipart form with exactly one file."""

    def __init__(self, headers: Headers, receive: Receive) -> None:
        kind, options = parse_options_header(headers.get("content-type", ""))
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not BOUNDARY.fullmatch(boundary):
            raise RequestError(400, NOT_A_FORM)
        self._delimiter = b"--" + boundary
        self._receive = receive
        self._part_header = b""  # collected until it is complete
        self._header_checked = False
        self._tail = b""  # of the last message, where a delimiter may begin
        self._n_delimiters = 0

    async def receive(self) -> Message:
        """Receive the next part of the body.

        Raises:
            RequestError: the form has several parts, or its part is not a file.
        """
        message = await self._receive()
        body = message.get("body", b"")
        if not self._header_checked:
            self._check_header(body)
        window = self._tail + body
        self._n_delimiters += window.count(self._delimiter)
        self._tail = window[-(len(self._delimiter) - 1) :]
        if self._n_delimiters > 2:  # before the part, and after it
            raise RequestError(413, "Send one file at a time.")
        return message

    def _check_header(self, body: bytes) -> None:
        self._part_header += body
        header, end, _ = self._part_header.partition(b"\r\n\r\n")
        self._header_checked = bool(end) or len(self._part_header) >= MAX_FORM_HEADER
        if end:
            _check_file_field(header)


def _check_file_field(header: bytes) -> None:
    """Reject a part of a form that Gradio would not accept as a file.

    Raises:
        RequestError: its field is not named `files`, or it has no filename.
    """
    found = re.findall(rb"^content-disposition:(.*)$", header, re.IGNORECASE | re.MULTILINE)
    _, options = parse_options_header(found[-1].strip() if found else None)
    if options.get(b"name") != b"files" or b"filename" not in options:
        raise RequestError(400, NOT_A_FORM)


def _remove_meta(value: Any) -> bool:
    """Remove each `meta` key, which marks a file, from nested JSON; return whether there was one.

    Gradio would look for marked files on the server's disk, or download them from their URLs. The
    endpoints find their uploads without it.
    """
    found = isinstance(value, dict) and "meta" in value
    if found:
        del value["meta"]
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, dict | list):
            found |= _remove_meta(child)
    return found
