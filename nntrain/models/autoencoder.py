"""The autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import Ge

from nntrain.core.layer import Layer, LayerLike
from nntrain.errors import ConfigError
from nntrain.layers.sequential import Sequential
from nntrain.models.base import ARCHITECTURES, ROWS, Architecture, Examples, of_key
from nntrain.models.convolutional import Widths


@ARCHITECTURES.register("autoencoder")
class Autoencoder(Architecture):
    """Reconstructs its input through a narrow code (Hinton and Salakhutdinov 2006); needs no target.

    Dense layers narrow down to the code, the last of ``hidden``, and widen again in the reverse order. A row that is
    unlike those of the training is reconstructed badly: ``predict`` gives the mean squared error of each row, in
    scaled units, as its ``anomaly_score``.

    Args:
        hidden: widths of the encoder's layers; the last is the code.
        activation: after each layer but the code and the output.
        noise: standard deviation of noise on the scaled inputs in training, of a denoising autoencoder (Vincent et al.
            2008).

    >>> [layer.units for layer in Autoencoder(hidden=[16, 2]).hidden_layers() if hasattr(layer, "units")]
    [16, 2, 16]
    """

    flattens = True
    reconstructs = True

    def __init__(
        self,
        hidden: Widths = [32, 8],  # noqa: B006 - read, never written
        activation: LayerLike = "relu",
        noise: Annotated[float, Ge(0)] = 0.0,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.noise = noise

    def hidden_layers(self, examples: Examples = ROWS) -> Sequence[Layer]:
        if examples.ragged:
            raise ConfigError(
                "autoencoder takes examples of one shape, and sequences differ in length",
                help="give it windows of a series, images, or rows of features",
            )
        specs: list[Any] = [{"name": "gaussian_noise", "standard_deviation": self.noise}] if self.noise else []
        widths = [of_key({"name": "dense", "units": units}, "hidden", i) for i, units in enumerate(self.hidden)]
        *outer, code = widths
        for dense in outer:
            specs += [dense, self.activation]
        specs.append(code)
        for dense in reversed(outer):
            specs += [dense, self.activation]
        return Sequential(specs).layers
