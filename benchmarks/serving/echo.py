"""The app with echo endpoints that do nothing: python -m benchmarks.serving.echo

An echo has the same input, binding and server as the real endpoint, and a constant result of the
same form. Its time is the part of a call that the framework and the transport take.
"""

import sys
from collections.abc import Mapping

import gradio as gr

import app
from lesson.trainings import Trainings
from model import Reader
from ui.api import Observe, Prediction, bind
from ui.pages import build_pages

ANSWER: Prediction = {
    "verdict": "digit",
    "digit": 7,
    "confidence": 0.9987654328346252,  # as many digits as a real result
    "probabilities": [0.00013717421097680926] * 7 + [0.9987654328346252] + [0.0001371742109768] * 2,
    "not_a_digit": 0.00012345678987912834,
    "model": "mlp-1024",
}


def build_with_echoes(
    readers: Mapping[str, Reader],
    *,
    default: str,
    observe: Observe,
    max_seconds: float,
    max_running: int,
    trainings: Trainings | None = None,
) -> gr.Blocks:
    """Build the app, with an echo for pictures and one for strokes."""
    demo = build_pages(
        readers,
        default=default,
        observe=observe,
        max_seconds=max_seconds,
        max_running=max_running,
        trainings=trainings,
    )

    def echo(image: gr.FileData, model: str = default) -> Prediction:
        return ANSWER

    def echo_strokes(strokes: list[list[list[float]]], model: str = default) -> Prediction:
        return ANSWER

    with demo:
        bind(echo, running=max_running)
        bind(echo_strokes, running=max_running)
    return demo


if __name__ == "__main__":
    sys.exit(app.main(build=build_with_echoes))
