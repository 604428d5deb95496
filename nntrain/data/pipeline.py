"""Preprocessing: from a table to the network's input, learnt on training rows and carried in the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.core.task import Task
from nntrain.data.batches import Dataset
from nntrain.data.category_encoder import CategoryEncoder
from nntrain.data.encoders import Encoder
from nntrain.data.features import encoder_from
from nntrain.data.notices import Notice, grouped
from nntrain.data.table import ReadOptions, Table
from nntrain.data.target import Target
from nntrain.errors import DataError, did_you_mean, enumerate_names, quote


class Preprocessing:
    """Encoders of the feature columns, in their order, and the target.

    Everything it knows comes from training rows. Columns are found by name.

    Args:
        encoders: one for each feature column.
        target: fitted.
        read_options: how the training files were written; files to be judged are read in the same way.
        weight: name of the column of sample weights, or None.
    """

    def __init__(
        self, encoders: Sequence[Encoder], target: Target, read_options: ReadOptions, weight: str | None = None
    ) -> None:
        self.encoders = list(encoders)
        self.target = target
        self.read_options = read_options
        self.weight = weight

    @property
    def task(self) -> Task:
        return self.target.task

    @property
    def feature_names(self) -> list[str]:
        """Names of the network's inputs, F of them."""
        return [name for encoder in self.encoders for name in encoder.outputs()]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return (len(self.feature_names),)

    @property
    def embedded(self) -> dict[int, int]:
        """Input columns that hold codes to be embedded, with the number of codes."""
        found, at = {}, 0
        for encoder in self.encoders:
            codes = encoder.embedded if isinstance(encoder, CategoryEncoder) else None
            if codes is not None:
                found[at] = codes
            at += len(encoder.outputs())
        return found

    def decode(self, values: Array) -> Array:
        """Return predicted values (N, D) in the units of the table."""
        return self.target.decode(values)

    def features(self, table: Table) -> tuple[Array, list[str]]:
        """Return the network's input (N, F) float32 for a table, and notices.

        Raises:
            DataError: a feature column is missing, or a cell is not what it must be.
        """
        (x,), notices = self.parts(table, [np.arange(table.rows)])
        return x, grouped(notices)

    def parts(self, table: Table, rows: Sequence[Array]) -> tuple[list[Array], list[Notice]]:
        """Return the network's input for some rows of a table, once for each array of row numbers, and notices.

        Column by column, so that no more than one column is in memory as float64.
        """
        self._check_columns(table)
        parts = [np.empty((len(chosen), len(self.feature_names)), np.float32) for chosen in rows]
        notices: list[Notice] = []
        at = 0
        for encoder in self.encoders:
            for values in encoder.apply(table.columns[encoder.name]):
                narrow = self._narrow(table, encoder.name, values)
                for part, chosen in zip(parts, rows, strict=True):
                    part[:, at] = narrow[chosen]
                at += 1
            notices += encoder.notices
        return parts, notices

    def _check_columns(self, table: Table) -> None:
        wanted = [encoder.name for encoder in self.encoders]
        lacking = [name for name in wanted if name not in table.columns]
        if lacking:
            raise DataError(
                f"column {quote(lacking[0])} is missing{did_you_mean(lacking[0], table.names)}",
                path=table.path,
                help="the network was trained on it; give the file this column",
                notes=[
                    *([f"{len(lacking)} are missing: {enumerate_names(lacking)}"] if len(lacking) > 1 else []),
                    f"columns found: {enumerate_names(table.names)}",
                ],
            )

    def _narrow(self, table: Table, name: str, values: Array) -> Array:
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float32)
        if np.isfinite(narrow).all():
            return narrow
        path, line = table.place(int(np.flatnonzero(~np.isfinite(narrow))[0]))
        raise DataError(
            f"column {quote(name)}: the scaled value does not fit into float32",
            path=path,
            line=line,
            help="correct the cell, or use data.scale: quantile",
        )

    def extra_columns(self, table: Table) -> list[str]:
        """Return a notice of the columns that nothing is done with, if there are any."""
        used = {encoder.name for encoder in self.encoders} | set(self.task.targets) | {self.weight}
        extra = [quote(name) for name in table.names if name not in used]
        return [f"columns that are not used: {enumerate_names(extra, 10)}"] if extra else []

    def weights(self, table: Table) -> Array | None:
        """Return the sample weights (N,) of a table, or None where there are none."""
        return None if self.weight is None or self.weight not in table.columns else sample_weights(table, self.weight)

    def apply(self, table: Table) -> tuple[Dataset, list[str]]:
        """Return a table's features as examples without targets, and notices."""
        x, notices = self.features(table)
        return Dataset(x, np.zeros(len(x)), None, np.arange(len(x)), table), notices

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return everything learnt: plain values, and the arrays they refer to."""
        arrays: dict[str, Array] = {}
        features = [
            {"name": encoder.name, **_plain(encoder.state(), f"{i}", arrays)} for i, encoder in enumerate(self.encoders)
        ]
        options = self.read_options
        reading = {
            "delimiter": options.delimiter,
            "decimal": options.decimal,
            "header": options.header if isinstance(options.header, bool) else list(options.header),
            "encoding": options.encoding,
            "missing_values": list(options.missing_values),
        }
        return {"features": features, "target": self.target.state(), "read": reading, "weight": self.weight}, arrays

    @classmethod
    def load(cls, plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> Preprocessing:
        """Return the preprocessing that :meth:`state` described."""
        encoders = [encoder_from(spec["name"], _whole(spec, arrays)) for spec in plain["features"]]
        reading = dict(plain["read"])
        reading["missing_values"] = tuple(reading["missing_values"])
        return cls(encoders, Target.load(plain["target"]), ReadOptions(**reading), plain["weight"])


def _plain(state: Mapping[str, Any], path: str, arrays: dict[str, Array]) -> dict[str, Any]:
    """Return a state with its arrays moved into ``arrays``, and their names in their places."""
    plain: dict[str, Any] = {}
    for key, value in state.items():
        if isinstance(value, np.ndarray):
            arrays[f"{path}.{key}"] = value
            plain[key] = {"array": f"{path}.{key}"}
        else:
            plain[key] = _plain(value, f"{path}.{key}", arrays) if isinstance(value, Mapping) else value
    return plain


def _whole(plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for key, value in plain.items():
        if isinstance(value, Mapping):
            whole[key] = arrays[value["array"]] if set(value) == {"array"} else _whole(value, arrays)
        else:
            whole[key] = value
    return whole


def sample_weights(table: Table, name: str) -> Array:
    """Return the column of sample weights (N,) float32.

    Raises:
        DataError: a weight is missing, negative, or all are 0.
    """
    column = table.column(name, "data.weight")
    values = column.numbers()
    bad = np.flatnonzero(~(values >= 0))
    if len(bad):
        path, line = table.place(int(bad[0]))
        what = "is missing" if np.isnan(values[bad[0]]) else f"is negative ({values[bad[0]]:g})"
        raise DataError(f"column {quote(name)}: the weight {what}", path=path, line=line, help="weights are 0 or more")
    if not values.any():
        raise DataError(f"column {quote(name)}: all weights are 0", path=table.path, help="give some row a weight")
    return values.astype(np.float32)
