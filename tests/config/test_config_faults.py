"""Every bad config of tests/faults: refused at the right place with the right words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nntrain.config import load_config
from nntrain.errors import ConfigError
from nntrain.experiment import assemble

FAULTS = Path(__file__).parent.parent / "faults"
CASES = [line.split("\t") for line in (FAULTS / "yaml_cases.tsv").read_text(encoding="utf-8").splitlines()[1:]]


def test_every_file_has_a_case() -> None:
    assert {path.name for path in FAULTS.glob("yaml_*.yaml")} == {case[0] for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_refused_with_place_and_reason(case: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    name, place, *fragments = case
    monkeypatch.chdir(FAULTS)
    with pytest.raises(ConfigError) as caught:
        assemble(load_config(name))
    said = caught.value.render()
    assert caught.value.exit_code == 2
    assert said.startswith(f"error: {name}:" if place == "-" else f"error: {name}:{place}:")
    for fragment in fragments:
        assert fragment in said
    assert len(said) < 1500
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", said)
