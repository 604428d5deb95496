"""A model taken from a checkpoint gives what the trained network gave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nntrain.config import load_config
from nntrain.data.batches import Dataset
from nntrain.errors import RunError
from nntrain.experiment import assemble
from nntrain.inference import describe_model, load_model, model_arrays

ARCHITECTURES: list[Any] = [
    "linear",
    {"name": "mlp", "hidden": [5], "batch_norm": True, "dropout": 0.2},
    {"layers": [{"name": "dense", "units": 4}, "relu", {"residual": [{"name": "dense", "units": 4}]}]},
]


def experiment_of(folder: Path, target: str, architecture: Any, **changes: Any) -> Any:
    generator = np.random.default_rng(0)
    rows = [
        f"{x:.4f},{'uvw'[i % 3]},{'pqr'[i % 3]},{100 * x - y:.4f}"
        for i, (x, y) in enumerate(generator.normal(size=(40, 2)))
    ]
    (folder / "data.csv").write_text("\n".join(["a,b,kind,y", *rows]) + "\n")
    data = {"train": "data.csv", "target": target, "ignore": [{"kind": "y", "y": "kind"}[target]]}
    config = {"data": data | changes, "architecture": architecture}
    (folder / "c.yaml").write_text(yaml.safe_dump(config))
    return assemble(load_config(str(folder / "c.yaml")))


def checkpoint_of(experiment: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    weights = {f"weights.{name}": value.copy() for name, value in experiment.network.state().items()}
    return {**model_arrays(experiment), **weights}, {"epoch": 4, "model": describe_model(experiment)}


@pytest.mark.parametrize("target", ["kind", "y"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("categorical", ["onehot", "embedding"])
def test_the_same_outputs(tmp_path: Path, target: str, architecture: Any, categorical: str) -> None:
    experiment = experiment_of(tmp_path, target, architecture, categorical=categorical)
    for value in experiment.network.state().values():
        value += 0.25
    model = load_model(*checkpoint_of(experiment), "best.safetensors")
    data = experiment.prepared.validation
    np.testing.assert_array_equal(model.evaluator({}).outputs(data), experiment.evaluator().outputs(data))
    assert model.task == experiment.task and model.epoch == 4
    assert list(model.metrics) == list(experiment.metrics)
    if target == "y":
        values = np.array([[0.5], [-1.0]])
        np.testing.assert_array_equal(model.preprocessing.decode(values), experiment.decode(values))


def test_outputs_do_not_depend_on_the_rows_around(tmp_path: Path) -> None:
    experiment = experiment_of(tmp_path, "kind", ARCHITECTURES[1])
    evaluator, generator = experiment.evaluator(), np.random.default_rng(1)
    x = generator.standard_normal((600, experiment.network.in_shape[0])).astype(np.float32)
    data = Dataset(x, np.zeros(600), None, np.arange(600))
    whole, order = evaluator.outputs(data), generator.permutation(600)
    np.testing.assert_array_equal(evaluator.outputs(data.subset(order)), whole[order])
    for rows in (1, 2, 255, 256, 257):
        np.testing.assert_array_equal(evaluator.outputs(data.subset(np.arange(rows))), whole[:rows])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format"),
        ({"architecture": {"name": "os.system"}}, "unknown architecture 'os.system'"),
        ({"loss": {"name": "__import__"}}, "unknown loss"),
        ({"architecture": {"layers": [{"name": "../plugin.py"}], "name": "sequential"}}, "unknown layer"),
        ({"architecture": {"name": "mlp", "hidden": [6]}}, "other parameters"),
        ({"architecture": {"name": "mlp", "nonsense": 1}}, "not as nntrain writes it"),
    ],
)
def test_a_checkpoint_that_names_something_else(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    arrays, state = checkpoint_of(experiment_of(tmp_path, "kind", {"name": "mlp", "hidden": [5]}))
    with pytest.raises(RunError, match=message) as raised:
        load_model(arrays, {**state, "model": {**state["model"], **change}}, "best.safetensors")
    assert raised.value.problems[0].path == "best.safetensors"


@pytest.mark.parametrize("shape", [(1,), (5, 1), (1, 5), (0,)])
def test_weights_of_another_shape_are_never_stretched(tmp_path: Path, shape: tuple[int, ...]) -> None:
    arrays, state = checkpoint_of(experiment_of(tmp_path, "kind", {"name": "mlp", "hidden": [5]}))
    arrays["weights.dense_1.bias"] = np.zeros(shape, np.float32)
    with pytest.raises(RunError, match=r"dense_1\.bias"):
        load_model(arrays, state, "best.safetensors")


def test_missing_weights(tmp_path: Path) -> None:
    arrays, state = checkpoint_of(experiment_of(tmp_path, "kind", {"name": "mlp", "hidden": [5]}))
    del arrays["weights.dense_1.bias"]
    with pytest.raises(RunError, match=r"dense_1\.bias"):
        load_model(arrays, state, "best.safetensors")


@pytest.mark.parametrize("name", ["ows", "base", "rows.x", "..table", "", None, 3])
def test_a_form_of_another_name_imports_nothing(tmp_path: Path, name: Any) -> None:
    arrays, state = checkpoint_of(experiment_of(tmp_path, "kind", "linear"))
    state["model"]["preprocessing"]["form"]["form"] = name
    with pytest.raises(RunError, match="not as nntrain writes it"):
        load_model(arrays, state, "best.safetensors")


@pytest.mark.parametrize("key", ["model", "epoch"])
@pytest.mark.parametrize("value", [None, [], "text", 1e300])
def test_a_state_that_is_none_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    arrays, state = checkpoint_of(experiment_of(tmp_path, "kind", "linear"))
    for changed in ({**state, key: value}, {name: state[name] for name in state if name != key}):
        with pytest.raises(RunError) as caught:
            load_model(arrays, changed, "best.safetensors")
        assert caught.value.problems[0].path == "best.safetensors"
