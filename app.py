"""Serve the page and the API: python app.py"""

import argparse
import gc
import os
import signal
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import gradio as gr
import torch
from PIL import Image
from starlette.middleware import Middleware

from model import CheckpointError, Reader
from model.checkpoint import shipped_names
from model.limits import Limits
from server.calls import Calls
from server.gate import Gate
from server.limits import ServerLimits, add_flags, from_flags
from server.metrics import Metrics
from server.traffic import Traffic
from server.upkeep import SESSIONS, health, lifespan, queue_length, share_memory, stop
from server.uploads import Uploads
from ui.answer import answer
from ui.api import Observe, bind_api, ignore
from ui.drawings import drawings
from ui.network import network
from ui.piece import PAGE_CSS
from ui.sketchpad import sketchpad
from ui.unit import unit
from ui.why import why

DEFAULT_MODEL = "mlp-1024"
THREADS = 8  # that read: more would only wait for each other, and each keeps memory of its own
# Orange is what speaks against, on this page; subdued text needs WCAG's contrast.
THEME = gr.themes.Default(primary_hue="blue").set(body_text_color_subdued="*neutral_600")
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
) -> gr.Blocks:
    """Compose the page, and bind the API to it."""
    with gr.Blocks(title="Draw a digit", analytics_enabled=False) as demo:
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
    return demo


def load_readers(source: str, limits: Limits) -> tuple[dict[str, Reader], str]:
    """Load the shipped models and the one asked for; return them by name, and its name.

    Raises:
        CheckpointError: `source` cannot be loaded.
    """
    readers = {name: Reader.load(name, limits=limits) for name in shipped_names()}
    if source in readers:
        return readers, source
    chosen = Reader.load(source, limits=limits)
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
        default=DEFAULT_MODEL,
        help="a shipped model, a folder, or OWNER/NAME[@REVISION] on the Hub (mlp-1024)",
    )
    parser.add_argument(
        "--metrics",
        type=address,
        metavar="HOST:PORT",
        help="where to give figures to Prometheus; keep it from the internet (nowhere)",
    )
    add_flags(parser, Limits)
    add_flags(parser, ServerLimits)
    return parser.parse_args(arguments)


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
    except (CheckpointError, OSError) as error:
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
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # Limits ask for far less
    torch.set_num_threads(1)  # the other core is the event loop's; one is as fast, see the README
    limits = from_flags(ServerLimits, options)
    readers, default = load_readers(options.model, from_flags(Limits, options))
    metrics = watch(options.metrics)
    observe = metrics.read if metrics else ignore
    demo = compose(readers, default=default, observe=observe, limits=limits)
    traffic = Traffic(limits, Uploads.of(limits, folder), Calls.of(demo))
    if metrics:
        traffic.observe = metrics.called
        metrics.watch_queue(lambda: queue_length(demo, traffic))
    launch(demo, traffic, readers, host=options.host, port=options.port)
    while not stopped:
        time.sleep(0.1)
    stop(demo, traffic)


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
    if port is not None and not _is_free(port):
        raise OSError(f"Port {port} is taken: choose another by --port.")
    demo.queue(max_size=traffic.limits.max_queue)
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
