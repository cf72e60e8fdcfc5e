"""A piece of the page: a gr.HTML whose template, style and scripts lie in files of their own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

HERE = Path(__file__).parent
PAGE_CSS = HERE / "page.css"  # where the pieces lie; each has its own style beside it


def piece(
    name: str,
    *,
    server_functions: Sequence[Callable] = (),
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
    elem_id: str | None = None,
    **props: Any,
) -> gr.HTML:
    """Return the component of ui/NAME.html, .css and .js; `props` fill the template.

    shared.js, shared.css, other `scripts` with the styles beside them, and other `styles` come
    before its own: a gr.HTML's script is the body of a function, which cannot import. `elem_id` is
    its name, unless there are two of it.
    """
    beside = [each for each in scripts if (HERE / f"{each}.css").is_file()]
    return gr.HTML(
        value=None,
        html_template=_text(f"{name}.html"),
        css_template="".join(_text(f"{each}.css") for each in ("shared", *styles, *beside, name)),
        js_on_load="".join(_text(f"{each}.js") for each in ("shared", *scripts, name)),
        server_functions=list(server_functions),
        elem_id=elem_id or name,
        **props,
    )


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
