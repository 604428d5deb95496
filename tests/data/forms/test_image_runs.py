"""Whole runs on images: by the command line, and the same bits after any interruption."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from nntrain.cli.entry import run as command
from nntrain.config import load_config
from nntrain.experiment import assemble
from tests.trainings import digest, fit, stop_at_every_update

DIGITS = Path(__file__).parents[3] / "datasets" / "digits.csv"
AUGMENT: dict[str, Any] = {"shift": 1, "flip": "horizontal", "rotate": 15, "zoom": 0.1}
ARCHITECTURES: dict[str, Any] = {
    "mlp": {"name": "mlp", "hidden": [24]},
    "cnn": {"name": "cnn", "filters": [12], "dense": [32]},
}


def write_config(folder: Path, architecture: Any, **more: Any) -> Path:
    image = {"height": 8, "width": 8, "augment": more.pop("augment", AUGMENT)}
    config = {
        "data": {"train": "digits.csv", "target": "label", "image": image},
        "architecture": architecture,
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        **more,
    }
    (folder / "digits.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder / "digits.yaml"


def write_digits(folder: Path, rows: int) -> None:
    lines = DIGITS.read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "digits.csv").write_text("".join(lines[: rows + 1]), encoding="utf-8")


def nntrain(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = command(list(arguments))
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_digits_by_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], architecture: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_digits(tmp_path, 900)
    write_config(tmp_path, ARCHITECTURES[architecture], epochs=8, augment={"shift": 1})
    assert "images: 8 x 8 x 1, pixels 0 to 16 as bytes; in training shift 1" in nntrain(capsys, "check", "digits.yaml")
    nntrain(capsys, "fit", "digits.yaml", "--run-dir", "digits", "--quiet")
    last = [json.loads(line) for line in Path("digits/metrics.jsonl").read_text().splitlines()][-1]
    assert last["val_accuracy"] > 0.8
    judged = json.loads(nntrain(capsys, "eval", "digits", "digits.csv", "--json"))
    assert judged["metrics"]["accuracy"] > 0.8

    with DIGITS.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[900:960]
    with Path("new.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [name for name in reversed(rows[0]) if name != "label"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    nntrain(capsys, "predict", "digits", "new.csv", "-o", "out.csv")
    with Path("out.csv").open(encoding="utf-8") as file:
        predicted = list(csv.DictReader(file))
    assert [row["row"] for row in predicted] == [str(i) for i in range(60)]
    assert sum(p["predicted_label"] == row["label"] for p, row in zip(predicted, rows, strict=True)) >= 30


@pytest.mark.parametrize("more", [{}, {"accumulate": 2}])
def test_an_augmented_run_stopped_after_every_update(tmp_path: Path, more: Any) -> None:
    write_digits(tmp_path, 60)
    path = write_config(tmp_path, ARCHITECTURES["mlp"], epochs=2, batch_size=16, **more)
    stop_at_every_update(tmp_path, path)
    fit(path, tmp_path / "again")
    assert digest(tmp_path / "again") == digest(tmp_path / "whole")
    path = write_config(tmp_path, ARCHITECTURES["mlp"], epochs=2, batch_size=16, augment=None, **more)
    fit(path, tmp_path / "plain")
    assert (tmp_path / "plain" / "metrics.jsonl").read_bytes() != (tmp_path / "whole" / "metrics.jsonl").read_bytes()


def test_one_batch_is_fitted_without_augmentation(tmp_path: Path) -> None:
    write_digits(tmp_path, 60)
    experiment = assemble(load_config(str(write_config(tmp_path, ARCHITECTURES["mlp"]))))
    assert experiment.prepared.train.augmentation is not None
    assert experiment.first_batch_alone().prepared.train.augmentation is None


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("{height: 8, width: 8, augment: {shift: 8}}", "augment.shift: expected less than the image's 8 pixels, got 8"),
        ("{height: 8, width: 8, augment: {translate: 2}}", "augment.translate: unknown key; did you mean 'shift'?"),
        (
            "{height: 8, width: 8, augment: {crop: 2}}",
            "augment.crop: expected a number of at least 0 and below 1, got 2",
        ),
        (
            "{height: 8, width: 8, augment: {zoom: 1}}",
            "augment.zoom: expected a number of at least 0 and below 1, got 1",
        ),
        ("{height: 0, width: 8}", "height: expected an integer of at least 1, got 0"),
        ("{height: 8, width: 8}\n  scale: robust", "data.scale: expected standard, minmax or none for images"),
    ],
)
def test_mistakes_in_the_config(tmp_path: Path, capsys: pytest.CaptureFixture[str], image: str, message: str) -> None:
    text = f"data:\n  train: no.csv\n  target: label\n  image: {image}\narchitecture: mlp\n"
    (tmp_path / "wrong.yaml").write_text(text, encoding="utf-8")
    assert command(["check", str(tmp_path / "wrong.yaml")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert f"wrong.yaml:{5 if 'scale' in image else 4}:" in said
