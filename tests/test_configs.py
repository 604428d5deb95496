"""Every config of the project trains as it is, and learns what it is there to show."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from nntrain.cli.entry import run

ROOT = Path(__file__).parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))

# Column of metrics.jsonl, bound, and whether the best epoch must lie above it.
REACHED = {
    "iris_mlp": ("val_accuracy", 0.93, True),
    "wine_mlp": ("val_accuracy", 0.94, True),
    "breast_cancer_mlp": ("val_roc_auc", 0.98, True),
    "digits_mlp": ("val_accuracy", 0.96, True),
    "penguins_mlp": ("val_accuracy", 0.97, True),
    "california_mlp": ("val_rmse", 0.62, False),
    "xor": ("train_accuracy", 0.999, True),
    "linear_regression": ("val_r2", 0.40, True),
    "logistic_regression": ("val_accuracy", 0.95, True),
    "perceptron": ("val_accuracy", 0.92, True),
}

SHORTER = {"california_mlp": ["--set", "epochs=8"]}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_config_trains_and_reaches_its_mark(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    more = SHORTER.get(config.stem, [])
    assert run(["fit", str(config), "--run-dir", str(folder), "--quiet", *more]) == 0
    best = json.loads((folder / "run.json").read_text(encoding="utf-8"))["metrics"]["best"]
    column, bound, above = REACHED[config.stem]
    assert (best[column] > bound) is above


def test_linear_regression_finds_the_least_squares_slope(tmp_path: Path) -> None:
    import numpy as np
    import pandas as pd
    from safetensors.numpy import load_file

    folder = tmp_path / "run"
    config = ROOT / "configs" / "linear_regression.yaml"
    arguments = ["--set", "data.validation=none", "--set", "batch_size=full", "--set", "epochs=200", "--quiet"]
    assert run(["fit", str(config), "--run-dir", str(folder), *arguments]) == 0
    table = pd.read_csv(ROOT / "datasets" / "california_housing.csv")
    x, y = table.MedInc.to_numpy(), table.MedHouseVal.to_numpy()
    found = load_file(folder / "checkpoints" / "last.safetensors")["weights.dense_1.kernel"]
    assert found.item() == pytest.approx(np.dot(x, y) / np.dot(x, x), rel=1e-4)


def test_datasets_are_what_their_readme_says() -> None:
    text = (ROOT / "datasets" / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^([0-9a-f]{64})  (\S+)$", text, re.MULTILINE))
    sums = {digest: path.name for path in (ROOT / "datasets").glob("*.csv") for digest in [_sha256(path)]}
    assert sums == listed


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_config_reference_is_generated() -> None:
    from nntrain.config.explain import reference_markdown

    assert (ROOT / "docs" / "config.md").read_text(encoding="utf-8") == reference_markdown()
