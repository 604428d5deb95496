"""Every bad config of the reliability tool: refused at the right line and column with the right words."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from nntrain.config import load_config
from nntrain.errors import ConfigError
from nntrain.experiment import assemble

FAULTS = Path(__file__).parent.parent.parent / "reliability" / "configs"
CASES = [line.split("\t") for line in (FAULTS / "cases.tsv").read_text(encoding="utf-8").splitlines()[1:]]


def test_every_file_has_a_case() -> None:
    assert {path.name for path in FAULTS.glob("*.yaml")} == {case[0] for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_refused_with_place_and_reason(case: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, place, *fragments = case
    shutil.copy(FAULTS / name, tmp_path)
    shutil.copy(FAULTS.parent.parent / "tests" / "faults" / "csv_ok_plain.csv", tmp_path / "trees.csv")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        assemble(load_config(name))
    said = caught.value.render()
    assert caught.value.exit_code == 2
    assert said.startswith(f"error: {name}:" if place == "-" else f"error: {name}:{place}:")
    for fragment in fragments:
        assert fragment in said
    assert len(said) < 1500
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", said)
