"""Open the socket that the server listens on: IPv4, IPv6 or both."""

import errno
import ipaddress
import os
import socket
from collections.abc import Sequence

FIRST_PORTS = range(7860, 7960)  # ports to try if --port is not given
BACKLOG = 2048  # connections that wait to be accepted; as many as uvicorn's default


def listen(host: str, ports: Sequence[int] = FIRST_PORTS) -> socket.socket:
    """Listen on the first of these ports that is free; 0 means any free port.

    `host` is a name or an address. IPv6 addresses may have brackets; `::` listens on IPv4 too.

    Raises:
        OSError: the host cannot be listened on, or none of the ports is free.
    """
    for port in ports:
        try:
            return _bind(host.removeprefix("[").removesuffix("]"), port)
        except UnicodeError as error:  # a label of the name is empty or too long
            raise OSError(f"Cannot listen on {host}: it is not a host name.") from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                said = error.strerror if isinstance(error, socket.gaierror) else None
                reason = said or os.strerror(error.errno or 0)
                raise OSError(f"Cannot listen on {host}, port {port}: {reason}.") from error
    first, last = ports[0], ports[-1]
    used = f"Port {first} is" if first == last else f"Ports {first} to {last} are"
    raise OSError(f"{used} in use. Choose another with --port.")


def _bind(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # If a name has IPv4 and IPv6 addresses, use IPv4: every client supports it.
    family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    both = host == "::" and socket.has_dualstack_ipv6()
    listener = socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=both)
    # Accepted connections inherit TCP_NODELAY. asyncio sets it only on sockets with an explicit
    # protocol number; without it, a response in two parts takes 40 ms longer.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """Return a URL of a listening socket that a browser on this machine can open."""
    host, port = listener.getsockname()[:2]
    if host == "::":
        only6 = listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        host = "::1" if only6 else "127.0.0.1"
    host = "127.0.0.1" if host == "0.0.0.0" else host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listener: socket.socket) -> bool:
    """Whether only programs on this machine can connect to a listening socket."""
    host = listener.getsockname()[0]
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback
