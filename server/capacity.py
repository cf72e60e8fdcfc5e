"""How much the server is doing, and whether it may start more."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress

from server.errors import RequestError
from server.limits import ServerLimits
from server.responses import BUSY
from server.uploads import Uploads

PAGE_ROUTE = "component_server"  # the route of requests that the page itself makes
PAGE_BUSY = "This page has too many requests in progress: try again in a second."
UPLOADS_FULL = "The server has no room for more uploads: try again in a minute."
YIELD_SECONDS = 0.05  # how long an API call waits at most for the page's requests to finish
MAX_BODIES = 10  # JSON bodies of full size that may be in memory at once


class Capacity:
    """Counts the calls, bodies, streams and uploads of one server, and rejects too many."""

    def __init__(self, limits: ServerLimits, uploads: Uploads) -> None:
        self.limits = limits
        self.uploads = uploads
        self.n_calls = 0  # calls that run or wait
        self.n_body_bytes = 0  # bytes of the JSON bodies in memory
        self.n_streams = 0  # open responses; each page has one
        self.stopping = False  # the server accepts no new calls
        self.observe: Callable[[str, str, int, float], None] = lambda *_: None
        self._batches = asyncio.Semaphore(1)  # a batch takes seconds and would delay other calls
        self._running = asyncio.Semaphore(limits.max_running)
        self._running_pages = asyncio.Semaphore(limits.max_running)
        self._cleaning = asyncio.Lock()
        self._n_page_calls: Counter[str] = Counter()  # running or waiting, by session
        self._no_page_call = asyncio.Event()

    @asynccontextmanager
    async def slot(self, route: str, name: str, session: str = "") -> AsyncGenerator[None]:
        """Wait until a call may run, and count it while it does.

        The page's calls, which have a `session`, have slots of their own. Other calls first wait
        for the page's calls to finish, for YIELD_SECONDS at most. A call that joins Gradio's queue
        waits here only to join, and runs later in a slot of the queue.

        Raises:
            RequestError: too many calls are waiting, or the page itself has too many.
        """
        if self.n_calls >= self.limits.max_queue:
            raise RequestError(503, BUSY)
        self.n_calls += 1
        try:
            if route == PAGE_ROUTE:
                with self._page_call(session):
                    async with self._running_pages:
                        yield
            else:
                is_batch = name == "predict_batch" and route in ("run", "api")
                async with self._batches if is_batch else self._running:
                    if self._n_page_calls:
                        await self._wait_for_pages()
                    yield
        finally:
            self.n_calls -= 1

    @contextmanager
    def _page_call(self, session: str) -> Generator[None]:
        if self._n_page_calls[session] >= self.limits.max_page_calls:
            raise RequestError(503, PAGE_BUSY)
        self._n_page_calls[session] += 1
        self._no_page_call.clear()
        try:
            yield
        finally:
            self._n_page_calls[session] -= 1
            if not self._n_page_calls[session]:
                del self._n_page_calls[session]  # clients choose the names: keep no empty counters
            if not self._n_page_calls:
                self._no_page_call.set()

    async def _wait_for_pages(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(YIELD_SECONDS):
                await self._no_page_call.wait()

    @contextmanager
    def stream(self) -> Generator[None]:
        """Count a response that stays open.

        Raises:
            RequestError: there are too many.
        """
        if self.n_streams >= self.limits.max_streams:
            raise RequestError(503, BUSY)
        self.n_streams += 1
        try:
            yield
        finally:
            self.n_streams -= 1

    def add_body_bytes(self, size: int) -> None:
        """Count bytes of a JSON body that is in memory; a negative size ends that.

        Raises:
            RequestError: there are too many.
        """
        self.n_body_bytes += size
        if size > 0 and self.n_body_bytes > MAX_BODIES * self.limits.max_json:
            raise RequestError(503, BUSY)

    @asynccontextmanager
    async def upload(self, size: int) -> AsyncGenerator[None]:
        """Reserve `size` bytes for an upload, deleting old uploads if necessary.

        Raises:
            RequestError: the folder of uploads is full.
        """
        if not self.uploads.reserve(size):
            await self.delete_old_uploads(needed=size)
            if not self.uploads.reserve(size):
                raise RequestError(503, UPLOADS_FULL)
        try:
            yield
        finally:
            self.uploads.release(size)

    async def delete_old_uploads(self, *, needed: int = 0) -> None:
        """Delete old uploads in a worker thread, so that the event loop is not blocked."""
        async with self._cleaning:
            await asyncio.to_thread(self.uploads.delete_old, needed=needed)
