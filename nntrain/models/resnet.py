"""Residual networks for rows, sequences and images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from nntrain.core.layer import Layer
from nntrain.layers.sequential import Sequential
from nntrain.models.base import ARCHITECTURES, ROWS, Architecture, Examples, of_key
from nntrain.models.convolutional import Widths, convolution

_Share = Annotated[float, Ge(0), Lt(1)]

_SERIES_FILTERS = (64, 128, 128)
_SERIES_KERNELS = (8, 5, 3)
_IMAGE_FILTERS = (16, 32, 64)


@ARCHITECTURES.register("resnet")
class ResNet(Architecture):
    """Residual network (He et al. 2016), of the form that suits the examples.

    Rows: dense(width), then ``blocks`` times x + dropout(dense(dropout(relu(dense(batch_norm(x)))))), then batch norm
    and ReLU (Gorishniy et al. 2021, Revisiting deep learning models for tabular data, section 3.3). Sequences: for each
    number of filters a block of three convolutions of 8, 5 and 3 steps, and the mean over time (Wang et al. 2017).
    Images: a convolution, then for each number of filters ``blocks`` basic blocks of two 3 x 3 convolutions, the first
    of each but the first stage with stride 2, and the mean over all places (He et al. 2016, section 4.2).

    Args:
        blocks: rows: blocks in all; images: blocks of each stage. Sequences have one for each number of filters.
        width: of the rows between the blocks.
        hidden_factor: rows: width inside a block over the width between blocks.
        hidden_dropout: rows: share dropped in training inside each block.
        residual_dropout: rows: share dropped in training at the end of each block.
        filters: channels of each stage; where left out 16, 32, 64 for images and 64, 128, 128 for sequences.
        dropout: share dropped in training before the output layer.
        embedding: length of the vectors of category codes and tokens; by their number where left out.

    >>> [type(layer).__name__ for layer in ResNet(blocks=1).hidden_layers()]
    ['Dense', 'Residual', 'BatchNorm', 'Relu']
    """

    def __init__(
        self,
        blocks: Annotated[int, Ge(1), Le(1000)] = 2,
        width: Annotated[int, Ge(1)] = 128,
        hidden_factor: Annotated[float, Gt(0)] = 2.0,
        hidden_dropout: _Share = 0.0,
        residual_dropout: _Share = 0.0,
        filters: Widths | None = None,
        dropout: _Share = 0.0,
        embedding: Annotated[int, Ge(1)] | None = None,
    ) -> None:
        self.blocks = blocks
        self.width = width
        self.hidden_factor = hidden_factor
        self.hidden_dropout = hidden_dropout
        self.residual_dropout = residual_dropout
        self.filters = filters
        self.dropout = dropout
        self.embedding = embedding

    def hidden_layers(self, examples: Examples = ROWS) -> Sequence[Layer]:
        body = {1: self._of_rows, 2: self._of_sequences, 3: self._of_images}[examples.axes]()
        pooled = ["global_average_pool"] if examples.axes > 1 and not examples.per_step else []
        return Sequential([*body, *pooled, *_dropout(self.dropout)]).layers

    def _of_rows(self) -> list[Any]:
        product = self.width * self.hidden_factor
        hidden = max(1, int(product)) if math.isfinite(product) else self.width * int(self.hidden_factor)
        block = ["batch_norm", _dense(hidden, "hidden_factor"), "relu", *_dropout(self.hidden_dropout)]
        block += [_dense(self.width, "width"), *_dropout(self.residual_dropout)]
        blocks = [{"name": "residual", "layers": block} for _ in range(self.blocks)]
        return [_dense(self.width, "width"), *blocks, "batch_norm", "relu"]

    def _of_sequences(self) -> list[Any]:
        specs: list[Any] = []
        channels = None
        for filters in self.filters or _SERIES_FILTERS:
            body: list[Any] = []
            for kernel in _SERIES_KERNELS:
                body += [*convolution("conv1d", filters, kernel, batch_norm=True), "relu"]
            shortcut = ["batch_norm"] if channels == filters else convolution("conv1d", filters, 1, batch_norm=True)
            specs += [{"name": "residual", "layers": body[:-1], "shortcut": shortcut}, "relu"]
            channels = filters
        return specs

    def _of_images(self) -> list[Any]:
        stages = self.filters or _IMAGE_FILTERS
        specs: list[Any] = [*convolution("conv2d", stages[0], 3, batch_norm=True), "relu"]
        channels = stages[0]
        for number, filters in enumerate(stages):
            for block in range(self.blocks):
                stride = 2 if number and not block else 1
                body = [*convolution("conv2d", filters, 3, batch_norm=True, stride=stride), "relu"]
                body += convolution("conv2d", filters, 3, batch_norm=True)
                spec: dict[str, Any] = {"name": "residual", "layers": body}
                if stride > 1 or channels != filters:
                    spec["shortcut"] = convolution("conv2d", filters, 1, batch_norm=True, stride=stride)
                specs += [spec, "relu"]
                channels = filters
        return specs


def _dense(units: int, key: str) -> dict[str, Any]:
    return of_key({"name": "dense", "units": units, "kernel_initializer": "he_uniform"}, key)


def _dropout(rate: float) -> list[dict[str, Any]]:
    return [{"name": "dropout", "rate": rate}] if rate else []
