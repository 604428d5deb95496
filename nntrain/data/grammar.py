"""What a number is, what a missing cell is, and what to say about a cell that is neither.

A number is ``[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?``, blanks around it ignored, and finite in float32. So
``inf``, ``0x1A``, ``1_0``, ``1e400`` and digits other than 0 to 9, all of which some parser takes, are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BLANKS = " \t\n\v\f\r"
"""What is ignored around a number."""
MISSING_NUMBERS = ("", "NA", "N/A", "NaN", "nan", "null", "None", "#N/A")
"""Cells that mean a missing number; a missing label is only the empty cell."""
FLOAT32_LIMIT = (2.0 - 2.0**-24) * 2.0**127
"""The smallest magnitude that rounds to infinity in float32."""
NUMBER, MISSING, OTHER = 0, 1, 2
"""States of a cell in a numeric column."""

_BLANK = r"[ \t\n\v\f\r]*"
_WHOLE = re.compile(rf"{_BLANK}[+-]?[0-9]{{1,18}}{_BLANK}")


@dataclass(frozen=True, slots=True)
class Grammar:
    """The rules for the cells of one file.

    Args:
        decimal: the decimal separator, ``.`` or ``,``.
        missing_values: further strings that mean a missing cell; in a numeric column a string that is a number means
            every cell of that value.

    >>> grammar = Grammar(missing_values=("?", "-999"))
    >>> [grammar.number(cell) for cell in ("5.", " +.5 ", "1e-3", "five", "1_0", "inf", "1e400")]
    [5.0, 0.5, 0.001, None, None, None, None]
    >>> grammar.convert(["1", "NA", "five", "-999.0"])
    (array([ 1., nan, nan, nan]), array([0, 1, 2, 1], dtype=uint8))
    """

    decimal: str = "."
    missing_values: tuple[str, ...] = ()
    _number: re.Pattern[str] = field(init=False, repr=False)
    _absent: frozenset[str] = field(init=False, repr=False)
    _absent_values: frozenset[float] = field(init=False, repr=False)
    _words: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_number", number_pattern(self.decimal))
        object.__setattr__(self, "_absent", frozenset(text.strip(BLANKS) for text in self.missing_values) | {""})
        object.__setattr__(self, "_words", self._absent.union(MISSING_NUMBERS))
        values = (self._value(text) for text in self.missing_values)
        object.__setattr__(self, "_absent_values", frozenset(value for value in values if value is not None))

    def number(self, cell: str) -> float | None:
        """Return the value of a cell, equal to Python's ``float()``, or None where it is not a number."""
        value = self._value(cell)
        return value if value is not None and abs(value) < FLOAT32_LIMIT else None

    def _value(self, cell: str) -> float | None:
        if not self._number.fullmatch(cell):
            return None
        return float(cell if self.decimal == "." else cell.replace(",", "."))

    def is_missing(self, cell: str, numeric: bool) -> bool:
        """Whether a cell is missing, in a numeric column or in one of text."""
        bare = cell.strip(BLANKS)
        if bare in (self._words if numeric else self._absent):
            return True
        return numeric and bool(self._absent_values) and self._is_absent_value(cell)

    def _is_absent_value(self, cell: str) -> bool:
        return self._value(cell) in self._absent_values

    @property
    def infinity_is_missing(self) -> bool:
        """Whether a spelling of infinity is among the missing strings."""
        return any(re.fullmatch(r"[+-]?inf(inity)?", text.strip(BLANKS), re.IGNORECASE) for text in self.missing_values)

    @property
    def has_missing_numbers(self) -> bool:
        """Whether a number is among the missing strings."""
        return bool(self._absent_values)

    def is_whole(self, cell: str) -> bool:
        """Whether a cell is an integer without point or exponent that fits 64 bits."""
        return _WHOLE.fullmatch(cell) is not None

    def convert(self, cells: Iterable[str]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Return the values (N,) of cells, NaN where there is none, and their states (N,)."""
        codes, distinct = factorize(cells)
        values, states = self.convert_distinct(distinct)
        return values[codes], states[codes]

    def convert_distinct(self, cells: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Return what :meth:`convert` does of cells that are all different."""
        values = np.full(len(cells), np.nan)
        plain = None if self._absent_values else self._plain_values([cell for cell in cells if cell not in self._words])
        if plain is None:
            states = np.empty(len(cells), np.uint8)
            for i, cell in enumerate(cells):
                states[i], values[i] = self._state(cell)
            return values, states
        states = np.full(len(cells), NUMBER, np.uint8)
        if len(plain) < len(cells):
            states[[i for i, cell in enumerate(cells) if cell in self._words]] = MISSING
        values[states == NUMBER] = plain
        return values, states

    def _plain_values(self, cells: Sequence[str]) -> NDArray[np.float64] | None:
        """Return the values of cells that are all numbers, far sooner than one by one, or None.

        Of the characters of a number alone, Python's ``float`` takes what the grammar does. Missing strings are not
        looked for.
        """
        text = "\n".join(cells)
        of_number = f"0123456789+-eE \t\n{self.decimal}".encode()
        if not text.isascii() or text.encode().translate(None, of_number) or text.count("\n") >= max(1, len(cells)):
            return None
        try:
            values = np.array(list(map(float, text.replace(self.decimal, ".").split("\n") if cells else ())))
        except ValueError:
            return None
        values += 0.0  # -0.0 becomes 0.0
        return values if (np.abs(values) < FLOAT32_LIMIT).all() else None

    def _state(self, cell: str) -> tuple[int, float]:
        value = self.number(cell)
        if self.is_missing(cell, numeric=True):
            return MISSING, np.nan
        return (OTHER, np.nan) if value is None else (NUMBER, value + 0.0)  # -0.0 becomes 0.0

    def tokens(self) -> list[str]:
        """Return the missing strings with the blanks that commonly surround them, for a parser that takes a list."""
        bare = sorted({*self._words, *self.missing_values})
        return list(dict.fromkeys(form for text in bare for form in (text, f" {text}", f"{text} ", f" {text} ")))


def number_pattern(decimal: str) -> re.Pattern[str]:
    """Return the number grammar; one branch per first character, so that matching takes linear time."""
    point = re.escape(decimal)
    return re.compile(rf"{_BLANK}[+-]?(?:[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?{_BLANK}")


def factorize(cells: Iterable[str]) -> tuple[NDArray[np.intp], list[str]]:
    """Return for each cell the position of its text among the distinct texts, and those in order of appearance.

    >>> factorize(["b", "a", "b"])
    (array([0, 1, 0]), ['b', 'a'])
    """
    positions: dict[str, int] = {}
    codes = [positions.setdefault(cell, len(positions)) for cell in cells]
    return np.asarray(codes, dtype=np.intp), list(positions)
