"""First values of the weights of gates that lie side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nntrain.core.array import Array
from nntrain.core.initializers import Initializer
from nntrain.core.parameter import Parameter


class EachGate(Initializer):
    """First values gate by gate: each block (..., units) is drawn as a matrix of its own, then raised by a number.

    Args:
        initializer: draws a block.
        raised: what is added to each gate's block; as many as there are gates.
    """

    def __init__(self, initializer: Initializer, raised: Sequence[float]) -> None:
        self.initializer = initializer
        self.raised = raised

    def sample(self, parameter: Parameter, generator: np.random.Generator) -> Array:
        units = parameter.shape[-1] // len(self.raised)
        block = Parameter(parameter.name, (*parameter.shape[:-1], units), self.initializer, fans=parameter.fans)
        return np.concatenate([self.initializer.sample(block, generator) + more for more in self.raised], axis=-1)
