"""Cleanup, health, and graceful shutdown of the server."""

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
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.capacity import Capacity
from server.gradio_internals import (
    drop_finished_sessions,
    end_streams,
    forget_uploads,
    has_unread_results,
    queue_length,
)

INTERVAL_SECONDS = 1  # between two cleanups of the queue's sessions
UPLOADS_INTERVAL = 5  # cleanups of sessions per cleanup of uploads
DRAIN_SECONDS = 2.5  # for the calls in progress to finish
FETCH_SECONDS = 0.5  # for clients to fetch results from the queue after that
M_ARENA_MAX = -8  # from glibc's malloc.h


def limit_memory_arenas() -> None:
    """Make all threads allocate from two memory arenas. Call it before threads are started.

    glibc would give each thread its own arena, whose free memory other threads cannot use, and
    memory would grow under load. On other systems this does nothing.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def lifespan(
    demo: gr.Blocks, capacity: Capacity
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return a FastAPI lifespan that runs the cleanup until the server stops."""

    @asynccontextmanager
    async def run_cleanup(_: FastAPI) -> AsyncGenerator[None]:
        task = asyncio.create_task(_clean_up(demo, capacity))
        yield
        task.cancel()

    return run_cleanup


async def _clean_up(demo: gr.Blocks, capacity: Capacity) -> None:
    unread: dict[str, float] = {}
    for i in count():
        try:
            if i % UPLOADS_INTERVAL == 0:
                await capacity.delete_old_uploads()
                forget_uploads(demo, capacity.uploads.take_deleted())
            drop_finished_sessions(demo, unread, now=time.monotonic())
        except Exception:  # without the task memory would grow, and the next round may succeed
            traceback.print_exc()
        await asyncio.sleep(INTERVAL_SECONDS)


def health_route(models: Mapping[str, Any], capacity: Capacity) -> Route:
    """Return GET /health: 200 while calls are accepted, 503 when the server is stopping.

    Until the models are loaded, server/loading.py answers it with 503.
    """

    async def health(_: Request) -> JSONResponse:
        if capacity.stopping:
            return JSONResponse({"status": "stopping"}, 503)
        return JSONResponse({"status": "ready", "models": list(models)})

    return Route("/health", health)


async def drain(app: FastAPI, demo: gr.Blocks, capacity: Capacity) -> None:
    """Finish the calls in progress, and end the streams of open pages."""
    await _wait_while(lambda: n_calls(demo, capacity), seconds=DRAIN_SECONDS)
    await _wait_while(lambda: has_unread_results(demo), seconds=FETCH_SECONDS)
    end_streams(app, demo)


async def _wait_while(busy: Callable[[], Any], *, seconds: float) -> None:
    """Wait until `busy()` is false, for at most this many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while busy():
                await asyncio.sleep(0.02)


def n_calls(demo: gr.Blocks, capacity: Capacity) -> int:
    """Return how many calls are running or waiting."""
    return capacity.n_calls + queue_length(demo)
