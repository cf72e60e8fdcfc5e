"""Gradio inside our own FastAPI app; no other module uses private parts of Gradio.

The private parts, each with a test in tests/test_gradio_internals.py:
`Blocks._queue`, `Blocks.max_threads`, `Blocks.state_session_capacity`, `Blocks.upload_file_set`,
`Blocks.is_running`, the Queue's `max_thread_count`, `pending_event_ids_session`,
`event_ids_to_events` and `pending_messages_per_session`, `routes.App.stop_event`,
`HTML.get_config`, and the message UNKNOWN_CALL.
"""

import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.routes import App
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

UNKNOWN_CALL = b'"404: Not Found"'  # the message of an event stream whose call is unknown, as JSON
MAX_THREADS = 8  # worker threads; more would wait for the GIL, and each keeps its own memory
MAX_SESSIONS = 100  # whose state Gradio keeps, at 34 KB each; the app does not depend on it
MAX_UNREAD = 50  # sessions with results that were not fetched; an explanation takes 0.5 MB
MAX_UNREAD_SECONDS = 60  # such results are kept this long, enough to copy an event id manually


def mount(
    demo: gr.Blocks,
    *,
    middleware: list[Middleware],
    routes: list[BaseRoute],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    **options: Any,
) -> FastAPI:
    """Return an ASGI app that serves `demo` at its root; `options` are mount_gradio_app's.

    `Blocks.launch` is not an option: it requests its own address through the proxy that the
    environment names, and cannot write an IPv6 address in a URL.
    """
    app = FastAPI(openapi_url=None, middleware=middleware, routes=routes, lifespan=lifespan)
    # launch() has arguments for these, mount_gradio_app() has not.
    demo.max_threads = demo._queue.max_thread_count = MAX_THREADS
    demo.state_session_capacity = MAX_SESSIONS
    with warnings.catch_warnings():  # SSR is off anyway
        warnings.filterwarnings("ignore", "SSR mode is not supported")
        gr.mount_gradio_app(
            app,
            demo,
            path="/",
            app_kwargs={"openapi_url": None},
            show_error=False,
            enable_monitoring=False,
            run_history=False,
            ssr_mode=False,
            **options,
        )
    demo.config = demo.get_config_file()  # it was written before theme and show_error were set
    demo._queue.set_server_app(_gradio_app(app))
    demo._queue.pending_messages_per_session.max_size = sys.maxsize  # it drops live ones otherwise
    for block in demo.blocks.values():
        if isinstance(block, gr.HTML):
            _cache_config(block)
    return app


def _cache_config(component: gr.HTML) -> None:
    """Compute a component's configuration once.

    Gradio computes it for each call without a session, searching the component's script for names
    of properties: 0.6 ms a component, most of what a call costs.
    """
    config = component.get_config()
    setattr(component, "get_config", lambda: dict(config))  # noqa: B010


def queue_length(demo: gr.Blocks) -> int:
    """Return how many calls are running or waiting in Gradio's queue."""
    return len(demo._queue) + demo._queue.get_active_worker_count()


def has_unread_results(demo: gr.Blocks) -> bool:
    """Return whether a client has not yet fetched the results of its calls."""
    return any(demo._queue.pending_event_ids_session.values())


def forget_uploads(demo: gr.Blocks, paths: Iterable[str]) -> None:
    """Drop deleted files from Gradio's list of uploads."""
    demo.upload_file_set.difference_update(paths)


def drop_finished_sessions(demo: gr.Blocks, unread: dict[str, float], *, now: float) -> None:
    """Drop the queue's sessions whose results were fetched, or that were not fetched in time.

    Gradio keeps them all. `unread` maps each session with unread results to the time, in seconds,
    at which it was first seen; it is updated.
    """
    queue = demo._queue
    sessions, running = queue.pending_event_ids_session, queue.event_ids_to_events.keys()
    read = [session for session, events in sessions.items() if not events]
    done = [session for session, events in sessions.items() if events and not events & running]
    for session in unread.keys() - set(done):
        del unread[session]
    for session in done:
        unread.setdefault(session, now)
    too_many = list(unread)[: max(0, len(unread) - MAX_UNREAD)]  # the oldest first
    too_old = [session for session, since in unread.items() if now - since > MAX_UNREAD_SECONDS]
    for session in {*read, *too_many, *too_old}:
        unread.pop(session, None)
        del sessions[session]
        queue.pending_messages_per_session.pop(session, None)


def end_streams(app: FastAPI, demo: gr.Blocks) -> None:
    """End the open responses, as `Blocks.close` does. Call it on the event loop."""
    demo._queue.close()
    demo.is_running = False
    _gradio_app(app).stop_event.set()


def _gradio_app(app: FastAPI) -> App:
    [gradio_app] = [r.app for r in app.routes if isinstance(r, Mount) and isinstance(r.app, App)]
    return gradio_app
