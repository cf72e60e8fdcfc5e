"""The private parts of Gradio that server/gradio_internals.py uses, tried on the installed Gradio.

If one of these tests fails after an update of Gradio, adapt that module to it.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import gradio as gr
import pytest
from starlette.testclient import TestClient

from server import gradio_internals
from server.gradio_internals import MAX_SESSIONS, MAX_THREADS, MAX_UNREAD, MAX_UNREAD_SECONDS


@asynccontextmanager
async def lifespan(app):
    yield


def seven() -> int:
    return 7


@pytest.fixture
def demo():
    with gr.Blocks() as demo:
        gr.HTML("text")
        gr.api(seven, api_name="seven")
    demo.queue()
    return demo


@pytest.fixture
def app(demo):
    return gradio_internals.mount(demo, middleware=[], routes=[], lifespan=lifespan)


def test_limits_of_threads_and_sessions_reach_gradio(demo, app):
    assert demo._queue.max_thread_count == MAX_THREADS
    with TestClient(app) as client:
        client.post("/gradio_api/run/seven", json={"data": []})
        gradio_app = gradio_internals._gradio_app(app)
        assert gradio_app.state_holder.capacity == MAX_SESSIONS


def test_a_components_configuration_is_computed_once(demo, app):
    [html] = [block for block in demo.blocks.values() if isinstance(block, gr.HTML)]
    assert html.get_config() == type(html).get_config(html)
    assert html.get_config() is not html.get_config()  # callers may change what they get
    html.value = "other"
    assert html.get_config()["value"] == "text"


def joined(client, session):
    body = {"data": [], "fn_index": 0, "session_hash": session}
    assert client.post("/gradio_api/queue/join", json=body).status_code == 200


def finish_calls(client, demo):
    """Wait until the queue is empty; each request lets the event loop run."""
    for _ in range(10_000):
        if not gradio_internals.queue_length(demo) and not demo._queue.event_ids_to_events:
            return
        client.get("/gradio_api/startup-events")
    raise TimeoutError("the queue did not finish its calls")


def test_sessions_with_unread_results_are_dropped_in_time(demo, app):
    with TestClient(app) as client:
        joined(client, "first")
        finish_calls(client, demo)
        queue = demo._queue
        assert gradio_internals.has_unread_results(demo)
        unread = {}
        gradio_internals.drop_finished_sessions(demo, unread, now=0)
        assert [*unread] == ["first"]
        assert "first" in queue.pending_messages_per_session
        gradio_internals.drop_finished_sessions(demo, unread, now=MAX_UNREAD_SECONDS + 1)
        assert not unread
        assert not gradio_internals.has_unread_results(demo)
        assert "first" not in queue.pending_messages_per_session


def test_only_so_many_unread_results_are_kept(demo, app):
    with TestClient(app) as client:
        for i in range(MAX_UNREAD + 2):
            joined(client, f"session {i}")
        finish_calls(client, demo)
        unread = {}
        gradio_internals.drop_finished_sessions(demo, unread, now=0)
        assert [*unread] == [f"session {i}" for i in range(2, MAX_UNREAD + 2)]


def test_deleted_uploads_are_forgotten(demo):
    demo.upload_file_set.update(["kept", "deleted"])
    gradio_internals.forget_uploads(demo, ["deleted"])
    assert demo.upload_file_set == {"kept"}


def test_open_streams_end(demo, app):
    async def end():
        gradio_internals.end_streams(app, demo)

    with TestClient(app):
        stop_event = gradio_internals._gradio_app(app).stop_event
        assert not stop_event.is_set()
        with ThreadPoolExecutor(1) as pool:  # Playwright's event loop runs in this thread
            pool.submit(asyncio.run, end()).result()
        assert stop_event.is_set()
