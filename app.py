"""Serve the page and the API: python app.py"""

import os
import signal

if __name__ == "__main__":
    # Imports take seconds, and a container's first process gets no signal that it did not ask for.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))

import argparse
import gc
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
import torch
from gradio.http_server import INITIAL_PORT_VALUE, LOCALHOST_NAME, TRY_NUM_PORTS
from PIL import Image
from starlette.middleware import Middleware

from lesson.trainings import Trainings
from model import CheckpointError, Reader
from model.checkpoint import UnreachableError, asks_hub, shipped_names
from model.device import DeviceError, on_zero_gpu
from model.hub import StaleWarning
from model.limits import Limits
from server import zerogpu
from server.calls import Calls
from server.gate import Gate
from server.limits import ServerLimits, TrainingLimits, add_flags, from_flags
from server.metrics import Metrics
from server.traffic import Traffic
from server.upkeep import SESSIONS, health, lifespan, queue_length, share_memory, stop
from server.uploads import Uploads
from server.waiting import waiting
from ui.answer import answer
from ui.api import Observe, bind_api, ignore
from ui.card import card
from ui.drawings import drawings
from ui.lesson import lesson
from ui.network import network
from ui.piece import PAGE_CSS
from ui.sketchpad import sketchpad
from ui.unit import unit
from ui.why import why

T = TypeVar("T")
DEFAULT_MODEL = "mlp-1024"
THREADS = 8  # that read: more would only wait for each other, and each keeps memory of its own
# Gradio's SemiBold has 55 letters and no more: its Bold has them all.
FONT = (gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "system-ui", "sans-serif")
# Orange is what speaks against, on this page; subdued text needs WCAG's contrast.
THEME = gr.themes.Default(primary_hue="blue", font=FONT).set(body_text_color_subdued="*neutral_600")
INTRO = """
# Draw a digit
A small neural network reads it while you draw, and shows every number on the way: \
ink → 28 × 28 pixels → hidden units → scores (logits) → probabilities.
"""


def build(
    readers: Mapping[str, Reader],
    *,
    default: str,
    observe: Observe,
    limits: ServerLimits,
    trainings: Trainings | None = None,
) -> gr.Blocks:
    """Compose the pages, and bind the API to the first; without `trainings` nobody trains here."""
    with gr.Blocks(title="Draw a digit", analytics_enabled=False) as demo:
        gr.Navbar(main_page_name="Draw")
        gr.Markdown(INTRO)
        with gr.Row(elem_id="stage"):  # laid out by ui/page.css
            sketchpad(readers, default=default, observe=observe)
            answer()
            drawings()
            network(readers)
        unit(readers)
        why()
        bind_api(
            readers,
            default=default,
            observe=observe,
            seconds=limits.max_seconds,
            running=limits.max_running,
        )
    with demo.route("How it works", "/lesson"):
        gr.Navbar(main_page_name="Draw")
        with gr.Row(elem_id="lesson-stage"):
            lesson(readers, observe=observe, trainings=trainings)
    with demo.route("Model card", "/card"):
        gr.Navbar(main_page_name="Draw")
        card(readers, default=default)
    return demo


def load_readers(source: str, limits: Limits, device: str = "cpu") -> tuple[dict[str, Reader], str]:
    """Load the shipped models and `source`; return the readers by name, and the name of `source`.

    If the Hub cannot be reached, its cache is used, or else the shipped models; a line on stderr
    says so.

    Raises:
        CheckpointError: `source` cannot be loaded.
        DeviceError: the device does not exist on this machine.
    """
    load = partial(Reader.load, device=device, limits=limits)
    readers = {name: load(name) for name in shipped_names()}
    if source in readers:
        return readers, source
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", StaleWarning)
        try:
            chosen = load(source)
        except UnreachableError as error:
            print(f"{error} Serving the shipped {DEFAULT_MODEL}.", file=sys.stderr, flush=True)
            return readers, DEFAULT_MODEL
    for warning in said:
        print(warning.message, file=sys.stderr, flush=True)
    if chosen.name in readers:
        chosen.name += "-yours"  # both stay to be chosen
    return readers | {chosen.name: chosen}, chosen.name


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", help="to listen on (GRADIO_SERVER_NAME, else 127.0.0.1)")
    parser.add_argument(
        "--port", type=port, help="to listen at (GRADIO_SERVER_PORT, else the first from 7860)"
    )
    parser.add_argument(
        "--model",
        default=os.environ.get("MODEL") or DEFAULT_MODEL,
        help="a shipped model, a folder, or the Hub's OWNER/NAME[@REVISION] (MODEL, else mlp-1024)",
    )
    parser.add_argument(
        "--device",
        default="cpu",
        help="where networks compute: cpu, auto, cuda, cuda:1 or mps (cpu: a GPU is not faster)",
    )
    parser.add_argument(
        "--metrics",
        type=address,
        metavar="HOST:PORT",
        help="where to give figures to Prometheus; keep it from the internet (nowhere)",
    )
    add_flags(parser, Limits)
    add_flags(parser, ServerLimits)
    add_flags(parser, TrainingLimits)
    parser.add_argument(
        "--data-dir",
        default="data",
        metavar="DIR",
        help="where all of MNIST may lie, for visitors to train on (data)",
    )
    # A public Space is everybody's: who duplicates it may turn training on.
    if said := os.environ.get("MAX_TRAININGS") or ("0" if os.environ.get("SPACE_ID") else None):
        parser.set_defaults(max_trainings=said)
    return parser.parse_args(arguments)


def trainings_of(options: argparse.Namespace) -> Trainings | None:
    """Return where visitors train, or None if they must not."""
    limits = from_flags(TrainingLimits, options)
    if not limits.max_trainings:
        return None
    return Trainings(
        most_running=limits.max_trainings,
        max_seconds=limits.max_training_seconds,
        data_dir=options.data_dir,
    )


def watch(where: tuple[str, int] | None) -> Metrics | None:
    """Serve figures to Prometheus at this address, if there is one.

    Raises:
        OSError: it is not free.
    """
    if where is None:
        return None
    metrics = Metrics()
    try:
        metrics.serve(*where)
    except OSError as error:
        raise OSError(f"Nothing can listen at --metrics {where[0]}:{where[1]}: {error}.") from error
    return metrics


def address(text: str) -> tuple[str, int]:
    """Return the host and the port of HOST:PORT.

    Raises:
        argparse.ArgumentTypeError: it is not of that form.
    """
    host, _, number = text.rpartition(":")
    if not host or not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:9100")
    return host, port(number)


def port(text: str) -> int:
    """Return the number of a port.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: they go to 65535")
    return int(text)


def main(
    arguments: Sequence[str] | None = None, *, compose: Callable[..., gr.Blocks] = build
) -> int:
    """Run the command line; return the exit status.

    `compose` stands in for `build`, where a benchmark adds endpoints of its own.
    """
    options = parse(arguments)
    try:
        with tempfile.TemporaryDirectory(
            dir=os.environ.get("GRADIO_TEMP_DIR"), ignore_cleanup_errors=True
        ) as uploads:
            os.environ["GRADIO_TEMP_DIR"] = uploads
            serve(options, Path(uploads), compose)
        return 0
    except (CheckpointError, DeviceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def serve(
    options: argparse.Namespace, folder: Path, compose: Callable[..., gr.Blocks] = build
) -> None:
    """Serve until a signal comes, and end with the answers given that were asked for.

    Raises:
        CheckpointError: the model cannot be loaded.
        OSError: the port is taken.
    """
    # Nothing is raised: where a signal strikes, it might be swallowed. A flag is looked at later.
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopped.append(received))
    share_memory()
    if on_zero_gpu():
        zerogpu.declare()
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # Limits ask for far less
    torch.set_num_threads(1)  # the other core is the event loop's; one is as fast, see the README
    limits = from_flags(ServerLimits, options)
    with door(options) as port:
        loaded = until(
            stopped, load_readers, options.model, from_flags(Limits, options), options.device
        )
        if loaded is None:
            return
        readers, default = loaded
        metrics = watch(options.metrics)
        observe = metrics.read if metrics else ignore
        trainings = trainings_of(options)
        demo = compose(
            readers, default=default, observe=observe, limits=limits, trainings=trainings
        )
        traffic = Traffic(limits, Uploads.of(limits, folder), Calls.of(demo))
        if metrics:
            traffic.observe = metrics.called
            metrics.watch_queue(lambda: queue_length(demo, traffic))
    with closing(trainings) if trainings else nullcontext():
        launch(demo, traffic, readers, host=options.host, port=port)
        while not stopped:
            time.sleep(0.1)
        stop(demo, traffic)


@contextmanager
def door(options: argparse.Namespace) -> Generator[int | None]:
    """Where the Hub will be asked, answer visitors until the block ends; yield the port to open.

    Raises:
        CheckpointError: there is no such model.
        OSError: the port is taken.
    """
    if options.port is not None and not _is_free(options.port):
        raise OSError(f"Port {options.port} is taken: choose another by --port.")
    if not asks_hub(options.model):
        yield options.port
        return
    first = range(INITIAL_PORT_VALUE, INITIAL_PORT_VALUE + TRY_NUM_PORTS)
    ports = first if options.port is None else [options.port]
    with waiting(options.host or LOCALHOST_NAME, ports, model=options.model) as port:
        yield port


def until(stopped: Sequence[int], work: Callable[..., T], *arguments: Any) -> T | None:
    """Return what `work` returns, or None as soon as a signal has come; raise what it raises."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    while not wait([future], timeout=0.1).done:
        if stopped:
            return None
    return future.result()


def launch(
    demo: gr.Blocks,
    traffic: Traffic,
    readers: Mapping[str, Reader],
    *,
    host: str | None,
    port: int | None,
) -> None:
    """Open the port, behind the gate.

    Raises:
        OSError: it is taken.
    """
    demo.queue(max_size=traffic.limits.max_queue, api_open=True)  # in a Space, too
    demo.launch(
        quiet=True,
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        max_threads=THREADS,
        max_file_size=traffic.limits.max_upload,
        state_session_capacity=SESSIONS,
        enable_monitoring=False,
        run_history=False,
        theme=THEME,
        css_paths=PAGE_CSS,
        ssr_mode=False,
        footer_links=["api", "settings"],
        app_kwargs={
            "middleware": [Middleware(Gate, traffic=traffic)],
            "routes": [health(readers, traffic)],
            "lifespan": lifespan(traffic),
            "openapi_url": None,
        },
    )
    print(f"Draw at {demo.local_url}", flush=True)
    demo.server.config.encoded_headers.clear()  # which say what serves
    # What is there now stays: to look through it all for garbage took 0.2 s, and the page waited.
    gc.collect()
    gc.freeze()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # a thread that still reads a batch would hold the process up
