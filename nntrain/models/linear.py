"""Networks without a hidden layer."""

from __future__ import annotations

from nntrain.core.initializers import INITIALIZERS, InitializerLike
from nntrain.core.layer import Layer
from nntrain.layers.dense import Dense
from nntrain.models.base import ARCHITECTURES, Architecture


@ARCHITECTURES.register("linear")
class Linear(Architecture):
    """One dense layer: y = x w + b; with its default losses linear, logistic or softmax regression.

    Args:
        bias: whether b is added.
        kernel_initializer: first values of w.

    >>> Linear(bias=False).output_layer(1).bias
    False
    """

    flattens = True

    def __init__(self, bias: bool = True, kernel_initializer: InitializerLike = "glorot_uniform") -> None:
        self.bias = bias
        self.kernel_initializer = INITIALIZERS.build(kernel_initializer)

    def output_layer(self, units: int) -> Layer:
        return Dense(units, bias=self.bias, kernel_initializer=self.kernel_initializer)


@ARCHITECTURES.register("perceptron")
class Perceptron(Architecture):
    """Rosenblatt's perceptron: one dense layer from zero weights, with the perceptron loss.

    With plain ``sgd`` at rate 1 and ``batch_size: 1`` an update is Rosenblatt's rule: w <- w + t x after a mistake on
    (x, t), t = -1 or +1, and nothing after a correct answer (Rosenblatt 1958).

    >>> Perceptron().default_loss
    'perceptron'
    """

    default_loss = "perceptron"
    flattens = True

    def output_layer(self, units: int) -> Layer:
        return Dense(units, kernel_initializer="zeros")
