"""Every table of tests/faults that only training can judge: refused, or trained on with the warnings it deserves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from nntrain.cli.entry import run

FAULTS = Path(__file__).parent.parent / "faults"
CASES = [line.split("\t") for line in (FAULTS / "fit_cases.tsv").read_text(encoding="utf-8").splitlines()[1:]]


def test_every_file_is_listed() -> None:
    assert {path.name for path in FAULTS.glob("fit_*.csv")} == {case[0] for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_what_is_said_and_what_is_left(
    case: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, code, *fragments = case
    values = {
        "data": {"train": str(FAULTS / name), "target": "tree"},
        "architecture": {"name": "mlp", "hidden": [2]},
        "epochs": 1,
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(["fit", "config.yaml", "--threads", "1"]) == int(code)
    told = capsys.readouterr()
    said = told.err + told.out
    assert not re.search(r"Traceback|[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", said)
    assert len(said) < 4000
    for fragment in fragments:
        assert fragment in said
    assert (tmp_path / "runs").exists() == (code == "0")
    if code != "0":
        assert told.err.startswith("error: ")
        assert name in told.err
    assert not (tmp_path.parent.parent / "escaped").exists()
