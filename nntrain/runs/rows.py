"""The ``.jsonl`` files of a run: one JSON object a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nntrain.errors import RunError, quote
from nntrain.runs import plain_json
from nntrain.runs.files import read_file

NOT_VALUES = frozenset({"epoch", "step", "undefined"})
"""Columns of ``metrics.jsonl`` that are no losses, metrics or settings; ``undefined`` tells why one is null."""
LARGEST_ROWS = 1 << 30
"""Bytes of the largest row file that is read."""


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file; a torn last line, as a crash leaves it, is skipped; no file is no rows.

    Raises:
        RunError: another line is not a JSON object; the message holds its number.
    """
    if not path.is_file() and not path.is_symlink():
        return []
    rows, _, problem = scan(read_file(path, LARGEST_ROWS))
    if problem is not None:
        raise RunError(problem[1], path=str(path), line=problem[0])
    return rows


def scan(content: bytes) -> tuple[list[dict[str, Any]], list[int], tuple[int, str] | None]:
    """Return ``(rows, ends, problem)`` of the sound lines at the start of a row file.

    ``ends`` holds the byte after each row; ``problem`` is the line number of the first bad line that is not merely the
    torn tail, and what is wrong with it.

    >>> scan(b'{"epoch": 1}\\n{"epo')
    ([{'epoch': 1}], [13], None)
    """
    rows: list[dict[str, Any]] = []
    ends: list[int] = []
    position = 0
    for text in content.split(b"\n")[:-1]:
        try:
            row = plain_json.parse(text)
        except ValueError as error:
            # The tail of a file that was being extended when the machine stopped may be zeros instead of text.
            torn = not content[position:].strip(b"\0\n")
            return rows, ends, None if torn else (len(rows) + 1, f"not a JSON object: {quote(str(error))}")
        if not isinstance(row, dict):
            return rows, ends, (len(rows) + 1, f"expected a JSON object, got {quote(str(row))}")
        position += len(text) + 1
        rows.append(row)
        ends.append(position)
    return rows, ends, None
