"""Recurrent layers equal PyTorch's in float64, padded and truncated too, and textbook loops where it has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nntrain.core.array import Array, Shape
from nntrain.core.layer import LAYERS, Context
from nntrain.core.network import Network
from nntrain.core.rng import stream

torch = pytest.importorskip("torch")

TOLERANCE = 1e-10

# Our order of gates, as numbers of PyTorch's blocks: lstm i, f, g, o; gru r, z, n.
ORDERS = {"rnn": [0], "lstm": [3, 0, 1, 2], "gru": [0, 1, 2]}
MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
KINDS = [{"name": "rnn"}, {"name": "rnn", "activation": "relu"}, {"name": "lstm"}, {"name": "gru"}]
SHAPES = [(5, 3, 4, 6), (1, 2, 3, 4), (7, 1, 1, 1), (9, 5, 17, 3), (6, 28, 128, 64), (3, 2, 512, 24)]
"""Steps, features, units, rows; the last two for products in parts and several chunks back."""


def random(shape: Shape, role: str) -> Array:
    return stream(0, f"test-{role}").standard_normal(shape)


def made(spec: dict[str, Any], steps: int, features: int) -> Network:
    network = Network(LAYERS.build(spec), (steps, features), dtype=np.float64, input_gradient=True)
    network.store.value += 0.3 * random((network.store.size,), "values")
    return network


def run(network: Network, x: Array, dy: Array, lengths: Array | None = None) -> tuple[Array, Array, dict[str, Array]]:
    network.store.begin_step()
    y = network.forward(x, Context(training=True, lengths=lengths)).copy()
    dx = network.backward(dy)
    network.store.finish_step()
    return y, np.array(dx), {p.name: p.grad.copy() for p in network.store.trainable}


def close(found: Array, expected: Any) -> None:
    expected = expected.detach().numpy() if isinstance(expected, torch.Tensor) else expected
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE)


def blocks(kind: str, array: Array, back: bool = False) -> Array:
    """Return columns (..., G H) in PyTorch's order, or back from it."""
    order = ORDERS[kind]
    parts = np.split(array, len(order), axis=-1)
    places = order if back else np.argsort(order)
    return np.concatenate([parts[place] for place in places], axis=-1)


def fill(module: Any, spec: dict[str, Any], state: dict[str, Array], suffix: str = "_l0", path: str = "") -> None:
    kind, units = spec["name"], spec["units"]
    own = {name: state[path + name] for name in ("kernel", "recurrent_kernel", "bias")}
    second = np.zeros_like(own["bias"])
    if kind == "gru":
        second[2 * units :] = state[path + "recurrent_bias"]
    values = {
        "weight_ih": blocks(kind, own["kernel"]).T,
        "weight_hh": blocks(kind, own["recurrent_kernel"]).T,
        "bias_ih": blocks(kind, own["bias"]),
        "bias_hh": second,
    }
    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name + suffix).copy_(torch.tensor(np.ascontiguousarray(value)))


def torch_module(spec: dict[str, Any], features: int, **more: Any) -> Any:
    more |= {"nonlinearity": "relu"} if spec.get("activation") == "relu" else {}
    return MODULES[spec["name"]](features, spec["units"], batch_first=True, dtype=torch.float64, **more)


def compare_gradients(module: Any, kind: str, found: dict[str, Array], suffix: str = "_l0", path: str = "") -> None:
    gradients = {name: getattr(module, name + suffix).grad.numpy() for name in ("weight_ih", "weight_hh", "bias_ih")}
    close(found[path + "kernel"], blocks(kind, gradients["weight_ih"].T, back=True))
    close(found[path + "recurrent_kernel"], blocks(kind, gradients["weight_hh"].T, back=True))
    close(found[path + "bias"], blocks(kind, gradients["bias_ih"], back=True))
    if kind == "gru":
        units = len(found[path + "recurrent_bias"])
        close(found[path + "recurrent_bias"], getattr(module, "bias_hh" + suffix).grad.numpy()[2 * units :])


def final_state(kind: str, states: Any) -> Any:
    return (states[0] if kind == "lstm" else states)[0]


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_is_that_of_torch(kind: dict[str, Any], shape: tuple[int, int, int, int], sequences: bool) -> None:
    steps, features, units, rows = shape
    spec = {**kind, "units": units, "return_sequences": sequences}
    network = made(spec, steps, features)
    module = torch_module(spec, features)
    fill(module, spec, network.state())
    x = random((rows, steps, features), "x")
    given = torch.tensor(x, requires_grad=True)
    outputs, states = module(given)
    expected = outputs if sequences else final_state(kind["name"], states)
    dy = random(tuple(expected.shape), "dy")
    expected.backward(torch.tensor(dy))
    y, dx, gradients = run(network, x, dy)
    close(y, expected)
    close(dx, given.grad)
    compare_gradients(module, kind["name"], gradients)


LENGTHS = [[4, 2, 1, 3, 3], [1, 1, 1, 1, 1], [2, 6, 6, 1, 5]]


def packed(module: Any, given: Any, lengths: list[int]) -> tuple[Any, Any]:
    pack = torch.nn.utils.rnn.pack_padded_sequence(given, lengths, batch_first=True, enforce_sorted=False)
    outputs, states = module(pack)
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=given.shape[1])
    return padded, states


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_padded_is_torch_on_packed_sequences(kind: dict[str, Any], sequences: bool, lengths: list[int]) -> None:
    spec = {**kind, "units": 4, "return_sequences": sequences}
    network = made(spec, 6, 3)
    module = torch_module(spec, 3)
    fill(module, spec, network.state())
    x = random((5, 6, 3), "x")
    given = torch.tensor(x, requires_grad=True)
    outputs, states = packed(module, given, lengths)
    expected = outputs if sequences else final_state(kind["name"], states)
    present = np.arange(6) < np.array(lengths)[:, None]
    dy = random(tuple(expected.shape), "dy") * (present[..., None] if sequences else 1.0)
    expected.backward(torch.tensor(dy))
    x[~present] = 1e4
    y, dx, gradients = run(network, x, dy, np.array(lengths))
    close(y * present[..., None] if sequences else y, expected)
    close(dx, given.grad)
    assert not dx[~present].any()
    compare_gradients(module, kind["name"], gradients)


@pytest.mark.parametrize("lengths", [None, *LENGTHS], ids=str)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_bidirectional_is_that_of_torch(kind: dict[str, Any], sequences: bool, lengths: list[int] | None) -> None:
    spec = {**kind, "units": 4, "return_sequences": sequences}
    network = made({"name": "bidirectional", "layer": spec}, 6, 3)
    module = torch_module(spec, 3, bidirectional=True)
    paths = {"_l0": f"{kind['name']}_1.", "_l0_reverse": f"{kind['name']}_2."}
    for suffix, path in paths.items():
        fill(module, spec, network.state(), suffix, path)
    x = random((5, 6, 3), "x")
    given = torch.tensor(x, requires_grad=True)
    outputs, states = module(given) if lengths is None else packed(module, given, lengths)
    finals = states[0] if kind["name"] == "lstm" else states
    expected = outputs if sequences else torch.cat([finals[0], finals[1]], dim=1)
    present = np.ones((5, 6), bool) if lengths is None else np.arange(6) < np.array(lengths)[:, None]
    dy = random(tuple(expected.shape), "dy") * (present[..., None] if sequences else 1.0)
    expected.backward(torch.tensor(dy))
    y, dx, gradients = run(network, x, dy, None if lengths is None else np.array(lengths))
    close(y * present[..., None] if sequences else y, expected)
    close(dx, given.grad)
    for suffix, path in paths.items():
        compare_gradients(module, kind["name"], gradients, suffix, path)


@pytest.mark.parametrize("kind", [*KINDS, {"name": "gru", "reset": "before"}], ids=str)
def test_reverse_is_forward_on_reversed_steps(kind: dict[str, Any]) -> None:
    for sequences in (False, True):
        spec = {**kind, "units": 4, "return_sequences": sequences}
        x, dy = random((3, 5, 2), "x"), random((3, 5, 4) if sequences else (3, 4), "dy")
        y, dx, gradients = run(made(spec, 5, 2), x[:, ::-1], dy[:, ::-1] if sequences else dy)
        found = run(made({**spec, "reverse": True}, 5, 2), x, dy)
        close(found[0], y[:, ::-1] if sequences else y)
        close(found[1], dx[:, ::-1])
        for name, gradient in gradients.items():
            close(found[2][name], gradient)


@pytest.mark.parametrize("kind", [*KINDS, {"name": "gru", "reset": "before"}], ids=str)
def test_sequences_without_steps_give_zeros(kind: dict[str, Any]) -> None:
    for reverse in (False, True):
        network = made({**kind, "units": 4, "reverse": reverse}, 5, 2)
        x, dy = random((3, 5, 2), "x"), random((3, 4), "dy")
        y, dx, gradients = run(network, x, dy, np.zeros(3, np.int64))
        assert not y.any()
        assert not dx.any()
        assert not any(gradient.any() for gradient in gradients.values())
        y, dx, _ = run(network, x, dy, np.array([0, 5, 0]))
        assert not y[[0, 2]].any() and y[1].any()
        assert not dx[[0, 2]].any() and dx[1].any()


def gru_before(network: Network, x: Any) -> tuple[list[Any], dict[str, Any]]:
    """Cho et al. 2014, equations 5 to 8, row vectors for columns."""
    p = {name: torch.tensor(value, requires_grad=True) for name, value in network.state().items()}
    (wr, wz, wn), (ur, uz, un), (br, bz, bn) = (
        p[name].chunk(3, dim=-1) for name in ("kernel", "recurrent_kernel", "bias")
    )
    states = [torch.zeros(len(x), ur.shape[0], dtype=torch.float64)]
    for t in range(x.shape[1]):
        h = states[-1]
        r, z = torch.sigmoid(x[:, t] @ wr + h @ ur + br), torch.sigmoid(x[:, t] @ wz + h @ uz + bz)
        n = torch.tanh(x[:, t] @ wn + (r * h) @ un + bn)
        states.append(z * h + (1 - z) * n)
    return states[1:], p


@pytest.mark.parametrize("shape", SHAPES)
def test_gru_with_reset_before_the_product_is_the_textbook_loop(shape: tuple[int, int, int, int]) -> None:
    steps, features, units, rows = shape
    spec = {"name": "gru", "units": units, "reset": "before", "return_sequences": True}
    network = made(spec, steps, features)
    x, dy = random((rows, steps, features), "x"), random((rows, steps, units), "dy")
    given = torch.tensor(x, requires_grad=True)
    states, p = gru_before(network, given)
    expected = torch.stack(states, dim=1)
    expected.backward(torch.tensor(dy))
    y, dx, gradients = run(network, x, dy)
    close(y, expected)
    close(dx, given.grad)
    assert set(gradients) == set(p)
    for name, gradient in gradients.items():
        close(gradient, p[name].grad)


def detached(states: Any) -> Any:
    return tuple(part.detach() for part in states) if isinstance(states, tuple) else states.detach()


@pytest.mark.parametrize("truncate", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_truncation_is_torch_with_states_detached(
    kind: dict[str, Any], sequences: bool, reverse: bool, truncate: int
) -> None:
    spec = {**kind, "units": 4, "return_sequences": sequences}
    network = made({**spec, "truncate": truncate, "reverse": reverse}, 7, 3)
    module = torch_module(spec, 3)
    fill(module, spec, network.state())
    x = random((5, 7, 3), "x")
    given = torch.tensor(x, requires_grad=True)
    read = given.flip(1) if reverse else given
    outputs, states = [], None
    for start in range(0, 7, truncate):
        part, states = module(read[:, start : start + truncate], None if states is None else detached(states))
        outputs.append(part)
    expected = torch.cat(outputs, dim=1) if sequences else outputs[-1][:, -1]
    expected = expected.flip(1) if sequences and reverse else expected
    dy = random(tuple(expected.shape), "dy")
    expected.backward(torch.tensor(dy))
    y, dx, gradients = run(network, x, dy)
    close(y, expected)
    close(dx, given.grad)
    compare_gradients(module, kind["name"], gradients)


def test_truncated_gru_with_reset_before_is_the_one_that_starts_from_a_constant_state() -> None:
    spec = {"name": "gru", "units": 4, "reset": "before", "truncate": 1}
    network = made(spec, 1, 3)
    x, dy = random((5, 6, 3), "x"), random((5, 4), "dy")
    _, dx, _ = run(made(spec, 6, 3), x, dy)
    assert not dx[:, :-1].any()
    given = torch.tensor(x)
    states, _ = gru_before(network, given[:, :-1])
    last = given[:, -1:].clone().requires_grad_()
    p = {name: torch.tensor(value) for name, value in network.state().items()}
    (wr, wz, wn), (ur, uz, un), (br, bz, bn) = (
        p[name].chunk(3, dim=-1) for name in ("kernel", "recurrent_kernel", "bias")
    )
    h, x_last = states[-1].detach(), last[:, 0]
    r, z = torch.sigmoid(x_last @ wr + h @ ur + br), torch.sigmoid(x_last @ wz + h @ uz + bz)
    (z * h + (1 - z) * torch.tanh(x_last @ wn + (r * h) @ un + bn)).backward(torch.tensor(dy))
    close(dx[:, -1:], last.grad)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_all_lengths_full_are_no_lengths(name: str) -> None:
    spec = {"name": name, "units": 4, "reverse": True, "return_sequences": True}
    x, dy = random((5, 7, 3), "x"), random((5, 7, 4), "dy")
    expected = run(made(spec, 7, 3), x, dy)
    found = run(made(spec, 7, 3), x, dy, np.full(5, 7))
    for a, b in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_array_equal(a, b)


def test_last_step_of_all_states_is_the_final_state() -> None:
    x, dy, lengths = random((5, 6, 3), "x"), random((5, 4), "dy"), np.array([6, 1, 0, 3, 5])
    layers = [{"name": "gru", "units": 4, "return_sequences": True}, "last_step"]
    network, other = made({"name": "gru", "units": 4}, 6, 3), made({"name": "sequential", "layers": layers}, 6, 3)
    other.load_state({f"gru_1.{name}": value for name, value in network.state().items()})
    y, dx, gradients = run(network, x, dy, lengths)
    found = run(other, x, dy, lengths)
    close(found[0], y)
    close(found[1], dx)
    for name, gradient in gradients.items():
        close(found[2][f"gru_1.{name}"], gradient)
