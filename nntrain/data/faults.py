"""What is said about records and cells that are not what they should be."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from nntrain.core.array import Array
from nntrain.errors import DataError, Problem, quote

SHOWN_PROBLEMS = 5
LONGEST_CELL = 131_072
"""A cell of more characters is an error: it is a quote gone wrong, or no table."""


@dataclass(slots=True)
class Fault:
    """All places of one file that are wrong in the same way: the message, the remedy and the first lines."""

    message: str
    help: str
    lines: list[int] = field(default_factory=list)
    total: int = 0

    def problem(self, shown: str) -> Problem:
        """Return what is printed: the first place, and a note that counts the others."""
        return Problem(self.message, shown, self.lines[0], help=self.help, notes=more_like_this(self.lines, self.total))


class Faults:
    """The faults of one file, by kind."""

    def __init__(self) -> None:
        self._by_kind: dict[Hashable, Fault] = {}

    def __bool__(self) -> bool:
        return bool(self._by_kind)

    def add(self, kind: Hashable, fault: Fault, lines: Sequence[int], total: int) -> None:
        """Enter ``total`` places, the first of which are on ``lines``."""
        known = self._by_kind.setdefault(kind, fault)
        known.lines.extend(lines[: SHOWN_PROBLEMS - len(known.lines)] if len(known.lines) < SHOWN_PROBLEMS else [])
        known.total += total

    def problems(self, shown: str) -> list[Problem]:
        """Return the first problems, one for each kind."""
        return [fault.problem(shown) for fault in list(self._by_kind.values())[:SHOWN_PROBLEMS]]


_CONFLICT_MARKERS = (b"<<<<<<<", b"=======", b">>>>>>>")


def ragged(count: int, width: int, ends_with_delimiter: bool, opening: bytes = b"") -> Fault:
    """Return the fault of records with another number of fields than the header; ``opening`` begins the first one."""
    if opening.startswith(_CONFLICT_MARKERS):
        help = "a Git conflict marker: keep one side and delete the markers"
    elif count == width + 1 and ends_with_delimiter:
        help = "a trailing comma (or other separator) ends the line: remove it, or add a name to the header"
    elif count > width:
        help = "a cell that holds the separator must stand in quotes; or the header lacks a name"
    else:
        help = "write an empty cell where a value is missing"
    return Fault(f"{count} field{'s' * (count != 1)}, expected {width}", help)


def huge(label: str, length: int) -> Fault:
    """Return the fault of a cell that is longer than any sane table holds."""
    message = f"{label}: a cell of {length} characters, expected at most {LONGEST_CELL}"
    return Fault(message, "is a quote missing? otherwise shorten the cell or leave out the column")


def stray_quote(shown: str, label: str, cell: str, line: int, met: int) -> Problem:
    """Return the problem of a quote at a wrong place: the cell begins on ``line``, the quote stands on ``met``."""
    notes = (f"that quote is on line {met}",) if met != line else ()
    if cell.startswith('"'):
        message, help = f"{label}: text follows a closing quote, got {quote(cell)}", "is a closing quote missing?"
    else:
        message = f"{label}: a quote inside a cell that does not begin with one, got {quote(cell)}"
        help = 'remove it, or quote the cell and double the quote inside: "5""1"'
    return Problem(message, shown, line, help=help, notes=notes)


def unclosed_quote(shown: str, label: str, line: int, last_line: int) -> Problem:
    """Return the problem of a quote that is opened on ``line`` and never closed."""
    swallowed = last_line - line + 1
    return Problem(
        f"{label}: a quote opens here and is never closed",
        shown,
        line,
        help="close the quote, or remove it",
        notes=(f"the cell would run to the end of the file, over {swallowed} line{'s' * (swallowed != 1)}",),
    )


def endless_record(shown: str, line: int, longest: int) -> Problem:
    """Return the problem of a record that is longer than any sane table holds."""
    message = f"a record of more than {longest >> 20} MiB"
    return Problem(message, shown, line, help="is this a CSV file? its records end with its lines")


class Placed(Protocol):
    """A table or a column: what knows where its rows stand."""

    def places(self, rows: Array) -> list[tuple[str, int]]:
        """Return the file and the physical line of each of some rows."""


def first_of(rows: Array, source: Placed, message: str, help: str) -> DataError:
    """Return the error for rows (N,), one at least, that are wrong alike: placed at the first, the others counted."""
    places = source.places(rows[:SHOWN_PROBLEMS])
    path, line = places[0]
    return DataError(
        message, path=path, line=line, help=help, notes=more_like_this([at for _, at in places], len(rows))
    )


def more_like_this(places: Sequence[int | str], total: int) -> tuple[str, ...]:
    """Return the note that counts what is like the first problem, with the next places.

    >>> more_like_this([42], 1), more_like_this([42, 77], 2), more_like_this([2, 3, 4, 5, 6], 9)
    ((), ('1 more like this on line 77',), ('8 more like this on lines 3, 4, 5, 6, ...',))
    """
    if total < 2:
        return ()
    listed = ", ".join(map(str, places[1:SHOWN_PROBLEMS])) + (", ..." if total > SHOWN_PROBLEMS else "")
    return (f"{total - 1} more like this on line{'s' * (total > 2)} {listed}",)
