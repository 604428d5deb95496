"""Held-out quality: split each CSV outside nntrain, train on 80 %, judge on 20 %, three times.

python benchmarks/held_out.py [iris wine breast_cancer digits penguins california_housing]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

DATASETS = Path(__file__).parent.parent / "datasets"

CASES: dict[str, tuple[str, str, float]] = {
    "iris": ("species", "accuracy", 0.96),
    "wine": ("cultivar", "accuracy", 0.98),
    "breast_cancer": ("diagnosis", "accuracy", 0.965),
    "digits": ("label", "accuracy", 0.965),
    "penguins": ("species", "accuracy", 0.985),
    "california_housing": ("MedHouseVal", "rmse", 0.53),
}

CLASSES = """
data: {{train: train.csv, target: {target}}}
architecture: {{name: mlp, hidden: [64, 64]}}
"""

NUMBERS = """
data: {{train: train.csv, target: {target}, scale: quantile}}
architecture: {{name: mlp, hidden: [256, 128], dropout: 0.1}}
optimizer: {{name: adamw, learning_rate: 0.002}}
batch_size: 256
epochs: 60
early_stopping: {{patience: 10}}
"""


def split(name: str, target: str, seed: int, folder: Path) -> None:
    """Write train.csv and test.csv: a fifth of the rows, of each class where there are classes, is held out."""
    table = pd.read_csv(DATASETS / f"{name}.csv", dtype=str, keep_default_na=False)
    generator = np.random.default_rng(seed)
    groups = [table.index.to_numpy()]
    if table[target].nunique() <= 20:
        groups = [rows.to_numpy() for rows in table.groupby(target).groups.values()]
    held_out = np.concatenate([generator.permutation(rows)[: round(len(rows) / 5)] for rows in groups])
    is_test = table.index.isin(held_out)
    table[~is_test].to_csv(folder / "train.csv", index=False)
    table[is_test].to_csv(folder / "test.csv", index=False)


def judge(name: str, seed: int) -> float:
    """Return the metric on the held-out fifth."""
    target, metric, _ = CASES[name]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        split(name, target, seed, folder)
        config = NUMBERS if metric == "rmse" else CLASSES
        (folder / "config.yaml").write_text(config.format(target=target))
        nntrain(folder, "fit", "config.yaml", "--quiet")
        return float(json.loads(nntrain(folder, "eval", "latest", "test.csv", "--json"))["metrics"][metric])


def nntrain(folder: Path, *arguments: str) -> str:
    """Run a command and return its stdout."""
    command = [sys.executable, "-m", "nntrain", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def main(names: list[str]) -> None:
    print(f"{'data':<20} {'metric':<9} {'mean':>7} {'wanted':>7}  splits")
    for name in names or list(CASES):
        _, metric, wanted = CASES[name]
        values = [judge(name, seed) for seed in range(3)]
        mean = statistics.fmean(values)
        print(f"{name:<20} {metric:<9} {mean:7.4f} {wanted:7.3f}  {', '.join(f'{value:.4f}' for value in values)}")


if __name__ == "__main__":
    main(sys.argv[1:])
