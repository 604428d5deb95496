"""A comparison as text, Markdown and CSV."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any

from nntrain.errors import escape, shorten
from nntrain.runs.files import csv_text

NARROWEST = 40
LONGEST_CELL = 40


def as_text(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], sentences: Sequence[str], width: int | None = None
) -> str:
    """Return an aligned table for a terminal, in blocks that each begin with the run where it is too wide."""
    if not rows:
        return "no run meets the filters"
    limit = _terminal_width() if width is None else max(width, NARROWEST)
    cells = [[shorten(cell(value), LONGEST_CELL) for value in row] for row in rows]
    headers = [shorten(column, LONGEST_CELL) for column in columns]
    widths = [max(map(display_width, (headers[i], *(row[i] for row in cells)))) for i in range(len(columns))]
    right = [all(is_numeric(row[i]) for row in rows) for i in range(len(columns))]
    blocks = [
        "\n".join(
            _line([row[i] for i in block], [widths[i] for i in block], [right[i] for i in block]) for row in lines
        )
        for block in _blocks(widths, limit)
        for lines in [[headers, *cells]]
    ]
    return "\n\n".join([*blocks, *(["\n".join(map(escape, sentences))] if sentences else [])])


def _terminal_width() -> int | None:
    if not sys.stdout.isatty():
        return None
    return max(shutil.get_terminal_size((100, 24)).columns, NARROWEST)


def _blocks(widths: Sequence[int], limit: int | None) -> list[list[int]]:
    """Return the column numbers of each block; column 0 leads every one."""
    blocks: list[list[int]] = [[0]]
    used = widths[0]
    for i in range(1, len(widths)):
        if limit is not None and used + 2 + widths[i] > limit and len(blocks[-1]) > 1:
            blocks.append([0])
            used = widths[0]
        blocks[-1].append(i)
        used += 2 + widths[i]
    return blocks


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        " " * (width - display_width(text)) + text if flush else text + " " * (width - display_width(text))
        for text, width, flush in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(padded).rstrip()


def display_width(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    >>> display_width("ab"), display_width("学")
    (2, 2)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def as_markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]], sentences: Sequence[str]) -> str:
    """Return a Markdown table; what would be markup in the cells is escaped."""
    lines = [columns, *([cell(value) for value in row] for row in rows)]
    texts = ["| " + " | ".join(map(_markdown, line)) + " |" for line in lines]
    right = [all(is_numeric(row[i]) for row in rows) for i in range(len(columns))]
    rule = "|" + "|".join(" ---: " if flush else " --- " for flush in right) + "|"
    return "\n".join(
        [texts[0], rule, *texts[1:], *(["", *(f"- {_markdown(text)}" for text in sentences)] * bool(sentences))]
    )


def _markdown(text: str) -> str:
    escaped = escape(text).replace("&", "&amp;").replace("<", "&lt;").replace("\\", "\\\\")
    for mark in "|*_`[]":
        escaped = escaped.replace(mark, f"\\{mark}")
    return escaped


def as_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return CSV with all columns, numbers in full and text verbatim."""
    return csv_text({name: [_exact(row[i]) for row in rows] for i, name in enumerate(columns)})


def _exact(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, default=str)


def cell(value: Any) -> str:
    """Return a value for people: numbers in five digits, nothing as ``-``.

    >>> cell(0.123456789), cell(None), cell(True), cell([16, 16])
    ('0.12346', '-', 'true', '[16, 16]')
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.5g}"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def is_numeric(value: Any) -> bool:
    """Return whether a cell is flushed right: a number, or nothing."""
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
