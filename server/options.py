"""Command-line flags for the server's addresses and limits."""

import argparse
import os

from model.limits import Limits
from server.limits import ServerLimits, TrainingLimits, add_flags
from server.site import add_site_flags


def add_server_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags for addresses, sites and limits; the environment gives some defaults."""
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
        help="port to listen on; 0 is any free port "
        "(GRADIO_SERVER_PORT, else the first free port from 7860)",
    )
    add_site_flags(parser)
    parser.add_argument(
        "--metrics",
        type=host_and_port,
        metavar="HOST:PORT",
        help="where to serve metrics to Prometheus; do not expose it to the internet (nowhere)",
    )
    add_flags(parser, Limits)
    add_flags(parser, ServerLimits)
    add_flags(parser, TrainingLimits)
    # A public Space is used by everybody. Who duplicates it may turn training on.
    in_space = "0" if os.environ.get("SPACE_ID") else None
    if max_trainings := os.environ.get("MAX_TRAININGS") or in_space:
        parser.set_defaults(max_trainings=max_trainings)


def host_and_port(text: str) -> tuple[str, int]:
    """Parse HOST:PORT.

    Raises:
        argparse.ArgumentTypeError: the text has another form.
    """
    host, _, number = text.rpartition(":")
    if not host or not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:9100")
    return host.strip("[]"), port(number)


def port(text: str) -> int:
    """Parse the number of a port.

    Raises:
        argparse.ArgumentTypeError: it is not a port.
    """
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a number from 0 to 65535")
    return int(text)
