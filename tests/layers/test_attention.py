"""Attention, positional encoding and the transformer block equal PyTorch's in float64, and textbook loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.core.network import Network
from nntrain.core.rng import stream
from nntrain.errors import ConfigError
from nntrain.layers.multi_head_attention import MultiHeadAttention
from nntrain.testing.suite import require_no_allocation

torch = pytest.importorskip("torch")
F = torch.nn.functional

TOLERANCE = 1e-10


def network_of(spec: dict[str, Any], in_shape: Shape, dtype: Any = np.float64) -> Network:
    """Return a network whose values, biases too, are nowhere special."""
    network = Network(LAYERS.build(spec), in_shape, dtype=dtype, input_gradient=True)
    moves = stream(0, "test-values").standard_normal(network.store.size)
    network.store.value += 0.1 * moves.astype(dtype)
    return network


def attention(heads: int, in_shape: Shape, **arguments: Any) -> Network:
    return network_of({"name": "multi_head_attention", "heads": heads, **arguments}, in_shape)


def batch(shape: Shape, role: str = "test-inputs") -> Array:
    return stream(0, role).standard_normal(shape)


def step(network: Network, x: Array, dy: Array, lengths: Array | None = None) -> tuple[Array, Array, dict[str, Array]]:
    network.store.begin_step()
    y = network.forward(x, Context(training=True, lengths=lengths)).copy()
    dx = network.backward(dy)
    return y, np.array(dx), {parameter.name: parameter.grad for parameter in network.store.trainable}


def compare(network: Network, function: Callable[..., Any], x: Array, lengths: Array | None = None) -> None:
    """Compare a network with a torch function of the input and of the parameters by their names."""
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in network.state().items()}
    x_torch = torch.tensor(x, requires_grad=True)
    expected = function(x_torch, tensors)
    dy = batch(tuple(expected.shape), "test-gradients")
    if lengths is not None:
        dy[np.arange(x.shape[1]) >= lengths[:, None]] = 0
    expected.backward(torch.tensor(dy))
    y, dx, gradients = step(network, x, dy, lengths)
    close(y, expected.detach().numpy())
    close(dx, x_torch.grad.numpy())
    for name, tensor in tensors.items():
        close(gradients[name], tensor.grad.numpy())


def close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE)


def torch_attention(x: Any, values: dict[str, Any], heads: int, prefix: str = "", **masks: Any) -> Any:
    """Return what nn.MultiheadAttention gives with the parameters of the layer at ``prefix``."""
    width = x.shape[-1]
    bias, output_bias = (values.get(f"{prefix}{key}") for key in ("bias", "output_bias"))
    return F.multi_head_attention_forward(
        *(x.transpose(0, 1),) * 3,
        embed_dim_to_check=width,
        num_heads=heads,
        in_proj_weight=values[f"{prefix}kernel"].T,
        in_proj_bias=bias,
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=values[f"{prefix}output_kernel"].T,
        out_proj_bias=output_bias,
        need_weights=False,
        **masks,
    )[0].transpose(0, 1)


def later_steps(steps: int) -> Any:
    return torch.triu(torch.ones(steps, steps, dtype=torch.bool), 1)


@pytest.mark.parametrize(
    ("heads", "in_shape"), [(1, (5, 4)), (2, (7, 6)), (4, (3, 4)), (3, (1, 6)), (1, (1, 1)), (2, (65, 8))]
)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [1, 6])
def test_attention_is_that_of_torch(heads: int, in_shape: Shape, causal: bool, bias: bool, rows: int) -> None:
    def function(x: Any, values: dict[str, Any]) -> Any:
        return torch_attention(x, values, heads, attn_mask=later_steps(in_shape[0]) if causal else None)

    compare(attention(heads, in_shape, causal=causal, bias=bias), function, batch((rows, *in_shape)))


def test_module_of_torch_with_its_own_weights() -> None:
    module = torch.nn.MultiheadAttention(6, 3, batch_first=True, dtype=torch.float64)
    network = attention(3, (4, 6))
    found = {name: value.detach().numpy() for name, value in module.named_parameters()}
    network.load_state(
        {
            "kernel": found["in_proj_weight"].T,
            "bias": found["in_proj_bias"],
            "output_kernel": found["out_proj.weight"].T,
            "output_bias": found["out_proj.bias"],
        }
    )
    x = batch((5, 4, 6))
    close(network.forward(x), module(*(torch.tensor(x),) * 3)[0].detach().numpy())


@pytest.mark.parametrize("causal", [False, True])
def test_padding_is_the_mask_of_torch(causal: bool) -> None:
    lengths, steps = np.array([5, 3, 1, 4]), 5
    padding = torch.tensor(np.arange(steps) >= lengths[:, None])

    def function(x: Any, values: dict[str, Any]) -> Any:
        masks = {"key_padding_mask": padding, "attn_mask": later_steps(steps) if causal else None}
        return torch_attention(x, values, 2, **masks).masked_fill(padding[:, :, None], 0.0)

    compare(attention(2, (steps, 6), causal=causal), function, batch((4, steps, 6)), lengths)


def test_scaled_dot_product() -> None:
    heads, steps, width = 2, 6, 8

    def function(x: Any, values: dict[str, Any]) -> Any:
        parts = (x @ values["kernel"] + values["bias"]).view(3, steps, 3, heads, width // heads)
        out = F.scaled_dot_product_attention(*parts.permute(2, 0, 3, 1, 4), is_causal=True)
        return out.transpose(1, 2).reshape(3, steps, width) @ values["output_kernel"] + values["output_bias"]

    compare(attention(heads, (steps, width), causal=True), function, batch((3, steps, width)))


def test_attention_is_that_of_a_loop() -> None:
    heads, steps, width = 2, 3, 4
    network, x = attention(heads, (steps, width)), batch((2, steps, width))
    values = network.state()
    expected = np.empty_like(x)
    for row, sequence in enumerate(x):
        q, k, v = np.split(sequence @ values["kernel"] + values["bias"], 3, axis=1)
        seen = np.empty((steps, width))
        for head in range(heads):
            part = slice(2 * head, 2 * head + 2)
            for i in range(steps):
                scores = [math.exp(float(q[i, part] @ k[j, part]) / math.sqrt(2)) for j in range(steps)]
                seen[i, part] = sum(s * v[j, part] for j, s in enumerate(scores)) / sum(scores)
        expected[row] = seen @ values["output_kernel"] + values["output_bias"]
    close(network.forward(x), expected)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sequences_without_a_step_give_zeros(causal: bool, dtype: Any) -> None:
    spec = {"name": "multi_head_attention", "heads": 2, "causal": causal}
    network = network_of(spec, (4, 6), dtype)
    x = 1e30 * batch((3, 4, 6)).astype(dtype)
    y, dx, gradients = step(network, x, np.zeros_like(x), np.zeros(3, np.int64))
    for array in (y, dx, *gradients.values()):
        assert not array.any()


def test_huge_numbers_in_the_padding_are_not_seen() -> None:
    network, lengths = attention(2, (4, 6)), np.array([2, 0])
    x, dy = batch((2, 4, 6)), np.zeros((2, 4, 6))
    dy[0, :2] = 1
    expected = step(network, x, dy, lengths)
    x[0, 2:], x[1] = 1e300, -1e300
    found = step(network, x, dy, lengths)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    assert not found[0][0, 2:].any()


def test_a_causal_step_sees_nothing_behind_it() -> None:
    network, x = attention(2, (5, 4), causal=True), batch((2, 5, 4))
    before = network.forward(x)[:, :3].copy()
    x[:, 3:] += 1
    np.testing.assert_array_equal(network.forward(x)[:, :3], before)


def test_order_does_not_matter_without_positions() -> None:
    network, x = attention(2, (5, 4)), batch((2, 5, 4))
    order = [3, 0, 4, 1, 2]
    expected = network.forward(x)[:, order]
    close(network.forward(x[:, order]), expected)


def test_scores_in_parts_give_the_same() -> None:
    network, x = attention(2, (100, 4)), batch((9, 100, 4))
    assert len(list(network.root._parts(x.shape))) > 1
    whole = network.forward(x).copy()
    for row in range(len(x)):
        close(network.forward(x[row : row + 1]), whole[row : row + 1])


def test_shorter_batches_than_built_for() -> None:
    """A batch may be cut to its longest sequence."""
    network, x = attention(2, (7, 4), causal=True), batch((3, 7, 4))
    expected = network.forward(x)[:, :4].copy()
    close(network.forward(x[:, :4]), expected)


def test_dropout_of_the_weights() -> None:
    network = attention(1, (50, 2), dropout=0.25, bias=False)
    network.load_state({"kernel": np.hstack([np.zeros((2, 4)), np.eye(2)]), "output_kernel": np.eye(2)})
    x = np.ones((40, 50, 2))
    # All weights are 1/50, so a step's output is the share of keys that are kept, divided by 3/4.
    kept = 0.75 * 50 * network.forward(x, Context(training=True, step=1))[..., 0]
    np.testing.assert_allclose(kept, np.round(kept), atol=1e-4)  # 1 / 0.75 is a float32 in the draws' memory
    assert abs(kept.mean() - 37.5) < 0.5
    assert kept.std() > 2
    np.testing.assert_allclose(network.forward(x), 1, rtol=1e-12)


def test_attention_over_longer_sequences_allocates_nothing() -> None:
    spec = {"name": "multi_head_attention", "heads": 4, "causal": True, "dropout": 0.1}
    network = network_of(spec, (64, 32), np.float32)
    x = batch((32, 64, 32)).astype(np.float32)
    ctx, lengths = Context(training=True), np.arange(32) * 2

    def one_step() -> None:
        ctx.lengths = lengths
        network.store.begin_step()
        network.forward(x, ctx)
        network.backward(x)

    require_no_allocation(one_step)


@pytest.mark.parametrize("in_shape", [(), (6,), (5, 6, 7)])
@pytest.mark.parametrize("name", ["multi_head_attention", "transformer_block", "positional_encoding"])
def test_sequences_are_needed(name: str, in_shape: Shape) -> None:
    heads = {} if name == "positional_encoding" else {"heads": 2}
    with pytest.raises(ConfigError, match=rf"{name} needs sequences of shape \(steps, features\), got shape"):
        network_of({"name": name, **heads}, in_shape)


@pytest.mark.parametrize("name", ["multi_head_attention", "transformer_block"])
def test_heads_divide_the_features(name: str) -> None:
    needs = r"multi_head_attention needs a number of features that is a multiple of its 4 heads, got shape \(5, 6\)"
    with pytest.raises(ConfigError, match=needs):
        network_of({"name": name, "heads": 4}, (5, 6))


def test_flops_of_the_products() -> None:
    layer = MultiHeadAttention(2)
    products = 2 * 5 * 8 * 24 + 2 * 5 * 8 * 8 + 2 * (2 * 5 * 5 * 8)
    assert layer.flops((5, 8), (5, 8)) == products + 5 * 2 * 5 * 5


def test_fused_kernel_starts_as_three_dense_kernels() -> None:
    kernel = Network(MultiHeadAttention(2), (3, 64), seed=1).state()["kernel"]
    limit = math.sqrt(6 / 128)
    assert 0.98 * limit < np.abs(kernel).max() <= limit


ENCODER_NAMES = {
    "first": {"norm1": "residual_1.layer_norm_1", "norm2": "residual_2.layer_norm_1"},
    "last": {"norm1": "layer_norm_1", "norm2": "layer_norm_2"},
}


def encoder(network: Network, heads: int, hidden: int, width: int, norm: str) -> Any:
    """Return nn.TransformerEncoderLayer with the block's parameters."""
    module = torch.nn.TransformerEncoderLayer(
        width, heads, hidden, 0.0, "gelu", batch_first=True, norm_first=norm == "first", dtype=torch.float64
    )
    values = {name: torch.tensor(value) for name, value in network.state().items()}
    attention, names = "residual_1.multi_head_attention_1.", ENCODER_NAMES[norm]
    state = {
        "self_attn.in_proj_weight": values[f"{attention}kernel"].T,
        "self_attn.in_proj_bias": values[f"{attention}bias"],
        "self_attn.out_proj.weight": values[f"{attention}output_kernel"].T,
        "self_attn.out_proj.bias": values[f"{attention}output_bias"],
        "linear1.weight": values["residual_2.dense_1.kernel"].T,
        "linear1.bias": values["residual_2.dense_1.bias"],
        "linear2.weight": values["residual_2.dense_2.kernel"].T,
        "linear2.bias": values["residual_2.dense_2.bias"],
    }
    for key, name in names.items():
        state |= {f"{key}.weight": values[f"{name}.scale"], f"{key}.bias": values[f"{name}.offset"]}
    module.load_state_dict(state)
    return module


@pytest.mark.parametrize("norm", ["first", "last"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", [None, [5, 2, 4]])
def test_block_is_the_encoder_layer_of_torch(norm: str, causal: bool, lengths: list[int] | None) -> None:
    steps, width, heads, hidden = 5, 6, 2, 9
    spec = {"name": "transformer_block", "heads": heads, "hidden": hidden, "causal": causal, "norm": norm}
    network = network_of(spec, (steps, width))
    module = encoder(network, heads, hidden, width, norm)
    x, dy = batch((3, steps, width)), batch((3, steps, width), "test-gradients")
    masks = {"src_mask": later_steps(steps) if causal else None}
    present = np.ones((3, steps), np.bool_)
    if lengths is not None:
        present = np.arange(steps) < np.array(lengths)[:, None]
        masks["src_key_padding_mask"] = torch.tensor(~present)
        dy[~present] = 0
    x_torch = torch.tensor(x, requires_grad=True)
    expected = module(x_torch, **masks)
    expected.backward(torch.tensor(dy))
    y, dx, gradients = step(network, x, dy, None if lengths is None else np.array(lengths))
    close(y[present], expected.detach().numpy()[present])
    close(dx, x_torch.grad.numpy())
    close(gradients["residual_2.dense_1.kernel"], module.linear1.weight.grad.numpy().T)
    close(gradients["residual_1.multi_head_attention_1.kernel"], module.self_attn.in_proj_weight.grad.numpy().T)
    close(gradients["residual_1.multi_head_attention_1.bias"], module.self_attn.in_proj_bias.grad.numpy())
    for key, name in ENCODER_NAMES[norm].items():
        close(gradients[f"{name}.scale"], getattr(module, key).weight.grad.numpy())


def test_block_shows_its_layers() -> None:
    spec = {"name": "transformer_block", "heads": 2, "dropout": 0.1}
    rows = Network(LAYERS.build(spec), (5, 8)).table()
    kinds = ["layer_norm", "multi_head_attention", "dropout", "layer_norm", "dense", "dropout", "dense", "dropout"]
    assert [row.kind for row in rows] == kinds
    assert rows[4].out_shape == (5, 32)


def test_dropout_of_a_block_keeps_the_names_of_parameters() -> None:
    names = [
        list(Network(LAYERS.build({"name": "transformer_block", "heads": 2, "dropout": rate}), (5, 8)).state())
        for rate in (0.0, 0.3)
    ]
    assert names[0] == names[1]


def test_blocks_in_a_row_have_names_and_weights_of_their_own() -> None:
    spec = {"name": "repeat", "times": 2, "layers": [{"name": "transformer_block", "heads": 2}]}
    state = Network(LAYERS.build(spec), (3, 4)).state()
    first, second = (state[f"transformer_block_{i}.residual_1.multi_head_attention_1.kernel"] for i in (1, 2))
    assert not np.array_equal(first, second)
    assert len(state) == 24


@pytest.mark.parametrize("width", [1, 2, 5, 6])
def test_sinusoids_are_those_of_the_formula(width: int) -> None:
    y = network_of({"name": "positional_encoding"}, (9, width)).forward(np.zeros((1, 9, width)))[0]
    for t in range(9):
        for column in range(width):
            angle = t / 10000 ** (2 * (column // 2) / width)
            assert y[t, column] == pytest.approx(math.cos(angle) if column % 2 else math.sin(angle), abs=1e-14)


def test_learned_positions_are_summed_over_the_batch() -> None:
    network = network_of({"name": "positional_encoding", "kind": "learned", "maximum": 6}, (4, 3))

    def function(x: Any, values: dict[str, Any]) -> Any:
        return x + values["table"][:4]

    compare(network, function, batch((5, 4, 3)))


def test_positions_have_an_end() -> None:
    spec = {"name": "positional_encoding", "kind": "learned", "maximum": 3}
    with pytest.raises(ConfigError, match=r"positional_encoding needs sequences of at most 3 steps .*\(4, 2\)"):
        network_of(spec, (4, 2))


def test_maximum_is_of_learned_positions() -> None:
    with pytest.raises(ConfigError, match="maximum: only a learned table has a length, and kind is 'sinusoidal'"):
        LAYERS.build({"name": "positional_encoding", "maximum": 3})
