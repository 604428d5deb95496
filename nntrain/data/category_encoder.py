"""Columns of categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.data.chunks import Selection
from nntrain.data.column import Column
from nntrain.data.column_types import Reader
from nntrain.data.encoders import IMPUTED, Encoding, missing_cells
from nntrain.data.labels import LabelledColumn, are_whole, sort_labels
from nntrain.data.missing import missing_rows
from nntrain.data.notices import Notice
from nntrain.data.transforms import Scaler, scaler_named
from nntrain.errors import enumerate_names, quote

MANY_CATEGORIES = 100
"""One input column for each of more categories than this is worth a word."""
_MOST_SHOWN = 3


class CategoryEncoder:
    """A column of categories: an input column for each, or one column of codes, to be embedded or as an order.

    A missing cell is a category of its own where a training row has one. Code 0 is for every cell that is none of the
    training rows' categories; one-hot columns are all 0 for it.

    Args:
        name: of the column.
        form: onehot, embedding or ordinal.
        missing: auto, error, drop, most_frequent or constant; mean and median are as auto.
        fill: the category that ``constant`` puts in.
        scale: of an ordinal's codes.
    """

    kind = "categorical"

    def __init__(self, name: str, form: str, missing: str, fill: str = "", scale: str = "standard") -> None:
        self.name, self.form, self.missing, self.fill, self.scale = name, form, missing, fill, scale
        self.scaler: Scaler = scaler_named(scale if form == "ordinal" else "none")
        self.categories: list[str] = []
        self.whole: bool | None = None
        self.notices: list[Notice] = []

    def fit(self, column: Column, rows: Array) -> None:
        labelled, chosen = LabelledColumn(column), Selection(rows, len(column))
        self.whole = are_whole(labelled.labels)
        counts = labelled.counts(chosen).tolist()
        known = {label: count for label, count in zip(labelled.labels, counts, strict=True) if count}
        if self.missing == "most_frequent":
            self.fill = max(sorted(known.keys() - {""}), key=known.__getitem__, default="")
        if self.missing in ("most_frequent", "constant") and "" in known:
            known[self.fill] = known.get(self.fill, 0) + known.pop("")
        # An embedding has no category for missing cells: they share code 0 with those never seen.
        present = sort_labels([label for label in known if label])
        self.categories = [*([""] if "" in known and self.form != "embedding" else []), *present]
        if self.form == "ordinal":
            self.scaler.fit(chosen.read(self._reader(column)))
        self.notices = []
        if self.form == "onehot" and len(self.categories) > MANY_CATEGORIES:
            sentence = "many categories, each an input of its own (data.categorical: embedding takes one)"
            self.notices = [Notice(sentence, self.name, str(len(self.categories)))]

    def encoding(self, column: Column) -> Encoding:
        read = self._reader(column)
        if self.form == "onehot":
            return lambda rows, out: _write_ones(read(rows), out)

        def write(rows: slice, out: Array) -> None:
            out[:, 0] = self.scaler.apply(read(rows).astype(np.float64))

        return write

    def _reader(self, column: Column) -> Reader:
        """Return what reads 1 + the place of each cell's category (M,), 0 for a cell that is none of them."""
        labelled = LabelledColumn(column, self.whole)
        place = {category: i + 1 for i, category in enumerate(self.categories)}
        if self.missing in ("most_frequent", "constant"):
            place[""] = place.get(self.fill, 0)
        counts = labelled.counts().tolist()
        self._note(column, {label: n for label, n in zip(labelled.labels, counts, strict=True) if n}, place)
        code = np.array([place.get(label, 0) for label in labelled.labels], np.int64)
        return lambda rows: np.asarray(code[labelled.codes(rows)])

    def _note(self, column: Column, counts: Mapping[str, int], place: Mapping[str, int]) -> None:
        if "" in counts and self.missing == "error":
            raise missing_cells(column, missing_rows(column, numeric=False))
        imputed = [Notice(IMPUTED, self.name, str(counts[""]))] if "" in counts else []
        unseen = [label for label in counts if label and label not in place]
        self.notices = imputed
        if unseen:
            rows = sum(counts[label] for label in unseen)
            shown = enumerate_names([quote(label) for label in unseen], _MOST_SHOWN)
            sentence = "categories that no training row has share one bucket"
            self.notices = [*imputed, Notice(sentence, self.name, f"{rows} row{'s' * (rows > 1)} ({shown})")]

    def outputs(self) -> list[str]:
        if self.form != "onehot":
            return [self.name]
        return [f"{self.name} = {category}" if category else f"{self.name} is missing" for category in self.categories]

    @property
    def embedded(self) -> int | None:
        """How many codes there are, where they are to be embedded."""
        return len(self.categories) + 1 if self.form == "embedding" else None

    def state(self) -> dict[str, Any]:
        given = {"kind": self.kind, "form": self.form, "missing": self.missing, "fill": self.fill, "scale": self.scale}
        return {**given, "categories": self.categories, "whole": self.whole, "scaler": self.scaler.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        self.categories, self.whole = list(state["categories"]), state["whole"]
        self.scaler.load(state["scaler"])


def _write_ones(codes: Array, out: Array) -> None:
    """Write a 1 into column c - 1 of ``out`` (M, K) for each code c (M,) above 0, and 0 everywhere else."""
    out[...] = 0
    known = np.flatnonzero(codes)
    out[known, codes[known] - 1] = 1
