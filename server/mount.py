"""Gradio inside an app of our own; the parts of Gradio that are not public are used here."""

import warnings
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.routes import App
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

THREADS = 8  # that read: more would only wait for each other, and each keeps memory of its own
SESSIONS = 100  # whose state Gradio keeps, 34 KB each; nothing here depends on it


def mount(
    demo: gr.Blocks,
    *,
    middleware: list[Middleware],
    routes: list[BaseRoute],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    **options: Any,
) -> FastAPI:
    """Return an ASGI app that serves `demo` at its root; `options` are mount_gradio_app's.

    `Blocks.launch` cannot be used: it asks its own address whether it is up, through the proxy
    that the environment names, and does not know how to write an IPv6 address in a URL.
    """
    app = FastAPI(openapi_url=None, middleware=middleware, routes=routes, lifespan=lifespan)
    # What launch() has arguments for, and mount_gradio_app() has not.
    demo.max_threads = demo._queue.max_thread_count = THREADS
    demo.state_session_capacity = SESSIONS
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
    demo._queue.set_server_app(_app_of(app))
    return app


def end_streams(app: FastAPI, demo: gr.Blocks) -> None:
    """End the answers that stay open, as `Blocks.close` does; call it on the event loop."""
    demo._queue.close()
    demo.is_running = False
    _app_of(app).stop_event.set()


def _app_of(app: FastAPI) -> App:
    [gradio_app] = [r.app for r in app.routes if isinstance(r, Mount) and isinstance(r.app, App)]
    return gradio_app
