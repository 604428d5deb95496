"""What is worth saying about single columns, said once for all columns it is true of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from nntrain.errors import quote

_MOST_COLUMNS = 10


class Notice(NamedTuple):
    """A sentence, a column it is true of, and how it is so for this one."""

    sentence: str
    column: str
    detail: str = ""


def grouped(notices: Iterable[Notice]) -> list[str]:
    """Return one line for each sentence, with the columns it is true of.

    >>> grouped([Notice("missing cells", "a", "3"), Notice("constant", "b"), Notice("missing cells", "c", "1")])
    ["missing cells: 'a' 3, 'c' 1", "constant: 'b'"]
    """
    columns: dict[str, list[str]] = {}
    for notice in notices:
        columns.setdefault(notice.sentence, []).append(f"{quote(notice.column)} {notice.detail}".rstrip())
    return [f"{sentence}: {_listed(names)}" for sentence, names in columns.items()]


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_COLUMNS])
    return shown if len(names) <= _MOST_COLUMNS else f"{shown}, ... ({len(names)} columns)"
