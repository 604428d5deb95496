"""Health of the gradients: how large they are in each layer, and how far an update moves the weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.core.network import Network
from nntrain.optim.clipping import flat_norm


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
        self._layers: dict[str, slice] = {}  # a layer's parameters are neighbours
        for parameter, where in zip(store.trainable, store.slices().values(), strict=True):
            layer = parameter.name.rpartition(".")[0] or parameter.name
            self._layers[layer] = slice(self._layers.get(layer, where).start, where.stop)
        self._before: Array | None = None
        self._rms: dict[str, float] = {}
        self._norms: dict[str, float] = {}

    def before(self, scale: float = 1.0) -> None:
        """Take ``scale`` times the gradients, and the weights, as they are before an update."""
        if self._before is None:
            self._before = np.empty_like(self.store.value)
        np.copyto(self._before, self.store.value)
        for name, where in self._layers.items():
            self._rms[name] = scale * flat_norm(self.store.grad[where]) / math.sqrt(where.stop - where.start)
            self._norms[name] = flat_norm(self._before[where])

    def after(self) -> list[dict[str, Any]]:
        """Return the rows after the update, one a layer that has something to tell."""
        assert self._before is not None, "before() comes first"
        change = np.subtract(self.store.value, self._before, out=self._before)
        rows: list[dict[str, Any]] = []
        for name, where in self._layers.items():
            weights = self._norms[name]
            ratio = flat_norm(change[where]) / weights if weights > 0 else None
            rows.append({"layer": name, "gradient_rms": self._rms[name], "update_ratio": ratio})
        for layer in self.network.root.walk():
            health = layer.health()
            if health:
                rows.append({"layer": layer.name, **health})
        return rows
