"""Every registered layer keeps the contract of nntrain.core.layer; entering a name in the registry enters its tests."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Layer
from nntrain.testing import assert_passes, check_layer

DENSE: dict[str, Any] = {"name": "dense", "units": 4}
POOLED: list[Any] = [{"name": "average_pool1d", "padding": "same"}, "upsample"]  # odd lengths become even ones


def code_rows(generator: np.random.Generator, rows: int) -> Array:
    x = generator.standard_normal((rows, 5))
    x[:, 1], x[:, 3] = generator.integers(0, 4, rows), generator.integers(0, 7, rows)
    return x


CODES = {"inputs": code_rows, "constant_columns": (1, 3)}

# Registered name -> arguments, shape of an example, further arguments of check_layer; families of layers have tables of
# their own in examples/. A layer that can be built without arguments needs no line at all; it is then checked on the
# shapes (6,), (20,) and (3, 4).
EXAMPLES: dict[str, list[tuple[dict[str, Any], Shape, dict[str, Any]]]] = {
    "batch_norm": [
        ({}, (6,), {}),
        ({}, (3, 4), {}),
        ({"affine": False}, (6,), {}),
        ({"momentum": 1.0}, (1,), {}),
        ({}, (5, 3), {"padded": True}),
        ({"affine": False}, (4, 2, 3), {"padded": True}),
    ],
    "branch": [
        ({"branches": [[DENSE], ["tanh"], []]}, (4,), {}),
        ({"branches": [[DENSE], ["tanh"], []], "merge": "add"}, (3, 4), {}),
        ({"branches": [[DENSE], ["sigmoid"], []], "merge": "multiply"}, (4,), {}),
        ({"branches": [[DENSE, "relu"]]}, (5,), {}),
        ({"branches": [["batch_norm"], POOLED, []]}, (6, 3), {"padded": True}),
        ({"branches": [POOLED, [], ["tanh"]], "merge": "multiply"}, (6, 3), {"padded": True}),
        ({"branches": [[], POOLED], "merge": "add"}, (6, 3), {"padded": True}),
        ({"branches": [["max_pool1d"], [DENSE, "average_pool1d"]]}, (6, 3), {"padded": True}),
    ],
    "category_embedding": [
        ({"columns": [1, 3], "categories": [4, 7], "dimensions": [2, 3]}, (5,), CODES),
        ({"columns": [3, 1], "categories": [7, 4], "dimensions": 2}, (5,), CODES),
        ({"columns": [1, 3], "categories": [4, 7]}, (5,), CODES),
    ],
    "dense": [
        ({"units": 3}, (4,), {}),
        ({"units": 1}, (4,), {}),
        ({"units": 3}, (1,), {}),
        ({"units": 3, "bias": False}, (2, 4), {}),
        ({"units": 3, "activation": "tanh"}, (2, 3, 4), {}),
        ({"units": 3, "activation": "prelu"}, (4,), {}),
    ],
    "dropout": [({}, (6,), {}), ({"rate": 0.0}, (6,), {}), ({"rate": 0.9}, (3, 4), {})],
    "flatten": [({}, (6,), {}), ({}, (3, 2, 2), {})],
    "gaussian_noise": [({}, (6,), {}), ({"standard_deviation": 0.0}, (3, 4), {})],
    "gelu": [({}, (6,), {}), ({"approximate": "tanh"}, (3, 4), {})],
    "layer_norm": [({}, (6,), {}), ({}, (3, 4), {"padded": True}), ({"affine": False}, (6,), {})],
    "prelu": [({}, (6,), {}), ({"shared": False}, (3, 4), {}), ({"shared": False}, (20,), {})],
    "repeat": [({"times": 2, "layers": [DENSE, "tanh"]}, (3,), {})],
    "reshape": [
        ({"shape": [2, -1]}, (6,), {}),
        ({"shape": [12]}, (3, 4), {}),
        ({"shape": [3, 4]}, (6, 2), {"padded": True}),
    ],
    "residual": [
        ({"layers": [DENSE, "tanh"]}, (4,), {}),
        ({"layers": [DENSE, "tanh"]}, (2, 3), {}),
        ({"layers": ["tanh"]}, (4,), {}),
        ({"layers": []}, (4,), {}),
        ({"layers": [DENSE, "tanh"], "shortcut": [DENSE]}, (3,), {}),
        ({"layers": ["tanh"], "shortcut": []}, (3,), {}),
        ({"layers": [DENSE, "max_pool2d"], "shortcut": ["average_pool2d", DENSE]}, (4, 6, 2), {}),
        ({"layers": [DENSE, "max_pool1d"], "shortcut": ["average_pool1d", DENSE]}, (6, 3), {"padded": True}),
        (
            {"layers": ["tanh", {"name": "max_pool1d", "pool": 3, "stride": 1, "padding": "same"}]},
            (5, 3),
            {"padded": True},
        ),
        ({"layers": [DENSE, "tanh"]}, (5, 3), {"padded": True}),
        ({"layers": POOLED}, (6, 3), {"padded": True}),
        ({"layers": [DENSE, *POOLED]}, (6, 3), {"padded": True}),
        ({"layers": ["tanh"], "shortcut": POOLED}, (6, 3), {"padded": True}),
    ],
    "sequential": [({"layers": [DENSE, "relu", {"name": "dense", "units": 2}]}, (3,), {}), ({"layers": []}, (3,), {})],
    "softmax": [({}, (6,), {}), ({}, (20,), {}), ({}, (3, 4), {"padded": True})],
}

for table in sorted((Path(__file__).parent / "examples").glob("*.py")):
    EXAMPLES |= runpy.run_path(str(table))["EXAMPLES"]


def examples_of(name: str) -> list[tuple[dict[str, Any], Shape, dict[str, Any]]]:
    return EXAMPLES.get(name, [({}, shape, {}) for shape in ((6,), (20,), (3, 4))])


CASES = [(name, number) for name in LAYERS.names() for number in range(len(examples_of(name)))]


@pytest.mark.parametrize("name", LAYERS.names())
def test_every_layer_has_an_example_or_needs_none(name: str) -> None:
    required = [argument.name for argument in LAYERS.get(name).arguments if argument.required]
    assert name in EXAMPLES or not required, f"add arguments for {required} to EXAMPLES"


@pytest.mark.parametrize(("name", "number"), CASES)
def test_layer_keeps_the_contract(name: str, number: int) -> None:
    arguments, in_shape, options = examples_of(name)[number]

    def factory() -> Layer:
        return LAYERS.build({"name": name, **arguments})

    assert_passes(check_layer(factory, in_shape, **options))


def test_examples_are_of_registered_layers() -> None:
    assert set(EXAMPLES) <= set(LAYERS.names())
