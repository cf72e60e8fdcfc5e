"""The answer: the digit, its probabilities, and the 28 × 28 that the network sees."""

import gradio as gr

from ui.piece import piece


def answer() -> gr.HTML:
    """Return the piece that shows the answer of each `reading` event of the sketchpad."""
    return piece("answer", digits=list(range(10)))
