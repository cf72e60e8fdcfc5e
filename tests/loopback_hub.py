"""A Hugging Face Hub on loopback, in memory, with the endpoints that huggingface_hub calls.

It checks tokens and owners, keeps commits, tags and Spaces, and serves files. Any other request is
answered with 404, so a test fails if the client needs an endpoint that is not here.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

TOKEN = "hf_loopback"
READ_ONLY_TOKEN = "hf_loopback_read"
ACCOUNT = "tester"


@dataclass
class Hub:
    """The server's state. Keys are OWNER/NAME for a model, and spaces/OWNER/NAME for a Space."""

    url: str = ""
    repos: dict[str, list[tuple[str, dict[str, bytes]]]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)  # repository → tag → commit
    variables: dict[str, dict[str, str]] = field(default_factory=dict)  # Space → name → value
    hardware: dict[str, str] = field(default_factory=dict)
    stages: list[dict] = field(
        default_factory=lambda: [{"stage": "RUNNING"}]
    )  # the last is repeated
    blobs: dict[str, bytes] = field(default_factory=dict)  # SHA-256 → content of an LFS upload
    requests: list[str] = field(default_factory=list)
    # Endpoint name, such as "commit" → response as status or (status, headers), or a function that
    # is called first and may return a status.
    fail: dict[str, int | tuple[int, dict[str, str]] | Callable[[], int | None]] = field(
        default_factory=dict
    )

    def environment(self, home: str, token: str | None = TOKEN) -> dict[str, str]:
        """Return environment variables that point a client in another process at this server."""
        settings = {"HF_ENDPOINT": self.url, "HF_HOME": home, "HF_HUB_DISABLE_XET": "1"}
        return settings | ({"HF_TOKEN": token} if token else {})

    def head(self, repo: str) -> str:
        """Return the last commit; like the Hub, a new repository has one."""
        commits = self.repos[repo]
        return commits[-1][0] if commits else hashlib.sha1(repo.encode()).hexdigest()

    def commit_of(self, repo: str, revision: str) -> str:
        """Return the commit that a branch, a tag or a commit stands for."""
        return (
            self.head(repo)
            if revision == "main"
            else self.tags.get(repo, {}).get(revision, revision)
        )

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes] | None:
        """Return the files of a revision by path; None if there is no such revision."""
        if repo not in self.repos:
            return None
        commit = self.commit_of(repo, revision)
        if not self.repos[repo] and commit == self.head(repo):
            return {}
        return next((files for oid, files in reversed(self.repos[repo]) if oid == commit), None)

    def commit(self, repo: str, files: dict[str, bytes]) -> str:
        """Add a commit with these files; return its hash."""
        content = json.dumps({path: hashlib.sha1(data).hexdigest() for path, data in files.items()})
        oid = hashlib.sha1(f"{len(self.repos[repo])} {content}".encode()).hexdigest()
        self.repos[repo].append((oid, files))
        return oid


def start() -> tuple[Hub, ThreadingHTTPServer]:
    """Start a server on a free port of 127.0.0.1."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    # Poll for shutdown() every 0.01 s: the default of 0.5 s would delay each test.
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    return hub, server


_REPO = r"(?:models/|(?=spaces/))((?:spaces/)?[\w.-]+/[\w.-]+)"
_ENDPOINTS = [  # (method, path, name); "!" marks those that need write access
    ("GET", r"/api/whoami-v2", "whoami"),
    ("POST", r"/api/validate-yaml", "validate"),
    ("POST", r"/api/repos/create", "create!"),
    ("DELETE", r"/api/repos/delete", "delete!"),
    ("GET", rf"/api/{_REPO}(?:/revision/([^/]+))?", "info"),
    ("GET", rf"/api/{_REPO}/refs", "refs"),
    ("POST", rf"/api/{_REPO}/preupload/([^/]+)", "preupload!"),
    ("POST", r"/((?:spaces/)?[\w.-]+/[\w.-]+)\.git/info/lfs/objects/batch", "batch!"),
    ("PUT", r"/lfs/([0-9a-f]{64})", "upload"),
    ("POST", rf"/api/{_REPO}/commit/([^/]+)", "commit!"),
    ("POST", rf"/api/{_REPO}/tag/([^/]+)", "tag!"),
    ("GET", rf"/api/{_REPO}/runtime", "runtime"),
    ("GET", rf"/api/{_REPO}/variables", "variables"),
    ("POST|DELETE", rf"/api/{_REPO}/variables", "variables!"),
    ("POST", rf"/api/{_REPO}/hardware", "hardware!"),
    ("GET|HEAD", r"/((?:spaces/)?[\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)", "resolve"),
]


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise each body is delayed by 40 ms

    def log_message(self, format: str, *args: object) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")

    def do_GET(self) -> None:
        """Answer a request of any method, or fail as the test has set."""
        body, path = self._body(), self.path.partition("?")[0]
        for method, pattern, name in _ENDPOINTS:
            match = re.fullmatch(pattern, path)
            if match and re.fullmatch(method, self.command):
                groups = [unquote(group) if group else "main" for group in match.groups()]
                if not self._fails(name.strip("!")) and self._allowed(name, groups[:1]):
                    getattr(self, f"_{name.strip('!')}")(body, *groups)
                return
        self._json(404, {"error": "not found"})

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815, the base class's names

    def _fails(self, name: str) -> bool:
        failure = self.hub.fail.get(name)
        failure = failure() if callable(failure) else failure
        if failure is None:
            return False
        status, headers = failure if isinstance(failure, tuple) else (failure, {})
        self._send(status, b'{"error": "as the test asked"}', headers)
        return True

    def _allowed(self, name: str, repo: list[str]) -> bool:
        """Check the token and the owner as the Hub does; answer the request if it is refused."""
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if name in ("validate", "upload"):
            return True
        if name == "whoami" or name.endswith("!"):
            if token not in (TOKEN, READ_ONLY_TOKEN):
                self._json(401, {"error": "Invalid credentials in Authorization header"})
                return False
            writes = token == TOKEN and (not repo or repo[0].split("/")[-2] == ACCOUNT)
            if name.endswith("!") and not writes:
                self._json(403, {"error": "no write access"})
                return False
        hidden = repo and repo[0] in self.hub.private and token not in (TOKEN, READ_ONLY_TOKEN)
        if repo and (repo[0] not in self.hub.repos or hidden):
            self._missing("RepoNotFound")
            return False
        return True

    def _whoami(self, body: bytes) -> None:
        self._json(200, {"name": ACCOUNT, "type": "user", "auth": {"type": "access_token"}})

    def _validate(self, body: bytes) -> None:
        self._json(200, {"errors": [], "warnings": []})

    def _create(self, body: bytes) -> None:
        wanted = json.loads(body)
        owner, space = wanted.get("organization") or ACCOUNT, wanted.get("type") == "space"
        repo = f"{'spaces/' if space else ''}{owner}/{wanted['name']}"
        existed = repo in self.hub.repos
        if owner != ACCOUNT:
            self._json(403, {"error": f"You cannot create under {owner}"})
            return
        if not existed:
            self.hub.repos[repo] = []
            self.hub.private |= {repo} if wanted.get("visibility") == "private" else set()
            self.hub.variables[repo] = {v["key"]: v["value"] for v in wanted.get("variables", [])}
            self.hub.hardware[repo] = wanted.get("hardware", "cpu-basic")
        self._json(409 if existed else 200, {"url": f"{self.hub.url}/{repo}", "id": repo})

    def _delete(self, body: bytes) -> None:
        wanted = json.loads(body)
        kind = "spaces/" if wanted.get("type") == "space" else ""
        del self.hub.repos[f"{kind}{wanted['organization']}/{wanted['name']}"]
        self._json(200, {})

    def _info(self, body: bytes, repo: str, revision: str) -> None:
        files = self.hub.files(repo, revision)
        if files is None:
            self._missing("RevisionNotFound")
            return
        siblings = [
            {"rfilename": path, "size": len(data), "blobId": _blob(data), **_lfs(path, data)}
            for path, data in files.items()
        ]
        about = {"id": repo.removeprefix("spaces/"), "sha": self.hub.commit_of(repo, revision)}
        self._json(200, about | {"private": repo in self.hub.private, "siblings": siblings})

    def _refs(self, body: bytes, repo: str) -> None:
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": self.hub.head(repo)}
        tags = [
            {"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": oid}
            for tag, oid in self.hub.tags.get(repo, {}).items()
        ]
        self._json(200, {"branches": [main], "converts": [], "tags": tags})

    def _preupload(self, body: bytes, repo: str, revision: str) -> None:
        there = self.hub.files(repo, revision) or {}
        files = []
        for path in (each["path"] for each in json.loads(body)["files"]):
            about = {"path": path, "uploadMode": "lfs" if _is_lfs(path) else "regular"}
            if path in there:  # the client skips files that are identical
                lfs = _lfs(path, there[path])
                about["oid"] = lfs["lfs"]["sha256"] if lfs else _blob(there[path])
            files.append(about | {"shouldIgnore": False})
        self._json(200, {"files": files})

    def _batch(self, body: bytes, repo: str) -> None:
        objects = []
        for each in json.loads(body)["objects"]:
            upload = {"href": f"{self.hub.url}/lfs/{each['oid']}", "header": {}}
            actions = {} if each["oid"] in self.hub.blobs else {"actions": {"upload": upload}}
            objects.append({"oid": each["oid"], "size": each["size"], **actions})
        self._json(200, {"transfer": "basic", "objects": objects})

    def _upload(self, body: bytes, oid: str) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            self._json(400, {"error": "the content is not the object's"})
            return
        self.hub.blobs[oid] = body
        self._json(200, {})

    def _commit(self, body: bytes, repo: str, revision: str) -> None:
        files, head = dict(self.hub.files(repo, revision) or {}), self.hub.head(repo)
        for line in map(json.loads, body.splitlines()):
            key, value = line["key"], line["value"]
            if key == "header" and value.get("parentCommit", head) != head:
                self._json(412, {"error": "A commit has happened since."})
                return
            if key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            elif key == "deletedFile":
                del files[value["path"]]
        oid = self.hub.commit(repo, files)
        url = f"{self.hub.url}/{repo}/commit/{oid}"
        self._json(200, {"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})

    def _tag(self, body: bytes, repo: str, revision: str) -> None:
        tags, tag = self.hub.tags.setdefault(repo, {}), json.loads(body)["tag"]
        status = 409 if tag in tags else 200
        tags.setdefault(tag, self.hub.commit_of(repo, revision))
        self._json(status, {})

    def _runtime(self, body: bytes, repo: str) -> None:
        stages = self.hub.stages
        now = stages.pop(0) if len(stages) > 1 else stages[0]
        hardware = {"current": None, "requested": self.hub.hardware[repo]}
        self._json(200, {"hardware": hardware, "sha": self.hub.head(repo), **now})

    def _variables(self, body: bytes, repo: str) -> None:
        held = self.hub.variables[repo]
        if self.command == "POST":
            held[json.loads(body)["key"]] = json.loads(body)["value"]
        elif self.command == "DELETE":
            del held[json.loads(body)["key"]]
        self._json(200, {key: {"value": each} for key, each in held.items()})

    def _hardware(self, body: bytes, repo: str) -> None:
        self.hub.hardware[repo] = json.loads(body)["flavor"]
        self._json(200, {"stage": "BUILDING"})

    def _resolve(self, body: bytes, repo: str, revision: str, path: str) -> None:
        files = self.hub.files(repo, revision)
        if files is None or path not in files:
            self._missing("RevisionNotFound" if files is None else "EntryNotFound")
            return
        commit = self.hub.commit_of(repo, revision)
        etag = hashlib.sha256(files[path]).hexdigest()
        self._send(200, files[path], {"ETag": f'"{etag}"', "X-Repo-Commit": commit})

    def _missing(self, code: str) -> None:
        self._send(404, b"", {"X-Error-Code": code, "X-Error-Message": code})

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
        with suppress(ConnectionError):  # the client may have disconnected
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)


def _is_lfs(path: str) -> bool:
    return path.endswith((".safetensors", ".png"))


def _lfs(path: str, data: bytes) -> dict:
    oid = hashlib.sha256(data).hexdigest()
    about = {"sha256": oid, "size": len(data), "pointerSize": 130}
    return {"lfs": about} if _is_lfs(path) else {}


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
