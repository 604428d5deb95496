"""The first line of a CSV: which character separates the cells, and how the columns are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nntrain.data.grammar import BLANKS, number_pattern
from nntrain.data.structure import Structure
from nntrain.errors import ConfigError, DataError, Problem, quote

DELIMITERS = ",;\t|"
"""Tried when data.delimiter is not given."""
_SAID = {"\t": "tab", " ": "blank"}
_WRITTEN = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}
_QUOTED = re.compile(rb'"(?:[^"]|"")*"?')
MOST_COLUMNS = 1_000_000
"""A line of more cells is no header."""
_SPREADSHEET_HINT = re.compile(rb'"?sep=[^\w\n]"?', re.IGNORECASE)
_BLANK_LINES = re.compile(rb"(?:[ \t]*+\n)*+")  # possessive: a way back would be kept in memory for each line
_RECORDS_COMPARED = 10


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line tells.

    ``start`` and ``line``: offset and physical line of the first record that is data. ``looks_like_data``: the header
    holds a number, so that the file may have no header at all.
    """

    delimiter: str
    names: list[str]
    start: int
    line: int
    notices: list[str]
    looks_like_data: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its bytes without the final newline, where it begins and what follows."""

    body: bytes
    line: int
    start: int
    end: int
    end_line: int


def record_at(data: bytes, start: int, line: int, shown: str) -> Record | None:
    """Return the first record at or after an offset that is not blank, or None at the end of the data.

    Raises:
        DataError: a quote is opened in it and never closed.
    """
    blank = _BLANK_LINES.match(data, start)
    begin = blank.end() if blank else start
    line += data.count(b"\n", start, begin)
    if begin == len(data):
        return None
    end = data.index(b"\n", begin)
    quotes = data.count(b'"', begin, end)
    while quotes % 2:
        before, end = end, data.find(b"\n", end + 1)
        if end < 0:
            raise DataError("a quote opens on this line and is never closed", path=shown, line=line)
        quotes += data.count(b'"', before, end)
    body = data[begin:end]
    return Record(body, line, begin, end + 1, line + body.count(b"\n") + 1)


def read_header(data: bytes, header: bool | Sequence[str], delimiter: str | None, decimal: str, shown: str) -> Header:
    """Return the layout of a file from its first records.

    Args:
        data: clean UTF-8 text, see :mod:`nntrain.data.decoding`.
        header: whether the first line holds the names; or the names, where the file has no header.
        delimiter: the separator, or None to find it.
        decimal: the decimal separator.
        shown: the path, for messages.

    Raises:
        DataError: no line at all, an empty or a repeated name, or another number of names than of cells.
    """
    first = record_at(data, 0, 1, shown)
    if first is None:
        what = "the file is empty (0 bytes)" if not data else "the file holds only blank lines"
        raise DataError(f"{what}: expected a header and rows, found 0 data rows", path=shown)
    notices: list[str] = []
    if _SPREADSHEET_HINT.fullmatch(first.body):
        hint = quote(first.body.decode())
        message = f"{hint} is a hint to a spreadsheet, expected the names of the columns"
        raise DataError(message, path=shown, line=first.line, help="delete this line: the separator is found without")
    separator = _separator(data, first, delimiter, decimal, shown, notices)
    if first.body.count(separator.encode()) >= MOST_COLUMNS:
        message = f"more than {MOST_COLUMNS:,} columns"
        raise DataError(message, path=shown, line=first.line, help="is this a CSV file, and a header its first line?")
    Structure(separator, [], shown).check_record(data[first.start : first.end], first.line)
    cells = split_record(first.body, separator)
    if header is True:
        names = _stripped(cells, shown, notices)
        _check_names(names, first.line, shown)
        numeric = number_pattern(decimal)
        is_data = any(numeric.fullmatch(name) for name in names)
        return Header(separator, names, first.end, first.end_line, notices, is_data)
    names = [f"c{i}" for i in range(len(cells))] if header is False else list(header)
    if len(names) != len(cells):
        raise DataError(f"{len(cells)} columns, but data.header names {len(names)}", path=shown, line=first.line)
    return Header(separator, names, first.start, first.line, notices, False)


def split_record(body: bytes, delimiter: str) -> list[str]:
    """Return the cells of one record.

    >>> split_record(b'a,"b,c",d', ",")
    ['a', 'b,c', 'd']
    """
    cells, start = [], 0
    while True:
        quoted = _QUOTED.match(body, start) if body[start : start + 1] == b'"' else None
        end = body.find(delimiter.encode(), quoted.end() if quoted else start)
        cell = body[start:] if end < 0 else body[start:end]
        cells.append(_unquoted(cell.decode()))
        if end < 0:
            return cells
        start = end + 1


def _unquoted(cell: str) -> str:
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def checked_delimiter(delimiter: str | None) -> str | None:
    """Return data.delimiter as one character (``tab`` and ``\\t`` are spelled out), or raise ConfigError."""
    if delimiter is None:
        return None
    character = _WRITTEN.get(delimiter, delimiter)
    if len(character) != 1 or not character.isascii() or character in '"\n\r\0' or character.isalnum():
        raise ConfigError(
            f"data.delimiter: expected one ASCII character that is no letter, digit or quote, got {quote(delimiter)}"
        )
    return character


def _separator(data: bytes, first: Record, delimiter: str | None, decimal: str, shown: str, notices: list[str]) -> str:
    bare = _QUOTED.sub(b"", first.body)
    present = [c for c in DELIMITERS if c.encode() in bare and c != delimiter]
    if delimiter is None:
        found = _best(data, first, present, decimal, shown)
        if found != ",":
            notices.append(f"{shown}: separator {_said(found)} found")
        return found
    if delimiter.encode() not in bare and present:
        raise DataError(
            f"no {_said(delimiter)} in the first line, which holds {_said(present[0])}",
            path=shown,
            line=first.line,
            help="correct data.delimiter, or leave it out to have the separator found",
        )
    return delimiter


def _said(delimiter: str) -> str:
    return quote(_SAID.get(delimiter, delimiter))


def _best(data: bytes, first: Record, present: list[str], decimal: str, shown: str) -> str:
    """Return the separator that cuts the following records into as many cells as the first one, or the most cells."""
    if len(present) > 1 and decimal in present:
        present.remove(decimal)
    if len(present) < 2:
        return present[0] if present else ","
    counts = {c: _QUOTED.sub(b"", first.body).count(c.encode()) for c in present}
    agreeing = dict.fromkeys(present, 0)
    record = record_at(data, first.end, first.end_line, shown)
    for _ in range(_RECORDS_COMPARED):
        if record is None:
            break
        bare = _QUOTED.sub(b"", record.body)
        for c in present:
            agreeing[c] += bare.count(c.encode()) == counts[c]
        record = record_at(data, record.end, record.end_line, shown)
    return max(present, key=lambda c: (agreeing[c], counts[c], "|,\t;".index(c)))


def _stripped(cells: list[str], shown: str, notices: list[str]) -> list[str]:
    names = [cell.strip(BLANKS) for cell in cells]
    padded = [name for name, cell in zip(names, cells, strict=True) if name != cell]
    if padded:
        notices.append(f"{shown}: column names stripped of blanks: {', '.join(map(quote, padded[:5]))}")
        if len(padded) > 5:
            notices[-1] += f", ... ({len(padded)} in all)"
    return names


def _check_names(names: list[str], line: int, shown: str) -> None:
    positions: dict[str, list[int]] = {}
    for position, name in enumerate(names, start=1):
        positions.setdefault(name, []).append(position)
    hint = "if line 1 is data and the file has no header, set data.header: false"
    problems = [
        Problem(f"column {quote(name)}: named more than once, at positions {_listed(where)}", shown, line, help=hint)
        for name, where in positions.items()
        if len(where) > 1 and name
    ]
    if "" in positions:
        where = positions[""]
        text = f"column {where[0]} has no name" if len(where) == 1 else f"columns {_listed(where)} have no names"
        remedy = "name it in the header; an index that pandas wrote goes away with to_csv(..., index=False)"
        trailing = "a separator ends the header line: remove it, or name the column"
        problems.append(Problem(text, shown, line, help=trailing if where == [len(names)] else remedy))
    if problems:
        raise DataError(problems[:5])


def _listed(numbers: list[int]) -> str:
    head = ", ".join(map(str, numbers[:5]))
    return f"{head}, ..." if len(numbers) > 5 else head
