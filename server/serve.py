"""The HTTP server: uvicorn on a socket that listens already."""

import socket
import threading
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.types import ASGIApp

from server.traffic import Traffic
from server.upkeep import CLOSE


class Server(uvicorn.Server):
    """uvicorn, which says when it is ready, and finishes its work before it closes."""

    def __init__(
        self, app: ASGIApp, traffic: Traffic, *, drain: Callable[[], Awaitable[None]]
    ) -> None:
        config = uvicorn.Config(
            app, log_level="warning", server_header=False, timeout_graceful_shutdown=CLOSE
        )
        super().__init__(config)
        self._closed = threading.Event()
        self._ready: Callable[[], None] = lambda: None
        self._traffic = traffic
        self._drain = drain

    def start(self, listener: socket.socket, *, ready: Callable[[], None]) -> threading.Thread:
        """Serve in a thread; `ready` is called there when connections are accepted.

        It runs in a thread so that the process can end while worker threads are still busy.
        """
        self._ready = ready
        thread = threading.Thread(target=self.run, args=([listener],), daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Refuse new calls at once, finish those in flight and close, within 5 s."""
        self._traffic.stopping = True  # uvicorn looks at should_exit only every 0.1 s
        self.should_exit = True
        self._closed.wait(timeout=5)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, then say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is in flight while new connections are still accepted, then close."""
        await self._drain()
        await super().shutdown(sockets)
        self._closed.set()
