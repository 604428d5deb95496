"""A whole training against a PyTorch loop that shares nothing but the first weights and the order of the rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nntrain.core.rng import stream
from nntrain.optim.clipping import Clipping
from nntrain.optim.regularization import Regularization

torch = pytest.importorskip("torch")

LAYERS = [{"name": "dense", "units": 6}, "tanh", {"name": "dense", "units": 5}, "relu"]
EPOCHS = 3
L2 = 0.01


def torch_optimizer(name: str, parameters: list[Any]) -> Any:
    rules: dict[str, Any] = {
        "sgd": lambda: torch.optim.SGD(parameters, lr=0.1),
        "momentum": lambda: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
        "adam": lambda: torch.optim.Adam(parameters, lr=0.1),
    }
    return rules[name]()


def torch_model(trainer: Any) -> Any:
    dtype = torch.float64 if trainer.step.network.dtype == np.float64 else torch.float32
    linear = [torch.nn.Linear(4, 6), torch.nn.Linear(6, 5), torch.nn.Linear(5, 3)]
    model = torch.nn.Sequential(linear[0], torch.nn.Tanh(), linear[1], torch.nn.ReLU(), linear[2]).to(dtype)
    state = trainer.step.network.state()
    with torch.no_grad():
        for i, layer in enumerate(linear, 1):
            layer.weight.copy_(torch.from_numpy(state[f"dense_{i}.kernel"].T.copy()))
            layer.bias.copy_(torch.from_numpy(state[f"dense_{i}.bias"].copy()))
    return model


def torch_training(
    trainer: Any, rule: str, accumulate: int, norm: float | None, l2: bool, cosine: bool
) -> tuple[Any, list[float]]:
    model, data, size = torch_model(trainer), trainer.loader.dataset, trainer.loader.batch_size
    optimizer = torch_optimizer(rule, list(model.parameters()))
    per_update = size * accumulate
    total, step, losses = EPOCHS * math.ceil(len(data) / per_update), 0, []
    for epoch in range(1, EPOCHS + 1):
        order, summed = stream(7, "shuffle", epoch).permutation(len(data)), 0.0
        for start in range(0, len(data), per_update):
            rows = order[start : start + per_update]
            outputs, target = model(torch.from_numpy(data.x[rows])), torch.from_numpy(data.target[rows])
            loss = torch.nn.functional.cross_entropy(outputs, target)
            summed += loss.item() * len(rows)
            if l2:
                loss = loss + L2 * sum((w**2).sum() for w in model.parameters() if w.ndim == 2)
            optimizer.zero_grad()
            loss.backward()
            if norm is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), norm)
            if cosine:
                optimizer.param_groups[0]["lr"] = 0.05 * (1 + math.cos(math.pi * step / total))
            optimizer.step()
            step += 1
        losses.append(summed / len(data))
    return model, losses


@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize(
    ("accumulate", "norm", "l2", "cosine"),
    [
        (1, None, False, False),
        (1, None, True, False),
        (1, 0.2, False, False),
        (3, None, False, False),
        (1, None, False, True),
        (2, 0.2, True, True),
    ],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 2e-4)])
def test_training_equals_pytorch(
    make_trainer: Any, rule: str, accumulate: int, norm: float | None, l2: bool, cosine: bool, dtype: Any,
    tolerance: float,
) -> None:  # fmt: skip
    rate: Any = {"name": "cosine", "initial": 0.1} if cosine else 0.1
    trainer, memory = make_trainer(
        LAYERS,
        optimizer={"name": rule, "learning_rate": rate},
        dtype=dtype,
        epochs=EPOCHS,
        accumulate=accumulate,
        clipping=None if norm is None else Clipping(norm=norm),
        regularization=(lambda store: Regularization(store, l2=L2)) if l2 else None,
    )
    model, losses = torch_training(trainer, rule, accumulate, norm, l2, cosine)
    before = {name: value.copy() for name, value in trainer.step.network.state().items()}
    state = trainer.fit()
    assert state.status == "finished"
    found = trainer.step.network.state()
    for i, layer in enumerate([model[0], model[2], model[4]], 1):
        expected = layer.weight.detach().numpy().T
        np.testing.assert_allclose(found[f"dense_{i}.kernel"], expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(
            found[f"dense_{i}.bias"], layer.bias.detach().numpy(), rtol=tolerance, atol=tolerance
        )
        assert np.abs(found[f"dense_{i}.kernel"] - before[f"dense_{i}.kernel"]).max() > 1e-3
    np.testing.assert_allclose([row["train_loss"] for row in memory.rows], losses, rtol=tolerance)
    outputs = model(torch.from_numpy(trainer.validation.x))
    val = torch.nn.functional.cross_entropy(outputs, torch.from_numpy(trainer.validation.target)).item()
    assert memory.rows[-1]["val_loss"] == pytest.approx(val, rel=tolerance)


def test_weighted_rows_equal_pytorch(make_trainer: Any) -> None:
    weight = np.linspace(0.1, 3.0, 22)
    trainer, memory = make_trainer([], optimizer={"name": "sgd", "learning_rate": 0.1}, weight=weight, epochs=1)
    state = trainer.step.network.state()
    w = torch.tensor(state["dense_1.kernel"].copy(), requires_grad=True)
    b = torch.tensor(state["dense_1.bias"].copy(), requires_grad=True)
    data, order, summed = trainer.loader.dataset, stream(7, "shuffle", 1).permutation(22), 0.0
    for start in range(0, 22, 5):
        rows = order[start : start + 5]
        outputs = torch.from_numpy(data.x[rows]) @ w + b
        losses = torch.nn.functional.cross_entropy(outputs, torch.from_numpy(data.target[rows]), reduction="none")
        weighted = (losses * torch.from_numpy(weight[rows])).sum()
        summed += weighted.item()
        (weighted / len(rows)).backward()
        with torch.no_grad():
            for parameter in (w, b):
                parameter -= 0.1 * parameter.grad
                parameter.grad = None
    trainer.fit()
    np.testing.assert_allclose(state["dense_1.kernel"], w.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(state["dense_1.bias"], b.detach().numpy(), rtol=1e-12, atol=1e-15)
    assert memory.rows[0]["train_loss"] == pytest.approx(summed / weight.sum(), rel=1e-12)
