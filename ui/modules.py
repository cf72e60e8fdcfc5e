"""The page's JavaScript: ES modules, served at an address that names their version."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

UI = Path(__file__).parent
PATH = "scripts"
YEAR = 31_536_000  # s; the longest time that a cache may keep a response
CACHED = {"Cache-Control": f"public, max-age={YEAR}, immutable"}
OUTDATED = "There is no such script in this version of the app. Reload the page."


@cache
def read_modules(folder: Path = UI) -> Mapping[str, bytes]:
    """Return the content of each module of a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.js"))
    }


def version_of(modules: Mapping[str, bytes]) -> str:
    """Return a hash of all modules: modules import each other, so they change together."""
    digest = hashlib.sha256()
    for name, content in modules.items():
        digest.update(b"%s\0%d\0%s" % (name.encode(), len(content), content))
    return digest.hexdigest()[:16]


def module_address(name: str) -> str:
    """Return the address of a module, relative to the page: scripts/VERSION/draw/sketchpad.js."""
    return f"{PATH}/{version_of(read_modules())}/{name}"


def modules_route() -> Route:
    """Return the route of the modules.

    It serves only what it has read, so no address leads to another file. A browser keeps a module
    forever, as its address changes with its content.
    """
    modules = read_modules()
    current = version_of(modules)

    async def module(request: Request) -> Response:
        version, name = request.path_params["version"], request.path_params["name"]
        if version != current or name not in modules:
            message = {"error": OUTDATED, "detail": OUTDATED}
            return JSONResponse(message, status_code=404, headers={"Cache-Control": "no-store"})
        return Response(modules[name], media_type="text/javascript", headers=CACHED)

    return Route(
        f"/{PATH}/{{version}}/{{name:path}}", module, middleware=[Middleware(GZipMiddleware)]
    )
