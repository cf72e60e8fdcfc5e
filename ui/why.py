"""Why this digit: what adds up to its logit, by unit, by pixel and by stroke."""

import gradio as gr

from ui.piece import piece


def why() -> gr.HTML:
    """Return the piece that explains the answer of each `reading` event of the sketchpad."""
    return piece("why", digits=list(range(10)))
