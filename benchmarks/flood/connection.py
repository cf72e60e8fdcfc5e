"""A small asynchronous HTTP/1.1 client, fast enough for a flood."""

import asyncio
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.serving.callers import JSON


class Reply(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class HttpConnection:
    """A connection that is kept open between requests."""

    def __init__(self, url: str) -> None:
        self.host, self.port = urlsplit(url).hostname, urlsplit(url).port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def request(self, method: str, path: str, body: bytes = b"", kind: str = JSON) -> Reply:
        """Send a request; return the whole response.

        Raises:
            OSError, EOFError: the connection was closed early.
        """
        await self.send(method, path, body, kind)
        return await self.receive()

    async def send(
        self, method: str, path: str, body: bytes = b"", kind: str = JSON, *, length: int = -1
    ) -> None:
        """Send a request. `length` announces a longer body, whose rest is sent later."""
        if self.reader is None or self.reader.at_eof():
            self.close()
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        length = len(body) if length < 0 else length
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        )
        await self.write(head.encode() + body)

    async def write(self, data: bytes) -> None:
        assert self.writer
        self.writer.write(data)
        await self.writer.drain()

    async def receive(self) -> Reply:
        """Return the whole response."""
        status, headers = await self.head()
        assert self.reader
        if headers.get("transfer-encoding") == "chunked":
            body = b"".join([part async for part in self._chunks(self.reader)])
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return Reply(status, headers, body)

    async def head(self) -> tuple[int, dict[str, str]]:
        """Return the status and the headers of the response, by lower-case name."""
        assert self.reader
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines if line)
        return int(first.split()[1]), {name.lower(): value for name, _, value in pairs}

    async def _chunks(self, reader: asyncio.StreamReader):
        while size := int(await reader.readuntil(b"\r\n"), 16):
            yield (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)

    def close(self) -> None:
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None
