"""Runs whose files were lost or changed: what goes on from them repairs it, or says what is wrong where."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nntrain.cli import resuming
from nntrain.cli.entry import run as command
from nntrain.runs import checkpoint
from nntrain.runs.record import check_record
from nntrain.runs.run import Run

CONFIG = """\
data: {train: rows.csv, target: y, validation: 0.25, FOLDS}
architecture: {name: mlp, hidden: [4]}
epochs: 3
batch_size: 8
checkpoint: {every_seconds: 0, keep: KEEP}
"""


def write(folder: Path, folds: bool = False, keep: int = 0, seed: int = 0) -> Path:
    rows = "".join(f"{i}.5,{i * i % 7},{'ab'[i % 2]}\n" for i in range(40))
    (folder / "rows.csv").write_text("x,z,y\n" + rows)
    text = CONFIG.replace("FOLDS", "folds: 2").replace("validation: 0.25, ", "") if folds else CONFIG
    config = folder / f"c{seed}.yaml"
    config.write_text(text.replace(", FOLDS", "").replace("KEEP", str(keep)) + f"seed: {seed}\n")
    return config


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the finished runs ``one`` and ``other`` and the parent ``folds``."""
    folder = tmp_path_factory.mktemp("record")
    for name, options in (("folds", {"folds": True}), ("other", {"seed": 1}), ("one", {"keep": 2})):
        config = write(folder, **options)  # type: ignore[arg-type]
        assert command(["fit", str(config), "-q", "--run-dir", str(folder / name)]) == 0
    return folder


@pytest.fixture
def copied(place: Path, tmp_path: Path) -> Path:
    for name in ("one", "folds"):
        shutil.copytree(place / name, tmp_path / name)
    return tmp_path


def contents(run: Path) -> dict[str, bytes]:
    names = ("metrics.jsonl", "checkpoints/best.safetensors", "checkpoints/last.safetensors")
    return {name: (run / name).read_bytes() for name in names}


def change(run: Path, **changes: Any) -> None:
    info = json.loads((run / "run.json").read_text()) | changes
    kept = {key: value for key, value in info.items() if value != "gone"}
    (run / "run.json").write_text(json.dumps(kept))


ODD: list[tuple[str, dict[str, Any], str]] = [
    ("one", {"data": None}, "data: expected a mapping of files"),
    ("one", {"data": "gone"}, "data: expected a mapping of files with their sha256, got nothing"),
    ("one", {"data": {"rows.csv": {"sha256": 7}}}, "data: expected a mapping of files"),
    ("one", {"epochs": "3"}, "epochs: expected a whole number"),
    ("one", {"fold": -1}, "fold: expected a whole number"),
    ("one", {"metrics": []}, "metrics: expected a mapping"),
    ("one", {"stop_reason": "gone"}, "stop_reason: expected a text or null, got nothing"),
    ("folds", {"repeats": 1.5}, "repeats: expected a mapping"),
    (
        "folds",
        {"repeats": {"kind": "../OUTSIDE", "seeds": None}},
        "repeats: expected a mapping with kind seeds or folds",
    ),
    ("folds", {"repeats": {"kind": "seeds", "seeds": "x"}}, "repeats: expected a mapping"),
    ("folds", {"members": 5}, "members: expected a list of names"),
]


@pytest.mark.parametrize(("name", "changes", "words"), ODD, ids=str)
def test_an_odd_record_is_refused_by_key(
    name: str, changes: dict[str, Any], words: str, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(copied / name, status="running", **changes) if name == "folds" else change(copied / name, **changes)
    before = sorted(copied.rglob("*"))
    for line in (["fit", "--resume"], ["reproduce"], ["replay", "--step", "2"])[: 1 if name == "folds" else 3]:
        assert command([*line, str(copied / name)]) == 4
        told = capsys.readouterr().err
        assert f"run.json: {words}" in told and "bug" not in told
    assert sorted(copied.rglob("*")) == before


def test_an_odd_record_of_a_member_is_refused(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(copied / "folds", status="running")
    change(copied / "folds/folds/fold-1", metrics={"best": {"train_accuracy": {}}, "last": {}})
    assert command(["fit", "--resume", str(copied / "folds")]) == 4
    assert "fold-1/run.json: metrics: expected a mapping with the rows" in capsys.readouterr().err


def test_every_problem_of_a_record_is_told() -> None:
    with pytest.raises(Exception, match="seed: expected") as caught:
        check_record({"status": "finished", "seed": -1, "epochs": 3, "data": {}}, Path("run.json"))
    assert len(caught.value.problems) == 6  # type: ignore[attr-defined]


LOST: dict[str, list[str]] = {
    "last": ["checkpoints/last.safetensors"],
    "best": ["checkpoints/best.safetensors"],
    "all checkpoints": ["checkpoints"],
    "rows": ["metrics.jsonl"],
}


@pytest.mark.parametrize("how", ["removed", "cut short"])
@pytest.mark.parametrize("what", LOST)
@pytest.mark.parametrize("name", ["one", "folds"])
def test_what_a_finished_run_has_lost_comes_back(
    name: str, what: str, how: str, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copied / name if name == "one" else copied / "folds/folds/fold-2"
    whole = contents(run)
    for lost in LOST[what]:
        if (run / lost).is_dir():
            shutil.rmtree(run / lost)
        elif how == "removed":
            (run / lost).unlink()
        else:
            os.truncate(run / lost, 100)
    assert command(["fit", "--resume", str(copied / name)]) == 0
    assert "already complete (" not in capsys.readouterr().out
    assert contents(run) == whole
    assert command(["fit", "--resume", str(copied / name)]) == 0
    assert "already complete (" in capsys.readouterr().out


@pytest.mark.parametrize("lost", [None, "metrics.jsonl"])
def test_whether_a_run_is_whole_takes_one_reading(
    lost: str | None, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lost is not None:
        (copied / "one" / lost).unlink()
    read: list[str] = []
    real = checkpoint.load

    def load(path: Path) -> Any:
        read.append(path.stem)
        return real(path)

    monkeypatch.setattr(checkpoint, "load", load)
    assert command(["fit", "--resume", str(copied / "one")]) == 0
    assert sorted(read) == ["best", "last"]


def test_a_run_that_another_process_has_mended_meanwhile_is_complete(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied / "one/metrics.jsonl").unlink()
    real = resuming.assemble_again

    def assemble(*arguments: Any) -> Any:
        line = [sys.executable, "-m", "nntrain", "fit", "--resume", str(copied / "one")]
        assert "already complete" not in subprocess.run(line, check=True, capture_output=True, text=True).stdout
        return real(*arguments)

    monkeypatch.setattr(resuming, "assemble_again", assemble)
    assert command(["fit", "--resume", str(copied / "one")]) == 0
    assert "already complete (epoch 3/3)" in capsys.readouterr().out


def test_a_member_without_a_record_is_told(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copied / "folds/folds/fold-1/run.json").unlink()
    assert command(["fit", "--resume", str(copied / "folds")]) == 4
    assert "fold-1: not a run directory: it holds no run.json\n  help: restore its run.json" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["metrics.jsonl", "checkpoints/last.safetensors"])
def test_a_pipe_in_a_run_is_no_file_to_wait_for(file: str, copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copied / "one" / file).unlink()
    os.mkfifo(copied / "one" / file)
    assert command(["reproduce", str(copied / "one")]) == 4
    assert "expected a plain file" in capsys.readouterr().err


def test_a_checkpoint_of_another_run_is_refused(place: Path, copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("last", "best"):
        file = f"checkpoints/{name}.safetensors"
        shutil.copy(place / "other" / file, copied / "one" / file)
    for line in (["fit", "--resume", str(copied / "one"), "--set", "epochs=4"], ["predict", str(copied / "one"), "x"]):
        assert command(line) == 4
        assert "the checkpoint is another run's: of seed 1, this run has 0" in capsys.readouterr().err


def test_rows_that_vanish_during_the_training_come_back(tmp_path: Path) -> None:
    from nntrain.runs.recorder import Recorder

    recorder = Recorder(tmp_path)
    for epoch in range(1, 6):
        recorder.epoch({"epoch": epoch}, {"epoch": epoch})
        recorder.commit()
        if epoch == 2:
            (tmp_path / "metrics.jsonl").unlink()
        if epoch == 4:
            os.truncate(tmp_path / "metrics.jsonl", 5)
    rows = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["epoch"] for row in rows] == [1, 2, 3, 4, 5]


def test_older_checkpoints_are_kept_and_can_be_judged(
    place: Path, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.open(copied / "one")
    steps = run.checkpoints.kept()
    last = run.read_metrics()[-1]["step"]
    assert steps == [last - 2, last - 1, last]  # a save after each update
    assert run.checkpoints.load("last")[1] == run.checkpoints.load(f"step-{last}")[1]
    csv = str(place / "rows.csv")
    assert command(["eval", str(run.path), csv, "--checkpoint", f"step-{last - 2}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checkpoint"] == f"step-{last - 2}"
    assert command(["eval", str(run.path), csv, "--checkpoint", "step-1"]) == 4
    assert f"help: kept are step-{last - 2}, step-{last - 1}, step-{last}\n" in capsys.readouterr().err
    assert command(["predict", str(run.path), csv, "--checkpoint", "../last"]) == 2
    assert Run.open(place / "other").checkpoints.kept() == []
    assert command(["eval", str(place / "other"), csv, "--checkpoint", "step-1"]) == 4
    assert "checkpoint.keep tells how many" in capsys.readouterr().err


def test_who_ends_a_resumption_that_has_yet_to_begin_is_told_how_to_go_on(copied: Path) -> None:
    change(copied / "one", status="interrupted")
    code = (
        "import os, signal, sys; from nntrain.cli import fit_modes; from nntrain.cli.entry import run;"
        "from nntrain.cli.signals import INTERRUPTION; INTERRUPTION.install();"
        "fit_modes.run_config = lambda run: os.kill(os.getpid(), signal.SIGTERM);"
        "sys.exit(run(['fit', '--resume', 'one']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=copied, capture_output=True, text=True, timeout=60)
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr == "error: interrupted\n  help: go on with: nntrain fit --resume one\n"
