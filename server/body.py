"""The body of a call: read as far as it may go, and counted before it is unpacked."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import orjson
from starlette.types import Message, Receive

from server.calls import RefusedError
from server.limits import ServerLimits
from server.traffic import Traffic

MARKED = re.compile(rb"meta|\\")  # `meta` may be written with escapes
TEXT = bytes(set(range(256)) - set(b'"[]{}'))  # all that has no say in how deep JSON is


@asynccontextmanager
async def read_body(receive: Receive, traffic: Traffic) -> AsyncGenerator[bytes]:
    """Read a body, and count its bytes as long as it is held.

    Raises:
        RefusedError: it is too large or too slow, or there are too many.
    """
    limits, parts = traffic.limits, []
    bounded = Bounded(receive, limits, most=limits.max_json, what="A JSON body")
    try:
        more = True
        while more:
            message = await bounded.receive()
            parts.append(message.get("body", b""))
            traffic.hold(len(parts[-1]))
            more = message.get("more_body", False)
        yield b"".join(parts)
    finally:
        traffic.hold(-sum(map(len, parts)))


class Bounded:
    """A body that may have so many bytes, and so many seconds to arrive."""

    def __init__(self, receive: Receive, limits: ServerLimits, *, most: int, what: str) -> None:
        self._receive = receive
        self._seconds = limits.max_seconds
        self._deadline = asyncio.get_running_loop().time() + limits.max_seconds
        self._most = most
        self._refusal = RefusedError(413, f"{what} has at most {most:,} bytes here.")
        self.size = 0

    async def receive(self) -> Message:
        """Receive the next part.

        Raises:
            RefusedError: it is too much or too late, or the caller is gone.
        """
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise RefusedError(408, f"A request has {self._seconds} seconds to arrive.") from error
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "The request ended before it was complete.")
        self.size += len(message.get("body", b""))
        if self.size > self._most:
            raise self._refusal
        return message


def parse(body: bytes, limits: ServerLimits) -> tuple[Any, bool]:
    """Return what a JSON body holds, and whether a mark was taken off it.

    Raises:
        RefusedError: it is not JSON, or has too many values or too deep ones.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > limits.max_values:
        raise RefusedError(413, f"A JSON body has at most {limits.max_values:,} values here.")
    if depth(body, limits.max_depth) > limits.max_depth:
        raise RefusedError(413, f"A JSON body is at most {limits.max_depth} levels deep here.")
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        said = f"The body is not JSON: {error}. A file goes to /gradio_api/upload first."
        raise RefusedError(400, said) from error
    return parsed, bool(MARKED.search(body)) and _unmark(parsed)


def depth(body: bytes, enough: int) -> int:
    """Return how deep the brackets of JSON go; those in its strings do not count.

    A body may be megabytes, and the page waits meanwhile: nothing here goes byte by byte in Python.
    """
    if body.count(b"[") + body.count(b"{") <= enough:
        return 0
    marks = body.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, TEXT)
    brackets = np.frombuffer(b"".join(marks.split(b'"')[::2]), np.uint8)
    opening = (brackets == ord("[")) | (brackets == ord("{"))
    return int(np.where(opening, 1, -1).cumsum().max(initial=0))


def again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read once more, and then what comes after it."""
    rest = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return rest.pop() if rest else await receive()

    return replay


def _unmark(value: Any) -> bool:
    """Take the mark off all that says it is a file; return whether there was one.

    Gradio would look for marked files on the server's disk, or download them where they are
    addresses. An endpoint finds its upload without.
    """
    marked = isinstance(value, dict) and "meta" in value
    if marked:
        del value["meta"]
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            marked |= _unmark(each)
    return marked
