"""Labels: what makes two cells one class or one category, and the order and codes of classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nntrain.core.array import Array
from nntrain.data.column import Column
from nntrain.data.grammar import factorize


def labels_of(column: Column, whole: bool | None = None) -> Array:
    """Return the labels (N,), one text a cell, as in :func:`distinct_labels`."""
    codes, labels = distinct_labels(column, whole)
    return np.array(labels, object)[codes]


def distinct_labels(column: Column, whole: bool | None = None) -> tuple[Array, list[str]]:
    """Return for each cell (N,) the position of its label among the distinct labels, and those.

    A label is the text as it stands, and that of a missing cell is empty. Where labels are whole numbers, ``1``,
    ``1.0`` and ``01`` are one label.

    Args:
        column: of the table.
        whole: whether labels are whole numbers; None finds it from the cells: they are where all cells are.
    """
    integers = None if whole is False or column.decimal != "." else column.integers()
    if integers is not None:  # the texts need not be looked at
        values, places = np.unique(integers, return_inverse=True)
        return places, [str(value) for value in values.tolist()]
    codes, distinct = column.codes()
    absent = set(np.unique(codes[column.missing(numeric=False)]).tolist())
    texts = ["" if i in absent else text for i, text in enumerate(distinct)]
    numbers = [_whole(text) for text in texts]
    if whole is None:
        whole = all(number is not None for text, number in zip(texts, numbers, strict=True) if text)
    if whole:
        texts = [text if number is None else str(number) for text, number in zip(texts, numbers, strict=True)]
    merged, labels = factorize(texts)
    return np.asarray(merged[codes]), labels


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


def encode_labels(column: Column, classes: Sequence[str]) -> Array:
    """Return the codes (N,) int64 of a column of labels, -1 for a label that is no class.

    Whether labels are whole numbers follows from the classes, never from the file at hand.
    """
    place = {label: i for i, label in enumerate(classes)}
    codes, labels = distinct_labels(column, are_whole(classes))
    return np.array([place.get(label, -1) for label in labels], np.int64)[codes]
