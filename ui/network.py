"""The network's side of the page: its answer, what it saw, and its hidden units."""

import gradio as gr

from ui.piece import piece


def network() -> gr.HTML:
    """Return the piece that draws each `reading` event of the sketchpad."""
    return piece("network", digits=list(range(10)))
