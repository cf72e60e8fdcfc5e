"""The server's life: what is tidied up while it runs, its health, and how it ends."""

import asyncio
import ctypes
import sys
import time
import traceback
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from itertools import count
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.queueing import Queue
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.mount import end_streams
from server.traffic import Traffic

EVERY = 1  # s, between two rounds
CLEAN = 5  # rounds, between two looks through the uploads
DRAIN = 3  # s that calls in flight have to be answered in
READ = 0.5  # s more to read those answers in that wait in the queue
CLOSE = 1  # s more for streams, of which each open page holds one for good
UNREAD = 50  # sessions whose answers nobody has come for; an explanation has half a MB
UNREAD_AGE = 60  # s that such answers are kept: so long a hand takes to copy an event's name
M_ARENA_MAX = -8  # of glibc's malloc.h


def share_memory() -> None:
    """Let all threads take their memory from the same two places; call it before there are any.

    glibc would give each of them its own, and what one has freed no other could use: a flood of
    calls then takes more and more. Elsewhere than on glibc it does nothing.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def lifespan(
    blocks: gr.Blocks, traffic: Traffic
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return FastAPI's lifespan: a task that tidies up until the server stops."""

    @asynccontextmanager
    async def tidying(_: FastAPI) -> AsyncGenerator[None]:
        task = asyncio.create_task(_tidy(blocks, traffic))
        yield
        task.cancel()

    return tidying


async def _tidy(blocks: gr.Blocks, traffic: Traffic) -> None:
    blocks._queue.pending_messages_per_session.max_size = sys.maxsize  # or it drops live ones
    unread: dict[str, float] = {}
    for rounds in count():
        try:
            if rounds % CLEAN == 0:
                await traffic.clean()
                blocks.upload_file_set.difference_update(traffic.uploads.take_removed())
            _forget(blocks._queue, unread, now=time.monotonic())
        except Exception:  # the next round may do better, and without it memory would grow
            traceback.print_exc()
        await asyncio.sleep(EVERY)


def _forget(queue: Queue, unread: dict[str, float], *, now: float) -> None:
    """Drop the sessions whose answers were read, and those that nobody came for.

    Gradio keeps them all. `unread` is when each session was first seen to be done, but not read.
    """
    sessions, running = queue.pending_event_ids_session, queue.event_ids_to_events.keys()
    read = [session for session, events in sessions.items() if not events]
    done = [session for session, events in sessions.items() if events and not events & running]
    for session in unread.keys() - set(done):
        del unread[session]
    for session in done:
        unread.setdefault(session, now)
    too_many = list(unread)[: max(0, len(unread) - UNREAD)]  # the oldest first
    too_old = [session for session, since in unread.items() if now - since > UNREAD_AGE]
    for session in {*read, *too_many, *too_old}:
        unread.pop(session, None)
        del sessions[session]
        queue.pending_messages_per_session.pop(session, None)


def health(models: Mapping[str, Any], traffic: Traffic) -> Route:
    """Return GET /health: 200 while calls are taken, 503 when the server is stopping.

    It is there when the models are loaded; before, server/waiting.py may say 503 in its place.
    """

    async def answer(_: Request) -> JSONResponse:
        if traffic.stopping:
            return JSONResponse({"status": "stopping"}, 503)
        return JSONResponse({"status": "ready", "models": list(models)})

    return Route("/health", answer)


async def drain(app: FastAPI, demo: gr.Blocks, traffic: Traffic) -> None:
    """Answer the calls in flight, and end the streams of open pages."""
    await _pass_time(DRAIN, lambda: queue_length(demo, traffic))
    await _pass_time(READ, lambda: any(demo._queue.pending_event_ids_session.values()))
    end_streams(app, demo)


async def _pass_time(seconds: float, busy: Callable[[], Any]) -> None:
    """Wait until `busy()` is false, for at most this many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while busy():
                await asyncio.sleep(0.02)


def queue_length(demo: gr.Blocks, traffic: Traffic) -> int:
    """Return how many calls are in work or wait."""
    queue = demo._queue
    return traffic.under_way + len(queue) + queue.get_active_worker_count()
