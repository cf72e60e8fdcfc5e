"""Components of the page: a gr.HTML from a template, a style and an ES module."""

from collections.abc import Callable, Sequence
from pathlib import Path
from string import Template
from typing import Any

import gradio as gr

from ui.modules import UI, module_address

PAGE_CSS = UI / "shared" / "page.css"  # the layout of the page; each component has its own style
# The body of a function of Gradio's. It cannot contain import declarations, but can call import().
LOAD = Template("""\
import(new URL("$address", document.baseURI)).then(
  (module) => module.start(element, props, server),
  (error) => {
    const message = document.createElement("p");
    message.role = "alert";
    message.textContent = "This part of the page could not be loaded. Reload the page.";
    element.replaceChildren(message);
    throw error;
  },
);
""")


def component(
    name: str,
    *,
    server_functions: Sequence[Callable] = (),
    styles: Sequence[str] = (),
    elem_id: str | None = None,
    **props: Any,
) -> gr.HTML:
    """Return the component of ui/NAME.html, ui/NAME.css and ui/NAME.js.

    `name` and `styles` are paths without suffix, such as draw/sketchpad; `styles` apply before the
    component's own. `props` fill the template. `elem_id` is the last part of `name` by default.
    """
    return gr.HTML(
        value=None,
        html_template=_text(f"{name}.html"),
        css_template="".join(_text(f"{each}.css") for each in ("shared/shared", *styles, name)),
        js_on_load=LOAD.substitute(address=module_address(f"{name}.js")),
        server_functions=list(server_functions),
        elem_id=elem_id or Path(name).name,
        **props,
    )


def _text(name: str) -> str:
    return (UI / name).read_text(encoding="utf-8")
