"""The convolution of sequences."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge

from nntrain.core.array import Shape
from nntrain.core.initializers import INITIALIZERS, InitializerLike
from nntrain.core.layer import LAYERS, LayerLike
from nntrain.layers.convolution import Convolution


@LAYERS.register("conv1d")
class Conv1d(Convolution):
    """A convolution over the steps of sequences: y[t] = activation(sum_k x[t stride + k dilation] w[k] + b).

    x is (B, T, F), w (K, F / groups, filters), b (filters,) and y (B, T', filters). With ``padding: valid``
    T' = floor((T - dilation (K - 1) - 1) / stride) + 1. With ``same`` T' = ceil(T / stride), and dilation (K - 1) zeros
    stand around x, half of them (rounded down) in front: y[t] is centred on x[t stride], whatever T.

    Of padded sequences the padding counts as zeros, so that each gives what it gives alone; the lengths behind the
    layer follow the formulas of T'. As everywhere in neural networks the kernel is not turned: strictly, this is a
    cross-correlation (LeCun et al. 1998, section 2; with dilation: Yu and Koltun 2016, eq. 2).

    Args:
        filters: number of output features.
        kernel: number of steps a window has.
        stride: steps from one window to the next.
        padding: "valid" keeps the windows within the sequence; "same" puts zeros around it.
        dilation: steps from one place of a window to the next; 1 leaves no gaps.
        groups: into how many equal parts features and filters are divided; filters see the features of their part only.
            As many groups as features make a depthwise convolution.
        activation: applied to the result; none where left out.
        bias: whether b is added.
        kernel_initializer: first values of w.
        bias_initializer: first values of b.

    Raises:
        ConfigError: the examples are no sequences, the kernel does not fit into them, or the groups do not divide.

    >>> layer = Conv1d(8, kernel=5, stride=2, padding="same")
    >>> layer.build((11, 3)), layer.weights.shape
    ((6, 8), (5, 3, 8))
    """

    def __init__(
        self,
        filters: Annotated[int, Ge(1)],
        kernel: Annotated[int, Ge(1)],
        stride: Annotated[int, Ge(1)] = 1,
        padding: Literal["valid", "same"] = "valid",
        dilation: Annotated[int, Ge(1)] = 1,
        groups: Annotated[int, Ge(1)] = 1,
        activation: LayerLike | None = None,
        bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
    ) -> None:
        self.filters = filters
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        self.activation = None if activation is None else LAYERS.build(activation)
        self.bias = bias
        self.kernel_initializer = INITIALIZERS.build(kernel_initializer)
        self.bias_initializer = INITIALIZERS.build(bias_initializer)

    def build(self, in_shape: Shape) -> Shape:
        if len(in_shape) != 2 or min(in_shape) < 1:
            raise self.shape_error("sequences of shape (steps, features)", in_shape)
        return self._build(in_shape, (self.kernel,), (self.stride,), (self.dilation,))
