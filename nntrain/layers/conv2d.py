"""The convolution of images."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge

from nntrain.core.array import Shape
from nntrain.core.initializers import INITIALIZERS, InitializerLike
from nntrain.core.layer import LAYERS, LayerLike
from nntrain.core.windows import PerAxis, per_axis
from nntrain.layers.convolution import Convolution


@LAYERS.register("conv2d")
class Conv2d(Convolution):
    """A convolution of images: y[i, j] = activation(sum_pq x[i s + p d, j s + q d] w[p, q] + b), stride s, dilation d.

    x is (B, H, W, C), w (KH, KW, C / groups, filters), b (filters,) and y (B, H', W', filters). With ``padding: valid``
    H' = floor((H - dilation (KH - 1) - 1) / stride) + 1. With ``same`` H' = ceil(H / stride), and dilation (KH - 1)
    zeros stand around x, half of them (rounded down) in front: y[i] is centred on x[i stride], whatever H. W' likewise.

    As everywhere in neural networks the kernel is not turned: strictly, this is a cross-correlation (LeCun et al. 1998,
    section 2; as a matrix product: Chellapilla et al. 2006, section 3.1). Where the images are padded sequences of
    lines, lengths count the lines.

    Args:
        filters: number of output channels.
        kernel: height and width of the window, one integer for both or two.
        stride: distance of neighbouring windows, one integer or two.
        padding: "valid" keeps the windows within the image; "same" puts zeros around it.
        dilation: distance of neighbouring places of a window, one integer or two; 1 leaves no gaps.
        groups: into how many equal parts channels and filters are divided; filters see the channels of their part only.
            As many groups as channels make a depthwise convolution.
        activation: applied to the result; none where left out.
        bias: whether b is added.
        kernel_initializer: first values of w.
        bias_initializer: first values of b.

    Raises:
        ConfigError: the examples are no images, the kernel does not fit into them, or the groups do not divide.

    >>> layer = Conv2d(16, kernel=3, activation="relu")
    >>> layer.build((28, 28, 1))
    (26, 26, 16)
    >>> Conv2d(8, kernel=[1, 5], stride=[1, 2], padding="same").build((6, 9, 3))
    (6, 5, 8)
    """

    def __init__(
        self,
        filters: Annotated[int, Ge(1)],
        kernel: PerAxis,
        stride: PerAxis = 1,
        padding: Literal["valid", "same"] = "valid",
        dilation: PerAxis = 1,
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
        if len(in_shape) != 3 or min(in_shape) < 1:
            raise self.shape_error("images of shape (height, width, channels)", in_shape)
        return self._build(in_shape, per_axis(self.kernel), per_axis(self.stride), per_axis(self.dilation))
