"""Columns of categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.data.column import Column
from nntrain.data.encoders import IMPUTED, missing_cells
from nntrain.data.labels import are_whole, distinct_labels, sort_labels
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
        codes, labels = distinct_labels(column)
        self.whole = are_whole(labels)
        counts = np.bincount(codes[rows], minlength=len(labels))
        known = {label: int(count) for label, count in zip(labels, counts, strict=True) if count}
        if self.missing == "most_frequent":
            self.fill = max(sorted(known.keys() - {""}), key=known.__getitem__, default="")
        if self.missing in ("most_frequent", "constant") and "" in known:
            known[self.fill] = known.get(self.fill, 0) + known.pop("")
        # An embedding has no category for missing cells: they share code 0 with those never seen.
        present = sort_labels([label for label in known if label])
        self.categories = [*([""] if "" in known and self.form != "embedding" else []), *present]
        self.scaler.fit(self._codes(column)[rows].astype(np.float64))
        self.notices = []
        if self.form == "onehot" and len(self.categories) > MANY_CATEGORIES:
            sentence = "many categories, each an input of its own (data.categorical: embedding takes one)"
            self.notices = [Notice(sentence, self.name, str(len(self.categories)))]

    def apply(self, column: Column) -> list[Array]:
        codes = self._codes(column)
        if self.form == "onehot":
            return [codes == place for place in range(1, len(self.categories) + 1)]
        return [self.scaler.apply(codes.astype(np.float64))]

    def _codes(self, column: Column) -> Array:
        """Return 1 + the place of each cell's category (N,), 0 for a cell that is none of them."""
        codes, labels = distinct_labels(column, self.whole)
        place = {category: i + 1 for i, category in enumerate(self.categories)}
        if self.missing in ("most_frequent", "constant"):
            place[""] = place.get(self.fill, 0)
        counts = np.bincount(codes, minlength=len(labels))
        self._note(column, {label: int(n) for label, n in zip(labels, counts, strict=True) if n}, place)
        return np.array([place.get(label, 0) for label in labels], np.int64)[codes]

    def _note(self, column: Column, counts: Mapping[str, int], place: Mapping[str, int]) -> None:
        if "" in counts and self.missing == "error":
            raise missing_cells(column, column.missing(numeric=False))
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
