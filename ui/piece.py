"""A piece of the page: a gr.HTML whose template, style and script lie in files of their own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

HERE = Path(__file__).parent


def piece(name: str, *, server_functions: Sequence[Callable] = (), **props: Any) -> gr.HTML:
    """Return the component of ui/NAME.html, .css and .js; `props` fill the template."""
    return gr.HTML(
        value=None,
        html_template=(HERE / f"{name}.html").read_text(encoding="utf-8"),
        css_template=(HERE / f"{name}.css").read_text(encoding="utf-8"),
        js_on_load=(HERE / f"{name}.js").read_text(encoding="utf-8"),
        server_functions=list(server_functions),
        elem_id=name,
        **props,
    )
