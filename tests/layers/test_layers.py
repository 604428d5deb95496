"""What single layers promise beyond the contract: errors, noise, statistics, extremes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from nntrain.config.specs import complete_spec
from nntrain.core.layer import LAYERS, Context
from nntrain.core.network import Network
from nntrain.core.rng import stream
from nntrain.errors import ConfigError, DataError
from nntrain.layers.dense import Dense
from nntrain.layers.sequential import Sequential

TRAINING = Context(training=True, step=1)


def network_of(*specs: Any, in_shape: tuple[int, ...] = (4,), **options: Any) -> Network:
    return Network(Sequential(list(specs)), in_shape, **options)


@pytest.mark.parametrize(
    ("spec", "in_shape", "message"),
    [
        ({"name": "dense", "units": 3}, (), "dense_1: dense needs examples of shape (..., features), got shape ()"),
        ("batch_norm", (), "batch_norm_1: batch_norm needs examples of shape (..., features), got shape ()"),
        ("layer_norm", (), "layer_norm_1: layer_norm needs examples of shape (..., features), got shape ()"),
        ("softmax", (), "softmax_1: softmax needs examples of shape (..., scores), got shape ()"),
        (
            {"name": "reshape", "shape": [5, -1]},
            (28,),
            "reshape_1: reshape needs as many entries as [5, -1] has, got shape (28,)",
        ),
        ({"name": "reshape", "shape": [-1, -1]}, (4,), "one -1 at most (it is [-1, -1]), got shape (4,)"),
        (
            {"name": "residual", "layers": ["flatten"]},
            (2, 3),
            "residual_1: residual needs layers that change the last axis only, and these give (6,), got shape (2, 3)",
        ),
        (
            {"name": "branch", "branches": [[], [{"name": "dense", "units": 3}]], "merge": "add"},
            (4,),
            "branch_1: branch with merge 'add' needs branches of one shape, got (4,), (3,)",
        ),
        (
            {"name": "branch", "branches": [[], ["flatten"]]},
            (2, 3),
            "branch with merge 'concatenate' needs branches that agree in all axes but the last, got (2, 3), (6,)",
        ),
        (
            {"name": "category_embedding", "columns": [4], "categories": [3]},
            (4,),
            "category_embedding needs columns that are distinct and in the input, and has [4], got shape (4,)",
        ),
        (
            {"name": "category_embedding", "columns": [0, 1], "categories": [3]},
            (4,),
            "category_embedding: categories: expected 2 numbers, got 1",
        ),
        (
            {"name": "category_embedding", "columns": [0, 1], "categories": [3, 3], "dimensions": [2]},
            (4,),
            "category_embedding: dimensions: expected 2 numbers, got 1",
        ),
    ],
)
def test_shape_errors_are_in_plain_words(spec: Any, in_shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        network_of(spec, in_shape=in_shape)
    assert message in caught.value.problems[0].message


def test_one_layer_at_two_places_is_refused() -> None:
    shared = Dense(4)
    with pytest.raises(ConfigError) as caught:
        network_of(shared, {"name": "residual", "layers": [shared]})
    assert "one and the same dense layer stands at two places" in caught.value.problems[0].message


def test_repeat_makes_independent_copies_of_a_layer() -> None:
    network = network_of({"name": "repeat", "times": 3, "layers": [Dense(4), "relu"]})
    kernels = [value for name, value in network.state().items() if name.endswith("kernel")]
    assert len(kernels) == 3
    assert not np.array_equal(kernels[0], kernels[1])


@pytest.mark.parametrize("layers", [[], ["relu"]], ids=str)
def test_repetitions_beyond_reason_are_refused_at_once(layers: list[str]) -> None:
    with pytest.raises(ConfigError, match="1,000,000,000 layers, expected at most 10,000"):
        network_of({"name": "repeat", "times": 10**9, "layers": layers})


@pytest.mark.parametrize(
    ("initializer", "message"),
    [
        ({"name": "uniform", "low": 1.0, "high": -1.0}, "'uniform' of dense_1.kernel cannot sample: high - low < 0"),
        ({"name": "uniform", "low": -1e308, "high": 1e308}, "'uniform' of dense_1.kernel cannot sample: high - low"),
        ({"name": "he_uniform", "gain": 1e308}, "'he_uniform' of dense_1.kernel cannot sample: high - low"),
        ({"name": "constant", "value": 1e39}, "'constant' of dense_1.kernel cannot sample: it samples values that are"),
    ],
)
def test_first_values_that_are_none_are_refused(initializer: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        network_of({"name": "dense", "units": 3, "kernel_initializer": initializer})


@pytest.mark.parametrize("code", [-1.0, 3.0, 0.5, np.nan, np.inf])
def test_invalid_code_is_a_data_error_that_names_row_and_column(code: float) -> None:
    network = network_of({"name": "category_embedding", "columns": [2], "categories": [3]})
    x = np.zeros((5, 4), np.float32)
    x[3, 2] = code
    with pytest.raises(DataError) as caught:
        network.forward(x)
    message = caught.value.problems[0].message
    assert message == (
        f"category_embedding_1: input column 2: expected a code from 0 to 2, got {code:g} in row 3 of the batch"
    )


def test_dropout_keeps_the_share_and_the_mean() -> None:
    network = network_of({"name": "dropout", "rate": 0.3}, in_shape=(1000,))
    y = network.forward(np.ones((200, 1000), np.float32), TRAINING)
    assert abs(float((y == 0).mean()) - 0.3) < 0.005
    assert abs(float(y.mean()) - 1.0) < 0.01
    assert set(np.unique(y)) == {np.float32(0.0), np.float32(1.0 / 0.7)}


def test_dropout_differs_by_step_shard_and_layer_but_not_by_history() -> None:
    network = network_of("dropout", "dropout", in_shape=(64,))
    x = np.ones((4, 64), np.float32)

    def kept(step: int, shard: int) -> bytes:
        return network.forward(x, Context(training=True, step=step, shard=shard)).tobytes()

    first = kept(1, 0)
    assert kept(2, 0) != first
    assert kept(1, 1) != first
    assert kept(1, 0) == first
    one, two = network.layers
    ctx = Context(training=True, step=1)
    assert not np.array_equal(one.forward(x, ctx), two.forward(x, ctx))


def test_gaussian_noise_has_its_deviation() -> None:
    network = network_of({"name": "gaussian_noise", "standard_deviation": 0.5}, in_shape=(1000,))
    noise = network.forward(np.zeros((200, 1000), np.float32), TRAINING)
    assert abs(float(noise.std()) - 0.5) < 0.01
    assert abs(float(noise.mean())) < 0.01


def test_batch_norm_takes_a_single_row_with_the_running_statistics() -> None:
    network = network_of("batch_norm", dtype=np.float64)
    for step in range(3):
        network.forward(2.0 + stream(step, "test-inputs").standard_normal((16, 4)), TRAINING)
    before = network.store.buffer.copy()
    x = np.ones((1, 4))
    in_training = network.forward(x, TRAINING).copy()
    assert np.isfinite(in_training).all()
    np.testing.assert_array_equal(network.store.buffer, before)
    np.testing.assert_array_equal(network.forward(x), in_training)


def test_batch_norm_statistics_survive_a_batch_that_is_not_finite() -> None:
    network = network_of("batch_norm")
    before = network.store.buffer.copy()
    x = np.ones((4, 4), np.float32)
    x[2, 1] = np.nan
    network.forward(x, TRAINING)
    np.testing.assert_array_equal(network.store.buffer, before)


def test_batch_norm_of_a_constant_column_is_its_offset() -> None:
    y = network_of("batch_norm").forward(np.full((8, 4), 7.0, np.float32), TRAINING)
    np.testing.assert_array_equal(y, np.zeros((8, 4), np.float32))


@pytest.mark.parametrize("spec", ["batch_norm", "layer_norm", {"name": "group_norm", "groups": 2}], ids=str)
def test_what_does_not_vary_is_finite_with_the_smallest_epsilon_that_is_taken(spec: Any) -> None:
    given = {"name": spec} if isinstance(spec, str) else spec
    (issue,) = complete_spec("layer", {**given, "epsilon": 1e-50})  # float32 knows nothing smaller
    assert "at least 1e-30" in str(issue)
    network = network_of({**given, "epsilon": 1e-30}, dtype=np.float32)
    network.store.begin_step()
    assert not network.forward(np.full((3, 4), 0.5, np.float32), TRAINING).any()
    network.backward(np.ones((3, 4), np.float32))
    assert np.isfinite(network.store.grad).all()


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "mish", "silu", "softmax", "log_softmax", "gelu", "elu"])
def test_extreme_inputs_neither_overflow_nor_warn(name: str) -> None:
    x = np.array([[-1e30, -1e4, 0.0, 1e4, 1e30]], np.float32)
    network = network_of(name, in_shape=(5,), input_gradient=True)
    network.store.begin_step()
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = network.forward(x, TRAINING)
        dx = network.backward(np.ones_like(y))
    assert np.isfinite(y).all()
    assert np.isfinite(np.asarray(dx)).all()


WITHOUT_ARGUMENTS = [name for name in LAYERS.names() if not any(a.required for a in LAYERS.get(name).arguments)]


def network_of_any_shape(name: str) -> Network:
    """Return a network for rows, or where the layer takes none, for sequences, or for images."""
    for in_shape in ((4,), (6, 4), (6, 6, 4)):
        try:
            return network_of(name, in_shape=in_shape)
        except ConfigError:
            continue
    raise AssertionError(f"{name} takes none of the shapes")


@pytest.mark.parametrize("name", WITHOUT_ARGUMENTS)
def test_nan_is_never_hidden(name: str) -> None:
    network = network_of_any_shape(name)
    x = np.ones((3, *network.in_shape), np.float32)
    x[1, ..., 2] = np.nan
    with np.errstate(all="ignore"):
        y = network.forward(x)
    assert np.isnan(y).any()


def test_residual_projects_only_where_the_width_changes() -> None:
    same = network_of({"name": "residual", "layers": [{"name": "dense", "units": 4}]})
    wider = network_of({"name": "residual", "layers": [{"name": "dense", "units": 6}]})
    assert [p.name for p in same.store.parameters] == ["residual_1.dense_1.kernel", "residual_1.dense_1.bias"]
    assert wider.state()["residual_1.projection.kernel"].shape == (4, 6)
    assert "residual_1.projection.bias" not in wider.state()


def test_first_layer_computes_no_input_gradient() -> None:
    network = network_of("relu", {"name": "dense", "units": 3}, "relu", {"name": "dense", "units": 2})
    first, second = (layer for layer in network.layers if isinstance(layer, Dense))
    assert not first.needs_input_gradient
    assert second.needs_input_gradient
    network.store.begin_step()
    network.forward(np.ones((2, 4), np.float32), TRAINING)
    assert network.backward(np.ones((2, 2), np.float32)) is None


def test_statistics_without_learned_parameters_stop_no_skipping() -> None:
    network = network_of({"name": "batch_norm", "affine": False}, {"name": "dense", "units": 3})
    assert not network.layers[1].needs_input_gradient


def test_short_last_batch_uses_the_memory_of_the_full_one() -> None:
    network = network_of({"name": "dense", "units": 3})
    full = network.forward(np.ones((8, 4), np.float32), TRAINING)
    assert np.shares_memory(full, network.forward(np.ones((5, 4), np.float32), TRAINING))
