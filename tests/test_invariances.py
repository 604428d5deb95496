"""What must not matter does not: orders, names, batches, and rows that nothing is learnt from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nntrain.cli.entry import run
from nntrain.config import load_config
from nntrain.evaluating import evaluate_csv, predict_csv
from nntrain.experiment import assemble
from nntrain.runs import checkpoint
from nntrain.runs.run import Run
from tests.trainings import fit

ROOT = Path(__file__).parent.parent
HEADER, *ROWS = (ROOT / "datasets" / "iris.csv").read_text(encoding="utf-8").splitlines()
FEW = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write_config(folder: Path, epochs: int = 2, **changes: Any) -> Path:
    values = {
        "data": {"train": "train.csv", "target": "species"},
        "architecture": {"name": "mlp", "hidden": [4]},
        "epochs": epochs,
        **changes,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder / "config.yaml"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train.csv").write_text("\n".join([HEADER, *ROWS]) + "\n", encoding="utf-8")
    assert run(["fit", str(write_config(folder)), "--run-dir", str(folder / "run"), "--quiet"]) == 0
    return Run.open(folder / "run")


def judged(found: Run, lines: list[str], columns: list[int], path: Path) -> tuple[str, dict[str, list[Any]]]:
    """Return metrics as JSON, and the probabilities of each row."""
    path.write_text("\n".join(",".join(line.split(",")[i] for i in columns) for line in lines) + "\n", encoding="utf-8")
    document = evaluate_csv(found, str(path), "best", "error").document
    predictions = {name: list(cells) for name, cells in predict_csv(found, str(path), "best")[0].items()}
    return json.dumps({key: document[key] for key in ("loss", "metrics", "rows")}), predictions


@FEW
@given(rows=st.permutations(range(0, 150, 4)), columns=st.permutations(range(5)))
def test_the_order_of_rows_and_columns_changes_no_bit(
    trained: Run, tmp_path: Path, rows: list[int], columns: list[int]
) -> None:
    first, probabilities = judged(
        trained, [HEADER, *(ROWS[i] for i in sorted(rows))], list(range(5)), tmp_path / "a.csv"
    )
    second, others = judged(trained, [HEADER, *(ROWS[i] for i in rows)], columns, tmp_path / "b.csv")
    assert first == second
    place = np.argsort(np.argsort(rows)).tolist()
    for name in probabilities.keys() - {"row"}:
        assert others[name] == [probabilities[name][i] for i in place]


@FEW
@given(size=st.integers(1, 200))
def test_the_size_of_a_batch_is_no_matter_of_evaluation(trained: Run, tmp_path: Path, size: int) -> None:
    """A row is judged alike alone and among others: evaluation pads its own, fixed batch."""
    rows = [ROWS[i % 150] for i in range(size)]
    _, together = judged(trained, [HEADER, *rows], list(range(5)), tmp_path / "a.csv")
    _, alone = judged(trained, [HEADER, rows[-1]], list(range(5)), tmp_path / "b.csv")
    for name in together.keys() - {"row"}:
        assert together[name][-1] == alone[name][0]


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.sets(st.text("pqrstuvwé ", min_size=1).filter(lambda n: n == n.strip()), min_size=3, max_size=3))
def test_classes_under_other_names_train_to_the_same_bits(
    trained: Run, tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("renamed")
    new = dict(zip(("setosa", "versicolor", "virginica"), sorted(names), strict=True))
    renamed = [",".join([*row.split(",")[:4], new[row.split(",")[4]]]) for row in ROWS]
    (folder / "train.csv").write_text("\n".join([HEADER, *renamed]) + "\n", encoding="utf-8")
    found = fit(write_config(folder), folder / "run")
    assert (found.path / "metrics.jsonl").read_bytes() == (trained.path / "metrics.jsonl").read_bytes()
    assert weights(found) == weights(trained)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(factor=st.floats(-1e6, 1e6), shift=st.floats(-1e6, 1e6))
def test_validation_rows_have_no_say_in_the_weights(
    trained: Run, tmp_path_factory: pytest.TempPathFactory, factor: float, shift: float
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    lines = list(ROWS)
    for row in held_out(trained):
        *numbers, label = lines[row].split(",")
        lines[row] = ",".join([*(repr(float(number) * factor + shift) for number in numbers), label])
    (folder / "train.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    found = fit(write_config(folder), folder / "run")
    assert held_out(found) == held_out(trained)
    assert weights(found) == weights(trained)


def weights(found: Run) -> dict[str, bytes]:
    """Return what the last checkpoint has learnt: weights, and what was fitted on training rows."""
    arrays, state = checkpoint.load(found.path / "checkpoints" / "last.safetensors")
    learnt = {name: array.tobytes() for name, array in arrays.items() if name.startswith(("weights.", "optimizer."))}
    return {**learnt, "form": json.dumps(state["model"]["preprocessing"]["form"]).encode()}


def held_out(found: Run) -> list[int]:
    prepared = assemble(load_config(str(found.path / "config.yaml"))).prepared
    assert prepared.validation is not None
    return sorted(prepared.validation.labels().rows.tolist())
