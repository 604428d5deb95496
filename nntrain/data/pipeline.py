"""Preprocessing: from a table to the network's input, learnt on training rows and carried in the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import Task
from nntrain.data.batches import Dataset
from nntrain.data.chunks import chunks
from nntrain.data.forms import form_from
from nntrain.data.forms.base import Examples, Form
from nntrain.data.notices import grouped
from nntrain.data.table import ReadOptions, Table
from nntrain.data.target import Target
from nntrain.errors import DataError, enumerate_names, quote


class Preprocessing:
    """The form of an example, with all it has learnt, and the target.

    Everything it knows comes from training rows. Columns are found by name.

    Args:
        form: fitted.
        target: fitted.
        read_options: how the training files were written; files to be judged are read in the same way.
        weight: name of the column of sample weights, or None.
    """

    def __init__(self, form: Form, target: Target, read_options: ReadOptions, weight: str | None = None) -> None:
        self.form = form
        self.target = target
        self.read_options = read_options
        self.weight = weight

    @property
    def task(self) -> Task:
        return self.target.task

    @property
    def feature_names(self) -> list[str]:
        """Names of the places on the last axis of the network's input, F of them."""
        return self.form.feature_names

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.form.shape

    @property
    def embedded(self) -> dict[int, int]:
        """Places on the last axis that hold codes to be embedded, with the number of codes."""
        return self.form.embedded

    def decode(self, values: Array, base: Array | None = None) -> Array:
        """Return predicted values (L, D) in the units of the table."""
        decoded = self.target.decode(values)
        return decoded if self.target.reconstructs else self.form.restore(decoded, base)

    def features(self, table: Table) -> tuple[Array, list[str]]:
        """Return the network's input (N, \\*shape) for a table without labels, and notices.

        Raises:
            DataError: a feature column is missing, or a cell is not what it must be.
        """
        data, notices = self.apply(table)
        return data.inputs(), notices

    def apply(self, table: Table) -> tuple[Dataset, list[str]]:
        """Return a table's features as examples without labels, and notices."""
        return self._all(table, None, None)

    def labelled(self, table: Table) -> tuple[Dataset, list[str]]:
        """Return a table's examples with labels; a class that is not known has the code -1."""
        return self._all(table, self.target, self.weights(table))

    def examples(
        self, table: Table, parts: Mapping[str, Array], target: Target | None, weight: Array | None
    ) -> Examples:
        """Return the examples of each part of a table, as :meth:`Form.examples` does."""
        self.form.check_columns(table)
        found, notices = self.form.examples(table, parts, target, weight)
        if self.target.reconstructs:
            found = {part: data.replace(reconstructs=True) for part, data in found.items()}
        return found, notices

    def _all(self, table: Table, target: Target | None, weight: Array | None) -> tuple[Dataset, list[str]]:
        self.form.check_columns(table)
        found, notices = self.examples(table, {"rows": self.form.select(table)}, target, weight)
        return found["rows"], [*grouped(notices), *dropped_rows(self.form.dropped(table))]

    def extra_columns(self, table: Table) -> list[str]:
        """Return a notice of the columns that nothing is done with, if there are any."""
        used = {*self.form.known_columns, *self.target.columns, self.weight}
        extra = [quote(name) for name in table.names if name not in used]
        return [f"columns that are not used: {enumerate_names(extra, 10)}"] if extra else []

    def weights(self, table: Table) -> Array | None:
        """Return the sample weights (N,) of a table, or None where there are none."""
        return None if self.weight is None or self.weight not in table.columns else sample_weights(table, self.weight)

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return everything learnt: plain values, and the arrays they refer to."""
        arrays: dict[str, Array] = {}
        options = self.read_options
        reading = {
            "delimiter": options.delimiter,
            "decimal": options.decimal,
            "header": options.header if isinstance(options.header, bool) else list(options.header),
            "encoding": options.encoding,
            "missing_values": list(options.missing_values),
        }
        plain = {
            "form": _plain({"form": self.form.name, **self.form.state()}, "form", arrays),
            "target": self.target.state(),
            "read": reading,
            "weight": self.weight,
        }
        return plain, arrays

    @classmethod
    def load(cls, plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> Preprocessing:
        """Return the preprocessing that :meth:`state` described."""
        reading = dict(plain["read"])
        reading["missing_values"] = tuple(reading["missing_values"])
        form = form_from(_whole(plain["form"], arrays))
        return cls(form, Target.load(plain["target"]), ReadOptions(**reading), plain["weight"])


def _plain(value: Any, path: str, arrays: dict[str, Array]) -> Any:
    """Return a state with its arrays moved into ``arrays``, and their names in their places."""
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {"array": path}
    if isinstance(value, Mapping):
        return {key: _plain(inner, f"{path}.{key}", arrays) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, f"{path}.{i}", arrays) for i, inner in enumerate(value)]
    return value


def _whole(plain: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(plain, Mapping):
        if set(plain) == {"array"}:
            return arrays[plain["array"]]
        return {key: _whole(inner, arrays) for key, inner in plain.items()}
    if isinstance(plain, list):
        return [_whole(inner, arrays) for inner in plain]
    return plain


def dropped_rows(count: int) -> list[str]:
    """Return the notice of rows that ``data.missing: drop`` leaves out, if there are any."""
    return [f"{count} rows with missing cells are left out (missing: drop)"] if count else []


def sample_weights(table: Table, name: str) -> Array:
    """Return the column of sample weights (N,) float32.

    Raises:
        DataError: a weight is missing, negative, or all are 0.
    """
    column = table.column(name, "data.weight")
    weights, some = np.empty(table.rows, np.float32), False
    for rows in chunks(table.rows):
        values = column.numbers(rows)
        bad = np.flatnonzero(~(values >= 0))
        if len(bad):
            path, line = table.place(rows.start + int(bad[0]))
            what = "is missing" if np.isnan(values[bad[0]]) else f"is negative ({values[bad[0]]:g})"
            message = f"column {quote(name)}: the weight {what}"
            raise DataError(message, path=path, line=line, help="weights are 0 or more")
        weights[rows] = values
        some = some or bool(values.any())
    if not some:
        raise DataError(f"column {quote(name)}: all weights are 0", path=table.path, help="give some row a weight")
    return weights
