"""The two streams: nothing of the data controls a terminal, and every kind of stream is survived."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
NASTY = ["\x1b[31mred\x1b[0m", "bell\x07\x9b2J", "left\u202etfel", "zero\u200bwidth", "<script>alert(1)</script>"]
CONTROLS = ["\x1b", "\x07", "\x9b", "\u202e", "\u200b", "\r", "\b"]


def cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a table of hostile names and labels, a config for it, and a run."""
    place = tmp_path_factory.mktemp("nasty")
    names = ["\x1b]0;owned\x07", "two\nlines", "kind\x1b[2J"]
    lines = [",".join(map(cell, names))]
    lines += [f"{i % 5}.{i % 7},{i % 11},{cell(NASTY[i % 5])}" for i in range(100)]
    (place / "data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (place / "iris.csv").write_bytes((ROOT / "datasets" / "iris.csv").read_bytes())
    config = "data: {train: iris.csv, target: species}\narchitecture: {name: mlp, hidden: [4]}\nepochs: 3\n"
    (place / "iris.yaml").write_text(config, encoding="utf-8")
    assert command(place, "new", "data.csv", "--target", names[2]).returncode == 0
    assert command(place, "fit", "data.yaml", "--set", "epochs=3", "--run-dir", "nasty").returncode == 0
    assert command(place, "fit", "iris.yaml", "--run-dir", "iris").returncode == 0
    return place


def command(
    folder: Path, *arguments: str, variables: dict[str, str] | None = None, encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nntrain", *arguments],
        cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        encoding=encoding, env={**os.environ, "PYTHONIOENCODING": encoding, **(variables or {})},
    )  # fmt: skip


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    program = f'nntrain() {{ "{sys.executable}" -m nntrain "$@"; }}; {line}'
    return subprocess.run(["bash", "-c", program], cwd=folder, capture_output=True, text=True, check=False)


COMMANDS = [
    ["new", "data.csv", "--target", "kind\x1b[2J", "--force"],
    ["check", "data.yaml"],
    ["fit", "data.yaml", "--set", "epochs=2"],
    ["eval", "nasty", "data.csv"],
    ["show", "nasty"],
    ["compare", "nasty", "iris"],
    ["runs"],
    ["fit", "\x1b[31m.yaml"],
    ["eval", "\x1b[31m", "data.csv"],
    ["eval", "nasty", "\x1b[31m.csv"],
    ["predict", "iris", "data.csv"],
    ["fit", "iris.yaml", "--set", "na\x1bme=1"],
    ["fit", "iris.yaml", "--set", "data.target=\x1b[2J"],
    ["list", "\x1b[31m"],
    ["new", "data.csv", "--target", "\x9b"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda value: "-".join(value)[:30])
def test_no_control_character_of_the_data_reaches_a_stream(folder: Path, arguments: list[str]) -> None:
    for more in ([], ["--json"]):
        done = command(folder, *arguments, *more)
        assert done.returncode in (0, 2, 3)
        assert [control for control in CONTROLS if control in done.stdout + done.stderr] == []
    json.loads(done.stdout)


def test_a_table_has_one_line_for_each_row(folder: Path) -> None:
    shown = command(folder, "eval", "nasty", "data.csv").stdout
    for label in ("\\x1b[31mred", "left\\u202etfel", "<script>alert"):
        assert len([line for line in shown.splitlines() if line.startswith(label)]) == 2


def test_predictions_are_verbatim_in_a_pipe_and_escaped_on_a_terminal(folder: Path) -> None:
    piped = command(folder, "predict", "nasty", "data.csv").stdout
    rows = list(csv.DictReader(piped.splitlines(keepends=True)))
    assert len(rows) == 100
    assert {row["predicted_kind\x1b[2J"] for row in rows} <= set(NASTY)
    assert "\x1b" not in on_terminal(folder, "predict", "nasty", "data.csv", stderr=subprocess.DEVNULL)


def on_terminal(folder: Path, *arguments: str, stderr: int | None = None, columns: int = 0, **variables: str) -> str:
    """Return what a command writes to a terminal, which without ``columns`` has no size."""
    own, other = pty.openpty()
    termios.tcsetwinsize(own, (24, columns) if columns else (0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "nntrain", *arguments],
        cwd=folder, stdin=other, stdout=other, stderr=other if stderr is None else stderr,
        env={**os.environ, **variables},
    )  # fmt: skip
    os.close(other)
    found = b""
    while select.select([own], [], [], 60)[0]:
        try:
            piece = os.read(own, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        found += piece
    os.close(own)
    assert process.wait(timeout=60) == 0
    return found.decode()


@pytest.mark.parametrize(
    ("columns", "variables", "redraws"),
    [
        (80, {}, True),
        (80, {"TERM": "dumb"}, False),
        (20, {"COLUMNS": "20", "NO_COLOR": "1"}, True),
        (1, {}, False),
        (0, {}, False),
    ],
)
def test_terminals_of_every_kind(folder: Path, columns: int, variables: dict[str, str], redraws: bool) -> None:
    shown = on_terminal(folder, "fit", "iris.yaml", columns=columns, **{"TERM": "xterm", **variables})
    assert "finished: all 3 epochs are done" in shown
    assert "Traceback" not in shown
    assert (re.search("\r(?!\n)", shown) is not None) is redraws
    assert ("epoch 1/3  train_loss" in shown) is not redraws
    if "NO_COLOR" in variables or "TERM" in variables:
        assert "\x1b[3" not in shown
    assert "Usage" in on_terminal(folder, "fit", "--help", **variables)


def test_what_is_no_terminal_gets_plain_lines(folder: Path) -> None:
    done = command(folder, "fit", "iris.yaml", variables={"COLUMNS": "20"})
    assert "\r" not in done.stderr
    assert "epoch 1/3  train_loss" in done.stderr
    assert "epoch 3/3  train_loss" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_an_encoding_that_lacks_a_character_is_no_failure(folder: Path, encoding: str) -> None:
    (folder / "größe 🦊.csv").write_bytes((folder / "iris.csv").read_bytes())
    for arguments in (["show", "iris"], ["eval", "iris", "größe 🦊.csv"], ["predict", "nasty", "data.csv"]):
        done = command(folder, *arguments, encoding=encoding)
        assert done.returncode == 0
        assert "Error" not in done.stderr
    assert ("🦊" in command(folder, "eval", "iris", "größe 🦊.csv", encoding=encoding).stdout) is (encoding == "utf-8")


def test_a_run_of_the_c_locale_goes_on_in_any(folder: Path) -> None:
    """There Python takes ASCII for the encoding of names; they are UTF-8 all the same."""
    (folder / "données été.csv").write_bytes((folder / "iris.csv").read_bytes())
    config = "name: été\ndata: {train: données été.csv, target: species}\narchitecture: linear\nepochs: 2\n"
    (folder / "été.yaml").write_text(config, encoding="utf-8")
    c_locale = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    fitted = command(folder, "fit", "été.yaml", "-q", "--runs-dir", "été", variables=c_locale)
    assert fitted.returncode == 0, fitted.stderr
    (run,) = (folder / "été").iterdir()
    assert run.name.startswith("été-") and json.loads((run / "run.json").read_bytes())["id"] == run.name
    for variables in (c_locale, {}):
        longer = f"epochs={3 if variables else 4}"
        done = command(folder, "fit", "--resume", f"été/{run.name}", "--set", longer, "-q", variables=variables)
        assert done.returncode == 0, done.stderr
    made = command(folder, "new", "données été.csv", "--target", "é", "-o", "é.yaml", variables=c_locale)
    assert "column '\\xe9' not found" in made.stderr


@pytest.mark.parametrize(
    "line", ["list layers", "schema", "show iris", "predict iris iris.csv", "eval iris iris.csv --json"]
)
def test_a_reader_that_leaves_is_no_traceback(folder: Path, line: str) -> None:
    done = shell(folder, f"nntrain {line} | head -c 1 > /dev/null; exit ${{PIPESTATUS[0]}}")
    assert done.returncode in (0, 141)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_reader_of_the_progress_that_leaves_does_not_harm_the_run(folder: Path) -> None:
    done = shell(folder, "nntrain fit iris.yaml --run-dir left 2> >(head -c 1 > /dev/null); echo $?")
    assert done.stdout.split()[-1] in ("0", "141")
    resumed = command(folder, "fit", "--resume", "left") if (folder / "left").exists() else None
    assert resumed is None or resumed.returncode == 0


@pytest.mark.parametrize(
    "line", ["list", "schema", "runs", "show iris", "predict iris iris.csv", "list --json", "--help", "--version"]
)
def test_a_full_disk_behind_stdout_is_code_6(folder: Path, line: str) -> None:
    done = shell(folder, f"nntrain {line} > /dev/full")
    assert done.returncode == 6
    assert "no space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "<&-"])
def test_a_closed_or_full_stderr_harms_no_result(folder: Path, closed: str) -> None:
    done = shell(folder, f"nntrain eval iris iris.csv {closed}")
    assert done.returncode == 0
    assert "accuracy" in done.stdout


def test_quiet_leaves_warnings_and_results(folder: Path) -> None:
    done = command(folder, "fit", "iris.yaml", "--quiet")
    assert done.stdout.startswith("finished")
    assert all(line.startswith("warning: ") for line in done.stderr.splitlines())
    failed = command(folder, "fit", "nosuch.yaml", "-q")
    assert failed.stderr.startswith("error: nosuch.yaml")
