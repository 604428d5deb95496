"""Every YAML file of tests/faults: refused at the right line with the right words, or read like its plain twin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nntrain.config.load import load_document
from nntrain.config.schema import Config, config_from
from nntrain.errors import ConfigError

FAULTS = Path(__file__).parent.parent / "faults"
CASES = [line.split("\t") for line in (FAULTS / "yaml_cases.tsv").read_text(encoding="utf-8").splitlines()[1:]]
BAD = [case for case in CASES if case[2] != "ok"]
GOOD = [case[0] for case in CASES if case[2] == "ok"]


def read(name: str) -> Config:
    document = load_document(str(FAULTS / name))
    document.path = name
    return config_from(document)


def test_there_are_files_of_both_sorts() -> None:
    assert len(BAD) > 90
    assert len(GOOD) > 10
    assert {path.name for path in FAULTS.glob("yaml_*.yaml")} == {case[0] for case in CASES}


@pytest.mark.parametrize("case", BAD, ids=[case[0] for case in BAD])
def test_refused_with_line_and_reason(case: list[str]) -> None:
    name, line, *fragments = case
    with pytest.raises(ConfigError) as caught:
        read(name)
    problem, said = caught.value.problems[0], caught.value.render()
    assert Path(problem.path or "").name == name
    assert problem.line == (None if line == "-" else int(line))
    for fragment in fragments:
        assert fragment in said
    assert caught.value.exit_code == 2
    assert len(said) < 4000
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", said)


@pytest.mark.parametrize("name", GOOD)
def test_read_like_the_plain_file(name: str) -> None:
    plain, other = read("yaml_ok_plain.yaml").resolved(), read(name).resolved()
    assert {**other, "name": plain["name"]} == plain
