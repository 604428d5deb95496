"""Several seeds and several folds: complete runs under one parent."""

from __future__ import annotations

import csv
import io
import json
import re
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import nntrain.cli.repeating as repeating
from nntrain.cli.entry import run as command
from nntrain.cli.fitting import train_watched
from nntrain.config import load_config
from nntrain.repeats import members, summarize
from nntrain.runs.run import Run


@pytest.fixture
def place(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    lines = ["a,b,kind", *(f"{x:.4f},{y:.4f},{'pq'[i % 2]}" for i, (x, y) in enumerate(generator.normal(size=(31, 2))))]
    (tmp_path / "data.csv").write_text("\n".join(lines) + "\n")
    write_config(tmp_path)
    return tmp_path


def write_config(folder: Path, data: Any = (), **changes: Any) -> None:
    config: dict[str, Any] = {
        "data": {"train": "data.csv", "target": "kind", **dict(data)},
        "architecture": {"name": "mlp", "hidden": [4], "dropout": 0.2},
        "epochs": 2,
        "batch_size": 8,
    }
    (folder / "c.yaml").write_text(yaml.safe_dump(config | changes))


def fit(place: Path, name: str, *options: str) -> Path:
    assert command(["fit", str(place / "c.yaml"), "--run-dir", str(place / name), "-q", *options]) == 0
    return place / name


def digest(folder: Path) -> dict[str, bytes]:
    names = ["metrics.jsonl", "checkpoints/best.safetensors", "checkpoints/last.safetensors"]
    found = {f"{run.name}/{name}": (run / name).read_bytes() for run in sorted(folder.iterdir()) for name in names}
    return found | {"summary": (folder.parent / "summary.json").read_bytes()}


def test_seeds(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parent = fit(place, "many", "--seeds", "3")
    assert f"3 runs: {parent}" in capsys.readouterr().out
    runs = [Run.open(parent / "seeds" / f"seed-{seed}") for seed in range(3)]
    assert [run.status for run in runs] == ["finished"] * 3
    assert len({(run.path / "metrics.jsonl").read_bytes() for run in runs}) == 3
    losses = [run.info["metrics"]["best"]["val_loss"] for run in runs]
    found = json.loads((parent / "summary.json").read_text())["summary"]["val_loss"]
    assert found["mean"] == pytest.approx(statistics.mean(losses))
    assert found["deviation"] == pytest.approx(statistics.stdev(losses))
    assert (found["min"], found["max"], found["count"]) == (min(losses), max(losses), 3)
    info = Run.open(parent).info
    assert info["status"] == "finished" and info["members"] == ["seed-0", "seed-1", "seed-2"]


def test_a_parent_is_not_judged_and_names_a_member(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parent = fit(place, "many", "--seeds", "2")
    csv = next(place.glob("*.csv"))
    for verb in ("eval", "predict"):
        assert command([verb, str(parent), str(csv)]) == 4
        told = capsys.readouterr().err
        assert "it holds runs, and has no weights of its own" in told
        assert f"name one of its runs, such as {parent / 'seeds' / 'seed-0'}" in told


@pytest.fixture
def two(place: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return a folder of runs with a parent of three seeds, one of two folds and a run that stands alone."""
    fit(place, "runs/seeds", "--seeds", "3")
    fit(place, "runs/alone")
    write_config(place, {"folds": 2})
    fit(place, "runs/folds")
    capsys.readouterr()
    return place / "runs"


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert command([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_parent_is_shown_with_the_spread_of_its_runs(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loss = Run.open(two / "seeds").info["summary"]["val_loss"]
    assert command(["show", str(two / "seeds")]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^best epoch's +mean +deviation +min +max$", shown, re.MULTILINE)
    values = " +".join(f"{loss[name]:.4f}" for name in ("mean", "deviation", "min", "max"))
    assert re.search(f"^val_loss +{values}$", shown, re.MULTILINE)
    assert len(re.findall(r"^seed-[012] +finished +2 ", shown, re.MULTILINE)) == 3
    assert "no layers to show" not in shown
    found = answer(capsys, "show", str(two / "folds"))
    assert [row["name"] for row in found["members"]] == ["fold-1", "fold-2"]
    assert found["run"]["summary"] == json.loads((two / "folds" / "summary.json").read_text())["summary"]
    assert "members" not in answer(capsys, "show", str(two / "alone"))


def test_a_parent_is_compared_by_the_means_of_its_runs(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare", "seeds", "alone", "folds", "--runs-dir", str(two)]
    rows = {row["run"]: row for row in answer(capsys, *arguments)["runs"]}
    for parent, count in (("seeds", 3), ("folds", 2)):
        spread, row = Run.open(two / parent).info["summary"], rows[parent]
        assert row["members"] == count and row["epoch"] is None and row["best_epoch"] is None
        assert {name: row[name] for name in spread} == {name: values["mean"] for name, values in spread.items()}
        assert row["deviation.val_loss"] == spread["val_loss"]["deviation"] > 0
    alone = Run.open(two / "alone").info["metrics"]["best"]
    assert rows["alone"]["val_loss"] == alone["val_loss"]
    assert rows["alone"]["members"] is None and rows["alone"]["deviation.val_loss"] is None
    assert command([*arguments, "--format", "csv"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["val_loss"] for row in table] == [json.dumps(row["val_loss"]) for row in rows.values()]
    assert table[0]["deviation.val_loss"] == json.dumps(rows["seeds"]["deviation.val_loss"])
    mean = f"{rows['seeds']['val_loss']:.5g} ± {rows['seeds']['deviation.val_loss']:.2g}"
    for form in ("text", "md"):
        assert command([*arguments, "--format", form]) == 0
        shown = capsys.readouterr().out
        assert mean in shown and f"{alone['val_loss']:.5g}" in shown and "deviation" not in shown
    ranked = answer(capsys, *arguments, "--sort", "val_loss", "--filter", "val_loss>0")["runs"]
    assert [row["val_loss"] for row in ranked] == sorted(row["val_loss"] for row in rows.values())


def test_a_parent_is_listed_with_its_monitored_mean(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in answer(capsys, "runs", "--runs-dir", str(two))["runs"]}
    loss = Run.open(two / "folds").info["summary"]["val_loss"]
    assert rows["folds"]["monitor"] == f"val_loss {loss['mean']:.5g} ± {loss['deviation']:.2g} (2 folds)"
    assert rows["folds"]["epoch"] is None
    assert rows["seeds"]["monitor"].endswith(" (3 seeds)")
    assert (rows["alone"]["epoch"], rows["alone"]["monitor"].split()[0]) == (2, "val_loss")


def test_one_seed_has_no_deviation(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parent = fit(place, "one", "--seeds", "1")
    capsys.readouterr()
    assert command(["compare", str(parent)]) == 0
    assert "±" not in capsys.readouterr().out
    assert "±" not in answer(capsys, "runs", "--runs-dir", str(place))["runs"][0]["monitor"]


def change(parent: Path, **changes: Any) -> None:
    path = parent / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_parent_that_goes_on_shows_no_means_of_before(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(two / "seeds", status="interrupted")
    assert command(["show", str(two / "seeds")]) == 0
    shown = capsys.readouterr().out
    assert "deviation" not in shown and "seed-2" in shown
    (row,) = answer(capsys, "compare", str(two / "seeds"))["runs"]
    assert row["members"] == 3 and "val_loss" not in row
    rows = {row["name"]: row for row in answer(capsys, "runs", "--runs-dir", str(two))["runs"]}
    assert rows["seeds"]["monitor"] is None


@pytest.mark.parametrize("value", [5, "x\x1b", [1], {"val_loss": 5}, {"val_loss": {"mean": "low"}}, {"kind": "../"}])
def test_a_parent_with_an_odd_record_is_shown_without_a_bug(
    value: Any, two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in ("repeats", "members", "summary"):
        was = json.loads((two / "seeds" / "run.json").read_text())[key]
        change(two / "seeds", **{key: value})
        for line in (["show", "seeds"], ["runs"], ["compare", "seeds", "alone"]):
            assert command([*line, "--runs-dir", str(two)]) == 0
            told = capsys.readouterr()
            assert "\x1b" not in told.out + told.err
        change(two / "seeds", **{key: was})


def test_a_member_equals_a_run_of_its_own(place: Path) -> None:
    parent, alone = fit(place, "many", "--seeds", "2"), fit(place, "alone", "--set", "seed=1")
    for name in ("metrics.jsonl", "checkpoints/last.safetensors", "checkpoints/best.safetensors"):
        assert (parent / "seeds" / "seed-1" / name).read_bytes() == (alone / name).read_bytes()
    again = place / "again"
    config = parent / "seeds" / "seed-1" / "config.yaml"
    assert command(["fit", str(config), "--run-dir", str(again), "-q"]) == 0
    assert (again / "metrics.jsonl").read_bytes() == (alone / "metrics.jsonl").read_bytes()


def test_folds_hold_each_row_out_once(place: Path) -> None:
    write_config(place, {"folds": 4})
    parent = fit(place, "many")
    with (parent / "out_of_fold.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["row"]) for row in rows] == list(range(31))
    for row in rows:
        chances = {label: float(row[f"probability_{label}"]) for label in "pq"}
        assert sum(chances.values()) == pytest.approx(1, abs=1e-5)
        assert row["predicted_kind"] == max(chances, key=lambda label: chances[label])
    assert [run.name for run in sorted((parent / "folds").iterdir())] == ["fold-1", "fold-2", "fold-3", "fold-4"]
    counts = [Run.open(run).info["rows"] for run in sorted((parent / "folds").iterdir())]
    assert sum(count["validation"] for count in counts) == 31
    assert all(count["train"] + count["validation"] == 31 for count in counts)


def test_fold_sets_are_disjoint(place: Path) -> None:
    write_config(place, {"folds": 3})
    held_out = []
    for member in members(load_config(str(place / "c.yaml")), None):
        prepared = member.experiment.prepared
        assert prepared.validation is not None
        assert not set(prepared.train.rows) & set(prepared.validation.rows)
        held_out.extend(prepared.validation.rows.tolist())
    assert sorted(held_out) == list(range(31))


@pytest.mark.parametrize("kind", ["seeds", "folds"])
@pytest.mark.parametrize("updates", [0, 2, 4, 9])
def test_an_interrupted_parent_goes_on(
    place: Path, kind: str, updates: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--seeds", "3"] if kind == "seeds" else []
    if kind == "folds":
        write_config(place, {"folds": 3})
    whole = fit(place, "whole", *options)
    left = [updates]

    def reason() -> str | None:
        left[0] -= 1
        return "SIGINT" if left[0] < 0 else None

    with monkeypatch.context() as patch:
        patch.setattr("nntrain.cli.fitting.INTERRUPTION.reason", reason)
        cut = place / "cut"
        assert command(["fit", str(place / "c.yaml"), "--run-dir", str(cut), *options]) == 130
        assert f"nntrain fit --resume {cut}" in capsys.readouterr().err
        assert Run.open(cut).status == "interrupted"
    assert command(["fit", "--resume", str(cut), "-q"]) == 0
    assert digest(cut / kind) == digest(whole / kind)
    if kind == "folds":
        assert (cut / "out_of_fold.csv").read_bytes() == (whole / "out_of_fold.csv").read_bytes()
    capsys.readouterr()
    assert command(["fit", "--resume", str(cut)]) == 0
    assert "already complete" in capsys.readouterr().out


def test_a_member_goes_on_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(place, {"folds": 3})
    whole = fit(place, "whole")
    calls: list[int] = []

    def cut_second(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            left = [3]
            monkeypatch.setattr("nntrain.cli.fitting.INTERRUPTION.reason", lambda: left.pop() and None if left else "x")
        return train_watched(*arguments)

    monkeypatch.setattr(repeating, "train_watched", cut_second)
    assert command(["fit", str(place / "c.yaml"), "--run-dir", str(place / "cut"), "-q"]) == 130
    monkeypatch.undo()
    member = place / "cut" / "folds" / "fold-2"
    assert command(["fit", "--resume", str(member), "-q"]) == 0
    for name in ("metrics.jsonl", "checkpoints/last.safetensors"):
        assert (member / name).read_bytes() == (whole / "folds" / "fold-2" / name).read_bytes()


def test_divergence_of_a_member_ends_the_parent(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(place, optimizer={"name": "sgd", "learning_rate": 1e300})
    assert command(["fit", str(place / "c.yaml"), "--run-dir", str(place / "a"), "--seeds", "2"]) == 5
    assert "Traceback" not in capsys.readouterr().err
    assert Run.open(place / "a").status == "diverged"
    assert Run.open(place / "a" / "seeds" / "seed-0").status == "diverged"


@pytest.mark.parametrize(
    ("folds", "options", "message"),
    [
        (3, ["--seeds", "2"], "--seeds does not go with data.folds"),
        (None, ["--seeds", "2", "--overfit-batch"], "--overfit-batch trains one network"),
        (3, ["--overfit-batch"], "--overfit-batch trains one network"),
    ],
)
def test_mixtures_are_refused(
    place: Path, folds: int | None, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(place, {"folds": folds} if folds else {})
    assert command(["fit", str(place / "c.yaml"), "--run-dir", str(place / "a"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (place / "a").exists()


def test_why_a_metric_has_no_value_is_kept_and_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (place / "data.csv").read_text().splitlines()
    (place / "held.csv").write_text("\n".join([lines[0], *(line for line in lines if line.endswith("p"))]) + "\n")
    held = {"validation": "held.csv", "test": "held.csv"}
    write_config(place, held, metrics=["roc_auc", "accuracy"])
    assert command(["fit", str(place / "c.yaml"), "--run-dir", str(place / "one")]) == 0
    told = [capsys.readouterr().out]
    run = Run.open(place / "one")
    rows = run.read_metrics()
    assert [row["undefined"] for row in rows] == [{"val_roc_auc": rows[0]["undefined"]["val_roc_auc"]}] * 2
    assert all(row["val_roc_auc"] is None and row["train_roc_auc"] is not None for row in rows)
    assert set(run.info["test"]["undefined"]) == {name for name, value in run.info["test"].items() if value is None}
    assert command(["show", str(run.path)]) == 0
    for out in (*told, capsys.readouterr().out):
        assert out.count("  val_roc_auc: undefined, no row is positive\n") == 1
        assert "\n  roc_auc: undefined, no row is positive\n" in out and "\n  undefined " not in out
    assert command(["compare", str(run.path), str(fit(place, "many", "--seeds", "2") / "seeds" / "seed-0")]) == 0
    assert "undefined" not in capsys.readouterr().out
    assert "undefined" not in json.loads((place / "many" / "summary.json").read_text())["summary"]


def test_rows_without_undefined_values_do_not_speak_of_them(place: Path) -> None:
    assert all("undefined" not in row for row in Run.open(fit(place, "one")).read_metrics())


def test_summary_leaves_undefined_values_out() -> None:
    found = summarize([{"epoch": 1, "val_auc": None}, {"epoch": 2, "val_auc": 0.5}, {"epoch": 1, "val_auc": 0.7}])
    assert set(found) == {"val_auc"}
    assert found["val_auc"] == {"mean": 0.6, "deviation": pytest.approx(0.1414213), "min": 0.5, "max": 0.7, "count": 2}
    assert summarize([{"val_auc": None}])["val_auc"]["mean"] is None
    assert summarize([]) == {}
