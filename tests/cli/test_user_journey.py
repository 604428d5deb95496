"""A user's way through the commands, as processes: what is printed where, the documents, the exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
CONFIG = """
data: {train: iris.csv, target: species}
architecture: {name: mlp, hidden: [8]}
epochs: 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "iris.csv").write_bytes((ROOT / "datasets" / "iris.csv").read_bytes())
    (tmp_path / "iris.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def nntrain(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nntrain", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the one JSON document on stdout."""
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["exit_code"] == done.returncode
    return found


def test_results_go_to_stdout_and_all_else_to_stderr(folder: Path) -> None:
    done = nntrain(folder, "fit", "iris.yaml")
    assert done.returncode == 0
    assert done.stdout.startswith("finished: all 5 epochs are done")
    assert "rows: 120 train, 30 validation" in done.stderr
    assert "epoch 1/5" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    quiet = nntrain(folder, "fit", "iris.yaml", "--quiet")
    assert quiet.stderr == ""


def test_fit_eval_predict_compare_in_json(folder: Path) -> None:
    fitted = document(nntrain(folder, "fit", "iris.yaml", "--json"))
    assert (fitted["status"], fitted["errors"], fitted["epoch"]) == ("finished", [], 5)
    judged = document(nntrain(folder, "eval", "latest", "iris.csv", "--json"))
    assert judged["rows"] == 150
    assert 0 <= judged["metrics"]["accuracy"] <= 1
    assert sum(map(sum, judged["confusion"]["matrix"])) == 150
    predicted = document(nntrain(folder, "predict", "latest", "iris.csv", "--json"))
    assert len(predicted["predictions"]["predicted_species"]) == 150
    compared = document(nntrain(folder, "compare", "latest", "--json"))
    assert [row["status"] for row in compared["runs"]] == ["finished"]


def test_predict_without_the_target_equals_eval(folder: Path) -> None:
    nntrain(folder, "fit", "iris.yaml", "-q")
    nntrain(folder, "eval", "latest", "iris.csv")
    lines = (folder / "iris.csv").read_text(encoding="utf-8").splitlines()
    (folder / "new.csv").write_text("\n".join(line.rsplit(",", 1)[0] for line in lines) + "\n", encoding="utf-8")
    predicted = nntrain(folder, "predict", "latest", "new.csv").stdout.splitlines()
    (found,) = folder.glob("runs/*/eval/*/predictions.csv")
    judged = [line.rsplit(",", 1)[0] for line in found.read_text(encoding="utf-8").splitlines()]
    assert predicted == judged


def test_the_order_of_rows_and_columns_changes_no_bit(folder: Path) -> None:
    nntrain(folder, "fit", "iris.yaml", "-q")
    header, *rows = (folder / "iris.csv").read_text(encoding="utf-8").splitlines()
    turned = [",".join(reversed(line.split(","))) for line in [header, *rows[::-1]]]
    (folder / "turned.csv").write_text("\n".join(turned) + "\n", encoding="utf-8")
    a, b = (document(nntrain(folder, "eval", "latest", csv, "--json")) for csv in ("iris.csv", "turned.csv"))
    assert (a["loss"], a["metrics"], a["confusion"]) == (b["loss"], b["metrics"], b["confusion"])


@pytest.mark.parametrize(("choice", "accuracy_of"), [("wrong", 150), ("skip", 100)])
def test_unknown_classes(folder: Path, choice: str, accuracy_of: int) -> None:
    text = (folder / "iris.csv").read_text(encoding="utf-8")
    (folder / "two.csv").write_text(
        "\n".join(line for line in text.splitlines() if "virginica" not in line), encoding="utf-8"
    )
    nntrain(folder, "fit", "iris.yaml", "-q", "--set", "data.train=two.csv", "--set", "epochs=40")
    refused = nntrain(folder, "eval", "latest", "iris.csv")
    assert refused.returncode == 3
    assert "iris.csv:102: column 'species': class 'virginica'" in refused.stderr
    found = document(nntrain(folder, "eval", "latest", "iris.csv", "--unknown-class", choice, "--json"))
    assert found["unknown_rows"] == 50
    correct = sum(found["confusion"]["matrix"][i][i] for i in range(2))
    assert found["metrics"]["accuracy"] == pytest.approx(correct / accuracy_of)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["fit", "nosuch.yaml"], 2, "file not found"),
        (["fit"], 2, "fit needs a CONFIG"),
        (["fit", "iris.yaml", "--epochs", "5"], 2, "--epochs"),
        (["fti", "iris.yaml"], 2, "unknown command 'fti'; did you mean 'fit'?"),
        (["fit", "iris.yaml", "--set", "data.target=specis"], 3, "did you mean 'species'?"),
        (["fit", "iris.yaml", "--set", "loss=mse"], 3, "data.task: classification"),
        (["fit", "iris.yaml", "--set", "loss=binary_cross_entropy"], 2, "3 classes"),
        (["fit", "iris.yaml", "--set", "early_stopping.monitor=val_los"], 2, "did you mean 'val_loss'?"),
        (["eval", "latest", "iris.csv"], 2, "no runs"),
        (["list", "optimizer", "adma"], 2, "did you mean 'adam'?"),
        (["new", "iris.csv", "--target", "kind", "-o", "kind.yaml"], 3, "column 'kind' not found"),
    ],
)
def test_mistakes_have_a_code_a_message_and_a_document(
    folder: Path, arguments: list[str], code: int, words: str
) -> None:
    done = nntrain(folder, *arguments, "--json")
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    found = document(done)
    assert found["status"] == "error"
    assert words in " ".join(f"{error['message']} {error['help']}" for error in found["errors"])
    assert not list(folder.glob("runs/*"))


def test_a_closed_pipe_and_a_full_disk_are_no_traceback(folder: Path) -> None:
    program = f'"{sys.executable}" -m nntrain list | head -n 1'
    done = subprocess.run(["bash", "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    full = f'"{sys.executable}" -m nntrain list > /dev/full'
    done = subprocess.run(["bash", "-c", full], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (6, False)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_saves_and_resume_gives_the_same_bytes(folder: Path, number: int, code: int) -> None:
    more = ["--set", "epochs=4000", "--quiet"]
    assert nntrain(folder, "fit", "iris.yaml", "--run-dir", "whole", *more).returncode == 0
    command = [sys.executable, "-m", "nntrain", "fit", "iris.yaml", "--run-dir", "cut", *more]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    while not (folder / "cut" / "run.json").exists():
        time.sleep(0.01)
    time.sleep(0.3)
    os.kill(process.pid, number)
    _, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert nntrain(folder, "fit", "--resume", "cut", "--quiet").returncode == 0
    for name in ("metrics.jsonl", "checkpoints/last.safetensors", "checkpoints/best.safetensors"):
        assert (folder / "cut" / name).read_bytes() == (folder / "whole" / name).read_bytes()


def test_help_imports_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "nntrain", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"numpy", "pandas", "pydantic", "yaml", "safetensors", "tqdm"}
