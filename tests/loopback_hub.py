"""A Hugging Face Hub on loopback: the endpoints that huggingface_hub really calls, in memory.

It checks tokens, keeps commits, and serves their files; anything else is a 404, so that a call
which the real client makes and this server does not know fails a test.
"""

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

TOKEN = "hf_loopback"
READ_ONLY_TOKEN = "hf_loopback_read"
ACCOUNT = "tester"


@dataclass
class Hub:
    """What the server holds."""

    url: str = ""
    repos: dict[str, list[tuple[str, dict[str, bytes]]]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)  # by SHA-256: what LFS uploaded
    requests: list[str] = field(default_factory=list)

    def environment(self, home: str, token: str | None = TOKEN) -> dict[str, str]:
        """Return the variables that point a real client at this server."""
        settings = {"HF_ENDPOINT": self.url, "HF_HOME": home, "HF_HUB_DISABLE_XET": "1"}
        return settings | ({"HF_TOKEN": token} if token else {})

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes] | None:
        """Return the files of a commit, by path; None if there is none of that name."""
        for oid, files in reversed(self.repos.get(repo, [])):
            if revision in ("main", oid):
                return files
        return None


def start() -> tuple[Hub, ThreadingHTTPServer]:
    """Start a server on a free port of 127.0.0.1."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return hub, server


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")

    def do_HEAD(self) -> None:
        self._resolve()

    def do_GET(self) -> None:
        if self.path == "/api/whoami-v2":
            if self._token() in (TOKEN, READ_ONLY_TOKEN):
                self._json(200, {"name": ACCOUNT, "type": "user", "auth": {"type": "access_token"}})
            else:
                self._json(401, {"error": "Invalid credentials"})
        else:
            self._resolve()

    def do_PUT(self) -> None:
        body = self._body()
        oid = hashlib.sha256(body).hexdigest()
        if self.path != f"/lfs/{oid}":
            self._json(400, {"error": "the content is not the object's"})
            return
        self.hub.blobs[oid] = body
        self._json(200, {})

    def do_POST(self) -> None:
        body = self._body()
        if self.path == "/api/validate-yaml":
            self._json(200, {"errors": [], "warnings": []})
        elif self._token() != TOKEN:
            self._json(403 if self._token() else 401, {"error": "no write access"})
        elif self.path == "/api/repos/create":
            self._create(json.loads(body))
        elif self.path.endswith(".git/info/lfs/objects/batch"):
            self._lfs_batch(json.loads(body))
        else:
            self._repo_call(body)

    def _create(self, wanted: dict) -> None:
        repo = f"{wanted.get('organization') or ACCOUNT}/{wanted['name']}"
        existed = repo in self.hub.repos
        self.hub.repos.setdefault(repo, [])
        status = 409 if existed else 200
        self._json(status, {"url": f"{self.hub.url}/{repo}", "id": repo})

    def _lfs_batch(self, wanted: dict) -> None:
        objects = []
        for each in wanted["objects"]:
            upload = {"href": f"{self.hub.url}/lfs/{each['oid']}", "header": {}}
            actions = {} if each["oid"] in self.hub.blobs else {"actions": {"upload": upload}}
            objects.append({"oid": each["oid"], "size": each["size"], **actions})
        self._json(200, {"transfer": "basic", "objects": objects})

    def _repo_call(self, body: bytes) -> None:
        parts = unquote(self.path.partition("?")[0]).strip("/").split("/")
        if parts[:2] != ["api", "models"] or len(parts) != 6:
            self._json(404, {"error": "not found"})
            return
        repo, call = "/".join(parts[2:4]), parts[4]
        if call == "preupload":
            files = json.loads(body)["files"]
            self._json(200, {"files": [self._upload_mode(f["path"]) for f in files]})
        elif call == "commit":
            self._commit(repo, [json.loads(line) for line in body.splitlines()])
        else:
            self._json(404, {"error": "not found"})

    def _upload_mode(self, path: str) -> dict:
        mode = "lfs" if path.endswith(".safetensors") else "regular"
        return {"path": path, "uploadMode": mode, "shouldIgnore": False}

    def _commit(self, repo: str, lines: list[dict]) -> None:
        files = dict(self.hub.files(repo) or {})
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
        content = json.dumps({path: hashlib.sha1(data).hexdigest() for path, data in files.items()})
        oid = hashlib.sha1(f"{len(self.hub.repos[repo])} {content}".encode()).hexdigest()
        self.hub.repos[repo].append((oid, files))
        url = f"{self.hub.url}/{repo}/commit/{oid}"
        self._json(200, {"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})

    def _resolve(self) -> None:
        """Serve OWNER/NAME/resolve/REVISION/PATH as the Hub does, or say what is not there."""
        parts = unquote(self.path.partition("?")[0]).strip("/").split("/")
        if len(parts) < 5 or parts[2] != "resolve":
            self._json(404, {"error": "not found"})
            return
        repo, revision, path = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
        files = self.hub.files(repo, revision)
        if repo not in self.hub.repos:
            self._missing("RepoNotFound")
        elif files is None:
            self._missing("RevisionNotFound")
        elif path not in files:
            self._missing("EntryNotFound")
        else:
            oid = next(oid for oid, each in self.hub.repos[repo] if each is files)
            etag = hashlib.sha256(files[path]).hexdigest()
            self._send(200, files[path], {"ETag": f'"{etag}"', "X-Repo-Commit": oid})

    def _missing(self, code: str) -> None:
        self._send(404, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def _token(self) -> str | None:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _json(self, status: int, value: object) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
