"""Why this digit: what adds up to its logit, by unit, by pixel and by stroke."""

import gradio as gr

from ui.component import component


def why() -> gr.HTML:
    """Return the piece that explains the answer of each `reading` event of the sketchpad."""
    return component("draw/why", digits=list(range(10)))
