"""The HTTP server: uvicorn on a socket that is already open."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from server.capacity import Capacity

STOP_SECONDS = 4.5  # within which the server stops, so that the process ends within 5 s
STREAM_SECONDS = 1  # in which open streams may end; each open page has one


class Service(NamedTuple):
    """An app that is loaded and can be served."""

    app: FastAPI
    drain: Callable[[], Awaitable[None]]  # finishes the calls in progress


class Server:
    """Serves a loading page until the app is loaded, then the app, and stops gracefully.

    It runs in a daemon thread, so that the process can end while worker threads are still busy.
    """

    def __init__(
        self,
        listener: socket.socket,
        capacity: Capacity,
        *,
        loading: ASGIApp,
        load: Callable[[], Service],
        ready: Callable[[], None],
    ) -> None:
        self.error: BaseException | None = None  # why the server stopped by itself
        self._listener = listener
        self._capacity = capacity
        self._app = loading
        self._load = load
        self._ready = ready
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start to serve; `ready` is called in the server's thread when the app is loaded."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the server is running."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Reject new calls, finish those in progress and close, within STOP_SECONDS."""
        self._capacity.stopping = True
        self._loop.call_soon_threadsafe(self._stop.set)
        self._stopped.wait(timeout=STOP_SECONDS)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            self.error = error  # raised again in the thread that waits
        finally:
            self._stopped.set()

    async def _serve(self) -> None:
        config = uvicorn.Config(
            self._respond,
            interface="asgi3",
            lifespan="off",  # the app's own is entered below, once the app is loaded
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=STREAM_SECONDS,
        )
        http = uvicorn.Server(config)
        serving = asyncio.create_task(http.serve([self._listener]))
        stopping = asyncio.create_task(self._stop.wait())
        loading = asyncio.create_task(asyncio.to_thread(self._load))
        async with AsyncExitStack() as lifespan:
            try:
                await _first(serving, stopping, loading)
                if loading.done():
                    service = loading.result()
                    context = service.app.router.lifespan_context(service.app)
                    await lifespan.enter_async_context(context)
                    self._app = service.app
                    self._ready()
                    await _first(serving, stopping)
                    await service.drain()
            finally:
                http.should_exit = True
                await serving

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def _first(*tasks: asyncio.Task) -> None:
    """Wait until one of the tasks is done."""
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
