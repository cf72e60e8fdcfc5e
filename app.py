"""Serve the page and the API: python app.py"""

import os
import signal

if __name__ == "__main__":
    # Imports take seconds, and a container's first process gets no signal that it did not ask for.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))

import argparse
import gc
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
import torch
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
from server.listen import FIRST_PORTS, listen, url_of
from server.metrics import Metrics
from server.mount import mount
from server.serve import Server
from server.site import Site, add_site_flags, cross_origin, site_of
from server.traffic import Traffic
from server.upkeep import drain, health, lifespan, queue_length, share_memory
from server.uploads import Uploads
from server.waiting import waiting
from ui.api import Observe, bind_api, ignore
from ui.card.card import card
from ui.component import PAGE_CSS
from ui.draw.answer import answer
from ui.draw.drawings import drawings
from ui.draw.network import network
from ui.draw.sketchpad import sketchpad
from ui.draw.unit import unit
from ui.draw.why import why
from ui.lesson.lesson import lesson
from ui.modules import modules_route

T = TypeVar("T")
DEFAULT_MODEL = "mlp-1024"
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
        with gr.Row(elem_id="stage"):  # laid out by ui/shared/page.css
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
    parser.add_argument(
        "--host",
        default=os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1",
        help="name or address to listen on; :: is all of IPv6 and IPv4 "
        "(GRADIO_SERVER_NAME, else 127.0.0.1)",
    )
    parser.add_argument(
        "--port",
        type=port,
        default=os.environ.get("GRADIO_SERVER_PORT") or None,
        help="port to listen at; 0 is any free one "
        "(GRADIO_SERVER_PORT, else the first free one from 7860)",
    )
    add_site_flags(parser)
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
    return host.strip("[]"), port(number)


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
    """Serve until SIGTERM or SIGINT, and answer the calls in flight before returning.

    Raises:
        CheckpointError: the model cannot be loaded.
        DeviceError: the device does not exist on this machine.
        OSError: the address cannot be listened on.
    """
    # The handler only sets a flag: an exception from it could be swallowed anywhere.
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopped.append(received))
    share_memory()
    if on_zero_gpu():
        zerogpu.declare()
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # Limits ask for far less
    torch.set_num_threads(1)  # the other core is the event loop's; one is as fast, see the README
    listener = listen(options.host, FIRST_PORTS if options.port is None else [options.port])
    site = site_of(options, listener)
    trainings = trainings_of(options)
    with closing(trainings) if trainings else nullcontext():
        asks = asks_hub(options.model)
        with waiting(listener, site, model=options.model) if asks else nullcontext():
            limits = from_flags(Limits, options)
            loaded = until(stopped, load_readers, options.model, limits, options.device)
            if loaded is None:
                return
            metrics = watch(options.metrics)
            demo = compose(
                loaded[0],
                default=loaded[1],
                observe=metrics.read if metrics else ignore,
                limits=from_flags(ServerLimits, options),
                trainings=trainings,
            )
            server = server_of(demo, loaded[0], options, folder, site, metrics)
        serving = server.start(listener, ready=lambda: announce(url_of(listener) + site.prefix))
        while serving.is_alive() and not stopped:
            time.sleep(0.1)
        if not stopped:
            raise OSError("The server has stopped; its messages above say why.")
        server.stop()


def server_of(
    demo: gr.Blocks,
    readers: Mapping[str, Reader],
    options: argparse.Namespace,
    folder: Path,
    site: Site,
    metrics: Metrics | None,
) -> Server:
    """Return a server of the pages and the API, behind the gate."""
    limits = from_flags(ServerLimits, options)
    traffic = Traffic(limits, Uploads.of(limits, folder), Calls.of(demo))
    if metrics:
        traffic.observe = metrics.called
        metrics.watch_queue(lambda: queue_length(demo, traffic))
    demo.queue(max_size=limits.max_queue, api_open=True)  # in a Space, too
    app = mount(
        demo,
        middleware=[cross_origin(site), Middleware(Gate, traffic=traffic, site=site)],
        routes=[health(readers, traffic), modules_route()],
        lifespan=lifespan(demo, traffic),
        root_path=site.root_path,
        max_file_size=limits.max_upload,
        theme=THEME,
        css_paths=PAGE_CSS,
        footer_links=["api", "settings"],
    )
    return Server(app, traffic, drain=lambda: drain(app, demo, traffic))


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


def announce(url: str) -> None:
    """Print the address of the page, once the server is up."""
    print(f"Draw at {url}/", flush=True)
    # What is there now stays: to look through it all for garbage took 0.2 s, and the page waited.
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # a thread that still reads a batch would hold the process up
