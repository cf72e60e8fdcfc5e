"""The app that is served until the models are loaded: a loading page and 503 responses."""

import html
import json
import secrets
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import RequestError
from server.responses import DATA_CSP, SECURITY_HEADERS, error_response
from server.site import Site

PAGE = Template((Path(__file__).parent / "loading.html").read_text(encoding="utf-8"))
CSP = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors {frames}"
)
LOADING = "The model is being loaded: try again in a moment."


def loading_app(site: Site, *, model: str) -> ASGIApp:
    """Return an ASGI app to serve while `model` is being loaded.

    `/` and every other address that a browser opens show the loading page with status 200. Other
    requests get 503, and `/health` says "loading".
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = _respond(Request(site.without_prefix(scope)), site, model)
        response.raw_headers += SECURITY_HEADERS
        await response(scope, receive, send)

    return app


def _respond(request: Request, site: Site, model: str) -> Response:
    path, is_read = request.url.path, request.method in ("GET", "HEAD")
    try:
        site.check_host(request.headers)
    except RequestError as error:
        response = error_response(error)
    else:
        if is_read and path == "/health":
            response = Response(json.dumps({"status": "loading"}), 503, {"retry-after": "1"})
            response.headers["content-type"] = "application/json"
        elif is_read and (path in ("", "/") or "text/html" in request.headers.get("accept", "")):
            return _page(site, model)
        else:
            response = error_response(RequestError(503, LOADING))
    response.headers["content-security-policy"] = DATA_CSP.decode()
    return response


def _page(site: Site, model: str) -> Response:
    nonce = secrets.token_urlsafe(16)
    values = {"nonce": nonce, "model": html.escape(model), "health": f"{site.prefix}/health"}
    csp = CSP.format(nonce=nonce, frames=site.frames)
    headers = {"cache-control": "no-store", "content-security-policy": csp}
    return HTMLResponse(PAGE.substitute(values), headers=headers)
