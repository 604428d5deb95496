"""Where each value of a config stands: in a line of the file, or in an override of the command line."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from nntrain.errors import KeyPath


def dotted(key_path: Sequence[str | int]) -> str:
    """Return a key path as it is written in messages and after ``--set``.

    >>> dotted(("architecture", "hidden", 0))
    'architecture.hidden.0'
    """
    return ".".join(
        f'"{part}"' if part == "" or (isinstance(part, str) and "." in part) else str(part) for part in key_path
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value and its key stand.

    Attributes:
        path: the file as the user typed it, or ``--set KEY=VALUE``.
        key: line and column of the key (of the item, in a list), from 1; None in an override.
        value: line and column of the value.
        text: how a number or word is written in the file, to be shown as it was written.
        shown: the key path as the user wrote it, where the value was moved (blocks of layers).
    """

    path: str
    key: tuple[int, int] | None = None
    value: tuple[int, int] | None = None
    text: str | None = None
    shown: KeyPath | None = None


class LineTable:
    """Lines and columns of a text's characters; a line ends with LF, CR LF or CR, as in an editor.

    >>> LineTable("a\\r\\nbc").at(4)
    (2, 2)
    """

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer(r"\r\n|\n|\r", text))]
        self._text = text

    def at(self, index: int) -> tuple[int, int]:
        """Return line and column, from 1, of the character at ``index``; of the last one where it lies behind."""
        line = bisect_right(self._starts, max(0, min(index, len(self._text))))
        return line, index - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return the text of a line without its end."""
        end = self._starts[number] if number < len(self._starts) else len(self._text)
        return self._text[self._starts[number - 1] : end].rstrip("\r\n")
