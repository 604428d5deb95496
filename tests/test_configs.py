"""Every config of the project trains as it is, and learns what it is there to show."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import numpy as np
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
    "california_resnet": ("val_rmse", 0.62, False),
    "digits_autoencoder": ("val_rmse", 0.16, False),
    "digits_cnn": ("val_accuracy", 0.90, True),
    "fashion_mnist_mlp": ("val_accuracy", 0.80, True),
    "japanese_vowels_fcn": ("val_accuracy", 0.90, True),
    "japanese_vowels_lstm": ("val_accuracy", 0.90, True),
    "mnist_cnn": ("val_accuracy", 0.80, True),
    "sms_spam_lstm": ("val_f1", 0.85, True),
    "sunspots_gru": ("val_rmse", 26.0, False),
    "sunspots_lstm": ("val_rmse", 26.0, False),
    "sunspots_rnn": ("val_rmse", 26.0, False),
}

# A schedule over all epochs is as short as the epochs are.
EPOCHS = {
    "california_mlp": 8,
    "california_resnet": 6,
    "digits_autoencoder": 12,
    "digits_cnn": 14,
    "fashion_mnist_mlp": 15,
    "japanese_vowels_fcn": 8,
    "japanese_vowels_lstm": 15,
    "mnist_cnn": 8,
    "sms_spam_lstm": 2,
}


def settings(stem: str, folder: Path) -> list[str]:
    """Return the options that make a config train in seconds, on a stand-in where its data are not in the project."""
    given = [f"epochs={EPOCHS[stem]}"] if stem in EPOCHS else []
    if "mnist" in stem:
        pictures = str(larger_digits(folder))
        given += [f"data.train={pictures}", "batch_size=32"]
        given += [f"data.validation={pictures}"] if "nielsen" in stem else ["data.test=null"]
    return [part for setting in given for part in ("--set", setting)]


def larger_digits(folder: Path) -> Path:
    """Write 900 of the digits as pictures of 28 x 28 pixels from 0 to 255, in the columns of MNIST."""
    rows = [
        line.split(",") for line in (ROOT / "datasets" / "digits.csv").read_text(encoding="utf-8").splitlines()[1:901]
    ]
    file = folder / "pictures.csv.gz"
    with gzip.open(file, "wt", encoding="utf-8") as out:
        out.write(",".join(["label", *(f"pixel{i}" for i in range(784))]) + "\n")
        for *pixels, label in rows:
            wide = np.array(pixels, float).reshape(8, 8).repeat(3, 0).repeat(3, 1)
            picture = np.pad((wide * 15).astype(int), 2).ravel()
            out.write(",".join([label, *map(str, picture)]) + "\n")
    return file


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_config_trains_and_reaches_its_mark(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    more = settings(config.stem, tmp_path)
    assert run(["fit", str(config), "--run-dir", str(folder), "--quiet", *more]) == 0
    best = json.loads((folder / "run.json").read_text(encoding="utf-8"))["metrics"]["best"]
    column, bound, above = REACHED[config.stem]
    assert (best[column] > bound) is above


REFERENCES = sorted((ROOT / "configs" / "reference").glob("*.yaml"))


@pytest.mark.parametrize("config", REFERENCES, ids=lambda path: path.stem)
def test_reference_config_trains_on_a_stand_in(config: Path, tmp_path: Path) -> None:
    """The reference data are not part of the project; a table of the same columns shows that the config runs."""
    given = ["--set", "epochs=1", *stand_in(config.stem, tmp_path)]
    assert run(["fit", str(config), "--run-dir", str(tmp_path / "run"), "--quiet", *given]) == 0


def stand_in(stem: str, folder: Path) -> list[str]:
    if "mnist" in stem:
        return settings(stem, folder)
    if stem.startswith("california"):
        rows = np.random.default_rng(0).permutation(20640)[:2000]
        np.savez(folder / "split.npz", train=rows[:1600], val=rows[1600:1800], test=rows[1800:])
        return ["--set", f"data.split={folder / 'split.npz'}"]
    generator = np.random.default_rng(0)
    if stem.startswith("adult"):
        lines = [
            f"{generator.integers(17, 80)},{generator.choice(['a', 'b'])},{'<=50K' if i % 3 else '>50K'}"
            for i in range(60)
        ]
        header = "age,workclass,income"
    elif stem.startswith("italy"):
        lines = [f"{i % 2 + 1}," + ",".join(f"{v:.4f}" for v in generator.standard_normal(24)) for i in range(30)]
        header = "label," + ",".join(f"t{i}" for i in range(24))
    else:
        assert stem.startswith("airline")
        lines = [f"{1949 + i // 12}-{i % 12 + 1:02},{100 + i + 10 * (i % 12)}" for i in range(144)]
        header = "Month,Passengers"
    file = folder / "stand_in.csv"
    file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    tests = [] if stem.startswith("airline") else ["--set", f"data.test={file}"]
    return ["--set", f"data.train={file}", *tests]


def test_linear_regression_finds_the_least_squares_slope(tmp_path: Path) -> None:
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
