"""Drawings from elsewhere and for elsewhere: examples, pictures, files, a link."""

import json

import gradio as gr

from ui.component import component
from ui.modules import UI

EXAMPLES = UI / "draw" / "examples.jsonl"


def drawings() -> gr.HTML:
    """Return the piece that puts other ink on the sketchpad, and gives away what is there."""
    lines = EXAMPLES.read_text(encoding="utf-8").splitlines()
    digits = [json.loads(line)["digit"] for line in lines]
    return component("draw/drawings", examples=lines, digits=digits)
