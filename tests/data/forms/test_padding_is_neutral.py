"""Padding changes nothing: from the file through network, loss and gradient to what a run writes down."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nntrain.cli.entry import run
from nntrain.core.layer import Context
from nntrain.core.network import Network
from nntrain.data.batches import Batch, Dataset
from nntrain.data.options import SequenceOptions
from nntrain.layers.sequential import Sequential
from nntrain.losses.base import LOSSES
from nntrain.train.evaluation import Evaluator
from nntrain.train.labelled import value_and_grad

POOLED: list[Any] = [{"name": "dense", "units": 6}, "relu", "global_average_pool", {"name": "dense", "units": 3}]
CONVOLVED: list[Any] = [
    {"name": "conv1d", "filters": 5, "kernel": 3, "padding": "same"},
    "tanh",
    "global_max_pool",
    {"name": "dense", "units": 3},
]
STEPWISE: list[Any] = [
    {"name": "conv1d", "filters": 5, "kernel": 3, "padding": "same"},
    "tanh",
    {"name": "dense", "units": 3},
]


def ramps(count: int = 30, steps: int = 6, seed: int = 0) -> list[tuple[int, int, float, float, str, str]]:
    """Return rows (id, step, two features, a label for the sequence, one for the row) of sequences of 1 to 6 steps."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        for t in range(int(random.integers(1, steps + 1))):
            u, v = random.normal(number % 3, 1, 2).round(3).tolist()
            rows.append((number, t, u, v, "abc"[number % 3], "pqr"[(number + t) % 3]))
    return rows


def as_columns(rows: Sequence[tuple[Any, ...]], per_row: bool = False) -> dict[str, list[Any]]:
    columns = dict(zip(("id", "t", "u", "v", "y", "z"), map(list, zip(*rows, strict=True)), strict=True))
    whole, own = columns.pop("y"), columns.pop("z")
    return {**columns, "y": own if per_row else whole}


def as_wide(rows: Sequence[tuple[Any, ...]], steps: int) -> dict[str, list[Any]]:
    ids = sorted({row[0] for row in rows})
    columns: dict[str, list[Any]] = {f"t{t}_{c}": [None] * len(ids) for t in range(steps) for c in "uv"}
    columns["y"] = [""] * len(ids)
    for number, t, u, v, label, _ in rows:
        columns[f"t{t}_u"][number], columns[f"t{t}_v"][number], columns["y"][number] = u, v, label
    return columns


def exact(dataset: Dataset, layers: list[Any]) -> Network:
    """Return a network in float64 for a data set."""
    return Network(Sequential(layers), dataset.x.shape[1:], seed=3, dtype=np.float64)


def loss_of(prepared: Any) -> Any:
    loss = LOSSES.build("cross_entropy")
    loss.build(prepared.task)
    return loss


def run_batch(network: Network, loss: Any, data: Dataset, rows: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Return loss, flat gradient of (1 / rows) of it and outputs of a batch of a whole data set."""
    weight = data.weight
    batch = Batch(data.x.astype(np.float64), data.target, weight, data.lengths, data.per_step)
    network.store.begin_step()
    y = network.forward(batch.x, Context(training=True, lengths=data.lengths)).copy()
    value, dy = value_and_grad(loss, y, batch, rows)
    network.backward(dy)
    network.store.finish_step()
    return value, network.store.grad.copy(), data.judged(y)


@pytest.mark.parametrize(
    ("layers", "per_row"),
    [(POOLED, False), (CONVOLVED, False), ([{"name": "lstm", "units": 4}], False), (STEPWISE, True)],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_gradient_of_a_padded_batch_are_those_of_its_sequences_one_by_one(
    workplace: Any, layers: list[Any], per_row: bool, weighted: bool
) -> None:
    columns = as_columns(ramps(24), per_row)
    columns["w"] = [1 + (row if per_row else number) % 5 / 2 for row, number in enumerate(columns["id"])]
    sequence = SequenceOptions(group="id", order="t", target_per="row" if per_row else "sequence")
    kept = {"weight": "w"} if weighted else {"ignore": ["w"]}
    prepared = workplace.prepare(columns, sequence=sequence, validation="none", **kept)
    data, loss = prepared.train, loss_of(prepared)
    layers = layers if layers[-1] != {"name": "lstm", "units": 4} else [*layers, {"name": "dense", "units": 3}]
    network = exact(data, layers)
    labels = len(data.labels())
    value, gradient, outputs = run_batch(network, loss, data, labels)
    assert len(outputs) == labels
    one_by_one, summed, alone = 0.0, np.zeros_like(gradient), []
    for i, length in enumerate(data.lengths.tolist()):
        one = data.subset(np.array([i]))
        cut = {name: getattr(one, name)[:, :length] for name in ("x", *(("target", "rows") if per_row else ()))}
        if per_row and one.weight is not None:
            cut["weight"] = one.weight[:, :length]
        whole = one.replace(lengths=one.lengths if per_row else None, **cut)
        part, grad, y = run_batch(network.replica((length, 2)), loss, whole, labels)
        one_by_one, summed = one_by_one + part, summed + grad
        alone.append(y)
    assert value == pytest.approx(one_by_one, rel=1e-12)
    np.testing.assert_allclose(gradient, summed, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(outputs, np.concatenate(alone), rtol=1e-9, atol=1e-12)


def test_what_stands_in_the_padding_does_not_matter(workplace: Any) -> None:
    prepared = workplace.prepare(as_columns(ramps(24)), sequence=SequenceOptions(group="id", order="t"))
    data, loss = prepared.train, loss_of(prepared)
    other = data.replace(x=np.where(data.steps_there()[..., None], data.x, np.float32(1e3)))
    for layers in (POOLED, CONVOLVED):
        first, second = (run_batch(exact(data, layers), loss, found, len(data)) for found in (data, other))
        assert first[0] == second[0]
        assert first[1].tobytes() == second[1].tobytes()


@pytest.mark.parametrize("per_row", [False, True])
def test_the_evaluator_judges_longer_sequences_by_the_same_weights(workplace: Any, per_row: bool) -> None:
    sequence = SequenceOptions(group="id", order="t", target_per="row" if per_row else "sequence")
    prepared = workplace.prepare(as_columns(ramps(24), per_row), sequence=sequence)
    network = Network(Sequential(STEPWISE if per_row else POOLED), prepared.preprocessing.shape, seed=1)
    evaluator = Evaluator(network, loss_of(prepared), {}, prepared.preprocessing.decode)
    rows = ramps(12, seed=5)
    longer = [*rows, *((12, t, 0.1 * t, 1.0, "a", "p") for t in range(40))]
    short, long = (
        prepared.preprocessing.labelled(workplace.table(as_columns(found, per_row)))[0] for found in (rows, longer)
    )
    assert (short.x.shape[1], long.x.shape[1]) == (6, 40)
    a, b = evaluator.outputs(short), evaluator.outputs(long)
    assert len(b) == len(a) + (40 if per_row else 1)
    np.testing.assert_allclose(b[: len(a)], a, rtol=1e-5, atol=1e-6)


def write(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def fit(folder: Path, name: str, data: dict[str, Any], architecture: Any) -> list[dict[str, Any]]:
    """Train on a data section; return the rows of ``metrics.jsonl``."""
    config = {"data": {"target": "y", **data}, "architecture": architecture, "epochs": 4, "batch_size": 8}
    (folder / f"{name}.yaml").write_text(json.dumps(config), encoding="utf-8")
    assert run(["fit", str(folder / f"{name}.yaml"), "--quiet", "--run-dir", str(folder / name)]) == 0
    text = (folder / name / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


ARCHITECTURES = [
    {"layers": [{"name": "dense", "units": 6}, "relu", "global_average_pool"]},
    {"layers": [CONVOLVED[0], "relu", "global_max_pool"]},
    {"layers": [{"name": "lstm", "units": 5}]},
    {"layers": [{**CONVOLVED[0], "bias": False}, "batch_norm", "global_average_pool"]},
]
"""No bias before batch norm: its gradient is 0 but for rounding, of which adam makes whole steps."""


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_more_empty_steps_give_the_same_losses(tmp_path: Path, architecture: Any) -> None:
    rows = ramps(40)
    write(tmp_path / "narrow.csv", as_wide(rows, 6))
    write(tmp_path / "wide.csv", as_wide(rows, 11))
    narrow = fit(tmp_path, "a", {"train": "narrow.csv", "sequence": {"steps": 6, "channels": 2}}, architecture)
    wider = fit(tmp_path, "b", {"train": "wide.csv", "sequence": {"steps": 11, "channels": 2}}, architecture)
    assert len(narrow) == len(wider) == 4
    for a, b in zip(narrow, wider, strict=True):
        assert b == pytest.approx(a, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("target_per", "architecture"),
    [*(("sequence", own) for own in ARCHITECTURES), ("row", {"layers": [CONVOLVED[0], "relu"]})],
)
def test_a_long_sequence_to_validate_on_changes_no_bit_of_the_training(
    tmp_path: Path, target_per: str, architecture: Any
) -> None:
    per_row = target_per == "row"
    write(tmp_path / "train.csv", as_columns(ramps(30), per_row))
    held = ramps(9, seed=1)
    write(tmp_path / "held.csv", as_columns(held, per_row))
    write(tmp_path / "longer.csv", as_columns([*held, *((9, t, 0.1 * t, 1.0, "a", "p") for t in range(50))], per_row))
    sequence = {"group": "id", "order": "t", "target_per": target_per}
    first, second = (
        fit(tmp_path, name, {"train": "train.csv", "validation": f"{name}.csv", "sequence": sequence}, architecture)
        for name in ("held", "longer")
    )
    assert first != second
    trained = ("train_loss", "train_accuracy", "gradient_norm")
    assert [[row[key] for key in trained if key in row] for row in first] == [
        [row[key] for key in trained if key in row] for row in second
    ]
    from safetensors.numpy import load_file

    a, b = (load_file(tmp_path / name / "checkpoints" / "last.safetensors") for name in ("held", "longer"))
    weights = [name for name in a if name.startswith("weights.")]
    assert weights
    assert all(a[name].tobytes() == b[name].tobytes() for name in weights)
