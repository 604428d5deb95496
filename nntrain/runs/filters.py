"""``--filter`` and ``--sort`` of ``compare``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nntrain.errors import ConfigError, did_you_mean, enumerate_names, quote
from nntrain.runs.comparison_row import ComparedRun

_EXPRESSION = re.compile(
    r"\s*(?P<column>[^=!<>~]+?)\s*(?P<operator>==|!=|<=|>=|=|<|>|~)\s*(?P<value>.*?)\s*", re.DOTALL
)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a run: ``optimizer.name=adam``, ``val_accuracy>0.9``, ``name~iris`` (holds the text)."""

    column: str
    operator: str
    value: Any

    @classmethod
    def parse(cls, text: str) -> Filter:
        """Return the filter a text describes.

        Raises:
            ConfigError: it describes none.

        >>> Filter.parse("val_accuracy > 0.9")
        Filter(column='val_accuracy', operator='>', value=0.9)
        """
        found = _EXPRESSION.fullmatch(text)
        if found is None:
            raise ConfigError(
                f"--filter: expected COLUMN OPERATOR VALUE, got {quote(text)}",
                help="operators: = != < <= > >= ~ (holds the text), as in val_accuracy>0.9",
            )
        value = _value(found["value"])
        if found["operator"] in _ORDERS and not isinstance(value, (int, float)):
            raise ConfigError(f"--filter: {quote(text)}: {found['operator']} needs a number, got {quote(value)}")
        return cls(found["column"], found["operator"].replace("==", "="), value)

    def holds(self, run: ComparedRun) -> bool:
        """Return whether a run meets the condition; one without the column meets ``!=`` alone."""
        actual = run.value(self.column)
        if self.operator == "=":
            return _equal(actual, self.value)
        if self.operator == "!=":
            return not _equal(actual, self.value)
        if self.operator == "~":
            return actual is not None and str(self.value).lower() in str(actual).lower()
        return is_number(actual) and _ORDERS[self.operator](actual, self.value)


def _value(text: str) -> Any:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    words: dict[str, Any] = {"true": True, "false": False, "null": None, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return float(text)
    return text


def _equal(actual: Any, wanted: Any) -> bool:
    if isinstance(actual, bool) or isinstance(wanted, bool) or actual is None or wanted is None:
        return actual is wanted
    if is_number(actual) and is_number(wanted):
        return bool(actual == wanted)
    return _text(actual) == _text(wanted)


def _text(value: Any) -> str:
    return f"{value:g}" if is_number(value) else str(value).replace(" ", "")


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def apply_filters(runs: Sequence[ComparedRun], filters: Sequence[str]) -> list[ComparedRun]:
    """Return the runs for which all filters hold.

    Raises:
        ConfigError: a filter is malformed, or no run has its column.
    """
    parsed = [Filter.parse(text) for text in filters]
    for condition in parsed:
        _check_column("--filter", condition.column, runs)
    return [run for run in runs if all(condition.holds(run) for condition in parsed)]


def _check_column(option: str, column: str, runs: Sequence[ComparedRun]) -> None:
    known = list(dict.fromkeys(name for run in runs for name in run.columns()))
    if column == "name" or column in known or any(run.value(column) is not None for run in runs):
        return
    raise ConfigError(
        f"{option}: no run has a column {quote(column)}{did_you_mean(column, known)}"
        f" (there are: {enumerate_names(known, 40)})"
    )


def sort_runs(runs: Sequence[ComparedRun], column: str) -> list[ComparedRun]:
    """Return the runs sorted by a column, the best metric first, everything else ascending; ``-column`` the other way.

    Runs without a value, or with one that is no number among numbers, come last in both directions; equal runs keep
    their order.

    Raises:
        ConfigError: no run has the column.
    """
    backwards, name = column.startswith("-"), column.removeprefix("-")
    _check_column("--sort", name, runs)
    numbers = [run for run in runs if is_number(run.value(name))]
    texts = [run for run in runs if not is_number(run.value(name)) and _is_sortable_text(run.value(name))]
    rest = [run for run in runs if run not in numbers and run not in texts]
    numbers.sort(key=lambda run: run.value(name), reverse=higher_is_better(name) != backwards)
    texts.sort(key=lambda run: str(run.value(name)), reverse=backwards)
    return [*numbers, *texts, *rest]


def _is_sortable_text(value: Any) -> bool:
    return value is not None and not isinstance(value, float)


def higher_is_better(column: str) -> bool:
    """Return whether a column is a metric whose largest value is the best."""
    from nntrain.metrics.base import METRICS

    name = re.sub(r"^(last\.)?(train|val|test)_", "", column)
    return name != column and name in METRICS and METRICS.get(name).factory.higher_is_better
