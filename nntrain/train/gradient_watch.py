"""Health of the gradients: how large they are in each layer, and how far an update moves the weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.core.network import Network
from nntrain.core.parameter import Parameter


class GradientWatch:
    """Looks at one update, the last of each epoch, so that it costs nothing in the others.

    For each layer with parameters: ``gradient_rms`` = sqrt(mean g^2) and ``update_ratio`` = norm of the change of the
    weights / norm of the weights before it. A ratio far above 1e-2 says that the learning rate is high, far below 1e-4
    that the layer hardly learns. For each activation that has one, ``dead_share`` or ``saturated_share`` of
    :meth:`~nntrain.core.layer.Layer.health`, over the first shard of the update's last batch.

    Args:
        network: whose training is watched.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.store = store = network.store
        self._layers: dict[str, list[tuple[Parameter, slice]]] = {}
        for parameter, where in zip(store.trainable, store.slices().values(), strict=True):
            layer = parameter.name.rpartition(".")[0] or parameter.name
            self._layers.setdefault(layer, []).append((parameter, where))
        self._before: Array | None = None
        self._rms: dict[str, float] = {}

    def before(self) -> None:
        """Take the gradients and the weights as they are before an update."""
        self._before = self.store.value.copy()
        for name, parts in self._layers.items():
            self._rms[name] = _norm([self.store.grad[where] for _, where in parts]) / _root_size(parts)

    def after(self) -> list[dict[str, Any]]:
        """Return the rows after the update, one a layer that has something to tell."""
        assert self._before is not None, "before() comes first"
        rows = []
        for name, parts in self._layers.items():
            change = _norm([self.store.value[where] - self._before[where] for _, where in parts])
            weights = _norm([self._before[where] for _, where in parts])
            ratio = change / weights if weights > 0 else None
            rows.append({"layer": name, "gradient_rms": self._rms[name], "update_ratio": ratio})
        self._before = None
        for layer in self.network.root.walk():
            health = layer.health()
            if health:
                rows.append({"layer": layer.name, **health})
        return rows


def _norm(parts: list[Array]) -> float:
    return float(np.sqrt(sum(float(np.square(part, dtype=np.float64).sum()) for part in parts)))


def _root_size(parts: list[tuple[Parameter, slice]]) -> float:
    return float(np.sqrt(sum(parameter.size for parameter, _ in parts)))
