"""A client that can send any request: over HTTP, or as raw bytes on a socket."""

import base64
import http.client
import io
import json
import re
import secrets
import socket
import urllib.parse
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

API = "/gradio_api"
JSON = {"Content-Type": "application/json"}
BOUNDARY = "edge-of-a-part"
TIMEOUT = 20  # s; a request that takes longer is taken to hang


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: str
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Send = Callable[["Caller"], Answer]


class Case(NamedTuple):
    """One hostile input, and the expected response."""

    name: str
    send: Send
    status: range | tuple[int, ...]
    says: str = ""  # text that the response must contain

    def __repr__(self) -> str:
        return self.name


ANSWERED = (200,)
REFUSED = range(400, 500)
READ = '"verdict"'  # part of a response with a reading


class Caller:
    """A client of one server."""

    def __init__(self, url: str) -> None:
        self.where = urllib.parse.urlsplit(url)
        config = json.loads(self.get("/config").body)
        self.parts = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
        self.functions = {f["api_name"]: f["id"] for f in config["dependencies"]}

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection(
            str(self.where.hostname), self.where.port, timeout=TIMEOUT
        )
        try:
            with suppress(
                BrokenPipeError, ConnectionResetError
            ):  # the server responded before it had read all
                connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            return Answer(answer.status, str(answer.headers), text)
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, call: str, body: bytes | Any, headers: dict[str, str] = JSON) -> Answer:
        """Post a body to a route of the API: bytes unchanged, other values as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", f"{API}/{call}", data, headers)

    def run(self, name: str, *arguments: Any) -> Answer:
        return self.post(f"run/{name}", {"data": arguments})

    def call(self, name: str, *arguments: Any) -> Answer:
        return self._event(name, self.post(f"call/{name}", {"data": arguments}))

    def call_named(self, name: str, **arguments: Any) -> Answer:
        return self._event(name, self.post(f"call/v2/{name}", arguments))

    def _event(self, name: str, asked: Answer) -> Answer:
        """Return the result of a queued call in the form of a response of `run`."""
        if asked.status != 200:
            return asked
        events = self.get(f"{API}/call/{name}/{asked.json['event_id']}")
        event, data = re.findall(r"event: (\w+)\ndata: (.*)", events.body)[-1]
        if event == "complete":
            return events._replace(body=data)
        return events._replace(status=422 if (json.loads(data) or {}).get("error") else 500)

    def join(self, name: str, *arguments: Any) -> Answer:
        """Call an endpoint as gradio_client does."""
        session = secrets.token_hex(8)
        body = {"fn_index": self.functions[name], "data": arguments, "session_hash": session}
        asked = self.post("queue/join", body)
        if asked.status != 200:
            return asked
        events = self.get(f"{API}/queue/data?session_hash={session}")
        messages = [json.loads(data) for data in re.findall(r"data: (.*)", events.body)]
        done = next(m for m in messages if m["msg"] == "process_completed")
        failed = 422 if done["output"].get("error") else 500
        return events._replace(status=200 if done["success"] else failed)

    def page(self, part: str, function: str, question: Any, **other: Any) -> Answer:
        body = {
            "component_id": self.parts[part],
            "fn_name": function,
            "session_hash": "hostile",
            "data": question,
        }
        return self.post("component_server/", body | other)

    def upload(self, data: bytes, name: str = "digit.png") -> Answer:
        body, headers = form([("files", name, data)])
        return self.post("upload", body, headers)

    def uploaded(self, data: bytes, name: str = "digit.png") -> dict[str, Any]:
        answer = self.upload(data, name)
        assert answer.status == 200, answer
        [path] = answer.json
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    def raw(self, *parts: bytes, end: bool = True) -> Answer:
        """Send raw bytes; return the response once the server closes or is silent for 3 s."""
        received = b""
        with socket.create_connection((self.where.hostname, self.where.port), timeout=3) as wire:
            try:
                for part in parts:
                    wire.sendall(part)
                if end:
                    wire.shutdown(socket.SHUT_WR)
                while part := wire.recv(65_536):
                    received += part
            except OSError:
                pass  # the bytes received before are the response
        head, _, body = received.decode("utf-8", "replace").partition("\r\n\r\n")
        status = re.match(r"HTTP/1.1 (\d+)", head)
        return Answer(int(status[1]) if status else 0, head, body)


def form(
    parts: Iterable[tuple[str, str | None, bytes]], boundary: str = BOUNDARY
) -> tuple[bytes, dict[str, str]]:
    """Return a multipart body and its headers; each part is (field, filename or None, data)."""
    body = b""
    for field, name, data in parts:
        named = "" if name is None else f'; filename="{name}"'
        body += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"{named}\r\n'.encode()
        )
        body += b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def zipped(*files: tuple[str, bytes], **options: int) -> bytes:
    """Return a .zip of these names and contents."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            entry = zipfile.ZipInfo(name)
            for option, value in options.items():
                setattr(entry, option, value)
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def data_url(data: bytes, kind: str = "image/png") -> str:
    """Return a data URL that contains a file."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
