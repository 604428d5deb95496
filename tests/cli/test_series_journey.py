"""A forecast through the command line: fit, eval on a file that begins with history, predict what comes next."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

WINDOW, ROWS, TRAINED = 13, 120, 90
CONFIG = f"""
data:
  train: train.csv
  target: sold
  order: month
  validation: none
  test: test.csv
  series: {{window: {WINDOW}, log: true, difference: 1}}
architecture: {{name: mlp, hidden: [8]}}
optimizer: {{name: adam, learning_rate: 0.01}}
epochs: 60
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    values = [100 * math.exp(0.01 * i + 0.3 * math.sin(i * math.pi / 6)) for i in range(ROWS)]
    lines = [f"{2000 + i // 12}-{i % 12 + 1:02},{value:.3f}" for i, value in enumerate(values)]
    for name, part in (("train", lines[:TRAINED]), ("test", lines[TRAINED - WINDOW :])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["month,sold", *part]) + "\n", encoding="utf-8")
    (tmp_path / "sold.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def nntrain(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nntrain", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_a_forecast_from_the_first_file_to_the_next_month(folder: Path) -> None:
    checked = nntrain(folder, "check", "sold.yaml")
    assert checked.returncode == 0
    assert f"series: windows of {WINDOW} rows, 1 ahead, 1 input; {TRAINED - WINDOW} training windows" in checked.stdout
    assert "rmse of repeating the last value (persistence): 'sold'" in checked.stdout + checked.stderr
    fitted = nntrain(folder, "fit", "sold.yaml", "--json")
    assert fitted.returncode == 0, fitted.stderr
    judged = json.loads(nntrain(folder, "eval", "latest", "test.csv", "--json").stdout)
    assert judged["rows"] == ROWS - TRAINED
    assert judged["metrics"]["rmse"] < 8
    assert judged["metrics"]["rmse"] == json.loads(fitted.stdout)["test"]["rmse"]
    (found,) = folder.glob("runs/*/eval/*/predictions.csv")
    with found.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["row", "month", "predicted_sold", "true_sold"]
    assert [int(row["row"]) for row in rows] == list(range(WINDOW, WINDOW + ROWS - TRAINED))
    with (folder / "test.csv").open(encoding="utf-8", newline="") as file:
        truth = [row["sold"] for row in csv.DictReader(file)]
    assert [row["true_sold"] for row in rows] == truth[WINDOW:]
    errors = [(float(row["predicted_sold"]) - float(row["true_sold"])) ** 2 for row in rows]
    assert math.sqrt(sum(errors) / len(errors)) == pytest.approx(judged["metrics"]["rmse"], rel=1e-5)
    predicted = nntrain(folder, "predict", "latest", "test.csv")
    lines = predicted.stdout.splitlines()
    assert [line.rsplit(",", 1)[0] for line in found.read_text(encoding="utf-8").splitlines()] == lines[:-1]
    assert lines[-1].startswith(f"{WINDOW + ROWS - TRAINED},")
    assert "'sold' in row" in predicted.stderr


def test_a_contradiction_is_told_with_its_line(folder: Path) -> None:
    text = (folder / "sold.yaml").read_text(encoding="utf-8").replace("difference: 1", "difference: 13")
    (folder / "sold.yaml").write_text(text, encoding="utf-8")
    done = nntrain(folder, "check", "sold.yaml")
    assert done.returncode == 2
    assert "sold.yaml:8:" in done.stderr
    assert "data.series.window: expected more than 13 rows" in done.stderr
    done = nntrain(folder, "check", "sold.yaml", "--set", "data.series.difference=0")
    assert (done.returncode, "data.series.difference: expected an integer of at least 1" in done.stderr) == (2, True)
