"""``nntrain replay``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nntrain.cli.entry import run as command
from nntrain.config import load_config
from nntrain.experiment import assemble


def fit(config: Path, *more: str) -> Path:
    assert command(["fit", str(config), "--run-dir", "run", "--quiet", *more]) in (0, 5)
    return config.parent / "run"


def replayed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert command(["replay", "run", "--json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def losses(config: Path, *overrides: str) -> list[float]:
    """Return the loss of each update of a plain loop, which knows nothing of checkpoints."""
    experiment = assemble(load_config(str(config), overrides))
    step = experiment.step()
    loader, found = step.replicas.loader, []
    step.optimizer.schedule.bind(loader.batch_count, 4)
    for epoch in range(1, 5):
        step.replicas.begin_epoch(epoch)
        for number in range(loader.batch_count):
            rows = loader.bounds(number)[1] - loader.bounds(number)[0]
            rate = step.optimizer.schedule(len(found))
            found.append(step.update(len(found) + 1, number, number + 1, rows, rate).loss / rows)
    step.replicas.close()
    return found


@pytest.mark.parametrize("step", [1, 9, 20, 31, 32])
def test_an_update_is_the_one_of_the_run(config: Path, step: int, capsys: pytest.CaptureFixture[str]) -> None:
    run = fit(config, "--set", "checkpoint.every_epochs=2")
    before = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    found = replayed(capsys, "--step", str(step))
    assert (found["step"], found["epoch"]) == (step, (step + 7) // 8)
    assert found["loss"] == losses(config)[step - 1]
    assert found["resumed_at"] in (0, 16)
    assert found["resumed_at"] < step
    assert found["failure"] is None
    assert {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()} == before


def test_the_ranges_are_those_of_the_layers(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(config, "--set", "architecture={layers: [{name: dense, units: 6}, tanh]}", "--set", "batch_size=full")
    found = replayed(capsys, "--step", "1")
    experiment = assemble(
        load_config(str(config), ["architecture={layers: [{name: dense, units: 6}, tanh]}", "batch_size=full"])
    )
    x = experiment.prepared.train.inputs()
    layers = {layer["layer"]: layer["output"] for layer in found["layers"]}
    kernel = experiment.network.state()["dense_1.kernel"]
    y = x @ kernel
    assert layers["dense_1"]["count"] == y.size
    assert layers["dense_1"]["least"] == pytest.approx(y.min(), rel=1e-5)
    assert layers["dense_1"]["largest"] == pytest.approx(y.max(), rel=1e-5)
    assert layers["tanh_1"]["root_mean_square"] == pytest.approx(float(np.sqrt(np.mean(np.tanh(y) ** 2))), rel=1e-5)
    parameters = {each["parameter"]: each for each in found["parameters"]}
    assert parameters["dense_1.kernel"]["value"]["largest"] == pytest.approx(kernel.max())
    norms = [np.sqrt(each["gradient"]["count"]) * each["gradient"]["root_mean_square"] for each in parameters.values()]
    assert np.linalg.norm(norms) == pytest.approx(found["gradient_norm"], rel=1e-5)


def test_the_update_that_failed_is_shown_without_being_asked_for(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["fit", str(config), "--run-dir", "run", "--set", "optimizer={name: sgd, learning_rate: 1e38}"]) == 5
    told = capsys.readouterr().err
    failed = json.loads((config.parent / "run" / "run.json").read_text())["failed_step"]
    assert f"nntrain replay run --step {failed}" in told
    found = replayed(capsys)
    assert found["step"] == failed
    assert found["failure"] is not None
    assert found["loss"] is None
    assert any(layer["output"]["not_finite"] or layer["output"]["largest"] > 1e30 for layer in found["layers"])


def test_without_a_failure_the_last_update(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(config)
    assert replayed(capsys)["step"] == 32


def test_the_text_names_rows_layers_and_parameters(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(config)
    capsys.readouterr()
    assert command(["replay", "run", "--step", "10"]) == 0
    out, err = capsys.readouterr()
    assert "run: update 10, epoch 2, batch 2" in out
    assert "rows.csv, lines " in out
    assert "dense_1.kernel" in out
    assert "batch_norm_1" in out
    assert "update 10: from the start, 9 updates made again first" in err


@pytest.mark.parametrize("between", ["", "batch_norm, "])
def test_a_layer_whose_activation_a_pool_does_shows_what_is_left(
    between: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = "\n".join(",".join(str((i * j) % 9) for j in range(16)) + f",{'ab'[i % 2]}" for i in range(12))
    names = ",".join(f"p{j}" for j in range(16))
    (config.parent / "rows.csv").write_text(f"{names},y\n{pixels}\n")
    conv = "{name: conv2d, filters: 3, kernel: 3, padding: same, activation: relu}"
    fit(
        config,
        "--set", "data.image={height: 4, width: 4}",
        "--set", f"architecture={{layers: [{conv}, {between}max_pool2d, flatten]}}",
    )  # fmt: skip
    layers = {layer["layer"]: layer for layer in replayed(capsys, "--step", "3")["layers"]}
    pool = layers["max_pool2d_1"]
    assert pool["gradient"]["count"] == 4 * 4 * 4 * 3 and pool["gradient"]["not_finite"] == 0
    if between:
        return
    convolution = layers["conv2d_1"]
    assert convolution["output"]["least"] >= 0
    assert convolution["output"]["count"] == pool["output"]["count"] == 4 * 2 * 2 * 3
    assert convolution["output"]["largest"] == pool["output"]["largest"]


@pytest.mark.parametrize(
    "setting", ["accumulate=3", "shards=2", "class_weight=balanced", "gradient_clipping={norm: 0.1}"]
)
def test_forms_of_updates(config: Path, setting: str, capsys: pytest.CaptureFixture[str]) -> None:
    fit(config, "--set", setting)
    found = replayed(capsys)
    rows = [json.loads(line) for line in (config.parent / "run" / "metrics.jsonl").read_text().splitlines()]
    assert found["step"] == rows[-1]["step"]
    assert found["failure"] is None


def test_a_fold_of_several(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--set", "data.folds=2", "--set", "data.validation=none", "--quiet"]
    assert command(["fit", str(config), "--run-dir", "many", *more]) == 0
    member = sorted((config.parent / "many" / "folds").iterdir())[0]
    assert command(["replay", str(member), "--step", "2"]) == 0
    assert command(["replay", "many", "--step", "2"]) == 4


def test_updates_that_there_are_not(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(config)
    assert command(["replay", "run", "--step", "33"]) == 2
    assert "the run ends after update 32" in capsys.readouterr().err
    assert command(["replay", "run", "--step", "0"]) == 2


def test_changed_data_are_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(config)
    table = config.parent / "rows.csv"
    table.write_text(table.read_text().replace("6,3,b", "6,4,b"))
    assert command(["replay", "run", "--step", "3"]) == 4
    assert "the data have changed" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_no_hindrance(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = fit(config, "--set", "checkpoint.every_epochs=1")
    for name in ("last", "previous"):
        path = run / "checkpoints" / f"{name}.safetensors"
        path.write_bytes(path.read_bytes()[:-1])
    found = replayed(capsys, "--step", "30")
    assert (found["resumed_at"], found["loss"]) == (0, losses(config)[29])


def test_an_overflow_that_shows_at_the_end_of_an_epoch_is_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    rows = "\n".join(f"{i % 7},{i * i % 11},{i * 0.5}" for i in range(40))
    (tmp_path / "numbers.csv").write_text(f"a,b,y\n{rows}\n")
    fit(config, "--set", "optimizer={name: adagrad, learning_rate: 1e8}", "--set", "data.train=numbers.csv")
    assert replayed(capsys)["failure"] == "the optimizer's square_sum overflowed"
