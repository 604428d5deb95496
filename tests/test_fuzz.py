"""The fuzzer finds what is wrong and nothing in a few inputs of each reader, and gives the same inputs twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Load = Callable[[str], Any]


@pytest.mark.parametrize("target", ["config", "csv", "data", "checkpoint", "model", "training", "run", "rows"])
def test_a_few_inputs_of_each_reader_are_values_or_our_errors(load: Load, target: str) -> None:
    found, read = load("fuzz").fuzz(target, count=60, seed=1)
    assert [finding.reason for finding in found] == []
    assert read == 60


def test_no_target_is_forgotten(load: Load) -> None:
    assert set(load("targets").TARGETS) == {"config", "csv", "data", "checkpoint", "model", "training", "run", "rows"}


def test_what_goes_wrong_is_found_once_and_kept(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzz, targets = load("fuzz"), load("targets")
    monkeypatch.setattr(fuzz, "MOST_SECONDS", 0.2)
    monkeypatch.setattr(fuzz, "_GIVEN_UP", 0.6)

    def read(content: bytes, folder: Path) -> None:
        if content == b"3":
            time.sleep(60)
        if content == b"5":
            bytearray(1 << 40)
        if content in (b"7", b"8"):
            raise KeyError(content)
        if content == b"9":
            import os

            os._exit(11)

    monkeypatch.setitem(targets.TARGETS, "bad", targets.Target(lambda: [b"0"], read, lambda *_: b"", ".bin"))
    monkeypatch.setattr(fuzz, "input_of", lambda target, seed, number, seeds: str(number).encode())
    found, count = fuzz.fuzz("bad", count=12)
    assert count == 12
    assert [(finding.number, finding.reason.split()[0]) for finding in found] == [
        (3, "slow:"),
        (5, "memory:"),
        (7, "KeyError"),
        (9, "the"),
    ]
    path = found[2].write(tmp_path)
    assert path.read_bytes() == b"7"
    assert "KeyError" in path.with_suffix(".txt").read_text(encoding="utf-8")


def test_an_input_is_a_function_of_its_number(load: Load) -> None:
    fuzz, seeds = load("fuzz"), [b"a,b\n1,2\n", b"x: 1\n"]
    first, again = ([fuzz.input_of("csv", 0, number, seeds) for number in range(50)] for _ in range(2))
    assert first == again
    assert len(set(first)) > 30
