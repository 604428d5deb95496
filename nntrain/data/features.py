"""The feature columns: which they are, and the encoder of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nntrain.data.category_encoder import CategoryEncoder
from nntrain.data.column_types import ColumnKind, kind_of
from nntrain.data.encoders import Encoder
from nntrain.data.number_encoders import BooleanEncoder, DatetimeEncoder, NumericEncoder
from nntrain.data.options import ColumnOptions, DataOptions
from nntrain.data.table import Table
from nntrain.data.target import names_of
from nntrain.errors import ConfigError, DataError, Problem, enumerate_names, quote
from nntrain.gathering import Gathering


class NoFeaturesError(DataError):
    """No column is left to learn from."""


def feature_columns(table: Table, options: DataOptions) -> list[str]:
    """Return the names of the columns to learn from.

    Raises:
        DataError: a feature has another use too, or none is left.
    """
    targets = names_of(options.target)
    if options.features is not None:
        _check_features(options.features, targets, options, table.path)
        return list(dict.fromkeys(options.features))
    other = {*targets, *options.ignore, options.weight, options.group, options.order}
    names = [name for name in table.names if name not in other]
    if not names:
        raise NoFeaturesError(
            f"no feature columns left; the file has {enumerate_names(table.names)}",
            path=table.path,
            help="check data.target, data.features and data.ignore",
        )
    return names


def _check_features(features: Sequence[str], targets: Sequence[str], options: DataOptions, path: str) -> None:
    """Refuse features with another use; a group or order column may be a feature where it is asked for by name."""
    uses = {**dict.fromkeys(options.ignore, "data.ignore"), **dict.fromkeys(targets, "data.target")}
    if options.weight is not None:
        uses[options.weight] = "data.weight"
    for name in features:
        if name in uses:
            message = f"data.features: column {quote(name)} is named by {uses[name]} too"
            raise DataError(message, path=path, help="take it out of one of the two")


def make_encoders(table: Table, options: DataOptions) -> tuple[list[Encoder], dict[str, ColumnKind], list[str]]:
    """Return an encoder for each feature column, what each column is, and notices."""
    encoders, kinds, notices, checks = [], {}, [], Gathering()
    for name in feature_columns(table, options):
        own = options.columns.get(name, ColumnOptions())
        kind, odd = kind_of(table.columns[name], own.type)
        kinds[name] = kind
        notices += odd
        with checks.next():
            encoders.append(_encoder(name, kind, own, options))
    checks.end()
    return encoders, kinds, notices


def _encoder(name: str, kind: ColumnKind, own: ColumnOptions, options: DataOptions) -> Encoder:
    scale, missing = own.scale or options.scale, own.missing or options.missing
    if kind == "categorical":
        fill = "" if own.fill is None else str(own.fill)
        return CategoryEncoder(name, own.categorical or options.categorical, missing, fill, scale)
    if isinstance(own.fill, str):
        message = f"data.columns.{name}.fill: expected a number for a {kind} column, got {quote(own.fill)}"
        help = "give a number, or set its type to categorical"
        raise ConfigError([Problem(message, help=help, at=("data", "columns", name, "fill"))])
    return _NUMBER_ENCODERS[kind](name, scale, missing, options.fill if own.fill is None else own.fill)


_NUMBER_ENCODERS = {"numeric": NumericEncoder, "boolean": BooleanEncoder, "datetime": DatetimeEncoder}


def encoder_from(name: str, state: Mapping[str, Any]) -> Encoder:
    """Return the encoder that :meth:`Encoder.state` described."""
    encoder: Encoder
    if state["kind"] == "categorical":
        encoder = CategoryEncoder(name, state["form"], state["missing"], state["fill"], state["scale"])
    else:
        encoder = _NUMBER_ENCODERS[state["kind"]](name, state["scale"], state["missing"])
    encoder.load(state)
    return encoder
