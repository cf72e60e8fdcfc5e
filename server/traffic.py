"""What is under way on the server: for the gate, and for those who stop it or watch it."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress

from server.calls import Calls, RefusedError
from server.limits import ServerLimits
from server.uploads import Uploads

PAGE = "component_server"  # the route by which the page itself calls
PAGE_BUSY = "This page has too many requests in progress: try again in a second."
BUSY = "The server has as many calls as it takes: try again in a second."
FULL = "The server has as many uploads as it takes: try again in a minute."
GIVE_WAY = 0.05  # s that a call waits at most for the page's to be done: many pages never are
ARRIVING = 10  # bodies of full size that may be in memory at once


class Traffic:
    """The calls, bodies, streams and uploads of one server, counted."""

    def __init__(self, limits: ServerLimits, uploads: Uploads, calls: Calls) -> None:
        self.limits = limits
        self.uploads = uploads
        self.calls = calls
        self.under_way = 0  # calls that are in work or wait
        self.arriving = 0  # bytes of the bodies that are held
        self.streams = 0  # answers that stay open: each page has one
        self.stopping = False
        self.observe: Callable[[str, str, int, float], None] = lambda *_: None
        self._batches = asyncio.Semaphore(1)  # one takes seconds, and would hold up the others
        self._running = asyncio.Semaphore(limits.max_running)
        self._running_pages = asyncio.Semaphore(limits.max_running)
        self._cleaning = asyncio.Lock()
        self._pages: Counter[str] = Counter()  # calls in work or waiting, by the page's session
        self._no_page = asyncio.Event()

    @asynccontextmanager
    async def turn(self, route: str, name: str, session: str = "") -> AsyncGenerator[None]:
        """Wait for a call's turn.

        Calls of the page, which have a `session`, have turns of their own. Other calls begin when
        no page waits for its answer, if that is soon. A call that joins Gradio's queue waits here
        for its turn to join, which takes some of the event loop's time, and there for its work.

        Raises:
            RefusedError: too many are waiting, or the page has too many itself.
        """
        if self.under_way >= self.limits.max_queue:
            raise RefusedError(503, BUSY)
        self.under_way += 1
        try:
            if route == PAGE:
                with self._page(session):
                    async with self._running_pages:
                        yield
            else:
                alone = name == "predict_batch" and route in ("run", "api")
                async with self._batches if alone else self._running:
                    if self._pages:
                        await self._give_way()
                    yield
        finally:
            self.under_way -= 1

    @contextmanager
    def _page(self, session: str) -> Generator[None]:
        """Count a call of the page.

        Raises:
            RefusedError: the page has too many.
        """
        if self._pages[session] >= self.limits.max_page_calls:
            raise RefusedError(503, PAGE_BUSY)
        self._pages[session] += 1
        self._no_page.clear()
        try:
            yield
        finally:
            self._pages[session] -= 1
            if not self._pages[session]:
                del self._pages[session]  # clients choose session names: keep no empty counters
            if not self._pages:
                self._no_page.set()

    async def _give_way(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(GIVE_WAY):
                await self._no_page.wait()

    @contextmanager
    def stream(self) -> Generator[None]:
        """Count an answer that stays open.

        Raises:
            RefusedError: there are too many.
        """
        if self.streams >= self.limits.max_streams:
            raise RefusedError(503, BUSY)
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1

    def hold(self, size: int) -> None:
        """Count bytes of a body that are held in memory, or, below 0, no longer.

        Raises:
            RefusedError: there are too many.
        """
        self.arriving += size
        if size > 0 and self.arriving > ARRIVING * self.limits.max_json:
            raise RefusedError(503, BUSY)

    @asynccontextmanager
    async def room(self, size: int) -> AsyncGenerator[None]:
        """Keep room for an upload of so many bytes.

        Raises:
            RefusedError: there is none, though what was old is gone.
        """
        if not self.uploads.reserve(size):
            await self.clean(room=size)
            if not self.uploads.reserve(size):
                raise RefusedError(503, FULL)
        try:
            yield
        finally:
            self.uploads.release(size)

    async def clean(self, *, room: int = 0) -> None:
        """Clean the folder of uploads; one at a time, and not on the event loop."""
        async with self._cleaning:
            await asyncio.to_thread(self.uploads.clean, room=room)
