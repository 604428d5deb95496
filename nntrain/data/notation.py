"""Numbers in another notation than the grammar's, and what to say about them and other cells that are no numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nntrain.data.grammar import BLANKS, number_pattern

_FEW_UNITS, _MANY_CELLS = 3, 10
_A_NUMBER = "a number"
_CURRENCY = "[$\u20ac\u00a3\u00a5]"
_ROUGH_NUMBER = r"[+-]?[0-9]+(?:[.,][0-9]+)?"


@dataclass(frozen=True, slots=True)
class Notation:
    """A way to write numbers that is not ours: how it is called, how it looks, what to do about it."""

    name: str
    pattern: re.Pattern[str]
    help: str


_COMMA = Notation(
    "a decimal comma",
    re.compile(r"[+-]?(?:[0-9]+,[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?"),
    'the cell has a decimal comma: set data.decimal: ","',
)
_POINT = Notation(
    "a decimal point",
    re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"),
    'the cell has a decimal point, but data.decimal is ",": set data.decimal: "."',
)
_THOUSANDS = Notation(
    "a thousands separator",
    re.compile(r"[+-]?[0-9]{1,3}(?:([,.' _\u00a0\u2009\u202f])[0-9]{3})(?:\1[0-9]{3})*(?:[.,][0-9]+)?"),
    "the cell has a thousands separator: write 1234567, without it",
)
_POINT_OR_THOUSANDS = Notation(
    "a point",
    _POINT.pattern,
    'the cell has a point, but data.decimal is ",": set data.decimal: ".", or write 1234567 where it parts thousands',
)
_PERCENT = Notation(
    "a percent sign", re.compile(rf"{_ROUGH_NUMBER}\s*%"), "the cell has a percent sign: write the number alone"
)
_UNIT = Notation(
    "a unit",
    re.compile(
        rf"(?:{_CURRENCY}\s*{_ROUGH_NUMBER}"
        rf"|(?!0[xXoObB]|[^eE]*[eE]$){_ROUGH_NUMBER}\s*"
        rf"(\u00b0?[^\W\d_]{{1,5}}(?:/[^\W\d_]{{1,4}})?[23\u00b2\u00b3]?|{_CURRENCY}|\u00b0))"
    ),
    "the cell has a unit: write the number alone, and the unit in the column's name",
)
_DATE = re.compile(r"[0-9]{1,4}[-/. ](?:[0-9]{1,2}|[^\W\d_]{3,9})(?:[-/. ][0-9]{1,4})?|[^\W\d_]{3,9}[-/. ][0-9]{1,4}")


def notation_of(cells: Sequence[str], decimal: str) -> Notation | None:
    """Return the one notation in which all these cells are numbers, or None.

    A cell like ``1,234`` can be read in two ways; the other cells decide, and where they do not, a comma is taken for a
    thousands separator.

    >>> notation_of(["5,1", "1,234"], ".").name, notation_of(["1,234"], ".").name, notation_of(["1_0"], ".")
    ('a decimal comma', 'a thousands separator', None)
    >>> notation_of(["5.606"], ",").name, notation_of(["5.606", "1.234.567"], ",").name
    ('a point', 'a thousands separator')
    """
    bare = [cell.strip(BLANKS) for cell in cells]
    for notation in (_THOUSANDS, _COMMA if decimal == "." else _POINT, _PERCENT, _UNIT):
        if bare and all(notation.pattern.fullmatch(cell) for cell in bare):
            is_either = notation is _THOUSANDS and decimal == "," and all(map(_POINT.pattern.fullmatch, bare))
            return _POINT_OR_THOUSANDS if is_either else notation
    return None


def is_foreign_number(cell: str, decimal: str) -> bool:
    """Whether a cell is a number with a foreign separator or a percent sign, or one that float32 cannot hold."""
    notation = notation_of([cell], decimal)
    return notation is not _UNIT if notation else expectation(cell, decimal) != _A_NUMBER


def has_unit(cell: str) -> bool:
    """Whether a cell is a number with a unit."""
    return _UNIT.pattern.fullmatch(cell.strip(BLANKS)) is not None


def share_a_unit(cells: Sequence[str]) -> bool:
    """Whether the cells are many different numbers with few different units: measurements, not names like ``4wd``.

    >>> share_a_unit([f"{i} cm" for i in range(20)]), share_a_unit(["2wd", "4wd"])
    (True, False)
    """
    found = [_UNIT.pattern.fullmatch(cell.strip(BLANKS)) for cell in cells]
    units = {match[1] for match in found if match}
    return len(cells) >= _MANY_CELLS and all(found) and len(units) <= _FEW_UNITS


def expectation(cell: str, decimal: str) -> str:
    """Return what was expected where a cell is not a number: ``a number``, or what that number must be.

    >>> expectation("five", "."), expectation("-inf", "."), expectation("1e400", ".")
    ('a number', 'a finite number', 'a number that float32 can hold (up to 3.4e38)')
    """
    bare = cell.strip(BLANKS)
    if re.fullmatch(r"[+-]?inf(inity)?", bare, re.IGNORECASE):
        return "a finite number"
    if number_pattern(decimal).fullmatch(bare):
        return "a number that float32 can hold (up to 3.4e38)"
    return _A_NUMBER


def remedy(cell: str, others: Sequence[str], decimal: str) -> str:
    """Return the help line for a cell that is no number; the others of its column decide what is ambiguous."""
    notation = notation_of([cell, *others], decimal) or notation_of([cell], decimal)
    if notation is not None:
        return notation.help
    bare = cell.strip(BLANKS)
    if _DATE.fullmatch(bare):
        return "the cell looks like a date, into which spreadsheets turn numbers: correct it"
    if not bare.isascii() and any(character.isdigit() for character in bare):
        return "numbers are written with the characters 0 to 9, '.', '+', '-' and 'e': correct the cell"
    return "declare it in data.missing_values, or correct the cell"
