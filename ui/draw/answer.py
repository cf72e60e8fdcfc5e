"""The answer: the digit, its probabilities, and the 28 × 28 that the network sees."""

import gradio as gr

from ui.component import component


def answer() -> gr.HTML:
    """Return the piece that shows the answer of each `reading` event of the sketchpad."""
    return component("draw/answer", digits=list(range(10)))
