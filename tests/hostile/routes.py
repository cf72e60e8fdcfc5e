"""Cases: routes that must be closed, and manipulated paths of open routes."""

from collections.abc import Iterator

from tests.hostile.caller import API, REFUSED, Case

CLOSED = (
    f"{API}/deep_link", f"{API}/file=/etc/passwd", f"{API}/file=http://127.0.0.1:1/x",
    f"{API}/file=screenshot.png", f"{API}/file/etc/passwd", f"{API}/file=../../etc/passwd",
    f"{API}/file=", f"{API}/proxy=http://127.0.0.1:1/", f"{API}/proxy=https://x.hf.space/",
    f"{API}/stream/a/b/1/playlist.m3u8", f"{API}/stream/a/b/1/x.ts", f"{API}/runs", f"{API}/runs/",
    f"{API}/stream/a/b/1/playlist-file", f"{API}/run-history/buckets", f"{API}/token",
    f"{API}/run-history/records", f"{API}/dev/reload", f"{API}/custom_component/1/client/x/y.js",
    f"{API}/profiling/traces", f"{API}/profiling/summary", f"{API}/vibe-code", f"{API}/mcp/sse",
    f"{API}/mcp/schema", f"{API}/mcp/", f"{API}/call/", f"{API}/run/", "/monitoring",
    "/monitoring/summary", "/monitoring/x", "/login", "/logout", "/docs", "/redoc",
    "/openapi.json", "/docs/oauth2-redirect", "/token", "/file=/etc/passwd", "/file/etc/passwd",
    "/proxy=http://127.0.0.1:1/", "/stream/x", "/upload", "/queue/join", "/run/predict",
    "/api/predict", "/call/predict", "/component_server/", "/info", "/.env", "/.git/config",
    "/app.py", "/requirements.txt", "/server/gate.py", "/admin", "/wp-login.php", "/metrics",
    "/server-status", "/actuator/env", "/debug/pprof", "/graphql", "/phpinfo.php", "/healthz",
    "/card/x", "/cards", "/CARD", "/card;x", "/card/../etc/passwd",
    "/lesson/x", "/lessons", "/LESSON", "/lesson/../etc/passwd",
    "/etc/passwd", "//etc/passwd", "//evil.example/", "//evil.example/%2e%2e", "/\\evil.example",
    "/gradio_api//config", "//config", "/config//", "/config/../etc/passwd", "/CONFIG",
    "/config%00", "/config%0a", "/config;x", "/config/x", "/health/x", "/health%2f..%2fconfig/x",
    "/robots.txt/x", "/gradio_api/info/x", "/%67radio_api/runs", "/gradio_api%2fruns",
    "/gradio_api/%66ile=/etc/passwd", "/gradio_api/upload/x", "/gradio_api/../monitoring",
    "/gradio_api/heartbeat/", "/gradio_api/heartbeat/a/b", "/gradio_api/heartbeat/..%2f..",
    "/%00", "/%ff", "/%", "/%zz", "/%e2%98%a0",
)  # fmt: skip
POSTED = (
    f"{API}/process_recording", f"{API}/vibe-edit", f"{API}/vibe-edit/", f"{API}/undo-vibe-edit",
    f"{API}/vibe-code", f"{API}/vibe-starter-queries", f"{API}/reset", f"{API}/stream/x",
    f"{API}/stream/x/close", f"{API}/run-history/connect", f"{API}/profiling/clear", "/login",
    f"{API}/call/predict/x/y", f"{API}/mcp/messages", f"{API}/dev/reload",
)  # fmt: skip
STATIC = ("/static", "/assets", "/svelte")
TRICKS = (
    "/../../../../../etc/passwd", "/..%2f..%2f..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
    "/%252e%252e/%252e%252e/etc/passwd", "//etc/passwd", "/%2fetc%2fpasswd", "/..\\..\\etc\\passwd",
    "/..%5c..%5cetc%5cpasswd", "/%c0%ae%c0%ae/etc/passwd", "/....//....//etc/passwd", "/%00",
    "/x%00.js", "/./././etc/passwd", "/C:/boot.ini", "/", "/%2e", "/x" * 2_000, "/" + "x" * 5_000,
    "/~root/.bashrc", "/img/../../../../app.py", "/%e2%98%a0",
)  # fmt: skip
METHODS = ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "EVIL", "get")
WRONG_METHODS = (
    ("POST", "/"), ("POST", "/card"), ("POST", "/lesson"), ("POST", "/config"), ("POST", "/health"),
    ("POST", f"{API}/info"),
    ("POST", "/static/x"), ("GET", f"{API}/run/predict"), ("GET", f"{API}/queue/join"),
    ("GET", f"{API}/upload"), ("GET", f"{API}/cancel"), ("POST", f"{API}/queue/data"),
    ("POST", f"{API}/heartbeat/x"), ("HEAD", f"{API}/call/predict/x"),
    ("POST", f"{API}/call/predict/x"), ("GET", f"{API}/api/predict"),
)  # fmt: skip
QUERIES = (
    f"{API}/call/v2/x", f"{API}/queue/data", f"{API}/queue/data?session_hash=unknown",
    "/gradio_api/queue/data?session_hash=", "/gradio_api/queue/data?session_hash=%00",
    "/gradio_api/upload_progress", "/gradio_api/upload_progress?upload_id=x",
    "/gradio_api/queue/status?x=1", "/?__theme=evil", "/?view=evil&__lang=../..",
    "/card?model=../../etc/passwd", "/card?deep_link=../../../etc/passwd", "/config?page=../x",
    "/lesson?x=../../etc/passwd",
    "/?" + "x" * 9_000,
    "/?deep_link=../../etc/passwd", "/config?deep_link=../../../etc/passwd", "/?deep_link=x",
    "/gradio_api/info?serialize=x", "/gradio_api/info?all_endpoints=true", "/pwa_icon/0",
    "/gradio_api/info?all_endpoints=evil", "/pwa_icon/99999999", "/pwa_icon", "/manifest.json",
    "/theme.css", "/favicon.ico", "/robots.txt", "/gradio_api/app_id", "/gradio_api/user",
    "/gradio_api/login_check", "/pwa_icon/-1", "/pwa_icon/1e9", "/gradio_api/startup-events",
)  # fmt: skip


def cases() -> Iterator[Case]:
    for path in dict.fromkeys(CLOSED):
        yield Case(f"closed route {path}", lambda c, path=path: c.get(path), REFUSED)
    for path in POSTED:
        yield Case(
            f"closed route by POST {path}",
            lambda c, path=path: c.request("POST", path, b"{}"),
            REFUSED,
        )
    for base in STATIC:
        for trick in TRICKS:
            path = base + trick
            yield Case(f"static {path[:60]}", lambda c, path=path: c.get(path), REFUSED)
    for method in METHODS:
        send = lambda c, method=method: c.request(method, f"{API}/run/predict", b"{}")  # noqa: E731
        yield Case(f"method {method}", send, REFUSED)
    for method, path in WRONG_METHODS:
        send = lambda c, method=method, path=path: c.request(method, path)  # noqa: E731
        yield Case(f"wrong method: {method} {path}", send, REFUSED)
    for path in QUERIES:
        yield Case(f"query {path[:70]}", lambda c, path=path: c.get(path), range(200, 500))
