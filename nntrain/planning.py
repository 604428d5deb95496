"""What a config says before any data is read, and every check that needs none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nntrain.config.place import dotted
from nntrain.config.schema import Config
from nntrain.data.forms import form_of
from nntrain.data.options import FORM_OPTIONS, ColumnOptions, DataOptions
from nntrain.errors import (
    ConfigError,
    DataError,
    KeyPath,
    Problem,
    ResourceError,
    did_you_mean,
    enumerate_names,
    escape,
    quote,
)
from nntrain.explaining import of_the_system
from nntrain.gathering import Gathering
from nntrain.losses.base import LOSSES, Loss
from nntrain.metrics.base import METRICS, Metric
from nntrain.models.base import ARCHITECTURES, Architecture, Examples
from nntrain.models.build import is_implied
from nntrain.optim.base import OPTIMIZERS
from nntrain.registry import placed_specs
from nntrain.train.callbacks.base import CALLBACKS, Callback


@dataclass(frozen=True)
class Plan:
    """What a config says before any data is read: its loss and metrics, as far as they are named.

    Attributes:
        architecture: of the network.
        loss: the named loss, the architecture's own, or None where it follows the task.
        loss_spec: the same as a spec.
        metrics: the named metrics, or None where they follow the task.
    """

    config: Config
    architecture: Architecture
    loss_spec: str | dict[str, Any] | None
    loss: Loss | None
    metrics: dict[str, Metric] | None


def plan(config: Config) -> Plan:
    """Return the plan of a config, after every check that needs no data.

    Raises:
        ConfigError: loss, output activation, metrics and monitors do not fit each other, or a path fits no config; with
            all that is wrong.
    """
    config.resolved(absolute_paths=True)  # as config.yaml of a run has to hold it
    checks = Gathering()
    architecture = loss_spec = loss = metrics = None
    with checks.next(), errors_placed(config, "architecture"):
        architecture = ARCHITECTURES.build(placed_specs(config.architecture, ("architecture",)))
        examples = examples_of(config)
        architecture.check_examples(examples)
        architecture.hidden_layers(examples)
    with checks.next(), errors_placed(config, "loss"):
        loss_spec = architecture.default_loss if config.loss is None and architecture is not None else config.loss
        loss = None if loss_spec is None else LOSSES.build(loss_spec)
    with checks.next():
        _refuse_repeated_metrics(config)
    with checks.next(), errors_placed(config, "metrics"):
        metrics = None if config.metrics is None else build_metrics(name_specs(config.metrics))
    with checks.next(), errors_placed(config, "optimizer"):
        OPTIMIZERS.build(config.optimizer)
    with checks.next(), errors_placed(config, "callbacks"):
        build_callbacks(config)
    with checks.next():
        if loss is not None:
            check_output_activation(config, loss)
    with checks.next():
        _check_stream(config)
    with checks.next():
        if metrics is not None:
            check_monitors(config, metrics)
    checks.end()
    assert architecture is not None, "its error has been raised"
    return Plan(config, architecture, loss_spec, loss, metrics)


def data_options(config: Config) -> DataOptions:
    """Return the data section as the data package takes it."""
    plain = config.data.model_dump()
    columns = {name: ColumnOptions(**own) for name, own in plain.pop("columns").items()}
    forms = {key: None if plain[key] is None else options(**plain[key]) for key, options in FORM_OPTIONS.items()}
    return DataOptions(**{**plain, "columns": columns, **forms})


def examples_of(config: Config) -> Examples:
    """Return what a config says of its examples before any is read."""
    options = data_options(config)
    per_row = options.sequence is not None and options.sequence.target_per == "row"
    return Examples(form_of(options).axes(options), per_row)


_KEYED_BY_NAMES = (("data", "columns"), ("class_weight",))
"""Mappings whose keys are names that stand in the data."""


@contextmanager
def errors_placed(config: Config, key: str) -> Iterator[None]:
    """Give errors the place of the key of the config that they are about, or else of one that is given."""
    try:
        yield
    except (ConfigError, DataError) as error:
        kind = ConfigError if isinstance(error, ConfigError) else DataError
        raise kind([_placed(config, key, problem) for problem in error.problems]) from None


@contextmanager
def memory_placed(config: Config) -> Iterator[None]:
    """Give what is said of too little memory for the network the place of the layer, or of the architecture."""
    try:
        yield
    except (MemoryError, ResourceError) as error:
        told = error if isinstance(error, ResourceError) else of_the_system(error)
        assert told is not None, "too little memory is known"
        raise ResourceError([_placed(config, "architecture", problem) for problem in told.problems]) from None


def _placed(config: Config, key: str, problem: Problem) -> Problem:
    """Return a problem at the place of the key that it names, whose file, if it is of one, becomes a note."""
    if problem.line is not None:
        return problem
    begins_with: KeyPath = tuple(problem.message.partition(":")[0].split("."))
    named = problem.at or (begins_with if begins_with[0] in Config.model_fields else ())
    if problem.path is not None and not named:
        return problem
    message, notes = problem.message, problem.notes
    if not message.startswith(str(named[0] if named else key)):
        file = "" if problem.path is None else f"{quote(problem.path)}: "
        prefix = key if problem.at is None else dotted(config.known_part(problem.at))
        message = f"{prefix}: {file}{message}"
    elif problem.path not in (None, config.path) and not any(str(problem.path) in note for note in notes):
        notes = (*notes, f"in {escape(str(problem.path))}")
    path, line, column = config.place(named or (key,), at_key=named[:-1] in _KEYED_BY_NAMES)
    return Problem(message, path, line, column, problem.help, notes)


def build_callbacks(config: Config) -> list[Callback]:
    """Return the callbacks of a config, early stopping first."""
    specs = list(config.callbacks)
    if config.early_stopping is not None:
        specs.insert(0, {"name": "early_stopping", **config.early_stopping.model_dump()})
    return [CALLBACKS.build(spec) for spec in specs]


def name_specs(specs: Sequence[str | dict[str, Any]]) -> dict[str, str | dict[str, Any]]:
    """Return specs by their names.

    >>> name_specs(["accuracy", {"name": "top_k", "k": 3}])
    {'accuracy': 'accuracy', 'top_k': {'name': 'top_k', 'k': 3}}
    """
    return {(spec if isinstance(spec, str) else spec["name"]): spec for spec in specs}


def build_metrics(specs: dict[str, str | dict[str, Any]]) -> dict[str, Metric]:
    """Return metrics of their specs, by name."""
    return {name: METRICS.build(spec) for name, spec in specs.items()}


def _refuse_repeated_metrics(config: Config) -> None:
    """A metric's name is its column, so two of one name would be one."""
    names = [spec["name"] for spec in config.metrics or ()]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise config.error(
                ("metrics", i), f"{quote(name)} is listed twice", help="each metric is one column; keep one of them"
            )


def _check_stream(config: Config) -> None:
    form = form_of(data_options(config))
    if config.stream is True and not form.streams:
        message = f"expected auto or false, got true: examples are {form.unit}, which are kept in memory"
        raise config.error(("stream",), message, help="leave it out; only rows and images are streamed from disk")


def check_output_activation(config: Config, loss: Loss) -> None:
    """Refuse an output activation in front of a loss that starts from plain outputs."""
    activation = config.output_activation
    if activation is None or loss.takes_output_activation or is_implied(loss, activation):
        return
    name = activation["name"]
    loss_name = LOSSES.name_of(loss)
    implied = f", and applies {loss.implied_activation} itself" if loss.implied_activation else ""
    raise config.error(
        ("output_activation",),
        f"{name} does not go with loss {loss_name}, which takes the plain outputs{implied}",
        help="remove output_activation, or use a loss such as mse that takes any output",
    )


def check_monitors(config: Config, metrics: dict[str, Metric], with_validation: bool = True) -> None:
    """Refuse a monitored column that ``metrics.jsonl`` will not have.

    Raises:
        ConfigError: with the place of the monitor.
    """
    columns = monitor_columns(metrics, with_validation)
    problems = [
        config.problem(
            path,
            f"no column {quote(monitor)} in metrics.jsonl{did_you_mean(monitor, columns)}"
            f" (there are: {enumerate_names(columns)})",
            help="monitor one of these, or add the metric to metrics",
        )
        for path, monitor in _monitors(config)
        if monitor not in columns
    ]
    if problems:
        raise ConfigError(problems)


def monitor_columns(metrics: dict[str, Metric], with_validation: bool = True) -> list[str]:
    """Return the columns of ``metrics.jsonl`` that can be monitored."""
    parts = ["train", "val"] if with_validation else ["train"]
    columns = [f"{part}_{name}" for name in ["loss", *metrics] for part in parts]
    return [*columns, "gradient_norm", "learning_rate"]


def _monitors(config: Config) -> list[tuple[tuple[str | int, ...], str]]:
    found: list[tuple[tuple[str | int, ...], str]] = []
    if config.early_stopping is not None and config.early_stopping.monitor is not None:
        found.append((("early_stopping", "monitor"), config.early_stopping.monitor))
    if config.checkpoint.monitor is not None:
        found.append((("checkpoint", "monitor"), config.checkpoint.monitor))
    for i, callback in enumerate(config.callbacks):
        if callback.get("monitor") is not None:
            found.append((("callbacks", i, "monitor"), callback["monitor"]))
    return found
