"""Whole trainings in run directories: the same bits twice, and the same bits after any interruption."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nntrain.cli.entry import run as command
from nntrain.cli.fitting import new_run
from nntrain.config import load_config
from nntrain.experiment import assemble
from nntrain.fitting import train
from nntrain.optim.base import OPTIMIZERS
from nntrain.runs.run import Run
from tests.trainings import Unseen, after, digest, fit, go_on, stop_at_every_update

PLAIN: dict[str, Any] = {
    "data": {"train": "data.csv", "target": "kind", "validation": 0.25},
    "architecture": {"name": "mlp", "hidden": [5]},
    "optimizer": {"name": "adam", "learning_rate": 0.05},
    "batch_size": 8,
    "epochs": 3,
}
NOISY = {"architecture": {"name": "mlp", "hidden": [5], "dropout": 0.3}}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": NOISY,
    "batch_norm": {"architecture": {"name": "mlp", "hidden": [5], "batch_norm": True}},
    "schedule": {"learning_rate": {"name": "cosine", "initial": 0.1, "warmup_epochs": 1}},
    "early_stopping": {"early_stopping": {"patience": 1, "min_delta": 0.2}, "epochs": 6},
    "plateau": {"callbacks": [{"name": "reduce_on_plateau", "patience": 1, "min_delta": 0.5}], "epochs": 4},
    "accumulate": {**NOISY, "accumulate": 2},
    "class_weight": {"class_weight": "balanced"},
    "folds": {"data": {"train": "data.csv", "target": "kind", "folds": 3}},
    "penalties": {"regularization": {"l1": 0.001, "l2": 0.01}, "gradient_clipping": {"norm": 0.5}},
    "shards": {**NOISY, "shards": 2},
    "coupled_shards": {
        "architecture": {"name": "mlp", "hidden": [5], "batch_norm": True, "dropout": 0.3},
        "shards": 3,
        "accumulate": 2,
    },
    "test": {"data": {"train": "data.csv", "target": "kind", "validation": 0.25, "test": 0.2}},
}


def write_data(folder: Path, rows: int = 36) -> None:
    generator = np.random.default_rng(0)
    lines = ["a,b,c,kind"]
    for i in range(rows):
        x = generator.standard_normal(3) + np.array([i % 3, 0, -(i % 3)])
        lines.append(",".join([*(f"{value:.4f}" for value in x), "xyz"[i % 3]]))
    (folder / "data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_config(folder: Path, optimizer: str = "adam", **changes: Any) -> Path:
    rate = changes.pop("learning_rate", 0.05)
    config = {**PLAIN, "optimizer": {"name": optimizer, "learning_rate": rate}, **changes}
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_data(tmp_path)
    return tmp_path


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop"])
def test_stopped_after_every_update(place: Path, optimizer: str, variant: str) -> None:
    path = write_config(place, optimizer, **VARIANTS[variant])
    stop_at_every_update(place, path, 1 if variant == "folds" else None)
    run = Run.open(place / "whole")
    assert (run.status == "early_stopped") == (variant == "early_stopping")
    rates = {row["learning_rate"] for row in run.read_metrics()}
    assert (len(rates) > 1) == (variant in ("schedule", "plateau"))


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS.names()))
def test_every_optimizer_goes_on(place: Path, optimizer: str) -> None:
    changes = {**NOISY, "accumulate": 2, "class_weight": "balanced", "epochs": 2}
    changes["learning_rate"] = {"name": "step", "initial": 0.05, "every_epochs": 1}
    stop_at_every_update(place, write_config(place, optimizer, **changes))


@pytest.mark.parametrize("updates", range(12))
def test_stopped_once(place: Path, updates: int) -> None:
    path = write_config(place, **NOISY)
    fit(path, place / "whole")
    fit(path, place / "cut", after(updates))
    assert Run.open(place / "cut").status == "interrupted"
    assert go_on(place / "cut").state.status == "finished"
    assert digest(place / "cut") == digest(place / "whole")


@pytest.mark.parametrize("every_seconds", [0.0, 30.0])
def test_how_often_is_saved_changes_no_bit(place: Path, every_seconds: float) -> None:
    fit(write_config(place, **NOISY), place / "a")
    fit(write_config(place, **NOISY, checkpoint={"every_seconds": every_seconds, "every_epochs": 1}), place / "b")
    assert digest(place / "a") == digest(place / "b")


class Killed(BaseException):
    """Stands for kill -9: nothing more is written."""


@pytest.mark.parametrize("at", range(13))
def test_killed_between_any_two_checkpoints(place: Path, at: int) -> None:
    path = write_config(place, **NOISY, checkpoint={"every_seconds": 0.0})
    fit(path, place / "whole")
    experiment = assemble(load_config(str(path)))
    run = new_run(experiment, "", str(place / "cut"))
    saves, save_last = [0], run.checkpoints.save_last

    def killed(arrays: Any, state: Any) -> None:
        saves[0] += 1
        if saves[0] > at:
            raise Killed
        save_last(arrays, state)

    run.checkpoints.save_last = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        train(experiment, run, lambda trainer: Unseen(), lambda: None)
    run.close()
    assert Run.open(place / "cut").status == "interrupted"
    go_on(place / "cut")
    assert digest(place / "cut") == digest(place / "whole")


def test_metrics_files_are_the_same_twice(place: Path) -> None:
    path = write_config(place, **NOISY)
    fit(path, place / "a")
    (place / "elsewhere").mkdir()
    (place / "elsewhere" / "other-name.yaml").write_text(path.read_text().replace("data.csv", "../data.csv"))
    fit(place / "elsewhere" / "other-name.yaml", place / "b")
    fit(place / "a" / "config.yaml", place / "c")
    assert digest(place / "a") == digest(place / "b") == digest(place / "c")


def test_more_epochs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_config(place, **NOISY)
    assert command(["fit", str(path), "--run-dir", str(place / "a"), "--set", "epochs=6", "-q"]) == 0
    assert command(["fit", str(path), "--run-dir", str(place / "b"), "--set", "epochs=2", "-q"]) == 0
    assert command(["fit", str(path), "--resume", str(place / "b"), "--set", "epochs=6", "-q"]) == 0
    assert digest(place / "a") == digest(place / "b")
    assert load_config(str(place / "b" / "config.yaml")).epochs == 6
    capsys.readouterr()
    before = digest(place / "b")
    assert command(["fit", "--resume", str(place / "b")]) == 0
    assert "already complete (epoch 6/6)" in capsys.readouterr().out
    assert digest(place / "b") == before


def test_the_log_tells_when_a_run_began_went_on_and_ended(place: Path) -> None:
    path = write_config(place, epochs=2)
    assert command(["fit", str(path), "--run-dir", str(place / "a"), "-q"]) == 0
    assert command(["fit", str(path), "--resume", str(place / "a"), "--set", "epochs=3", "-q"]) == 0
    steps = json.loads((place / "a" / "metrics.jsonl").read_text().splitlines()[1])["step"]
    lines = [line.split(" ", 1)[1] for line in (place / "a" / "log.txt").read_text().splitlines()]
    begun, ended = lines.index("training begins"), lines.index("finished: all 2 epochs are done")
    assert 0 == begun < ended < lines.index(f"goes on after epoch 2, step {steps}") < len(lines) - 1
    assert lines[-1] == "finished: all 3 epochs are done"


def test_no_epochs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_config(place, epochs=0)
    assert command(["fit", str(path), "--run-dir", str(place / "a"), "-q"]) == 0
    assert not (place / "a" / "metrics.jsonl").exists() or (place / "a" / "metrics.jsonl").read_bytes() == b""
    assert (place / "a" / "checkpoints" / "last.safetensors").exists()
    assert command(["fit", "--resume", str(place / "a")]) == 0
    assert command(["eval", str(place / "a"), str(place / "data.csv")]) == 0
    assert command(["fit", "--resume", str(place / "a"), "--set", "epochs=2", "-q"]) == 0
    assert command(["fit", str(path), "--run-dir", str(place / "b"), "--set", "epochs=2", "-q"]) == 0
    assert digest(place / "a") == digest(place / "b")


def test_changed_configs_are_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_config(place)
    fit(path, place / "a", after(4))
    before = digest(place / "a") if (place / "a/checkpoints/best.safetensors").exists() else {}
    write_config(place, batch_size=9, seed=4)
    assert command(["fit", str(path), "--resume", str(place / "a")]) == 4
    error = capsys.readouterr().err
    assert "batch_size, seed" in error and "the run has 8, the config 9" in error and "--force-config" in error
    write_config(place, epochs=2)
    assert command(["fit", str(path), "--resume", str(place / "a")]) == 4
    assert "epochs: the run has 3, the config 2" in capsys.readouterr().err
    write_config(place, loss={"name": "cross_entropy", "label_smoothing": 0.1})
    assert command(["fit", str(path), "--resume", str(place / "a")]) == 4
    assert "loss.label_smoothing" in capsys.readouterr().err
    assert not before or digest(place / "a") == before
    write_config(place)
    assert command(["fit", str(path), "--resume", str(place / "a"), "--threads", "2", "-q"]) == 0
    fit(path, place / "b")
    assert digest(place / "a") == digest(place / "b")


def test_another_optimizer_by_force(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_config(place)
    fit(path, place / "a", after(7))
    before = digest(place / "a"), (place / "a" / "config.yaml").read_bytes()
    write_config(place, "sgd")
    assert command(["fit", str(path), "--resume", str(place / "a"), "--force-config"]) == 4
    error = capsys.readouterr().err
    assert "the checkpoint does not fit this config: the optimizer keeps none, in the checkpoint" in error
    assert "Traceback" not in error and "KeyError" not in error
    assert (digest(place / "a"), (place / "a" / "config.yaml").read_bytes()) == before
    write_config(place, learning_rate=0.01)
    assert command(["fit", str(path), "--resume", str(place / "a"), "--force-config", "-q"]) == 0
    assert load_config(str(place / "a" / "config.yaml")).optimizer["learning_rate"] == 0.01


def test_changed_data_are_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(write_config(place), place / "a", after(4))
    text = (place / "data.csv").read_text()
    (place / "data.csv").write_text(text.replace("0.1", "0.2", 1))
    assert command(["fit", "--resume", str(place / "a")]) == 4
    assert "the data have changed" in capsys.readouterr().err
    (place / "data.csv").write_text(text)
    assert command(["fit", "--resume", str(place / "a"), "-q"]) == 0


@pytest.mark.parametrize("content", [None, b"", b"epochs: [", b"\xff\xfe", b"data: {train: x.csv}\n"])
def test_a_run_with_a_damaged_config(place: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]) -> None:
    fit(write_config(place), place / "a", after(4))
    config = place / "a" / "config.yaml"
    whole = config.read_bytes()
    config.unlink()
    if content is not None:
        config.write_bytes(content)
    assert command(["fit", "--resume", str(place / "a")]) == 4
    assert str(config) in capsys.readouterr().err
    config.write_bytes(whole)
    assert command(["fit", "--resume", str(place / "a"), "-q"]) == 0


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EACCES])
def test_a_disk_that_does_not_give_the_config_of_a_run(
    place: Path, number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(write_config(place), place / "a", after(4))
    real = os.open

    def refuse(path: Any, *rest: Any, **options: Any) -> int:
        if str(path).endswith("config.yaml"):
            raise OSError(number, os.strerror(number))
        return real(path, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    assert command(["fit", "--resume", str(place / "a")]) == 6
    assert f"config.yaml: cannot read: {os.strerror(number).lower()}" in capsys.readouterr().err


def test_killed_before_the_first_checkpoint(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_config(place)
    fit(path, place / "a")
    new_run(assemble(load_config(str(path))), "", str(place / "b")).close()
    assert command(["fit", "--resume", str(place / "b")]) == 0
    assert "no checkpoint yet, starting at epoch 1 with the stored seed" in capsys.readouterr().err
    assert digest(place / "a") == digest(place / "b")


def test_killed_after_the_last_epoch(place: Path) -> None:
    fit(write_config(place), place / "a")
    run = Run.open(place / "a")
    before, info = digest(place / "a"), run.info
    with run.locked():
        run.update(status="running", stop_reason=None, metrics=None)
    assert go_on(place / "a").state.status == "finished"
    assert digest(place / "a") == before
    assert Run.open(place / "a").info["metrics"] == info["metrics"]


@pytest.mark.parametrize("rate", ["1e6", "1e300"])
@pytest.mark.parametrize("scale", ["standard", "none"])
def test_divergence(place: Path, rate: str, scale: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["a,b,y", *(f"{i}e3,{i * i}e5,{i * 7}.5e4" for i in range(30))]
    (place / "numbers.csv").write_text("\n".join(lines) + "\n")
    config = {**PLAIN, "data": {"train": "numbers.csv", "target": "y", "scale": scale}, "epochs": 60}
    config |= {"loss": "mse", "optimizer": {"name": "sgd", "learning_rate": float(rate)}}
    (place / "c.yaml").write_text(yaml.safe_dump(config))
    assert command(["fit", str(place / "c.yaml"), "--run-dir", str(place / "a")]) == 5
    error = capsys.readouterr().err
    assert "at epoch 1, batch" in error and "numbers.csv, lines" in error
    assert "RuntimeWarning" not in error and "Traceback" not in error
    run = Run.open(place / "a")
    assert run.status == "diverged" and run.info["stop_reason"] in error
    if (place / "a" / "checkpoints" / "last.safetensors").exists():
        arrays, _ = run.checkpoints.load("last")
        assert all(np.isfinite(array).all() for array in arrays.values())
    assert command(["fit", "--resume", str(place / "a")]) == 5
    assert run.info["stop_reason"] in capsys.readouterr().err


def test_overfit_batch(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_config(place, epochs=80, accumulate=3, early_stopping={"monitor": "val_loss", "patience": 1})
    assert command(["fit", str(path), "--run-dir", str(place / "a"), "--overfit-batch", "-q"]) == 0
    run = Run.open(place / "a")
    assert run.info["rows"] == {"train": 8} and run.info["overfit_batch"] is True
    rows = run.read_metrics()
    assert rows[-1]["epoch"] == rows[-1]["step"] == 80
    assert rows[-1]["train_loss"] < 0.2 < rows[0]["train_loss"]
    assert "val_loss" not in rows[0]
    assert command(["fit", "--resume", str(place / "a"), "--set", "epochs=90", "-q"]) == 0
    assert Run.open(place / "a").info["rows"] == {"train": 8}
    assert Run.open(place / "a").read_metrics()[-1]["step"] == 90


def nntrain(*arguments: str, cwd: Path, flags: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *flags, "-m", "nntrain", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_agree(place: Path) -> None:
    path = write_config(place, **NOISY, shards=2)
    (place / "cwd").mkdir()
    ways: list[tuple[list[str], Path, tuple[str, ...], dict[str, str]]] = [
        ([str(path), "--threads", "1"], place, (), {"PYTHONHASHSEED": "1"}),
        (["../small.yaml", "--threads", "2"], place / "cwd", (), {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"}),
        ([str(path), "--set", "name=other"], place, ("-O",), {"LC_ALL": "C", "OPENBLAS_NUM_THREADS": "2"}),
        ([str(path)], place, ("-OO", "-W", "error"), {}),
    ]
    found = []
    for i, (arguments, cwd, flags, environment) in enumerate(ways):
        process = nntrain("fit", *arguments, "--run-dir", str(place / f"run{i}"), cwd=cwd, flags=flags, **environment)
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        found.append(digest(place / f"run{i}"))
    assert all(other == found[0] for other in found)


def started(place: Path, run_dir: Path) -> subprocess.Popen[str]:
    process = nntrain("fit", "small.yaml", "--run-dir", str(run_dir), cwd=place)
    for _ in range(2000):
        if (run_dir / "checkpoints" / "last.safetensors").exists():
            return process
        assert process.poll() is None
        time.sleep(0.01)
    raise AssertionError("no checkpoint was written")


LONG = {**VARIANTS["coupled_shards"], "epochs": 400, "checkpoint": {"every_seconds": 0.02}}


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals(place: Path, name: str, code: int) -> None:
    write_config(place, **LONG)
    process = started(place, place / "cut")
    process.send_signal(getattr(signal, name))
    _, error = process.communicate(timeout=60)
    assert process.returncode == code
    assert f"nntrain fit --resume {place / 'cut'}" in error and "Traceback" not in error
    assert Run.open(place / "cut").info["status"] == "interrupted"
    assert Run.open(place / "cut").info["stop_reason"] == name
    check_goes_on(place)


def test_kill(place: Path) -> None:
    write_config(place, **LONG)
    process = started(place, place / "cut")
    process.kill()
    process.communicate(timeout=60)
    assert Run.open(place / "cut").status == "interrupted"
    check_goes_on(place)


def test_ten_thousand_epochs_take_no_more_memory_than_one_thousand(place: Path) -> None:
    write_config(place, epochs=10_000, batch_size="full")
    experiment = assemble(load_config(str(place / "small.yaml")))
    seconds: list[float] = []
    tracemalloc.start()
    memory: list[int] = []

    class Watch(Unseen):
        def epoch_ended(self, row: Any) -> None:
            if row["epoch"] in (1000, 2000, 10_000):
                memory.append(tracemalloc.get_traced_memory()[0])
                seconds.append(time.perf_counter())

    with new_run(experiment, "", str(place / "a")) as run:
        train(experiment, run, lambda trainer: Watch(), lambda: None)
    tracemalloc.stop()
    written = sum((place / "a" / name).stat().st_size for name in ("metrics.jsonl", "timing.jsonl", "gradients.jsonl"))
    # What grows are the rows that wait for the next checkpoint, and the history that goes into it.
    assert memory[2] - memory[1] < 2 * written
    assert len(run.read_metrics()) == 10_000
    assert seconds[2] - seconds[1] < 3 * 8 * (seconds[1] - seconds[0])


def check_goes_on(place: Path) -> None:
    done = len(Run.open(place / "cut").read_metrics())
    assert 0 <= done < LONG["epochs"]
    assert command(["fit", "--resume", str(place / "cut"), "-q"]) == 0
    fit(place / "small.yaml", place / "whole")
    assert digest(place / "cut") == digest(place / "whole")
