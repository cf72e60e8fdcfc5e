"""Render a model card's Markdown as safe HTML, split at its plots.

A card from the Hub is untrusted text. Its raw HTML is removed, no picture is fetched, and only web,
mail and own-section addresses become links. MAX_TOKENS bounds what a browser has to lay out.
"""

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from ui.figures import PLOTS

MAX_TOKENS = 10_000  # a shipped card has 2,500; 64 KB of "|a" has 200,000
_CUT_OFF = "<p>The rest of this card is too long to be shown here.</p>"
_AWAY: dict[str, str | int | float] = {"target": "_blank", "rel": "noopener noreferrer nofollow"}
_SECTION = "section-"  # prefix of heading ids, so that they cannot collide with the page's own
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n.*?^---[ \t]*$", re.DOTALL | re.MULTILINE)
_PLOT = re.compile(r"plots/([a-z]+)\.png")
_LINK = re.compile(r"(?:https?://|mailto:)[!-~]{1,2000}", re.ASCII)
_OWN = re.compile(r"#[\w-]{1,200}", re.ASCII)


class Part(NamedTuple):
    """A part of a card: text or a plot."""

    html: str  # sanitised; "" for a plot
    plot: str = ""  # NAME in plots/NAME.png
    alt: str = ""  # the plot's alt text


def parts(card: str) -> tuple[Part, ...]:
    """Return the parts of a card, README.md, without its front matter.

    A repeated plot is shown as text only, because each plot has about a hundred buttons.
    """
    whole = _MARKDOWN.parse(_FRONT_MATTER.sub("", card, count=1))
    tokens = whole[: _end(whole)]
    _name_headings(tokens)
    found: list[Part] = []
    drawn: set[str] = set()
    first = 0  # first token that is not in a part yet
    for i in range(len(tokens)):
        plot = _plot_of(tokens[i : i + 3])
        if plot and plot.plot not in drawn:
            drawn.add(plot.plot)
            found += [_text(tokens[first:i]), plot]
            first = i + 3
    found.append(_text(tokens[first:]))
    if len(tokens) < len(whole):
        found.append(Part(_CUT_OFF))
    return tuple(part for part in found if part.html or part.plot)


def _end(tokens: Sequence[Token]) -> int:
    """Return the number of tokens in the leading blocks that fit into MAX_TOKENS."""
    end = count = 0
    for i, token in enumerate(tokens):
        count += 1 + len(token.children or [])
        if count > MAX_TOKENS:
            return end
        if not token.level and token.nesting <= 0:
            end = i + 1
    return end


def _name_headings(tokens: Sequence[Token]) -> None:
    """Give each heading the id that the Hub and GitHub use, prefixed with _SECTION."""
    times = Counter[str]()
    for opening, inside in _headings(tokens):
        words = "".join(token.content for token in inside.children or []).lower()
        slug = re.sub(r"[^\w -]", "", words).replace(" ", "-")
        again = f"-{times[slug]}" if times[slug] else ""
        times[slug] += 1
        opening.attrSet("id", f"{_SECTION}{slug}{again}")


def _headings(tokens: Sequence[Token]) -> Iterator[tuple[Token, Token]]:
    for opening, inside in pairwise(tokens):
        if opening.type == "heading_open":
            yield opening, inside


def _plot_of(tokens: Sequence[Token]) -> Part | None:
    """Return the plot if the tokens are a paragraph that contains only a known plot."""
    if [token.type for token in tokens] != ["paragraph_open", "inline", "paragraph_close"]:
        return None
    inside = tokens[1].children or []
    if tokens[0].level or [token.type for token in inside] != ["image"]:
        return None
    match = _PLOT.fullmatch(str(inside[0].attrGet("src")))
    known = match and match[1] in PLOTS
    return Part("", match[1], inside[0].content) if known else None


def _text(tokens: Sequence[Token]) -> Part:
    for token in tokens:
        _tame_links(token.children or [])
    rendered = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return Part(_SANITISER.clean(rendered).strip())


def _tame_links(tokens: Iterable[Token]) -> None:
    """Open external links in a new tab, and reduce disallowed links to their text."""
    hidden = []
    for token in tokens:
        if token.type == "link_open":
            href = str(token.attrGet("href"))
            own = _OWN.fullmatch(href)
            hidden.append(not (own or _LINK.fullmatch(href)))
            token.hidden = hidden[-1]
            token.attrs = {"href": f"#{_SECTION}{href[1:]}"} if own else {"href": href, **_AWAY}
        elif token.type == "link_close":
            token.hidden = hidden.pop()


def _picture(_: RendererHTML, tokens: Sequence[Token], idx: int, *__: object) -> str:
    return html.escape(f"[picture: {tokens[idx].content}]")


def _raw_html(_: RendererHTML, tokens: Sequence[Token], idx: int, *__: object) -> str:
    return nh3.clean(tokens[idx].content, tags=set())  # keeps the text, drops tags and comments


def _renderer() -> MarkdownIt:
    # Raw HTML is parsed so that its tags and comments can be removed.
    made = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    made.add_render_rule("image", _picture)
    made.add_render_rule("html_block", _raw_html)
    made.add_render_rule("html_inline", _raw_html)
    made.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>\n')
    made.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return made


_MARKDOWN = _renderer()
_HEADINGS = {f"h{level}" for level in range(1, 7)}
_SANITISER = nh3.Cleaner(
    tags=_HEADINGS
    | {"a", "p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li"}
    | {"div", "table", "thead", "tbody", "tr", "th", "td"},
    attributes={
        "a": {"href", "target", "rel"},
        "code": {"class"},
        "div": {"class"},
        "ol": {"start"},
        "td": {"style"},
        "th": {"style"},
        **{heading: {"id"} for heading in _HEADINGS},
    },
    filter_style_properties={"text-align"},
    link_rel=None,  # _tame_links sets it on external links
    url_schemes={"http", "https", "mailto"},
)
