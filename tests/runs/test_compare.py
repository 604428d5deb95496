"""Runs side by side: what differs, sorting, filtering, forms, hostile runs, and whether a difference is real."""

from __future__ import annotations

import csv
import io
import json
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nntrain.errors import ConfigError, RunError
from nntrain.runs.compare import Comparison, compare
from nntrain.runs.comparison_text import as_text, display_width
from nntrain.runs.flatten import flatten
from nntrain.runs.run import Run

SHA = "ab" * 32


def make(folder: Path, name: str, config: str = "", losses: list[float | None] | None = None, **info: Any) -> Run:
    text = f"name: {name}\nseed: 0\n{config}"
    losses = [0.5] if losses is None else losses
    with Run.create(name, str(folder), str(folder / name), text, text, {"parameters": 7, **info}) as run:
        for epoch, loss in enumerate(losses, 1):
            row = {"epoch": epoch, "step": epoch, "train_loss": loss, "val_loss": loss}
            row["val_accuracy"] = None if loss is None else 1 - loss
            run.recorder.epoch(row, {"epoch": epoch, "train_seconds": 0.5, "eval_seconds": 0.25})
        run.checkpoints.save_last({"weights.w": np.zeros(3)}, {"epoch": len(losses)})
        known = [(loss, epoch) for epoch, loss in enumerate(losses, 1) if loss is not None]
        run.update(status="finished", best_epoch=min(known)[1] if known else None)
    return run


def judge(run: Run, predicted: list[Any], true: list[Any], checkpoint: str = "best", rows: Any = None) -> None:
    columns = {"row": rows or range(len(true)), "predicted_y": predicted, "true_y": true}
    document = {"sha256": SHA, "checkpoint": checkpoint, "csv": "held_out.csv"}
    run.write_evaluation("held_out.csv", checkpoint, document, columns)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    make(tmp_path, "slow", "optimizer: {name: sgd, learning_rate: 0.001}\n", [0.9, 0.5])
    make(tmp_path, "fast", "optimizer: {name: adam, learning_rate: 0.1}\nbatch_size: full\n", [0.3, 0.4])
    make(tmp_path, "none", "optimizer: adam\n", [None])
    return tmp_path


def names(comparison: Comparison) -> list[str]:
    return [run.name for run in comparison.runs]


def test_only_keys_that_differ_are_columns(runs: Path) -> None:
    found = compare(["slow", "fast"], str(runs))
    assert found.differing == ["optimizer.name", "optimizer.learning_rate", "batch_size"]
    rows = found.as_json()["runs"]
    assert [row["optimizer.learning_rate"] for row in rows] == [0.001, 0.1]
    assert [row["batch_size"] for row in rows] == [None, "full"]
    assert [(row["epoch"], row["best_epoch"], row["val_loss"]) for row in rows] == [(2, 2, 0.5), (2, 1, 0.3)]
    assert [row["last.val_loss"] for row in rows] == [0.5, 0.4]
    assert [(row["parameters"], row["seconds"]) for row in rows] == [(7, 1.5)] * 2
    assert found.exit_code == 0
    assert found.notices == []


def test_values_that_look_alike_differ(tmp_path: Path) -> None:
    make(tmp_path, "a", "x: 1\ny: null\nz: '1'\n")
    make(tmp_path, "b", "x: true\nz: 1\n")
    assert compare(["a", "b"], str(tmp_path)).differing == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("val_loss", ["fast", "slow", "none"]),
        ("-val_loss", ["slow", "fast", "none"]),
        ("val_accuracy", ["fast", "slow", "none"]),
        ("-val_accuracy", ["slow", "fast", "none"]),
        ("last.val_accuracy", ["fast", "slow", "none"]),
        ("run", ["fast", "none", "slow"]),
        ("optimizer.learning_rate", ["slow", "fast", "none"]),
        ("batch_size", ["fast", "slow", "none"]),
    ],
)
def test_the_best_comes_first_and_the_missing_last(runs: Path, sort: str, order: list[str]) -> None:
    assert names(compare(["slow", "none", "fast"], str(runs), sort)) == order


@pytest.mark.parametrize(
    ("expressions", "kept"),
    [
        (["val_accuracy>0.6"], ["fast"]),
        (["val_loss <= 5e-1"], ["slow", "fast"]),
        (["optimizer.name=adam"], ["fast", "none"]),
        (["optimizer.name==adam", "val_loss<1"], ["fast"]),
        (["optimizer.learning_rate=0.1"], ["fast"]),
        (["status=finished"], ["slow", "fast", "none"]),
        (["name!=slow"], ["fast", "none"]),
        (["run~S"], ["slow", "fast"]),
        (["val_loss=null"], ["none"]),
        (["batch_size='full'"], ["fast"]),
        (["seed=0"], ["slow", "fast", "none"]),
        (["val_loss>100"], []),
    ],
)
def test_filters(runs: Path, expressions: list[str], kept: list[str]) -> None:
    found = compare(["slow", "fast", "none"], str(runs), filters=expressions)
    assert names(found) == kept
    assert all(found.render(form) is not None for form in ("text", "md", "csv", "json"))


def test_mistakes_are_named(runs: Path) -> None:
    with pytest.raises(ConfigError, match=r"--sort: no run has a column 'val_los'; did you mean 'val_loss'\?"):
        compare(["slow"], str(runs), sort="val_los")
    with pytest.raises(ConfigError, match=r"--filter: no run has a column 'opt.name'"):
        compare(["slow"], str(runs), filters=["opt.name=adam"])
    with pytest.raises(ConfigError, match="--filter: expected COLUMN OPERATOR VALUE, got 'val_loss'"):
        compare(["slow"], str(runs), filters=["val_loss"])
    with pytest.raises(ConfigError, match="> needs a number, got 'high'"):
        compare(["slow"], str(runs), filters=["val_loss>high"])
    with pytest.raises(ConfigError, match=r"no run 'slo'.*did you mean 'slow'"):
        compare(["slo"], str(runs))


def test_all_forms_hold_the_same_values(runs: Path) -> None:
    found = compare(["slow", "fast"], str(runs))
    rows = list(csv.DictReader(io.StringIO(found.render("csv"))))
    assert [float(row["val_loss"]) for row in rows] == [0.5, 0.3]
    assert rows[0]["batch_size"] == ""
    markdown = found.render("md").splitlines()
    assert markdown[0].startswith("| run | status |")
    assert {len(line.split("|")) for line in markdown} == {len(markdown[0].split("|"))}
    assert json.loads(found.render("json"))["runs"][1]["val_loss"] == 0.3
    text = found.render("text")
    assert [line.split()[0] for line in text.splitlines()] == ["run", "slow", "fast"]


def test_text_fits_the_terminal_without_losing_a_column(runs: Path) -> None:
    found = compare(["slow", "fast"], str(runs))
    for width in (0, 20, 60, 80, 400):
        lines = found.render("text", width).splitlines()
        assert max(map(display_width, lines)) <= max(width, 40)
        header = " ".join(line for line in lines if line.startswith("run "))
        assert {"status", "optimizer.name", "val_loss", "seconds"} <= set(header.split())


def test_wide_characters_stay_aligned_and_controls_are_escaped() -> None:
    text = as_text(["run", "x"], [["学习\x1b[31m", 1], ["a\nb", 22]], ["\u202ewords"])
    assert "\x1b" not in text and "\u202e" not in text
    lines = text.splitlines()
    assert len({display_width(line) for line in lines[:3]}) == 1


def test_markup_in_cells_is_text(tmp_path: Path) -> None:
    make(tmp_path, "a", "x: '<b>|pipe*'\n")
    make(tmp_path, "b", "x: plain\n")
    line = compare(["a", "b"], str(tmp_path)).render("md").splitlines()[2]
    assert r"&lt;b>\|pipe\*" in line


def test_test_scores_are_columns_of_their_own(tmp_path: Path) -> None:
    make(tmp_path, "a", test={"rows": 30, "loss": 0.25, "accuracy": 0.9})
    (row,) = compare(["a"], str(tmp_path)).as_json()["runs"]
    assert (row["test_loss"], row["test_accuracy"]) == (0.25, 0.9)
    assert "test_rows" not in row


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.yaml", b"a: [\n"),
        ("config.yaml", b"\xff\xfe"),
        ("config.yaml", b"- list\n"),
        ("config.yaml", b"!!python/object/apply:os.system ['touch evil']\n"),
        ("config.yaml", b"a: &a {b: *a}\n"),
        ("config.yaml", BOMB.encode()),
        ("config.yaml", b"[" * 5000),
        ("metrics.jsonl", b"nonsense\n{}\n"),
        ("timing.jsonl", b"[]\n{}\n"),
        ("checkpoints/best.safetensors", pickle.dumps({"a": 1})),
        ("checkpoints/last.safetensors", b""),
        ("checkpoints/last.safetensors", (10**8).to_bytes(8, "little") + b"{" * 100),
        ("run.json", b"{"),
        ("run.json", b"[" * 100_000),
    ],
)
def test_a_hostile_run_is_listed_as_unreadable_and_the_others_are_shown(runs: Path, file: str, content: bytes) -> None:
    (runs / "slow" / file).write_bytes(content)
    started = time.perf_counter()
    found = compare([str(runs / "*")], str(runs), sort="val_loss")
    assert time.perf_counter() - started < 2
    assert found.exit_code == 7
    assert {run.name: run.status for run in found.runs} == {
        "slow": "unreadable",
        "fast": "finished",
        "none": "finished",
    }
    (notice,) = found.notices
    assert notice.startswith("slow: unreadable: ")
    for form in ("text", "md", "csv", "json"):
        assert "unreadable" in found.render(form)


def test_what_is_no_run_is_a_notice(runs: Path) -> None:
    (runs / "junk").mkdir()
    found = compare([str(runs / "*")], str(runs))
    assert found.exit_code == 0
    assert found.notices == [f"{runs / 'junk'}: not a run, passed over"]
    with pytest.raises(RunError, match="no run among"):
        compare([str(runs / "junk")], str(runs))


def test_a_live_and_a_killed_run(runs: Path) -> None:
    with Run.open(runs / "slow").locked() as live:
        live.update(status="running")
        found = compare(["slow", "fast"], str(runs))
        assert [run.status for run in found.runs] == ["running", "finished"]
        with (runs / "slow" / "metrics.jsonl").open("ab") as stream:
            stream.write(b'{"epoch": 3, "val')
        assert compare(["slow"], str(runs)).runs[0].facts["epoch"] == 2
    assert compare(["slow"], str(runs)).runs[0].status == "interrupted"


def test_a_real_difference_in_classes(runs: Path) -> None:
    true = ["a"] * 30
    judge(Run.open(runs / "slow"), ["b"] * 12 + ["a"] * 18, true)
    judge(Run.open(runs / "fast"), ["a"] * 29 + ["b"], true)
    (pair,) = compare(["slow", "fast"], str(runs)).pairs
    assert (pair.a, pair.b, pair.rows, pair.measure) == ("fast", "slow", 30, "accuracy")
    assert pair.difference == pytest.approx(11 / 30)
    assert (pair.value_a, pair.value_b) == pytest.approx((29 / 30, 18 / 30))
    assert pair.distinguishable
    assert pair.sentence().startswith(
        "fast is better than slow on 30 shared rows of held_out.csv: accuracy +36.7 points"
    )
    assert pair.sentence().endswith(": a real difference")


def test_chance_is_called_chance(runs: Path) -> None:
    true = ["1"] * 30
    judge(Run.open(runs / "slow"), ["0", "0"] + ["1"] * 28, true)
    judge(Run.open(runs / "fast"), ["1.0"] * 29 + ["0"], true)
    found = compare(["slow", "fast"], str(runs))
    (pair,) = found.pairs
    assert pair.difference == pytest.approx(1 / 30)
    assert "looks better" in pair.sentence()
    assert pair.sentence().endswith("p = 1: not distinguishable")
    assert pair.sentence() in found.render("text")
    assert "not distinguishable" in found.render("md")
    assert found.as_json()["comparisons"][0]["distinguishable"] is False


def test_equal_runs_are_called_equal(runs: Path) -> None:
    for name in ("slow", "fast"):
        judge(Run.open(runs / name), ["a", "a", "b"], ["a", "b", "b"])
    (pair,) = compare(["slow", "fast"], str(runs)).pairs
    assert "are equal" in pair.sentence()
    assert pair.p == 1


def test_regression_compares_errors(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    true = generator.normal(size=200)
    for name, noise in (("rough", 0.5), ("fine", 0.1)):
        run = make(tmp_path, name, task="regression")
        judge(run, (true + generator.normal(size=200) * noise).tolist(), true.tolist())
    (pair,) = compare(["rough", "fine"], str(tmp_path)).pairs
    assert (pair.a, pair.b, pair.measure) == ("fine", "rough", "rmse")
    assert pair.low < pair.difference < pair.high < 0
    assert pair.difference == pytest.approx(pair.value_a - pair.value_b)
    assert pair.distinguishable


def test_only_shared_rows_and_equal_contents_count(runs: Path) -> None:
    judge(Run.open(runs / "slow"), ["a", "a", "b"], ["a"] * 3, rows=[0, 1, 2])
    judge(Run.open(runs / "fast"), ["a", "a", "a"], ["a"] * 3, rows=[1, 2, 3])
    other = Run.open(runs / "none")
    document = {"sha256": "cd" * 32, "checkpoint": "best"}
    other.write_evaluation("x.csv", "best", document, {"row": [1, 2], "predicted_y": ["a"] * 2, "true_y": ["a"] * 2})
    (pair,) = compare(["slow", "fast", "none"], str(runs)).pairs
    assert (pair.rows, pair.a) == (2, "fast")


def test_only_equal_targets_are_compared(tmp_path: Path) -> None:
    for name, task in (("number", "regression"), ("step", "regression"), ("class", None), ("label", None)):
        run = make(tmp_path, name, task=task)
        document = {"sha256": SHA, "checkpoint": "best", "csv": "held_out.csv"}
        columns = {"row": [0, 1, 2], f"predicted_{name}": [1, 0, 1], f"true_{name}": [0, 0, 1]}
        run.write_evaluation("held_out.csv", "best", document, columns)
    assert compare(["number", "step", "class", "label"], str(tmp_path)).pairs == []


def test_the_best_checkpoint_is_preferred_and_several_tests_are_corrected(runs: Path) -> None:
    true = ["a"] * 20
    judge(Run.open(runs / "slow"), ["a"] * 12 + ["b"] * 8, true)
    judge(Run.open(runs / "fast"), true, true)
    judge(Run.open(runs / "fast"), ["b"] * 20, true, "last")
    judge(Run.open(runs / "none"), ["a"] * 19 + ["b"], true)
    pairs = {(pair.a, pair.b): pair for pair in compare(["slow", "fast", "none"], str(runs)).pairs}
    assert set(pairs) == {("fast", "slow"), ("fast", "none"), ("none", "slow")}
    smallest = pairs["fast", "slow"]
    assert smallest.p == pytest.approx(2 / 2**8)
    assert smallest.p_holm == pytest.approx(3 * smallest.p)
    assert "(Holm, 3 comparisons)" in smallest.sentence()


def test_unusable_predictions_are_a_notice(runs: Path) -> None:
    for name in ("slow", "fast"):
        judge(Run.open(runs / name), ["a", "a"], ["a", "a"])
    next((runs / "slow" / "eval").glob("*/predictions.csv")).write_bytes(b"row,x\n1\n")
    found = compare(["slow", "fast"], str(runs))
    assert found.pairs == []
    assert "not a table of predictions" in found.notices[0]
    assert found.exit_code == 0


def test_flatten() -> None:
    assert flatten({"a": {"b": {"c": 1}}, "d": [1], "e": {}, "f": [{"g": 2}, "h"]}) == {
        "a.b.c": 1,
        "d": [1],
        "e": {},
        "f.0.g": 2,
        "f.1": "h",
    }
