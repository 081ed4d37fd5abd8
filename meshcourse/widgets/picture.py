"""The three things a cell may show: a picture, a table, a note. Each has a text form."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """An SVG picture and what it says in words."""

    svg: str
    text: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Table:
    """Rows under headings."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<th style='text-align:left'>{html.escape(cell)}</th>" for cell in self.head
        )
        body = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row)
            + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"

    def __repr__(self) -> str:
        lines = [list(self.head), *map(list, self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.head))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )


@dataclass(frozen=True)
class Link:
    """A URL to click.

    :param href: what the browser opens, where that is something else: through a hub's proxy.
    """

    url: str
    href: str = ""

    def _repr_html_(self) -> str:
        shown, to = html.escape(self.url), html.escape(self.href or self.url)
        return f"<a href='{to}' target='_blank' rel='noopener'>{shown}</a>"

    def __repr__(self) -> str:
        return self.url


@dataclass(frozen=True)
class Note:
    """A text in Markdown under a title."""

    title: str
    markdown: str

    def _repr_markdown_(self) -> str:
        return f"**{self.title}**\n\n{self.markdown}"

    def __repr__(self) -> str:
        return f"{self.title}\n\n{self.markdown}"
