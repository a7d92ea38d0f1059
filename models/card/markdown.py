"""The little Markdown that a card is made of: it reads as well on a terminal as on a hub."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["bullets", "commands", "paragraph", "section", "table"]

_WIDTH = 100


def paragraph(text: str) -> str:
    """Return a paragraph, in lines that fit a terminal."""
    return textwrap.fill(" ".join(text.split()), _WIDTH, break_long_words=False, break_on_hyphens=False)


def bullets(lines: Iterable[str]) -> str:
    """Return a list.

    Examples
    --------
    >>> print(bullets(["one", "two"]))
    - one
    - two
    """
    fill = textwrap.TextWrapper(_WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False).fill
    return "\n".join(fill(f"- {' '.join(line.split())}") for line in lines)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table whose columns stand below each other; all but the first are to the right.

    Examples
    --------
    >>> print(table(["what", "n"], [["rows", 120], ["all", 7]]))
    | what |   n |
    | :--- | --: |
    | rows | 120 |
    | all  |   7 |
    """
    cells = [[str(c) for c in row] for row in (head, *rows)]
    wide = [max(3, *(len(row[i]) for row in cells)) for i in range(len(head))]
    wide[0] = max(4, wide[0])

    def line(row: Sequence[str]) -> str:
        rest = [c.rjust(w) for c, w in zip(row[1:], wide[1:], strict=True)]
        return "| " + " | ".join([row[0].ljust(wide[0]), *rest]) + " |"

    rule = "| " + " | ".join([":" + "-" * (wide[0] - 1), *("-" * (w - 1) + ":" for w in wide[1:])]) + " |"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])


def commands(lines: Iterable[str]) -> str:
    """Return commands as a block."""
    return "```sh\n" + "\n".join(lines) + "\n```"


def section(title: str, *parts: str, level: int = 2) -> str:
    """Return a heading with what stands under it; parts that are empty are left out."""
    return "\n\n".join([f"{'#' * level} {title}", *(part for part in parts if part)])
