"""A model card as the page shows it: its Markdown made safe, and split at its plots.

A card from the Hub is somebody's text. No HTML of its own gets through, no picture is fetched, and
only addresses of the web, of mail and of the card's own sections become links. Whatever it holds,
it gives a browser no more to lay out than a card of MAX_TOKENS does.
"""

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from ui.card.figures import PLOTS

MAX_TOKENS = 10_000  # that are shown: a shipped card has 2,500, and 64 KB of "|a" has 200,000
_CUT_OFF = "<p>The rest of this card is too much to be shown here.</p>"
_AWAY: dict[str, str | int | float] = {"target": "_blank", "rel": "noopener noreferrer nofollow"}
_SECTION = "section-"  # before each heading's id: a card must not name other parts of the page
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n.*?^---[ \t]*$", re.DOTALL | re.MULTILINE)
_PLOT = re.compile(r"plots/([a-z]+)\.png")
_LINK = re.compile(r"(?:https?://|mailto:)[!-~]{1,2000}", re.ASCII)
_OWN = re.compile(r"#[\w-]{1,200}", re.ASCII)


class Part(NamedTuple):
    """Some of a card: text, or a plot."""

    html: str  # safe to be shown; "" for a plot
    plot: str = ""  # its name: of plots/NAME.png
    alt: str = ""  # what the card says that it shows


def parts(card: str) -> tuple[Part, ...]:
    """Return the parts of a card, README.md, without its front matter.

    A plot that comes again is no plot but words: each has a hundred buttons.
    """
    whole = _MARKDOWN.parse(_FRONT_MATTER.sub("", card, count=1))
    tokens = whole[: _end(whole)]
    _name_headings(tokens)
    found: list[Part] = []
    drawn: set[str] = set()
    first = 0  # of the tokens that no part has yet
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
    """Return how many tokens make up the whole blocks that MAX_TOKENS has room for."""
    end = count = 0
    for i, token in enumerate(tokens):
        count += 1 + len(token.children or [])
        if count > MAX_TOKENS:
            return end
        if not token.level and token.nesting <= 0:
            end = i + 1
    return end


def _name_headings(tokens: Sequence[Token]) -> None:
    """Give each heading the id that the Hub and GitHub link to, after _SECTION."""
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
    """Return the plot that a paragraph is, if it is nothing else, and one of those there are."""
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
    return Part(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}).strip())


def _tame_links(tokens: Iterable[Token]) -> None:
    """Open links to elsewhere in a page of their own; of those that lead nowhere, leave words."""
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
