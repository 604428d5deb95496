"""Finding runs by directory, name, pattern and age."""

from __future__ import annotations

from pathlib import Path

import pytest

from nntrain.errors import ConfigError, RunError
from nntrain.runs.catalog import find_runs, list_runs, resolve, select
from nntrain.runs.run import Run


def make(folder: Path, name: str, created: str = "2026-01-01T00:00:00+00:00", rows: int = 0) -> Path:
    with Run.create("x", str(folder), str(folder / name), "a: 1", "", {"created": created}) as run:
        for epoch in range(1, rows + 1):
            run.recorder.epoch({"epoch": epoch, "train_loss": 2.0, "val_loss": 1 / epoch}, {"epoch": epoch})
        run.recorder.commit()
        run.update(status="finished", best_epoch=rows or None)
    return folder / name


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    make(folder, "b", "2026-03-01T00:00:00+00:00", rows=4)
    make(folder, "a", "2026-02-01T00:00:00+00:00")
    make(folder, "c", "2026-01-01T00:00:00+00:00")
    return folder


def test_runs_are_found_oldest_first_and_the_rest_is_named(runs: Path) -> None:
    (runs / "README.md").write_text("runs live here")
    (runs / "junk").mkdir()
    (runs / ".d.new-0123abcd").mkdir()
    (runs / "broken").mkdir()
    (runs / "broken" / "run.json").write_text("{")
    found = find_runs(str(runs))
    assert [run.name for run in found.runs] == ["c", "a", "b"]
    assert found.notices == [f"{runs / 'junk'}: not a run, passed over"]
    assert [path.name for path, _ in found.unreadable] == ["broken"]


def test_a_run_is_a_directory_a_name_or_the_latest(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(str(runs / "a"), "elsewhere").name == "a"
    assert resolve("a", str(runs)).name == "a"
    assert resolve("latest", str(runs)).name == "b"
    monkeypatch.chdir(runs)
    assert resolve("c", "elsewhere").name == "c"
    monkeypatch.chdir(runs / "c")
    assert resolve(".", "elsewhere").name == "c"


def test_equal_times_are_decided_by_name(tmp_path: Path) -> None:
    for name in ("b", "c", "a"):
        make(tmp_path, name)
    assert resolve("latest", str(tmp_path)).name == "c"


def test_a_missing_run_is_named_with_the_closest(runs: Path) -> None:
    make(runs, "iris-20260101-120000-ab12")
    with pytest.raises(ConfigError, match=r"no run 'iris-20260101-120000-ab13'.*did you mean '.*ab12'") as caught:
        resolve("iris-20260101-120000-ab13", str(runs))
    assert caught.value.exit_code == 2
    with pytest.raises(ConfigError, match="latest: no runs in"):
        resolve("latest", str(runs / "nothing"))
    for name in ("", "a\0b", "x" * 300):
        with pytest.raises(ConfigError):
            resolve(name, str(runs))


def test_a_directory_that_is_no_run_is_an_error(runs: Path) -> None:
    (runs / "junk").mkdir()
    with pytest.raises(RunError, match="not a run directory") as caught:
        resolve("junk", str(runs))
    assert caught.value.exit_code == 4


def test_selection_takes_patterns_and_each_run_once(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = select([str(runs / "*"), "a", "latest"], str(runs))
    assert [run.name for run in found.runs] == ["a", "b", "c"]
    assert [run.name for run in select(["[ab]"], str(runs)).runs] == ["a", "b"]
    make(runs, "[x]")
    assert [run.name for run in select(["[x]"], str(runs)).runs] == ["[x]"]
    with pytest.raises(ConfigError):
        select(["nothing*"], str(runs))
    (runs / "file").write_text("")
    assert select(["a", str(runs / "file")], str(runs)).notices == [f"{runs / 'file'}: not a run, passed over"]
    with pytest.raises(RunError, match="no run among"):
        select([str(runs / "file")], str(runs))


def test_the_list(runs: Path) -> None:
    (runs / "broken").mkdir()
    (runs / "broken" / "run.json").write_text("{")
    rows, notices = list_runs(str(runs))
    assert [row["name"] for row in rows] == ["c", "a", "b", "broken"]
    assert rows[2] == {
        "name": "b",
        "status": "finished",
        "epoch": 4,
        "best_epoch": 4,
        "monitor": "val_loss 0.25",
        "created": "2026-03-01T00:00:00+00:00",
    }
    assert rows[3]["status"] == "unreadable"
    for monitor, shown in (("train_loss", "train_loss 2"), (["train_loss"], "val_loss 0.25")):
        with resolve("b", str(runs)).locked() as run:
            run.update(monitor=monitor)
        assert list_runs(str(runs))[0][2]["monitor"] == shown
    assert len(notices) == 1
    assert "broken: unreadable" in notices[0]
    assert list_runs(str(runs / "nothing")) == ([], [])
