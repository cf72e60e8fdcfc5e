"""Serve the page and the API: python app.py"""

import argparse
import sys
from collections.abc import Mapping, Sequence

import gradio as gr

from model import CheckpointError, Reader
from model.checkpoint import shipped_names
from ui.answer import answer
from ui.api import bind_api
from ui.drawings import drawings
from ui.network import network
from ui.piece import PAGE_CSS
from ui.sketchpad import sketchpad
from ui.unit import unit
from ui.why import why

DEFAULT_MODEL = "mlp-1024"
MAX_UPLOAD = "10mb"
CACHE_AGE = (3_600, 3_600)  # s: how often uploads are looked through, and which are too old
# Orange is what speaks against, on this page; subdued text needs WCAG's contrast.
THEME = gr.themes.Default(primary_hue="blue").set(body_text_color_subdued="*neutral_600")
INTRO = """
# Draw a digit
A small neural network reads it while you draw, and shows every number on the way: \
ink → 28 × 28 pixels → hidden units → scores (logits) → probabilities.
"""


def build(readers: Mapping[str, Reader], *, default: str) -> gr.Blocks:
    """Compose the page, and bind the API to it."""
    with gr.Blocks(title="Draw a digit", analytics_enabled=False, delete_cache=CACHE_AGE) as demo:
        gr.Markdown(INTRO)
        with gr.Row(elem_id="stage"):  # laid out by ui/page.css
            sketchpad(readers, default=default)
            answer()
            drawings()
            network(readers)
        unit(readers)
        why()
        bind_api(readers, default=default)
    return demo


def load_readers(source: str) -> tuple[dict[str, Reader], str]:
    """Load the shipped models and the one asked for; return them by name, and its name.

    Raises:
        CheckpointError: `source` cannot be loaded.
    """
    readers = {name: Reader.load(name) for name in shipped_names()}
    if source in readers:
        return readers, source
    chosen = Reader.load(source)
    if chosen.name in readers:
        chosen.name += "-yours"  # both stay to be chosen
    return readers | {chosen.name: chosen}, chosen.name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", help="to listen on (GRADIO_SERVER_NAME, else 127.0.0.1)")
    parser.add_argument("--port", type=int, help="(GRADIO_SERVER_PORT, else the first from 7860)")
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help="a shipped model, a folder, or OWNER/NAME[@REVISION] on the Hub (mlp-1024)",
    )
    options = parser.parse_args(arguments)
    try:
        readers, default = load_readers(options.model)
    except CheckpointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    build(readers, default=default).launch(
        server_name=options.host,
        server_port=options.port,
        max_file_size=MAX_UPLOAD,
        enable_monitoring=False,
        theme=THEME,
        css_paths=PAGE_CSS,
        ssr_mode=False,
        footer_links=["api", "settings"],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
