"""The benchmarks run, cut down to almost nothing: no time is judged here, and no peer is needed."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

Load = Callable[[str], Any]


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / name), *arguments, "--tiny", "--rounds", "1"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def scripts() -> str:
    return "benchmarks"


GROUPS = {
    "steps": "mlp 4-16-3",
    "products": "512-1024",
    "commands": "iris",
    "reading": "20 columns of floats",
    "monitoring": "mlp 4-16-3",
    "streaming": "20 columns",
    "scaling": "epochs",
}
"""A case of each group, or some."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder of results and the tables of one run over all groups."""
    out = tmp_path_factory.mktemp("benchmarks")
    done = script("run.py", *GROUPS, "--only", "|".join(GROUPS.values()), "--peers", "none", "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out, done.stdout


@pytest.mark.parametrize("group", list(GROUPS))
def test_a_group_gives_json_and_a_table(measured: tuple[Path, str], group: str) -> None:
    out, tables = measured
    found = json.loads((out / f"{group}.json").read_text(encoding="utf-8"))
    assert any(GROUPS[group] in case for case in found["cases"])
    assert found["machine"]["versions"]["numpy"]
    assert all(f"| {case}" in tables for case in found["cases"])


def test_a_module_runs_by_itself(tmp_path: Path) -> None:
    done = script("scaling.py", "--only", "rows", "--json", str(tmp_path / "found.json"))
    assert done.returncode == 0, done.stderr
    assert set(json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["rows"]["slopes"]) >= {"seconds"}
    assert "| rows | 64 to 128 |" in done.stdout


def test_no_group_is_forgotten(load: Load) -> None:
    assert set(load("groups").GROUPS) == set(GROUPS)


def test_contenders_take_turns_and_a_failing_one_is_told_apart(load: Load, tmp_path: Path) -> None:
    rounds, child = load("rounds"), load("child")
    order: list[str] = []

    def contender(name: str, missing: str | None = None, fails: bool = False) -> Any:
        def measure(sampled: bool) -> Any:
            order.append(name)
            if fails:
                child.run([sys.executable, "-c", "raise SystemExit('no such layer')"], tmp_path)
            return rounds.Measured(float(len(order)), child.Ended("", 1.0, 10))

        return rounds.Contender(name, measure, missing)

    names = ["nntrain", "absent", "broken", "peer"]
    contenders = [
        contender(name, "torch is not installed" if name == "absent" else None, name == "broken") for name in names
    ]
    found = rounds.interleaved(contenders, 2)
    assert order == ["nntrain", "broken", "peer", "nntrain", "peer", "nntrain", "peer"]
    assert found["absent"]["missing"] == "torch is not installed"
    assert "no such layer" in found["broken"]["missing"]
    assert found["nntrain"]["values"] == [4.0, 6.0]
    assert found["peer"]["median"] == 6.0
    assert rounds.ratio(found, "peer") == pytest.approx((5 / 4 + 7 / 6) / 2)
    assert rounds.ratio(found, "absent") is None


def test_a_peer_that_is_not_installed_is_named_and_its_cells_are_empty(load: Load, tmp_path: Path) -> None:
    bench, steps = load("bench"), load("groups.steps")
    reason = bench.Bench(tmp_path).missing("json", "no_such_framework")
    assert reason == "no_such_framework is not installed"
    ours = {"median": 20.0, "values": [20.0], "peak_bytes": 60_000_000}
    theirs = {"median": 80.0, "values": [80.0], "peak_bytes": 300_000_000}
    contenders = {"nntrain": ours, "PyTorch": theirs, "JAX": {"missing": reason}}
    text = steps.table({"a net": {"in_suite": True, "contenders": contenders}})
    row = next(line for line in text.splitlines() if line.startswith("| a net"))
    assert row == "| a net | 20.0 | 80.0 (4.00x) | - |"
    assert "JAX: no_such_framework is not installed." in text


def test_children_choose_kernel_and_threads_themselves(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]
    for name in names:
        monkeypatch.setenv(name, "1")
    program = f"import os; print([name for name in {names} if name in os.environ])"
    assert load("child").run([sys.executable, "-c", program], tmp_path).stdout == "[]\n"


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux")
def test_memory_of_a_child_and_of_what_it_starts_is_added_up(load: Load, tmp_path: Path) -> None:
    program = """
import os, time
shared = bytearray(40_000_000)
if os.fork() == 0:
    own = bytearray(30_000_000)
    time.sleep(0.6)
    os._exit(0)
os.wait()
"""
    ended = load("child").run([sys.executable, "-c", program], tmp_path, sampled=True)
    assert ended.processes == 2
    # What both map since the fork counts once in the peak, and twice in RssAnon.
    assert 70e6 < ended.peak < 110e6
    assert 110e6 < ended.anonymous < 150e6


@pytest.mark.parametrize(("rows", "columns", "classes"), [(7, 3, 7), (1, 1, 1), (501, 20, 12)])
def test_tables_hold_every_class_and_plain_numbers(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, columns: int, classes: int
) -> None:
    tables = load("tables")
    monkeypatch.setattr(tables, "CELLS_A_PIECE", 64)  # several pieces, the last one shorter
    path = tables.write_table(tmp_path / "table.csv", rows, columns, classes)
    with path.open(encoding="utf-8", newline="") as file:
        head, *lines = csv.reader(file)
    assert head == [*(f"x{number}" for number in range(columns)), "label"]
    assert len(lines) == rows
    numbers = [float(cell) for line in lines for cell in line[:-1]]
    assert all(0 <= number < 10 for number in numbers)
    assert len(Counter(numbers)) > 0.9 * len(numbers)
    assert {line[-1] for line in lines} == {f"c{number:04}" for number in range(classes)}


def test_the_slope_of_a_power_law_is_its_exponent(load: Load) -> None:
    slope = load("scaling").slope
    sizes = [1, 2, 4, 8, 16]
    for exponent in (0.0, 0.5, 1.0, 2.0):
        assert slope(sizes, [3e-3 * size**exponent for size in sizes]) == pytest.approx(exponent)
    assert slope(sizes, [0.0, 1.0, 2.0, 4.0, 8.0]) is None


def test_tables_are_written_between_the_marks_of_a_file(load: Load, tmp_path: Path) -> None:
    report = load("report")
    page = tmp_path / "README.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    report.write_between_marks(page, r"new \1")
    assert page.read_text(encoding="utf-8") == f"before\n{report.BEGIN}\nnew \\1\n{report.END}\nafter\n"
    page.write_text("no marks\n", encoding="utf-8")
    with pytest.raises(report.MarksError, match=r"README\.md: expected one"):
        report.write_between_marks(page, "new")
    assert page.read_text(encoding="utf-8") == "no marks\n"
