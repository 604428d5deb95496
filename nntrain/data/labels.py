"""Labels: what makes two cells one class or one category, and the order and codes of classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from nntrain.core.array import Array, distinct_values
from nntrain.data.chunks import Chosen, Selection, chunks
from nntrain.data.column import Column
from nntrain.data.grammar import factorize

_MOST_PLACES = 1 << 16
"""A table of so many places is looked up faster than a value is searched for."""


class LabelledColumn:
    """A column as labels: the distinct ones, and for each cell which of them it is.

    A label is the text as it stands, and that of a missing cell is empty. Where labels are whole numbers, ``1``,
    ``1.0`` and ``01`` are one label.

    Args:
        column: of the table.
        whole: whether labels are whole numbers; None finds it from the cells: they are where all cells are.

    Attributes:
        labels: K distinct ones, in ascending order where all cells are whole numbers, else in the order they appear.
    """

    def __init__(self, column: Column, whole: bool | None = None) -> None:
        self.column = column
        self._integers: Array | None = None
        if whole is not False and column.decimal == "." and column.integers(slice(0, 0)) is not None:
            self._integers = _distinct_integers(column)  # the texts need not be looked at
            self._place = _places(self._integers)
            self.labels = [str(value) for value in self._integers.tolist()]
            return
        texts = _texts(column)
        numbers = [_whole(text) for text in texts]
        if whole is None:
            whole = all(number is not None for text, number in zip(texts, numbers, strict=True) if text)
        if whole:
            texts = [text if number is None else str(number) for text, number in zip(texts, numbers, strict=True)]
        self._merged, self.labels = factorize(texts)

    def codes(self, rows: Chosen | None = None) -> Array:
        """Return the place of the label of each cell (M,) among the distinct labels; of all rows, or of some."""
        if self._integers is None:
            return np.asarray(self._merged[self.column.codes(rows)[0]])
        integers = self.column.integers(rows)
        assert integers is not None, "what is whole stays whole"
        if self._place is None:
            return np.searchsorted(self._integers, integers)
        return np.asarray(self._place[integers.astype(np.intp) - int(self._integers[0])])

    def counts(self, chosen: Selection | None = None) -> Array:
        """Return how many cells (K,) have each label: all, or those of rows that are chosen."""
        found = np.zeros(len(self.labels), np.int64)
        for stretch in chunks(len(self.column)):
            codes = self.codes(stretch)
            found += np.bincount(codes if chosen is None else codes[chosen.within(stretch)[1]], minlength=len(found))
        return found


def _distinct_integers(column: Column) -> Array:
    """Return the distinct numbers (D,) of a column of integers, ascending."""
    integers = column.integers(slice(0, 0))
    assert integers is not None, "they are whole"
    if integers.itemsize > 2:
        return distinct_values(column.integers())  # type: ignore[arg-type]
    low = int(np.iinfo(integers.dtype).min)
    is_there = np.zeros(1 << 8 * integers.itemsize, bool)
    for rows in chunks(len(column)):  # a mark for each value is faster than sorting
        values = column.integers(rows)
        assert values is not None, "what is whole stays whole"
        is_there[values.astype(np.intp) - low] = True
    return np.flatnonzero(is_there) + low


def _places(values: Array) -> Array | None:
    """Return the place of each ascending value (D,) by its distance from the first, None where some are far away."""
    if int(values[-1]) - int(values[0]) >= _MOST_PLACES:
        return None
    places = np.zeros(int(values[-1]) - int(values[0]) + 1, np.intp)
    places[values.astype(np.intp) - int(values[0])] = np.arange(len(values))
    return places


def _texts(column: Column) -> list[str]:
    """Return the distinct texts of a column, those of missing cells empty."""
    texts = list(column.codes(slice(0, 0))[1])
    for rows in chunks(len(column)):
        missing = column.missing(False, rows)
        if missing.any():
            for code in np.flatnonzero(np.bincount(column.codes(rows)[0][missing])):
                texts[code] = ""
    return texts


def labels_of(column: Column, rows: Chosen | None = None) -> Array:
    """Return the labels (M,), one text a cell, as in :class:`LabelledColumn`; of all rows, or of some."""
    labelled = LabelledColumn(column)
    return np.array(labelled.labels, object)[labelled.codes(rows)]


def distinct_labels(column: Column, whole: bool | None = None) -> tuple[Array, list[str]]:
    """Return the codes of all cells (N,) and the distinct labels of a :class:`LabelledColumn`."""
    labelled = LabelledColumn(column, whole)
    return labelled.codes(), labelled.labels


def are_whole(labels: Sequence[str]) -> bool:
    """Return whether labels are whole numbers as :func:`distinct_labels` writes them; the empty text is no label.

    >>> are_whole(["1", "10"]), are_whole(["1.0", "2"])
    (True, False)
    """
    return all(str(_whole(label)) == label for label in labels if label)


def _whole(text: str) -> int | None:
    stripped = text.strip(" \t")
    if not stripped.isascii() or "_" in stripped or not any(character.isdigit() for character in stripped):
        return None
    try:
        number = float(stripped)
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and number == int(number) and abs(number) < 2**53 else None


def sort_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return distinct labels as classes: by number where all are whole numbers, else by code point.

    >>> sort_labels(["10", "9"]), sort_labels(["b", "B", "a"])
    (('9', '10'), ('B', 'a', 'b'))
    """
    distinct = set(labels)
    if all(_whole(label) is not None for label in distinct):
        return tuple(sorted(distinct, key=int))
    return tuple(sorted(distinct))


def label_codes(column: Column, classes: Sequence[str]) -> Callable[[Chosen], Array]:
    """Return what gives the codes (M,) int64 of cells of a column of labels: -1 for a label that is no class.

    Whether labels are whole numbers follows from the classes, never from the file at hand.
    """
    place = {label: i for i, label in enumerate(classes)}
    labelled = LabelledColumn(column, are_whole(classes))
    code = np.array([place.get(label, -1) for label in labelled.labels], np.int64)
    return lambda rows: np.asarray(code[labelled.codes(rows)])
