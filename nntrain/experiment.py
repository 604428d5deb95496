"""The one assembly point: a config becomes data, a network, a training step and a trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nntrain.config.load import Config
from nntrain.core.network import Network
from nntrain.core.task import Task
from nntrain.errors import ConfigError, NntrainError, did_you_mean, enumerate_names, quote
from nntrain.losses.base import LOSSES, Loss
from nntrain.metrics.base import METRICS, Metric
from nntrain.metrics.defaults import default_metrics
from nntrain.models.base import ARCHITECTURES, Architecture
from nntrain.models.build import FeatureLayout, build_network, is_implied
from nntrain.optim.base import OPTIMIZERS
from nntrain.optim.clipping import Clipping
from nntrain.optim.regularization import Regularization
from nntrain.train.callbacks.base import CALLBACKS, Callback
from nntrain.train.callbacks.early_stopping import Patience
from nntrain.train.evaluation import Decode, Evaluator
from nntrain.train.monitor import Mode
from nntrain.train.replicas import Replicas, shard_count
from nntrain.train.supervised import Supervised
from nntrain.train.trainer import CheckpointStore, Observer, Recorder, Trainer

if TYPE_CHECKING:
    from nntrain.data.prepare import Prepared

SPECS = tuple[str, ...]


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
        ConfigError: loss, output activation, metrics and monitors do not fit each other.
    """
    architecture = ARCHITECTURES.build(config.architecture)
    loss_spec = config.loss if config.loss is not None else architecture.default_loss
    loss = None if loss_spec is None else LOSSES.build(loss_spec)
    metrics = None if config.metrics is None else _build_metrics(config.metrics)
    made = Plan(config, architecture, loss_spec, loss, metrics)
    _check_output_activation(config, loss)
    if metrics is not None:
        _check_monitors(config, metrics)
    return made


def _build_metrics(specs: Sequence[str | dict[str, Any]]) -> dict[str, Metric]:
    return {(spec if isinstance(spec, str) else spec["name"]): METRICS.build(spec) for spec in specs}


def _check_output_activation(config: Config, loss: Loss | None) -> None:
    activation = config.output_activation
    if activation is None or loss is None or loss.takes_output_activation or is_implied(loss, activation):
        return
    name = activation if isinstance(activation, str) else activation["name"]
    loss_name = LOSSES.name_of(loss)
    implied = f", and applies {loss.implied_activation} itself" if loss.implied_activation else ""
    raise config.error(
        ("output_activation",),
        f"output_activation: {name} does not go with loss {loss_name}, which takes the plain outputs{implied}",
        help="remove output_activation, or use a loss such as mse that takes any output",
    )


def _check_monitors(config: Config, metrics: dict[str, Metric]) -> None:
    columns = monitor_columns(metrics)
    for path, monitor in _monitors(config):
        if monitor not in columns:
            raise config.error(
                path,
                f"{'.'.join(map(str, path))}: no column {quote(monitor)} in metrics.jsonl{did_you_mean(monitor, columns)}"
                f" (there are: {enumerate_names(columns)})",
                help="monitor one of these, or add the metric to metrics",
            )


def monitor_columns(metrics: dict[str, Metric], with_validation: bool = True) -> list[str]:
    """Return the columns of ``metrics.jsonl`` that can be monitored."""
    parts = ["train", "val"] if with_validation else ["train"]
    columns = [f"{part}_{name}" for name in ["loss", *metrics] for part in parts]
    return [*columns, "gradient_norm", "learning_rate"]


def _monitors(config: Config) -> list[tuple[tuple[str | int, ...], str]]:
    found: list[tuple[tuple[str | int, ...], str]] = []
    if config.early_stopping is not None and config.early_stopping.get("monitor"):
        found.append((("early_stopping", "monitor"), config.early_stopping["monitor"]))
    if config.checkpoint.monitor is not None:
        found.append((("checkpoint", "monitor"), config.checkpoint.monitor))
    for i, callback in enumerate(config.callbacks):
        if isinstance(callback, dict) and callback.get("monitor"):
            found.append((("callbacks", i, "monitor"), callback["monitor"]))
    return found
