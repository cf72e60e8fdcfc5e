"""A model card as the page shows it: its Markdown made safe, and split at its plots.

A card from the Hub is somebody's text. No HTML of its own gets through, no picture is fetched, and
only addresses of the web and of mail become links.
"""

import html
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n.*?^---[ \t]*$", re.DOTALL | re.MULTILINE)
_PLOT = re.compile(r"plots/([a-z]{1,40})\.png")
_LINK = re.compile(r"(?:https?://|mailto:)[!-~]{1,2000}", re.ASCII)


class Part(NamedTuple):
    """Some of a card: text, or a plot."""

    html: str  # safe to be shown; "" for a plot
    plot: str = ""  # its name: of plots/NAME.png
    alt: str = ""  # what the card says that it shows


def parts(card: str) -> tuple[Part, ...]:
    """Return the parts of a card, README.md, without its front matter."""
    tokens = _MARKDOWN.parse(_FRONT_MATTER.sub("", card, count=1))
    found: list[Part] = []
    first = 0  # of the tokens that no part has yet
    for i in range(len(tokens)):
        plot = _plot_of(tokens[i : i + 3])
        if plot:
            found += [_text(tokens[first:i]), plot]
            first = i + 3
    return tuple(part for part in (*found, _text(tokens[first:])) if part.html or part.plot)


def _plot_of(tokens: Sequence[Token]) -> Part | None:
    """Return the plot that a paragraph is, if it is nothing else."""
    if [token.type for token in tokens] != ["paragraph_open", "inline", "paragraph_close"]:
        return None
    inside = tokens[1].children or []
    if tokens[0].level or [token.type for token in inside] != ["image"]:
        return None
    match = _PLOT.fullmatch(str(inside[0].attrGet("src")))
    return Part("", match[1], inside[0].content) if match else None


def _text(tokens: Sequence[Token]) -> Part:
    for token in tokens:
        _tame_links(token.children or [])
    return Part(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}).strip())


def _tame_links(tokens: Iterable[Token]) -> None:
    """Open links in a page of their own; of a link that leads nowhere here, leave the words."""
    hidden = []
    for token in tokens:
        if token.type == "link_open":
            href = str(token.attrGet("href"))
            hidden.append(not _LINK.fullmatch(href))
            token.hidden = hidden[-1]
            token.attrs = {"href": href, "target": "_blank", "rel": "noopener noreferrer nofollow"}
        elif token.type == "link_close":
            token.hidden = hidden.pop()


def _picture(_: RendererHTML, tokens: Sequence[Token], idx: int, *__: object) -> str:
    return html.escape(f"[picture: {tokens[idx].content}]")


def _html_block(_: RendererHTML, tokens: Sequence[Token], idx: int, *__: object) -> str:
    text = _without_comment(tokens[idx].content)
    return f"<p>{text}</p>\n" if text else ""


def _html_inline(_: RendererHTML, tokens: Sequence[Token], idx: int, *__: object) -> str:
    return _without_comment(tokens[idx].content)


def _without_comment(text: str) -> str:
    text = text.strip()
    comment = text.startswith("<!--") and text.find("-->") == len(text) - 3
    return "" if comment else html.escape(text)


def _renderer() -> MarkdownIt:
    # HTML is parsed, that comments can be told from the rest; none of it is passed on.
    made = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    made.add_render_rule("image", _picture)
    made.add_render_rule("html_block", _html_block)
    made.add_render_rule("html_inline", _html_inline)
    made.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>\n')
    made.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return made


_MARKDOWN = _renderer()
