"""Keys of the data section that change nothing beside the others and the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nntrain.core.task import Task
from nntrain.data.column_types import ColumnKind
from nntrain.data.options import ColumnOptions, DataOptions
from nntrain.data.split_file import is_split_file
from nntrain.errors import KeyPath, quote

Idle = tuple[KeyPath, str]
"""A key, and why it has no effect."""

_DEFAULT = DataOptions(train="", target="")


def idle_keys(
    options: DataOptions, task: Task, kinds: Mapping[str, ColumnKind], reconstructs: bool = False
) -> Iterator[Idle]:
    """Yield the keys with another value than their default that change nothing.

    Args:
        options: of the data section.
        task: what is predicted.
        kinds: what each feature column is, by name.
        reconstructs: whether the input itself is the target.

    >>> options = DataOptions(train="a.csv", target="y", positive_class="yes")
    >>> list(idle_keys(options, Task("regression", ("y",)), {"x": "numeric"}))
    [(('data', 'positive_class'), 'the task is regression')]
    """
    if reconstructs and options.task not in ("auto", task.kind):
        yield ("data", "task"), "the input itself is the target"
    if options.positive_class is not None and not task.is_classification:
        yield ("data", "positive_class"), f"the task is {task.kind}"
    if options.target_scale != "auto" and (reconstructs or task.kind != "regression"):
        yield ("data", "target_scale"), "the input itself is the target" if reconstructs else f"the task is {task.kind}"
    treated = {name: _treated(options, name, kind) for name, kind in kinds.items()}
    yield from _idle_treatments(options, treated, kinds)
    yield from _idle_parts(options)
    for name, own in options.columns.items():
        if name not in kinds:
            yield ("data", "columns", name), f"{quote(name)} is {_other_use(options, name)}"
        else:
            for key, reason in _idle_treatment(own, treated[name], kinds[name]):
                yield ("data", "columns", name, key), reason


def _idle_treatments(
    options: DataOptions, treated: Mapping[str, ColumnOptions], kinds: Mapping[str, ColumnKind]
) -> Iterator[Idle]:
    """Yield how the section says that columns are treated, where there is no such column, or each has its own way."""
    numbers = [name for name, kind in kinds.items() if kind not in ("categorical", "text")]
    if options.fill != _DEFAULT.fill and not any(
        treated[name].missing == "constant" and treated[name].fill is None for name in numbers
    ):
        yield ("data", "fill"), "it goes with missing: constant, which no column of numbers has"
    concerned = {
        "scale": (
            [*numbers, *(name for name in kinds if treated[name].categorical == "ordinal")],
            "no feature is a number",
        ),
        "missing": (list(kinds), "there is no feature column"),
        "categorical": ([name for name, kind in kinds.items() if kind == "categorical"], "no feature is categorical"),
    }
    for key, (names, none) in concerned.items():
        if getattr(options, key) == getattr(_DEFAULT, key) or (key == "scale" and _scales_past(options)):
            continue
        if not names:
            yield ("data", key), none
        elif all(getattr(options.columns.get(name), key, None) is not None for name in names):
            yield ("data", key), "data.columns says it of each column it concerns"


def _scales_past(options: DataOptions) -> bool:
    """Return whether the target's past is an input that is scaled as numbers are."""
    return options.series is not None and options.series.include_target and options.target_scale == "none"


def _treated(options: DataOptions, name: str, kind: ColumnKind) -> ColumnOptions:
    """Return how a column is treated, with what the section says where the column's own entry is silent."""
    own = options.columns.get(name, ColumnOptions())
    form = (own.categorical or options.categorical) if kind == "categorical" else None
    return ColumnOptions(missing=own.missing or options.missing, fill=own.fill, categorical=form)


def _idle_parts(options: DataOptions) -> Iterator[Idle]:
    if is_split_file(options.split):
        if options.validation != _DEFAULT.validation:
            yield ("data", "validation"), "data.split names the rows of each part"
        return
    divides = options.folds is not None or any(
        isinstance(p, (int, float)) and p for p in (options.validation, options.test)
    )
    if options.split != _DEFAULT.split and not divides:
        yield ("data", "split"), "no rows are held out of the training rows"


def _other_use(options: DataOptions, name: str) -> str:
    if name in options.targets:
        return "the target, and data.task and data.target_scale say how it is treated"
    return "ignored" if name in options.ignore else "no feature"


def _idle_treatment(own: ColumnOptions, treated: ColumnOptions, kind: ColumnKind) -> Iterator[tuple[str, str]]:
    if own.fill is not None and treated.missing != "constant":
        yield "fill", "it goes with missing: constant"
    if own.categorical is not None and kind != "categorical":
        yield "categorical", f"the column is {kind}"
    if own.scale is not None and kind == "categorical" and treated.categorical != "ordinal":
        yield "scale", "the column is categorical, and not ordinal"
