"""What each command says of a small net whose numbers are known by hand, and what it does about odd folders, names."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from nntrain.cli.entry import run
from nntrain.cli.sparkline import sparkline
from nntrain.cli.tables import MOST_SHOWN_CLASSES, class_tables, epoch_table, table, when

ROOT = Path(__file__).parent.parent.parent
CONFIG = "data: {train: iris.csv, target: species}\narchitecture: {name: mlp, hidden: [8]}\nepochs: 3\nbatch_size: 16\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a table, a config and a run of each under ``runs``."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(ROOT / "datasets" / "iris.csv", folder / "iris.csv")
    (folder / "iris.yaml").write_text(CONFIG, encoding="utf-8")
    for name, units in (("first", 8), ("second", 4)):
        more = ["--set", f"architecture.hidden=[{units}]", "--run-dir", str(folder / "runs" / name)]
        assert run(["fit", str(folder / "iris.yaml"), "--quiet", *more]) == 0
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the folder, which is the working directory too."""
    shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    """Return the JSON document of a command."""
    capsys.readouterr()
    assert run(["--json", *arguments]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == code
    return found


def text(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """Return what a command writes to stdout."""
    capsys.readouterr()
    assert run([*arguments]) == code
    return capsys.readouterr().out


def test_check_counts_a_net_as_by_hand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "check", "iris.yaml")
    dense, relu, output = found["layers"]
    assert (dense["parameters"], dense["flops"], dense["output"]) == (4 * 8 + 8, 2 * 4 * 8, [8])
    assert (relu["parameters"], relu["flops"]) == (0, 8)
    assert (output["parameters"], output["flops"], output["output"]) == (8 * 3 + 3, 2 * 8 * 3, [3])
    # Values of 4 bytes, forward; forward and backward; and a byte each for which are positive, of up to 65,536 numbers.
    kept = [4 * 8, (4 + 4 + 1) * 8, 4 * (3 + 8)]
    assert [layer["activation_bytes"] for layer in found["layers"]] == kept
    assert found["parameters"] == 67
    # Six copies of the parameters with adam's two, what a batch of 16 keeps, 120 rows of 4 numbers.
    assert found["memory_bytes"] == 4 * 6 * 67 + 16 * sum(kept) + 4 * 120 * 4
    assert found["data"]["classes"] == {"setosa": 50, "versicolor": 50, "virginica": 50}
    assert not (folder / "runs" / "iris").exists()
    shown = text(capsys, "check", "iris.yaml", "--set", "architecture.hidden=[100]")
    assert re.search(r"^total +803 +1,500 +1.6 kB$", shown, re.MULTILINE)
    assert shown.endswith("iris.yaml: ok\n")


def test_check_and_dry_run_leave_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.rglob("*"))
    text(capsys, "check", "iris.yaml")
    assert answer(capsys, "fit", "iris.yaml", "--dry-run")["dry_run"] is True
    assert sorted(folder.rglob("*")) == before


def test_show_tells_whole_numbers_as_such(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = text(capsys, "show", "first")
    assert re.search(r"^epoch +3$", shown, re.MULTILINE)
    assert re.search(r"^best epoch \d:$", shown, re.MULTILINE)
    assert not re.search(r"^(epoch|step) +\d+\.\d", shown, re.MULTILINE)
    assert re.search(r"^metric +train +val$", shown, re.MULTILINE)
    found = answer(capsys, "show", "runs/first")
    assert [row["epoch"] for row in found["metrics"]] == [1, 2, 3]
    assert found["run"]["status"] == "finished"


def test_show_of_a_run_without_epochs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "iris.yaml", "--set", "epochs=0", "-q", "--run-dir", "none"]) == 0
    shown = text(capsys, "show", "none")
    assert "curves" not in shown
    assert "dense_1" in shown


def test_runs_lists_the_oldest_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["name"] for row in answer(capsys, "runs")["runs"]] == ["first", "second"]
    lines = text(capsys, "runs").splitlines()
    assert [line.split()[0] for line in lines] == ["name", "first", "second"]
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", lines[1])
    (folder / "empty").mkdir()
    assert text(capsys, "runs", "--runs-dir", "empty") == "no runs in empty\n"
    shutil.rmtree("runs")
    assert text(capsys, "runs") == "no runs in runs\n"


def test_latest_is_the_newest_and_names_work_anywhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "show", "latest")["run"]["id"] == answer(capsys, "show", "second")["run"]["id"]
    (folder / "runs").rename(folder / "else where")
    found = answer(capsys, "eval", "first", "iris.csv", "--runs-dir", "else where")
    assert Path(found["written"]).is_relative_to("else where/first/eval")
    assert "no runs in 'runs'" in answer(capsys, "show", "latest", code=2)["errors"][0]["message"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"status": "fine", "created": "now"}', '{"status": NaN}', "\x00"])
def test_a_broken_run_is_told_and_the_others_are_shown(
    folder: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (folder / "runs" / "second" / "run.json").write_text(content, encoding="utf-8")
    assert {row["name"]: row["status"] for row in answer(capsys, "runs")["runs"]} == {
        "first": "finished", "second": "unreadable",
    }  # fmt: skip
    for command in (["show", "second"], ["eval", "second", "iris.csv"], ["predict", "second", "iris.csv"]):
        assert "run.json" in answer(capsys, *command, code=4)["errors"][0]["path"]
    compared = answer(capsys, "compare", "first", "second", code=7)
    assert compared["status"] == "partial"
    assert [row["status"] for row in compared["runs"]] == ["finished", "unreadable"]
    assert compared["errors"][0]["path"] == "second"


@pytest.mark.parametrize("value", [5, "x\x1b", [1], {"a": [None]}, {"best": {"train_loss": "low"}}, None, -1e300])
def test_a_run_json_of_odd_values_is_shown_without_a_bug(
    folder: Path, capsys: pytest.CaptureFixture[str], value: object
) -> None:
    path = folder / "runs" / "first" / "run.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    odd = {key: value for key in info if key not in ("status", "created")}
    path.write_text(json.dumps({**info, **odd}), encoding="utf-8")
    for command in (["show", "first"], ["runs"], ["eval", "first", "iris.csv"], ["compare", "first", "second"]):
        capsys.readouterr()
        assert run(command) in (0, 4, 7), command
        shown = capsys.readouterr()
        assert "\x1b" not in shown.out + shown.err


def test_compare_in_every_format(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "architecture.hidden" in text(capsys, "compare", "first", "second")
    assert text(capsys, "compare", "first", "second", "--format", "md").startswith("| run")
    assert text(capsys, "compare", "first", "second", "--format", "csv").startswith("run,status,architecture.hidden")
    capsys.readouterr()
    assert run(["compare", "runs/*", "--format", "json", "--sort", "-parameters"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["run"] for row in found["runs"]] == ["first", "second"]
    assert answer(capsys, "compare", "first", "--sort", "val_los", code=2)["errors"]
    kept = answer(capsys, "compare", "runs/*", "--filter", "parameters>50")
    assert [row["run"] for row in kept["runs"]] == ["first"]


def test_eval_writes_where_it_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "eval", "first", "iris.csv", "--output", "out/deep", "--checkpoint", "last")
    assert found["written"] == "out/deep"
    assert found["epoch"] == 3
    stored = json.loads(Path("out/deep/metrics.json").read_text(encoding="utf-8"))
    assert {key: found[key] for key in stored} == stored
    assert Path("out/deep/predictions.csv").read_text(encoding="utf-8").startswith("row,predicted_species,probability_")
    assert not (folder / "runs" / "first" / "eval").exists()


def test_predict_to_a_file_and_to_stdout_is_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = text(capsys, "predict", "first", "iris.csv")
    assert text(capsys, "predict", "first", "iris.csv", "-o", "p.csv") == ""
    assert Path("p.csv").read_text(encoding="utf-8") == shown
    assert answer(capsys, "predict", "first", "iris.csv", "-o", "p.csv")["written"] == "p.csv"
    assert answer(capsys, "predict", "first", "iris.csv", "-o", "no/such/p.csv", code=6)["errors"]


@pytest.mark.parametrize("name", ["with blank", "größe 🦊", "-dash", "two\nlines", "é" * 60, "[x]*?"])
def test_any_name_of_a_file_and_of_a_run_directory(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    Path(f"{name}.csv").write_bytes(Path("iris.csv").read_bytes())
    (folder / "runs" / "first").rename(folder / name)
    shown = text(capsys, "eval", "--", name, f"{name}.csv")
    assert f"on {name}.csv: 150 rows".replace("\n", "\\n") in shown.splitlines()[0]
    assert answer(capsys, "predict", "-o", "out.csv", "--", name, f"{name}.csv")["rows"] == 150
    for command in (["show", "--", name], ["compare", "--", name, "second"]):
        assert run(command) == 0


def test_a_json_flag_behind_two_dashes_is_a_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["show", "--", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_a_table_escapes_its_cells_before_it_aligns_them() -> None:
    shown = table(["a", "b"], [["two\nlines", "1"], ["x", "22"]], numeric=[1])
    assert shown == "a            b\ntwo\\nlines   1\nx           22"


def test_the_epoch_table_stands_without_validation_too() -> None:
    assert epoch_table({"epoch": 1, "train_loss": 0.5, "train_accuracy": None}) == (
        "metric     train\nloss      0.5000\naccuracy       -"
    )


def test_many_classes_have_no_matrix_on_the_screen() -> None:
    labels = [str(i) for i in range(MOST_SHOWN_CLASSES + 1)]
    judged = [{"label": label, "precision": 1.0, "recall": 1.0, "f1": None, "support": 1234.0} for label in labels]
    report = {"classes": judged, "confusion": {"labels": labels, "matrix": [[0.0] * len(labels)] * len(labels)}}
    lines = class_tables(report)
    assert lines[-1] == "confusion matrix: 21 x 21, in metrics.json"
    assert "1,234" in lines[0]


def test_times_that_are_none_are_shown_as_they_are() -> None:
    assert when("someday") == "someday"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", when("2026-01-02T03:04:05.678+00:00"))


def test_a_curve_with_holes() -> None:
    assert sparkline([None, None]) == "-"
    assert sparkline([1.0, None, 3.0]).startswith("▁ █")
    assert len(sparkline([float(i) for i in range(1000)]).partition("  ")[0]) == 50


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("predict runs/first iris.csv -o iris.csv", "iris.csv: -o: the file is what the result is made from"),
        ("predict runs/first iris.csv -o ./same.csv", "same.csv: -o: the file is what the result is made from"),
        ("predict runs/first iris.csv -o runs/first/run.json", "-o: the file belongs to a run"),
        ("predict runs/first iris.csv -o runs/first/checkpoints/last.safetensors", "-o: the file belongs to a run"),
        ("predict runs/first iris.csv -o .", ".: -o: expected the name of a file"),
        ("predict runs/first iris.csv -o=", "-o: expected the name of a file"),
        ("check iris.yaml -o iris.yaml", "iris.yaml: -o: the file is what the result is made from"),
        ("check iris.yaml -o iris.csv", "iris.csv: -o: the file is what the result is made from"),
        ("show runs/first -o runs/first/config.yaml", "-o: the file belongs to a run"),
        ("new iris.csv --target species --force -o iris.csv", "-o: the file is what the result is made from"),
    ],
)
def test_no_result_is_written_over_what_it_is_made_from(
    line: str, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "same.csv").symlink_to("iris.csv")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert run(line.replace("-o=", "-o ").split(" ")) == 2
    assert words in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_results_are_written_into_pipes_and_over_other_files(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((folder / "pipe").read_bytes()))
    reader.start()
    assert run(["predict", "runs/first", "iris.csv", "-o", "pipe"]) == 0
    reader.join(30)
    (folder / "old.csv").write_text("old")
    assert run(["predict", "runs/first", "iris.csv", "-o", "old.csv"]) == 0
    assert read == [(folder / "old.csv").read_bytes()] and read[0].startswith(b"row,")
    assert run(["predict", "runs/first", "iris.csv", "-o", "/dev/null"]) == 0
    assert not Path("/dev/null").is_file()
