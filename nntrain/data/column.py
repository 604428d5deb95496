"""One column of a table: as text, as numbers, and exact about the cells that are not what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nntrain.data import notation
from nntrain.data.faults import SHOWN_PROBLEMS, more_like_this
from nntrain.data.grammar import MISSING, NUMBER, OTHER, Grammar
from nntrain.data.parsing import is_whole, narrowed
from nntrain.data.pieces import Array, Piece, Positions, Rows, Texts, gathered, length
from nntrain.errors import DataError, quote

Mask = NDArray[np.bool_]


class Part(Protocol):
    """One file of a table: its columns by position, its rows by physical line."""

    shown: str
    names: list[str]
    rows: int
    notices: list[str]
    looks_like_data: bool

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes."""

    def pieces(self, column: int) -> list[Piece]:
        """Return a column in pieces, each as integers, as float64 with NaN for missing, or as texts.

        The arrays may be maps of a file, so nothing may be written to them.
        """

    def text(self, column: int) -> list[Texts]:
        """Return the cells of a column as they stand in the file, in the same pieces."""

    def lines(self, rows: Sequence[int] | Positions) -> Positions:
        """Return the physical lines on which rows begin."""


class Column:
    """One column of a table, converted when asked, and only as far as is asked.

    Every method that gives a value for each cell takes ``rows``: None for all, a stretch ``slice(start, stop)``, or
    row numbers (M,) in any order, repeated or not. What a cell is does not depend on which rows are asked for: it is
    judged over the whole column. A column is kept in narrow types and may lie in a mapped file, so asking for all rows
    makes an array of all rows, and asking stretch by stretch keeps memory bounded.

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

    def text(self, rows: Rows = None) -> Array:
        """Return the cells (M,) verbatim; those of a column that was read as numbers are looked up in the file."""
        texts = self._texts
        return gathered(self._ends, rows, object, lambda i, inside: texts[i].cells(inside))

    def codes(self, rows: Rows = None) -> tuple[Positions, list[str]]:
        """Return for each cell (M,) the position of its text among the distinct texts of the whole column, and those.

        The distinct texts stand in the order in which they appear in the column.
        """
        texts, (places, distinct) = self._texts, self._vocabulary
        codes = gathered(self._ends, rows, np.intp, lambda i, inside: places[i][texts[i].codes[inside]])
        return codes, distinct

    def numbers(self, rows: Rows = None) -> NDArray[np.float64]:
        """Return the numbers (M,), NaN for missing.

        Raises:
            DataError: some cell of the column is neither; with the first five places, their number and the remedy.
        """
        if self._counts[OTHER]:
            raise self.not_numbers()
        values = gathered(self._ends, rows, np.float64, self._values)
        values += 0.0  # -0.0 becomes 0.0, as in a column of integers
        return values

    def integers(self, rows: Rows = None) -> Array | None:
        """Return whole numbers (M,) in a narrow integer type, which is that of all rows, or None.

        None where a cell of the column is missing, not a number, not whole, or from 2^53 on, where float64 is not
        exact.
        """
        if self._integer_type is None:
            return None
        return gathered(self._ends, rows, self._integer_type, self._values)

    def missing(self, numeric: bool, rows: Rows = None) -> Mask:
        """Return the mask (M,) of missing cells.

        ``numeric``: by the rule for numbers (empty, NA, NaN, null, ...), else by that for text (only empty cells);
        data.missing_values counts in both.
        """
        if numeric or not self._counts[MISSING]:
            return gathered(self._ends, rows, np.bool_, lambda i, inside: self._states(i, inside) == MISSING)
        empty, texts = self._empty, self._texts
        return gathered(self._ends, rows, np.bool_, lambda i, inside: empty[i][texts[i].codes[inside]])

    @property
    def has_missing(self) -> bool:
        """Whether any cell of the column is missing by the rule for numbers; by that for text all of them may count."""
        return self._counts[MISSING] > 0

    @property
    def number_share(self) -> float:
        """Share of the non-missing cells that are numbers; 1 where no cell is anything."""
        if not self._counts[OTHER]:
            return 1.0
        return self._counts[NUMBER] / max(1, self._counts[NUMBER] + self._counts[OTHER])

    @cached_property
    def number_like_share(self) -> float:
        """As ``number_share``, but numbers in another notation (decimal comma, thousands, unit, percent) count too."""
        if not self._counts[OTHER]:
            return self.number_share
        others = self._other_cells
        foreign = {cell for cell in others if notation.is_foreign_number(cell, self._grammar.decimal)}
        units = [cell for cell in others if cell not in foreign and notation.has_unit(cell)]
        if notation.share_a_unit(units):
            foreign.update(units)
        like = sum(count for cell, count in others.items() if cell in foreign)
        return (self._counts[NUMBER] + like) / max(1, self._counts[NUMBER] + self._counts[OTHER])

    def not_numbers(self) -> DataError:
        """Return the error that names the cells which are neither numbers nor missing."""
        rows = self._first_others
        places = self.places(rows)
        cell = str(self.text(rows[:1])[0])
        shown, line = places[0]
        decimal = self._grammar.decimal
        listed = [str(at) if where == shown else f"{at} of {where}" for where, at in places]
        return DataError(
            f"column {quote(self.name)}: expected {notation.expectation(cell, decimal)}, got {quote(cell)}",
            path=shown,
            line=line,
            help=notation.remedy(cell, list(self._other_cells), decimal),
            notes=more_like_this(listed, self._counts[OTHER]),
        )

    def places(self, rows: Sequence[int] | Positions) -> list[tuple[str, int]]:
        """Return the file and the physical line of each of these rows."""
        return places([part for part, _ in self._parts], rows)

    @cached_property
    def _pieces(self) -> list[Piece]:
        """The column as read, file after file and chunk after chunk."""
        return [piece for part, i in self._parts for piece in part.pieces(i)]

    @cached_property
    def _ends(self) -> Positions:
        """The row after the last one of each piece (P,)."""
        return np.cumsum([length(piece) for piece in self._pieces], dtype=np.intp)

    @cached_property
    def _texts(self) -> list[Texts]:
        """All pieces as texts."""
        if all(isinstance(piece, Texts) for piece in self._pieces):
            return self._pieces  # type: ignore[return-value]
        return [piece for part, i in self._parts for piece in part.text(i)]

    @cached_property
    def _vocabulary(self) -> tuple[list[Positions], list[str]]:
        """For each piece the places of its distinct texts among those of the column, and the latter."""
        known: dict[str, int] = {}
        places = [
            np.array([known.setdefault(cell, len(known)) for cell in piece.distinct], np.intp) for piece in self._texts
        ]
        return places, list(known)

    @cached_property
    def _empty(self) -> list[Mask]:
        """For each distinct text of each piece whether it is missing by the rule for text."""
        missing = self._grammar.is_missing
        return [np.array([missing(cell, numeric=False) for cell in piece.distinct], np.bool_) for piece in self._texts]

    @cached_property
    def _converted(self) -> dict[int, tuple[NDArray[np.float64], NDArray[np.uint8]]]:
        """The values and states of the distinct texts of each piece that is text."""
        texts = {i: piece for i, piece in enumerate(self._pieces) if isinstance(piece, Texts)}
        return {i: self._grammar.convert(piece.distinct) for i, piece in texts.items()}

    def _values(self, i: int, inside: slice | Positions) -> Array:
        piece = self._pieces[i]
        return self._converted[i][0][piece.codes[inside]] if isinstance(piece, Texts) else piece[inside]

    def _states(self, i: int, inside: slice | Positions) -> NDArray[np.uint8]:
        """Return for each cell whether it is a number, missing or something else."""
        piece = self._pieces[i]
        if isinstance(piece, Texts):
            return self._converted[i][1][piece.codes[inside]]
        chosen = piece[inside]
        if chosen.dtype.kind != "f":
            return np.full(len(chosen), NUMBER, np.uint8)
        return np.where(np.isnan(chosen), np.uint8(MISSING), np.uint8(NUMBER))

    @cached_property
    def _counts(self) -> dict[int, int]:
        """How many cells are a number, missing or something else."""
        counts = np.zeros(3, np.int64)
        for i, piece in enumerate(self._pieces):
            if isinstance(piece, Texts):
                rows = np.bincount(piece.codes, minlength=len(piece.distinct))
                np.add.at(counts, self._converted[i][1], rows)
            else:
                absent = int(np.count_nonzero(np.isnan(piece))) if piece.dtype.kind == "f" else 0
                counts += (len(piece) - absent, absent, 0)
        return {state: int(counts[state]) for state in (NUMBER, MISSING, OTHER)}

    @cached_property
    def _first_others(self) -> Positions:
        """The first rows whose cells are neither numbers nor missing."""
        found: list[int] = []
        for i in self._converted:
            begin = int(self._ends[i - 1]) if i else 0
            found += (begin + np.flatnonzero(self._states(i, slice(None)) == OTHER)[:SHOWN_PROBLEMS]).tolist()
            if len(found) >= SHOWN_PROBLEMS:
                break
        return np.array(found[:SHOWN_PROBLEMS], np.intp)

    @cached_property
    def _other_cells(self) -> dict[str, int]:
        """The distinct cells that are neither numbers nor missing, in the order they appear, and how often they do."""
        found: dict[str, int] = {}
        for i, (_, states) in self._converted.items():
            piece = self._texts_at(i)
            counts = np.bincount(piece.codes, minlength=len(piece.distinct))
            for code in np.flatnonzero(states == OTHER).tolist():
                cell = piece.distinct[code]
                found[cell] = found.get(cell, 0) + int(counts[code])
        return found

    def _texts_at(self, i: int) -> Texts:
        piece = self._pieces[i]
        assert isinstance(piece, Texts)
        return piece

    @cached_property
    def _integer_type(self) -> np.dtype[Any] | None:
        """The narrowest type of all pieces together, or None where they are not all whole numbers."""
        if self._counts[OTHER] or self._counts[MISSING]:
            return None
        types = []
        for i, piece in enumerate(self._pieces):
            values = narrowed(self._values(i, slice(None)) if isinstance(piece, Texts) else piece)
            if values.dtype.kind == "f" or not is_whole(values):
                return None
            types.append(values.dtype)
        return np.result_type(*types)


def places(parts: Sequence[Part], rows: Sequence[int] | Positions) -> list[tuple[str, int]]:
    """Return the file and the physical line of each of some rows of files that follow each other."""
    starts = np.cumsum([0, *(part.rows for part in parts)])
    found = []
    for row in rows:
        i = int(np.searchsorted(starts, row, "right")) - 1
        found.append((parts[i].shown, int(parts[i].lines([int(row - starts[i])])[0])))
    return found
