"""Whether loss, metrics and network agree with the data: what only the data show to be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nntrain.config.schema import Config
from nntrain.core.layer import LAYERS
from nntrain.core.network import Network
from nntrain.gathering import Gathering
from nntrain.losses.base import Loss, default_loss
from nntrain.metrics.base import Metric
from nntrain.planning import check_monitors

if TYPE_CHECKING:
    from nntrain.data.preparation import Prepared

_ACROSS_UNITS = ("softmax", "log_softmax")
"""Activations that compare a unit with all others."""
_FIRST_ROWS = 1000


def check_loss(config: Config, loss: Loss, spec: str | dict[str, Any], prepared: Prepared) -> None:
    """Refuse a loss that does not fit the task or the values of the target."""
    name = spec if isinstance(spec, str) else spec["name"]
    reason = loss.check(prepared.task) or loss.check_target(prepared.train.labels().target)
    if reason is not None:
        help = f"use loss: {default_loss(prepared.task)}, or leave the loss out"
        raise config.error(("loss",), f"{name} does not fit the target: {reason}", help=help)


def check_outputs(config: Config, units: int) -> None:
    """Refuse an output activation that makes a single output constant."""
    activation = config.output_activation
    if activation is not None and activation["name"] in _ACROSS_UNITS and units == 1:
        raise config.error(
            ("output_activation",),
            f"{activation['name']} of a single output is the same for every row, so nothing could be learnt",
            help="remove output_activation, or use sigmoid for values between 0 and 1",
        )


def check_codes(config: Config, network: Network, prepared: Prepared) -> None:
    """Refuse inputs that an embedding, which takes whole numbers for codes, would cut."""
    first = network.layers[0]
    if LAYERS.name_of(first) != "embedding":
        return
    some = np.asarray(prepared.train.x[:_FIRST_ROWS])
    cut = some[some != np.floor(some)]
    if len(cut):
        raise config.error(
            first.at or ("architecture",),
            f"embedding takes codes 0, 1, 2, ..., and inputs are no whole numbers, such as {cut[0]:.4g}",
            help="data.scale: none leaves the numbers as they stand; data.categorical: embedding embeds categories",
        )


def check_metrics(config: Config, metrics: dict[str, Metric], prepared: Prepared) -> None:
    """Refuse metrics that do not fit the target, and monitors of columns that there will not be."""
    checks = Gathering()
    for i, (name, metric) in enumerate(metrics.items()):
        reason = metric.check(prepared.task)
        with checks.next():
            if reason is not None:
                raise config.error(("metrics", i), f"{name} does not fit the target: {reason}")
    with checks.next():
        check_monitors(config, metrics, with_validation=prepared.validation is not None)
    checks.end()
