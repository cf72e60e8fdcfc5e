"""Serve the page and the API: python app.py"""

import os
import signal

if __name__ == "__main__":
    # The imports take seconds, and without a handler a container's first process gets no signals.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))

import argparse
import gc
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import gradio as gr
import torch
from PIL import Image
from starlette.middleware import Middleware

from lesson.trainings import Trainings
from model import CheckpointError, Reader
from model.checkpoint import UnreachableError, shipped_names
from model.device import DeviceError, on_zero_gpu
from model.hub import StaleWarning
from model.limits import Limits
from server import zerogpu
from server.capacity import Capacity
from server.endpoints import Endpoints
from server.gradio_internals import mount
from server.guard import RequestGuard
from server.limits import ServerLimits, TrainingLimits, from_flags
from server.listen import FIRST_PORTS, listen, url_of
from server.loading import loading_app
from server.maintenance import drain, health_route, lifespan, limit_memory_arenas, n_calls
from server.metrics import Metrics
from server.options import add_server_flags
from server.serve import Server, Service
from server.site import Site, cross_origin, site_of
from server.uploads import Uploads
from ui.api import no_metrics
from ui.component import PAGE_CSS
from ui.modules import modules_route
from ui.pages import THEME, build_pages

DEFAULT_MODEL = "mlp-1024"
Build = Callable[..., gr.Blocks]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
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
        "--data-dir",
        default="data",
        metavar="DIR",
        help="folder with all of MNIST, for visitors to train on (data)",
    )
    add_server_flags(parser)
    return parser.parse_args(arguments)


def load_readers(source: str, limits: Limits, device: str = "cpu") -> tuple[dict[str, Reader], str]:
    """Load the shipped models and `source`; return the readers by name, and the name of `source`.

    If the Hub is unreachable, `source` comes from its cache, or else the default is a shipped
    model; a line on stderr says so.

    Raises:
        CheckpointError: `source` cannot be loaded.
        DeviceError: this machine has no such device.
    """
    load = partial(Reader.load, device=device, limits=limits)
    readers = {name: load(name) for name in shipped_names()}
    if source in readers:
        return readers, source
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StaleWarning)
        try:
            chosen = load(source)
        except UnreachableError as error:
            print(f"{error} Serving the shipped {DEFAULT_MODEL}.", file=sys.stderr, flush=True)
            return readers, DEFAULT_MODEL
    for warning in caught:
        print(warning.message, file=sys.stderr, flush=True)
    if chosen.name in readers:
        chosen.name += "-yours"  # keep both
    return readers | {chosen.name: chosen}, chosen.name


def main(arguments: Sequence[str] | None = None, *, build: Build = build_pages) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status.

    A benchmark passes a `build` that adds endpoints of its own.
    """
    options = parse(arguments)
    try:
        with tempfile.TemporaryDirectory(
            dir=os.environ.get("GRADIO_TEMP_DIR"), ignore_cleanup_errors=True
        ) as uploads:
            os.environ["GRADIO_TEMP_DIR"] = uploads
            serve(options, Path(uploads), build)
        return 0
    except (CheckpointError, DeviceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def serve(options: argparse.Namespace, upload_folder: Path, build: Build) -> None:
    """Serve until SIGTERM or SIGINT, and finish the calls in progress.

    Raises:
        CheckpointError: the model cannot be loaded.
        DeviceError: this machine has no such device.
        OSError: the address cannot be listened on.
    """
    # The handler only records the signal: library code could swallow an exception from it.
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, _: received.append(signum))
    limit_memory_arenas()
    if on_zero_gpu():
        zerogpu.declare()
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
    torch.set_num_threads(1)  # as fast for one digit, and the other cores serve requests
    cv2.setNumThreads(1)
    listener = listen(options.host, FIRST_PORTS if options.port is None else [options.port])
    site = site_of(options, listener)
    limits = from_flags(ServerLimits, options)
    capacity = Capacity(limits, Uploads.of(limits, upload_folder))
    metrics = metrics_server(options.metrics)
    trainings = trainings_of(options)
    server = Server(
        listener,
        capacity,
        loading=loading_app(site, model=options.model),
        load=partial(load_service, options, build, site, capacity, metrics, trainings),
        ready=partial(announce, url_of(listener) + site.prefix),
    )
    server.start()
    while server.is_alive() and not received:
        time.sleep(0.1)
    if server.is_alive():
        server.stop()
    if server.error:
        raise server.error


def load_service(
    options: argparse.Namespace,
    build: Build,
    site: Site,
    capacity: Capacity,
    metrics: Metrics | None,
    trainings: Trainings | None,
) -> Service:
    """Load the models, and build the app around them.

    Raises:
        CheckpointError: the model cannot be loaded.
        DeviceError: this machine has no such device.
    """
    readers, default = load_readers(options.model, from_flags(Limits, options), options.device)
    observe = metrics.observe_reading if metrics else no_metrics
    limits = capacity.limits
    demo = build(
        readers,
        default=default,
        observe=observe,
        max_seconds=limits.max_seconds,
        max_running=limits.max_running,
        trainings=trainings,
    )
    demo.queue(max_size=limits.max_queue, api_open=True)  # in a Space, too
    if metrics:
        capacity.observe = metrics.observe_call
        metrics.watch_queue(lambda: n_calls(demo, capacity))
    guard = Middleware(RequestGuard, capacity=capacity, endpoints=Endpoints.of(demo), site=site)
    app = mount(
        demo,
        middleware=[cross_origin(site), guard],
        routes=[health_route(readers, capacity), modules_route()],
        lifespan=lifespan(demo, capacity),
        root_path=site.root_path,
        max_file_size=limits.max_upload,
        theme=THEME,
        css_paths=PAGE_CSS,
        footer_links=["api", "settings"],
    )

    async def stop() -> None:
        await drain(app, demo, capacity)
        if trainings:
            await trainings.close()

    return Service(app, stop)


def trainings_of(options: argparse.Namespace) -> Trainings | None:
    """Return the manager of visitors' training runs, or None if training is off."""
    limits = from_flags(TrainingLimits, options)
    if not limits.max_trainings:
        return None
    return Trainings(
        max_running=limits.max_trainings,
        max_seconds=limits.max_training_seconds,
        data_dir=options.data_dir,
    )


def metrics_server(address: tuple[str, int] | None) -> Metrics | None:
    """Serve metrics at this address, if there is one.

    Raises:
        OSError: the address cannot be listened on.
    """
    if address is None:
        return None
    metrics = Metrics()
    try:
        metrics.serve(*address)
    except OSError as error:
        host, port = address
        raise OSError(f"Cannot serve --metrics at {host}:{port}: {error}.") from error
    return metrics


def announce(url: str) -> None:
    """Print the address of the page, once the app is loaded."""
    print(f"Draw at {url}/", flush=True)
    # Exempt what is loaded from garbage collection: scanning it would block requests for 0.2 s.
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # without waiting for a worker thread that still reads a batch
