"""One column of a table: as text, as numbers, and exact about the cells that are not what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nntrain.data import notation
from nntrain.data.faults import SHOWN_PROBLEMS, more_like_this
from nntrain.data.grammar import MISSING, NUMBER, OTHER, Grammar, factorize
from nntrain.data.parsing import is_whole, narrowed
from nntrain.errors import DataError, quote

Array = NDArray[Any]
Mask = NDArray[np.bool_]
Positions = NDArray[np.intp]


class Part(Protocol):
    """One file of a table: its columns by position, its rows by physical line."""

    shown: str
    names: list[str]
    rows: int
    sha256: str
    notices: list[str]
    looks_like_data: bool

    def pieces(self, column: int) -> list[Array]:
        """Return a column in pieces: integers and float64 with NaN for missing, or text if a cell is not a number."""

    def text(self, column: int) -> list[Array]:
        """Return the cells of a column as they stand in the file, in pieces."""

    def lines(self, rows: Sequence[int] | Positions) -> Positions:
        """Return the physical lines on which rows begin."""


class Column:
    """One column of a table, converted when asked.

    Args:
        name: as in the header.
        parts: for each file the part and the position of the column in it.
        grammar: what a number and a missing cell is.
    """

    def __init__(self, name: str, parts: Sequence[tuple[Part, int]], grammar: Grammar) -> None:
        self.name = name
        self._parts = parts
        self._grammar = grammar

    def __len__(self) -> int:
        return sum(part.rows for part, _ in self._parts)

    @property
    def decimal(self) -> str:
        """The decimal mark of its numbers."""
        return self._grammar.decimal

    def text(self) -> Array:
        """Return the cells (N,) verbatim; of a column that was read as numbers they are read again from memory."""
        return np.concatenate([piece for part, i in self._parts for piece in part.text(i)])

    def codes(self) -> tuple[Positions, list[str]]:
        """Return for each cell (N,) the position of its text among the distinct texts, and those, as they appear."""
        return self._codes

    def numbers(self) -> NDArray[np.float64]:
        """Return the numbers (N,), NaN for missing.

        Raises:
            DataError: some cell is neither; with the first five places, their number and the remedy.
        """
        if not self._is_clean:
            values, states = self._converted
            if (states == OTHER).any():
                raise self.not_numbers()
            return values.copy()
        joined, start = np.empty(len(self)), 0
        for piece in self._pieces:
            np.add(piece, 0.0, out=joined[start : start + piece.size])  # -0.0 becomes 0.0, as in a column of integers
            start += piece.size
        return joined

    def integers(self) -> Array | None:
        """Return whole numbers (N,) in a narrow integer type, or None.

        None where a cell is missing, not a number, not whole, or from 2^53 on, where float64 is not exact.
        """
        pieces = self._pieces if self._is_clean else [narrowed(self._converted[0])]
        if any(piece.dtype.kind == "f" or not is_whole(piece) for piece in pieces):
            return None
        return np.concatenate(pieces)

    def missing(self, numeric: bool) -> Mask:
        """Return the mask (N,) of missing cells.

        ``numeric``: by the rule for numbers (empty, NA, NaN, null, ...), else by that for text (only empty cells);
        data.missing_values counts in both.
        """
        if self._is_clean:
            mask = np.concatenate([np.isnan(piece) for piece in self._pieces])
            if numeric or not mask.any():
                return mask
        elif numeric:
            return np.equal(self._converted[1], MISSING)
        codes, distinct = self._codes
        return np.array([self._grammar.is_missing(cell, numeric=False) for cell in distinct], np.bool_)[codes]

    @property
    def number_share(self) -> float:
        """Share of the non-missing cells that are numbers; 1 where no cell is anything."""
        return self._share(NUMBER)

    @cached_property
    def number_like_share(self) -> float:
        """As ``number_share``, but numbers in another notation (decimal comma, thousands, unit, percent) count too."""
        if self._is_clean:
            return self.number_share
        others = self._other_cells()
        foreign = {cell for cell in others if notation.is_foreign_number(cell, self._grammar.decimal)}
        units = [cell for cell in others if cell not in foreign and notation.has_unit(cell)]
        if notation.share_a_unit(units):
            foreign.update(units)
        codes, distinct = self._codes
        counts = np.bincount(codes, minlength=len(distinct))
        like = sum(int(count) for cell, count in zip(distinct, counts, strict=True) if cell in foreign)
        states = self._converted[1]
        return float(
            (int(np.count_nonzero(states == NUMBER)) + like) / max(1, int(np.count_nonzero(states != MISSING)))
        )

    def not_numbers(self) -> DataError:
        """Return the error that names the cells which are neither numbers nor missing."""
        rows = np.flatnonzero(self._converted[1] == OTHER)
        places = self.places(rows[:SHOWN_PROBLEMS])
        cell = str(self.text()[rows[0]])
        shown, line = places[0]
        decimal = self._grammar.decimal
        listed = [str(at) if where == shown else f"{at} of {where}" for where, at in places]
        return DataError(
            f"column {quote(self.name)}: expected {notation.expectation(cell, decimal)}, got {quote(cell)}",
            path=shown,
            line=line,
            help=notation.remedy(cell, self._other_cells(), decimal),
            notes=more_like_this(listed, rows.size),
        )

    def places(self, rows: Sequence[int] | Positions) -> list[tuple[str, int]]:
        """Return the file and the physical line of each of these rows."""
        return places([part for part, _ in self._parts], rows)

    @cached_property
    def _pieces(self) -> list[Array]:
        """The column as read, file after file and chunk after chunk."""
        return [piece for part, i in self._parts for piece in part.pieces(i)]

    @cached_property
    def _is_clean(self) -> bool:
        """Whether every cell is a number or missing."""
        return all(piece.dtype != object for piece in self._pieces)

    @cached_property
    def _codes(self) -> tuple[Positions, list[str]]:
        return factorize(self.text())

    @cached_property
    def _converted(self) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        codes, distinct = self._codes
        values, states = self._grammar.convert(distinct)
        return values[codes], states[codes]

    def _share(self, state: int) -> float:
        if self._is_clean:
            return 1.0
        states = self._converted[1]
        return float(int(np.count_nonzero(states == state)) / max(1, int(np.count_nonzero(states != MISSING))))

    def _other_cells(self) -> list[str]:
        codes, distinct = self._codes
        return [distinct[i] for i in np.unique(codes[self._converted[1] == OTHER])]


def places(parts: Sequence[Part], rows: Sequence[int] | Positions) -> list[tuple[str, int]]:
    """Return the file and the physical line of each of some rows of files that follow each other."""
    starts = np.cumsum([0, *(part.rows for part in parts)])
    found = []
    for row in rows:
        i = int(np.searchsorted(starts, row, "right")) - 1
        found.append((parts[i].shown, int(parts[i].lines([int(row - starts[i])])[0])))
    return found
