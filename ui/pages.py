"""The pages of the app, and the API that is served with them."""

from collections.abc import Mapping

import gradio as gr

from lesson.trainings import Trainings
from model import Reader
from ui.api import Observe, bind_api
from ui.card.card import card
from ui.draw.answer import answer
from ui.draw.drawings import drawings
from ui.draw.network import network
from ui.draw.sketchpad import sketchpad
from ui.draw.unit import unit
from ui.draw.why import why
from ui.lesson.lesson import lesson

# The SemiBold file that Gradio ships has only 55 letters; its Bold is complete.
FONT = (gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "system-ui", "sans-serif")
# Blue, because orange marks negative values on the pages. The default colour of subdued text has
# less contrast than WCAG asks for.
THEME = gr.themes.Default(primary_hue="blue", font=FONT).set(body_text_color_subdued="*neutral_600")
INTRO = """
# Draw a digit
A small neural network reads it while you draw, and shows every number on the way: \
ink → 28 × 28 pixels → hidden units → scores (logits) → probabilities.
"""


def build_pages(
    readers: Mapping[str, Reader],
    *,
    default: str,
    observe: Observe,
    max_seconds: float,
    max_running: int,
    trainings: Trainings | None = None,
) -> gr.Blocks:
    """Build the drawing page with the API, the lesson and the model card page.

    `default` names the model that is selected at first. `observe` receives figures about each
    reading. A batch may take `max_seconds`. At most `max_running` calls run at a time. Without
    `trainings`, visitors cannot train networks.
    """
    with gr.Blocks(title="Draw a digit", analytics_enabled=False) as demo:
        gr.Navbar(main_page_name="Draw")
        gr.Markdown(INTRO)
        with gr.Row(elem_id="stage"):  # ui/shared/page.css arranges it
            sketchpad(readers, default=default, observe=observe)
            answer()
            drawings()
            network(readers)
        unit(readers)
        why()
        bind_api(
            readers, default=default, observe=observe, seconds=max_seconds, running=max_running
        )
    with demo.route("How it works", "/lesson"):
        gr.Navbar(main_page_name="Draw")
        with gr.Row(elem_id="lesson-stage"):
            lesson(readers, observe=observe, trainings=trainings)
    with demo.route("Model card", "/card"):
        gr.Navbar(main_page_name="Draw")
        card(readers, default=default)
    return demo
