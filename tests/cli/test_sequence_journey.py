"""Sequences from the file to predictions through the commands: long form, a label a row, and wide form."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Row = dict[str, Any]
LAYERS = "{layers: [{name: conv1d, filters: 4, kernel: 3, padding: same}, relu%s]}"
CONFIGS = {
    "sequence": ("{group: id, order: t}", LAYERS % ", global_average_pool"),
    "row": ("{group: id, order: t, target_per: row}", LAYERS % ""),
    "wide": ("{steps: 7, channels: 2, length: n}", LAYERS % ", global_average_pool"),
}


def long_rows(count: int, seed: int, per_row: bool) -> list[Row]:
    """Return the rows of sequences in random order."""
    random = np.random.default_rng(seed)
    rows = [
        {"id": f"s{number}", "t": t, **dict(zip("uv", random.normal(number % 3, 1, 2).round(3), strict=True))}
        | {"y": "abc"[(number + t * per_row) % 3]}
        for number in range(count)
        for t in range(int(random.integers(1, 8)))
    ]
    return [rows[i] for i in random.permutation(len(rows))]


def wide_rows(count: int, seed: int) -> list[Row]:
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        length = int(random.integers(1, 8))
        cells = {
            f"t{t}_{channel}": round(random.normal(number % 3), 3) if t < length else ""
            for t in range(7)
            for channel in "uv"
        }
        rows.append({"n": length, **cells, "y": "abc"[number % 3]})
    return rows


def rows_of(kind: str, count: int, seed: int) -> list[Row]:
    return wide_rows(count, seed) if kind == "wide" else long_rows(count, seed, kind == "row")


def write(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def nntrain(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nntrain", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stderr
    return done


def prepared(folder: Path, kind: str) -> None:
    """Write the files and the config of a kind of sequences."""
    sequence, architecture = CONFIGS[kind]
    write(folder / "train.csv", rows_of(kind, 40, 0))
    write(folder / "held.csv", rows_of(kind, 25, 1))
    data = f"{{train: train.csv, validation: held.csv, target: y, sequence: {sequence}}}"
    (folder / "config.yaml").write_text(
        f"data: {data}\narchitecture: {architecture}\nepochs: 3\nbatch_size: 8\n", encoding="utf-8"
    )


@pytest.mark.parametrize("kind", CONFIGS)
def test_fit_eval_and_predict(tmp_path: Path, kind: str) -> None:
    prepared(tmp_path, kind)
    fitted = json.loads(nntrain(tmp_path, "fit", "config.yaml", "--json", "--run-dir", "run").stdout)
    assert fitted["status"] == "finished"
    best = fitted["best_epoch"]
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    judged = json.loads(nntrain(tmp_path, "eval", "run", "held.csv", "--json").stdout)
    held = rows_of(kind, 25, 1)
    assert judged["rows"] == (len(held) if kind == "row" else 25)
    assert judged["loss"] == rows[best - 1]["val_loss"]
    assert judged["metrics"]["accuracy"] == rows[best - 1]["val_accuracy"]
    (found,) = tmp_path.glob("run/eval/*/predictions.csv")
    predictions = read(found.read_text(encoding="utf-8"))
    numbers = [int(row["row"]) for row in predictions]
    if kind == "row":
        assert numbers == list(range(len(held)))
    elif kind == "wide":
        assert numbers == list(range(25))
    else:
        ids = [row["id"] for row in held]
        assert numbers == sorted(ids.index(name) for name in set(ids))
    for row in predictions:
        cells = held[int(row["row"])]
        assert row["true_y"] == cells["y"]
        assert kind == "wide" or row["id"] == cells["id"]
    assert list(predictions[0])[:2] == (["row", "predicted_y"] if kind == "wide" else ["row", "id"])
    accuracy = np.mean([row["true_y"] == row["predicted_y"] for row in predictions])
    assert accuracy == pytest.approx(judged["metrics"]["accuracy"])
    # Without the target the same is predicted, and another order of the rows is no other file.
    turned = [{key: cell for key, cell in row.items() if key != "y"} for row in held[::-1]]
    write(tmp_path / "new.csv", turned)
    again = read(nntrain(tmp_path, "predict", "run", "new.csv").stdout)
    if kind != "sequence":
        last = len(held) - 1
        again = [{**row, "row": str(last - int(row["row"]))} for row in again[::-1]]
        assert again == [{key: cell for key, cell in row.items() if key != "true_y"} for row in predictions]
    else:
        by_id = {row["id"]: row["probability_a"] for row in predictions}
        assert {row["id"]: row["probability_a"] for row in again} == by_id


def test_the_summary_and_the_placed_errors(tmp_path: Path) -> None:
    prepared(tmp_path, "sequence")
    checked = nntrain(tmp_path, "check", "config.yaml")
    assert "sequences: 2 channels, 1 to 7 steps (long form, by id)" in checked.stdout + checked.stderr
    assert "sequences: 40 train, 25 validation" in checked.stdout + checked.stderr
    both = nntrain(tmp_path, "check", "config.yaml", "--set", "data.sequence.steps=3", code=2)
    assert "expected either 'group' or 'steps', got both" in both.stderr
    (tmp_path / "wide.yaml").write_text(
        "data:\n  train: train.csv\n  target: y\n  sequence:\n    steps: 3\n    target_per: row\narchitecture: mlp\n",
        encoding="utf-8",
    )
    refused = nntrain(tmp_path, "check", "wide.yaml", code=2)
    assert "wide.yaml:6:" in refused.stderr
    assert "'row' goes with 'group'" in refused.stderr
    assert "one row a step" in refused.stderr


def test_an_id_column_that_is_called_row(tmp_path: Path) -> None:
    prepared(tmp_path, "row")
    for name in ("train", "held"):
        text = (tmp_path / f"{name}.csv").read_text(encoding="utf-8")
        (tmp_path / f"{name}.csv").write_text(text.replace("id,", "row,", 1), encoding="utf-8")
    nntrain(tmp_path, "fit", "config.yaml", "-q", "--set", "data.sequence.group=row", "--run-dir", "run")
    found = read(nntrain(tmp_path, "predict", "run", "held.csv").stdout)
    assert list(found[0])[:2] == ["row", "sequence_row"]
    assert [row["sequence_row"] for row in found] == [row["id"] for row in rows_of("row", 25, 1)]


def test_a_longer_sequence_than_the_network_takes_is_named_by_its_line(tmp_path: Path) -> None:
    prepared(tmp_path, "sequence")
    nntrain(tmp_path, "fit", "config.yaml", "-q", "--set", "architecture=mlp", "--run-dir", "run")
    write(tmp_path / "held.csv", [{"id": "x", "t": t, "u": 1, "v": 2, "y": "a"} for t in range(9)])
    refused = nntrain(tmp_path, "eval", "run", "held.csv", code=3)
    assert "held.csv:2: a sequence has 9 steps, and this network takes 7 at most" in refused.stderr


def test_a_run_that_goes_on_writes_the_same_bytes(tmp_path: Path) -> None:
    prepared(tmp_path, "row")
    nntrain(tmp_path, "fit", "config.yaml", "-q", "--run-dir", "whole")
    nntrain(tmp_path, "fit", "config.yaml", "-q", "--run-dir", "cut", "--set", "epochs=1")
    nntrain(tmp_path, "fit", "-q", "--resume", "cut", "--set", "epochs=3")
    for name in ("metrics.jsonl", "checkpoints/last.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
