"""The server's public address, and which other sites may call it or frame it."""

import argparse
import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Scope

from server.errors import RequestError
from server.listen import is_loopback

HOST = r"(?:\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)"
ORIGIN = re.compile(rf"https?://{HOST}(?::\d{{1,5}})?")
FRAME_ANCESTOR = re.compile(rf"https?://(?:\*\.)?{HOST}(?::\d{{1,5}})?")
ROOT_PATH = re.compile(rf"(?:https?://{HOST}(?::\d{{1,5}})?)?((?:/[\w.~-]+)*)")
DEFAULT_PORTS = {"http": 80, "https": 443}
# Behind a proxy that strips the root path, such a path would be ambiguous.
OWN_PATHS = {
    "assets", "card", "config", "gradio_api", "health", "lesson", "scripts", "static", "svelte",
}  # fmt: skip
SAME_SITE = ("same-origin", "none")  # values of Sec-Fetch-Site; "none" is a typed address
CROSS_ORIGIN = (
    "Pages of another site may not call this server. "
    "To allow a site, start the server with --allow-origin, such as https://example.com."
)


@dataclass(frozen=True)
class Site:
    """Where visitors reach the server, and which other sites may use it."""

    root_path: str = ""  # "", a path such as /draw, or a URL such as https://example.com/draw
    allow_origins: tuple[str, ...] = ()
    frame_ancestors: tuple[str, ...] = ()
    loopback: bool = False  # the server can be reached from this machine only

    @property
    def prefix(self) -> str:
        """The path below which visitors see the app: "" or a path such as /draw."""
        return urlsplit(self.root_path).path

    @property
    def frames(self) -> str:
        """The pages that may frame the app, as frame-ancestors of a Content-Security-Policy.

        huggingface.co shows a Space in a frame. Pages of other Spaces (*.hf.space) do not need to.
        """
        return " ".join(["'self'", "https://huggingface.co", *self.frame_ancestors])

    def without_prefix(self, scope: Scope) -> Scope:
        """Return the scope of a request without the prefix: some reverse proxies keep it."""
        path = scope["path"]
        if not self.prefix or not f"{path}/".startswith(f"{self.prefix}/"):
            return scope
        return {**scope, "path": path.removeprefix(self.prefix), "raw_path": None}

    def check_host(self, headers: Headers) -> None:
        """On a loopback-only server, accept only localhost, IP addresses and configured names.

        A page of another site can resolve its own name to 127.0.0.1 (DNS rebinding). Its requests
        then have the same origin as the server, but still its name as their Host.

        Raises:
            RequestError: the Host is the name of another machine.
        """
        host = headers.get("host")
        if not self.loopback or not host:
            return
        name = _host_and_port(f"http://{host}")[0]
        known = {_host_and_port(url)[0] for url in (*self.allow_origins, self.root_path)}
        if not (name and (_is_local_name(name) or name in known)):
            message = f"This server listens on this machine only, not as {host[:100]!r}. Open it "
            message += "as localhost, or start it with --allow-origin and the origin to serve."
            raise RequestError(403, message)

    def check_origin(self, headers: Headers) -> None:
        """Reject a request that a page of another site made.

        Requests with neither header come from programs and are accepted. Browsers add Origin to
        each POST and each fetch or EventSource of another site, and Sec-Fetch-Site to every
        request to loopback or over HTTPS.

        Raises:
            RequestError: the request comes from a site that is not allowed.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if site in SAME_SITE or (origin and origin in self.allow_origins):
            return
        if site is None and (origin is None or self._is_own(origin, headers)):
            return
        raise RequestError(403, CROSS_ORIGIN)

    def _is_own(self, origin: str, headers: Headers) -> bool:
        """Whether an origin is the server's: the Host, the Host of its proxy, or the root path's.

        The scheme does not count, as a proxy that ends TLS need not tell it.
        """
        forwarded = headers.get("x-forwarded-host", "").partition(",")[0].strip()
        scheme = origin.partition("://")[0]
        own = [f"{scheme}://{host}" for host in (headers.get("host"), forwarded) if host]
        place = _host_and_port(origin)
        return place[0] is not None and place in map(_host_and_port, [*own, self.root_path])


def add_site_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a Site; the environment gives their defaults."""
    parser.add_argument(
        "--root-path",
        type=root_path,
        default=os.environ.get("GRADIO_ROOT_PATH", ""),
        metavar="PATH",
        help="path or URL of the app behind a reverse proxy, such as /draw (GRADIO_ROOT_PATH)",
    )
    parser.add_argument(
        "--allow-origin",
        type=origins,
        default=os.environ.get("ALLOW_ORIGIN", ""),
        metavar="ORIGINS",
        help="other sites whose pages may call the server, such as https://example.com; "
        "separate several by commas (ALLOW_ORIGIN)",
    )
    parser.add_argument(
        "--frame-ancestors",
        type=frame_ancestors,
        default=os.environ.get("FRAME_ANCESTORS", ""),
        metavar="ORIGINS",
        help="other sites whose pages may show the app in a frame (FRAME_ANCESTORS)",
    )


def site_of(options: argparse.Namespace, listener: socket.socket) -> Site:
    """Return the Site that the flags of `add_site_flags` give."""
    return Site(
        options.root_path, options.allow_origin, options.frame_ancestors, is_loopback(listener)
    )


def cross_origin(site: Site) -> Middleware:
    """Return middleware that lets pages of the allowed sites read the server's answers (CORS).

    Gradio adds no CORS headers itself if the app has this middleware.
    """
    return Middleware(
        CORSMiddleware,
        allow_origins=site.allow_origins,
        allow_methods=("GET", "POST"),
        allow_headers=["*"],
        allow_private_network=True,
    )


def root_path(text: str) -> str:
    """Return a path or URL without a slash at its end.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    scheme, mark, rest = text.strip().rstrip("/").rpartition("://")
    host, slash, path = rest.partition("/")
    trimmed = f"{scheme.lower()}{mark}{host.lower()}{slash}{path}"
    if path.partition("/")[0] in OWN_PATHS:
        raise argparse.ArgumentTypeError(f"/{path} is a path of the app itself: choose another")
    if not ROOT_PATH.fullmatch(trimmed):
        message = f"{text!r} is not a path such as /draw or a URL such as https://example.com/draw"
        raise argparse.ArgumentTypeError(message)
    return trimmed


def origins(text: str, allowed: re.Pattern[str] = ORIGIN) -> tuple[str, ...]:
    """Return the origins in a text, which commas or spaces separate, as browsers write them.

    Raises:
        argparse.ArgumentTypeError: one of them is not an origin.
    """
    found = text.lower().replace(",", " ").split()
    for each in found:
        if not allowed.fullmatch(each):
            raise argparse.ArgumentTypeError(
                f"{each!r} is not an origin: write scheme, host and port, such as "
                "https://example.com or http://localhost:3000"
            )
    return tuple(_without_default_port(each) for each in found)


def frame_ancestors(text: str) -> tuple[str, ...]:
    """Return origins; a host may begin with `*.`.

    Raises:
        argparse.ArgumentTypeError: one of them is not an origin.
    """
    return origins(text, FRAME_ANCESTOR)


def _without_default_port(origin: str) -> str:
    return origin.removesuffix(f":{DEFAULT_PORTS[origin.partition(':')[0]]}")


def _host_and_port(url: str) -> tuple[str | None, int | None]:
    """Return the host and the port of a URL; the host is None if it has none."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None, None


def _is_local_name(name: str) -> bool:
    """Return whether a host is localhost or an IP address; a website cannot claim either."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    return True
