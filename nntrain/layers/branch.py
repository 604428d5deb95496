"""Layers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from annotated_types import MinLen

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context, Layer, LayerLike
from nntrain.core.steps import without_padding
from nntrain.errors import ConfigError
from nntrain.layers.sequential import Sequential


@LAYERS.register("branch")
class Branch(Layer):
    """Branches side by side on the same x, put together: y = merge(g_1(x), ..., g_n(x)).

    Where branches leave padded sequences of different lengths, the result has those of the first one; a branch that
    ends before gives zeros.

    Args:
        branches: lists of layers; an empty list passes x on unchanged.
        merge: ``concatenate`` along the last axis, ``add``, or ``multiply`` (number by number).

    Raises:
        ConfigError: the branches' outputs do not fit together.

    >>> Branch([[{"name": "dense", "units": 3}], ["tanh"]]).build((5,))
    (8,)
    """

    is_container = True

    def __init__(
        self,
        branches: Annotated[list[list[LayerLike]], MinLen(1)],
        merge: Literal["concatenate", "add", "multiply"] = "concatenate",
    ) -> None:
        self.branches = [Sequential(layers) for layers in branches]
        self.merge = merge

    @property
    def children(self) -> Sequence[Layer]:
        return self.branches

    def build(self, in_shape: Shape) -> Shape:
        shapes = [branch.set_up(in_shape) for branch in self.branches]
        comparable = {shape[:-1] if self.merge == "concatenate" else shape for shape in shapes}
        if len(comparable) > 1 or len({len(shape) for shape in shapes}) > 1 or (shapes[0] == () and len(shapes) > 1):
            raise self._mismatch(shapes)
        if self.merge != "concatenate":
            return shapes[0]
        ends = np.cumsum([shape[-1] if shape else 1 for shape in shapes]).tolist()
        self._parts = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        return (*shapes[0][:-1], ends[-1]) if shapes[0] else ()

    def _mismatch(self, shapes: Sequence[Shape]) -> ConfigError:
        given = ", ".join(str(shape) for shape in shapes)
        needs = (
            "branches that agree in all axes but the last" if self.merge == "concatenate" else "branches of one shape"
        )
        place = f"{self.name}: " if self.name else ""
        return ConfigError(f"{place}branch with merge '{self.merge}' needs {needs}, got {given}")

    def forward(self, x: Array, ctx: Context) -> Array:
        self._run_all(x, ctx)
        if len(self._outputs) == 1:
            return self._outputs[0]
        if self.merge == "concatenate":
            width = self._parts[-1].stop
            y = self.scratch("y", (*self._outputs[0].shape[:-1], width))
            for part, output in zip(self._parts, self._outputs, strict=True):
                y[..., part] = output
            return y
        combine = np.add if self.merge == "add" else np.multiply
        return _fold(combine, self._outputs, self.scratch("y", self._outputs[0].shape))

    def _run_all(self, x: Array, ctx: Context) -> None:
        """Run all branches from the same lengths; leave those behind the first, and zeros where another ends before."""
        lengths, behind = ctx.lengths, ctx.lengths
        self._outputs: list[Array] = []
        self._shorter: list[Array | None] = []
        for i, branch in enumerate(self.branches):
            ctx.lengths = lengths
            output = branch.forward(x, ctx)
            behind = ctx.lengths if i == 0 else behind
            self._shorter.append(shorter_lengths(ctx.lengths, behind))
            self._outputs.append(without_padding(self, output, self._shorter[-1], f"output_{i}"))
        ctx.lengths = behind

    def backward(self, dy: Array) -> Array | None:
        gradients = [branch.backward(self._share(dy, i)) for i, branch in enumerate(self.branches)]
        needed = [gradient for gradient in gradients if gradient is not None]
        if not self.needs_input_gradient or len(needed) < len(gradients):
            return None
        if len(needed) == 1:
            return needed[0]
        return _fold(np.add, needed, self.scratch("dx", needed[0].shape))

    def _share(self, dy: Array, branch: int) -> Array:
        """Return the gradient of one branch's output."""
        return without_padding(self, self._merged_share(dy, branch), self._shorter[branch], f"share_{branch}")

    def _merged_share(self, dy: Array, branch: int) -> Array:
        if len(self.branches) == 1 or self.merge == "add":
            return dy
        if self.merge == "concatenate":
            part: Array = dy[..., self._parts[branch]]
            return part
        others = [output for i, output in enumerate(self._outputs) if i != branch]
        return _fold(np.multiply, [dy, *others], self.scratch(f"share_{branch}", dy.shape))

    def skip_input_gradient(self) -> bool:
        self.needs_input_gradient = False
        # Every branch stands at the input, so every one is told before any answer counts.
        answers = [branch.skip_input_gradient() for branch in self.branches]
        return all(answers)


def _fold(combine: np.ufunc, arrays: Sequence[Array], out: Array) -> Array:
    """Write a1 o a2 o ... for at least two arrays into ``out``, from left to right."""
    combine(arrays[0], arrays[1], out=out)
    for array in arrays[2:]:
        combine(out, array, out=out)
    return out


def shorter_lengths(own: Array | None, merged: Array | None) -> Array | None:
    """Return the lengths of a part of a merged output, or None where padding of the part is padding of the whole."""
    if own is None or (merged is not None and np.array_equal(own, merged)):
        return None
    return own
