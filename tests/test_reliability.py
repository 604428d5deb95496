"""The reliability tool, cut down to seconds: a few faults of every kind are survived, and the tool sees what is not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).parent.parent / "reliability"
GROUPS = ["kills", "chains", "points", "errors", "order", "signals", "disks", "flips", "files", "fuzz"]

Load = Callable[[str], Any]


@pytest.mark.parametrize("group", GROUPS)
def test_a_sample_of_each_group_is_survived(group: str, tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("faults are put by Linux's own means")
    command = [sys.executable, str(TOOL / "run.py"), group, "--quick", "--jobs", "1", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / f"{group}.json").read_text(encoding="utf-8"))
    assert found["failures"] == []
    assert found["rows"]
    for row in found["rows"]:
        assert row["good"] == row["of"], row
        assert row["of"] > 0 or row["missing"], row
        assert f"| {row['what']} |" in done.stdout


def test_no_group_is_forgotten(load: Load) -> None:
    assert list(load("groups").GROUPS) == GROUPS


def test_a_fault_that_was_not_survived_is_seen(load: Load, tmp_path: Path) -> None:
    lab = load("lab").Lab(tmp_path / "lab", epochs=1, batch_size=100)
    assert lab.judge(lab.case(1) / "run") == []
    place = lab.case(2) / "run"
    done = load("process").run(lab.fit(place))
    assert done.code == 0
    metrics = place / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes() * 2)
    (place / ".run.json.tmp-0123abcd").write_bytes(b"")
    (place / "run.json").write_text((place / "run.json").read_text().replace("finished", "no status"))
    assert any(problem.startswith("resume: exit code 4") for problem in lab.judge(place))
    assert "metrics.jsonl differs from that of the run without a fault" in lab.differences(place)
    assert load("lab").leftovers(place) == ["left behind: .run.json.tmp-0123abcd"]


def test_a_traceback_a_wrong_code_and_a_hang_are_problems(load: Load) -> None:
    process = load("process")
    crashed = process.run([sys.executable, "-c", "raise ValueError('x')"])
    assert len(crashed.problems(0)) == 2
    assert crashed.problems(1) == ["a traceback"]
    hung = process.finish(process.start([sys.executable, "-c", "import time; time.sleep(60)"]), 0.5)
    assert hung.code is None
    assert "no end within" in hung.problems(0)[0]


TRACE = [
    ("write", '3</r/.a.tmp-1>, ""..., 5) = 5'),
    ("fsync", "3</r/.a.tmp-1>) = 0"),
    ("rename", '"/r/.a.tmp-1", "/r/a") = 0'),
    ("fsync", "3</r>) = 0"),
    ("write", '4</r/metrics.jsonl>, ""..., 5) = 5'),
    ("fsync", "4</r/metrics.jsonl>) = 0"),
    ("write", '3</r/.l.tmp-2>, ""..., 5) = 5'),
    ("fsync", "3</r/.l.tmp-2>) = 0"),
    ("rename", '"/r/.l.tmp-2", "/r/last.safetensors") = 0'),
    ("fsync", "3</r>) = 0"),
]


@pytest.mark.parametrize(
    ("left_out", "seen"),
    [
        (None, ""),
        (1, ".a.tmp-1 is not synced before it"),
        (3, "its folder is not synced after it"),
        (5, "metrics.jsonl is not synced before it"),
        (7, ".l.tmp-2 is not synced before it"),
        (9, "its folder is not synced after it"),
    ],
)
def test_a_missing_sync_is_seen(load: Load, left_out: int | None, seen: str) -> None:
    order, call = load("groups.order"), load("strace").Call
    calls = [call(name, 1, text) for number, (name, text) in enumerate(TRACE) if number != left_out]
    found = order.check(calls)
    assert list(found) == ["rename 1, to a", "rename 2, to last.safetensors"]
    assert [problem for problems in found.values() for problem in problems] == ([seen] if seen else [])


def test_forged_checkpoints_pass_the_checksum(load: Load, tmp_path: Path) -> None:
    import random

    import numpy as np

    from nntrain.errors import RunError
    from nntrain.runs import checkpoint

    checkpoint.save(tmp_path / "a", {"w": np.arange(9.0)}, {"epoch": 1, "name": "some text to be changed"})
    content = (tmp_path / "a").read_bytes()
    chance, said = random.Random(0), []
    for _ in range(300):
        changed = load("mutations").mutated(content, [content], chance)
        (tmp_path / "b").write_bytes(load("targets").sealed(changed))
        try:
            checkpoint.load(tmp_path / "b")
        except RunError as error:
            said.append(str(error))
    assert 100 < len(said) < 300
    assert sum("checksum" in text for text in said) < len(said) / 2


def test_the_page_tells_failures_and_what_was_not_measured(load: Load) -> None:
    rows = [
        {"what": "kills", "good": 9_999, "of": 10_000, "missing": None},
        {"what": "points", "good": 0, "of": 0, "missing": "strace is not installed"},
    ]
    facts = dict.fromkeys(["date", "system", "file_system", "python", "numpy", "nntrain", "revision", "seed"], "x")
    found = {"a": {**facts, "cores": 2, "rows": rows, "failures": ["run 3: digest differs"], "notes": []}}
    text = load("page").page(found)
    assert "| kills | 9,999 | 10,000 | 99.99 % |" in text
    assert "| points | not measured: strace is not installed |  |  |" in text
    assert "- a: run 3: digest differs" in text
