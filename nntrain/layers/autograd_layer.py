"""The base of layers whose backward pass is made of their forward pass."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from nntrain.core.array import Array
from nntrain.core.layer import Context, Layer
from nntrain.core.parameter import Parameter
from nntrain.errors import ConfigError

Forward = Callable[[Any, Array, Context], Array]


class AutogradLayer(Layer):
    """A layer that writes its forward pass alone, in ``autograd.numpy``; the package differentiates it.

    A subclass implements ``build`` and ``forward``; the values of its parameters are used as in any other layer::

        import autograd.numpy as np

        @LAYERS.register("bent")
        class Bent(AutogradLayer):
            def build(self, in_shape):
                self.bend = self.add_parameter("bend", in_shape[-1:], Constant(0.1))
                return in_shape

            def forward(self, x, ctx):
                return x + self.bend.value * np.sin(x)

    Arrays must be made new, never written into. A row's output must not depend on other rows. Each step allocates what
    the formula needs, so a layer with a backward pass of its own is faster. Needs the extra ``autograd`` (Maclaurin,
    Duvenaud and Adams 2015).
    """

    allocates: ClassVar[bool] = True
    keeps_output: ClassVar[bool] = True

    _within: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "forward" in cls.__dict__:
            cls.forward = _differentiable(cls.__dict__["forward"])  # type: ignore[assignment, method-assign]

    def bind(self, name: str, dtype: np.dtype[Any], seed: int) -> None:
        _autograd("numpy")  # told when the network is made, not in its first step
        super().bind(name, dtype, seed)

    def backward(self, dy: Array) -> Array | None:
        with np.errstate(over="ignore"):  # tanh' is 1 / cosh^2 there: where cosh is beyond all numbers, it is 0
            gradients = self._pull_back(dy)
        trained = self._trained()
        for parameter, gradient in zip(trained, gradients, strict=False):
            np.copyto(parameter.gradient_slot(), gradient, casting="same_kind")
            parameter.commit()
        return self._own("dx", gradients[-1]) if self.needs_input_gradient else None

    def release(self) -> None:
        super().release()
        self.__dict__.pop("_pull_back", None)

    def _trained(self) -> list[Parameter]:
        return [parameter for parameter in self.parameters if parameter.trainable]

    def _record(self, formula: Forward, x: Array, ctx: Context) -> Array:
        """Return the formula's output, and keep what maps its gradient to those of the parameters and of x."""
        trained = self._trained()
        values = [parameter.value for parameter in trained]

        def output(variables: Sequence[Any]) -> Array:
            for i, parameter in enumerate(trained):
                parameter.value = variables[i]
            return formula(self, variables[len(trained)] if self.needs_input_gradient else x, ctx)

        variables = (*values, x) if self.needs_input_gradient else tuple(values)
        try:
            pull_back, y = _autograd("core").make_vjp(output, variables) if variables else (lambda dy: (), output(()))
        finally:
            for parameter, value in zip(trained, values, strict=True):
                parameter.value = value
        self._pull_back: Callable[[Array], Sequence[Array]] = lambda dy: pull_back(dy.astype(y.dtype, copy=False))
        return y

    def _own(self, key: str, array: Array) -> Array:
        """Return a copy in the layer's own memory and dtype: an array of the formula's may be its argument."""
        own = self.scratch(key, array.shape)
        np.copyto(own, array, casting="same_kind")
        return own


def _differentiable(formula: Forward) -> Forward:
    @functools.wraps(formula)
    def forward(self: Any, x: Array, ctx: Context) -> Array:
        if self._within:  # called by the formula of a class derived from this one
            return formula(self, x, ctx)
        self._within = True
        try:
            y = self._record(formula, x, ctx) if ctx.training else formula(self, x, ctx)
        finally:
            self._within = False
        own: Array = self._own("y", y)
        return own

    return forward


def _autograd(module: str) -> Any:
    """Return a module of the package autograd.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module(f"autograd.{module}")
    except ModuleNotFoundError:
        raise ConfigError(
            "a layer that writes only forward needs autograd", help='pip install "nntrain[autograd]"'
        ) from None
