"""One caller of the service, who may send anything: by HTTP, and by bytes on a socket."""

import base64
import http.client
import io
import json
import re
import secrets
import socket
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

API = "/gradio_api"
JSON = {"Content-Type": "application/json"}
BOUNDARY = "edge-of-a-part"
PATIENCE = 20  # s: what takes longer has hung


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: str
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Send = Callable[["Caller"], Answer]


class Case(NamedTuple):
    """One hostile input, and what must come of it."""

    name: str
    send: Send
    status: range | tuple[int, ...]
    says: str = ""  # somewhere in the answer

    def __repr__(self) -> str:
        return self.name


ANSWERED = (200,)
REFUSED = range(400, 500)
READ = '"verdict"'  # is in an answer that says what was read


class Caller:
    """Speaks to one server."""

    def __init__(self, url: str) -> None:
        self.where = urllib.parse.urlsplit(url)
        config = json.loads(self.get("/config").body)
        self.parts = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
        self.functions = {f["api_name"]: f["id"] for f in config["dependencies"]}

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection(
            str(self.where.hostname), self.where.port, timeout=PATIENCE
        )
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # refused before its end
                connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            told = answer.read().decode("utf-8", "replace")
            return Answer(answer.status, str(answer.headers), told)
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, call: str, body: bytes | Any, headers: dict[str, str] = JSON) -> Answer:
        """Send a body to an address of the API: bytes as they are, all else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", f"{API}/{call}", data, headers)

    def run(self, name: str, *arguments: Any) -> Answer:
        return self.post(f"run/{name}", {"data": arguments})

    def call(self, name: str, *arguments: Any) -> Answer:
        return self._event(name, self.post(f"call/{name}", {"data": arguments}))

    def call_named(self, name: str, **arguments: Any) -> Answer:
        return self._event(name, self.post(f"call/v2/{name}", arguments))

    def _event(self, name: str, asked: Answer) -> Answer:
        """Return the answer of a call that went through the queue, as `run` would give it."""
        if asked.status != 200:
            return asked
        told = self.get(f"{API}/call/{name}/{asked.json['event_id']}")
        event, data = re.findall(r"event: (\w+)\ndata: (.*)", told.body)[-1]
        if event == "complete":
            return told._replace(body=data)
        return told._replace(status=422 if (json.loads(data) or {}).get("error") else 500)

    def join(self, name: str, *arguments: Any) -> Answer:
        """Call as gradio_client does."""
        session = secrets.token_hex(8)
        body = {"fn_index": self.functions[name], "data": arguments, "session_hash": session}
        asked = self.post("queue/join", body)
        if asked.status != 200:
            return asked
        told = self.get(f"{API}/queue/data?session_hash={session}")
        messages = [json.loads(data) for data in re.findall(r"data: (.*)", told.body)]
        done = next(m for m in messages if m["msg"] == "process_completed")
        failed = 422 if done["output"].get("error") else 500
        return told._replace(status=200 if done["success"] else failed)

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
        """Send bytes as they are, and hear what comes until the server closes, or says no more."""
        said = b""
        with socket.create_connection((self.where.hostname, self.where.port), timeout=3) as wire:
            try:
                for part in parts:
                    wire.sendall(part)
                if end:
                    wire.shutdown(socket.SHUT_WR)
                while part := wire.recv(65_536):
                    said += part
            except OSError:
                pass  # what was said before counts
        head, _, body = said.decode("utf-8", "replace").partition("\r\n\r\n")
        status = re.match(r"HTTP/1.1 (\d+)", head)
        return Answer(int(status[1]) if status else 0, head, body)


def form(
    parts: Iterable[tuple[str, str | None, bytes]], boundary: str = BOUNDARY
) -> tuple[bytes, dict[str, str]]:
    """Return a multipart body and its headers; a part is its field, its filename, its bytes."""
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
    """Return a file as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
