"""A text as a checked config, and the problems of one that is not: what tests of the config share."""

from __future__ import annotations

import pytest

from nntrain.config.load import parse_text
from nntrain.config.schema import Config, config_from
from nntrain.errors import ConfigError, Problem

BASE = "data: {train: a.csv, target: y}\narchitecture: mlp\n"


def config(text: str, *overrides: str) -> Config:
    return config_from(parse_text(text, "c.yaml"), overrides)


def problems(text: str, *overrides: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        config(text, *overrides)
    assert caught.value.exit_code == 2
    for word in ("pydantic", "http", "Traceback", "ValidationError", "type=", "input_value"):
        assert word not in str(caught.value)
    return caught.value.problems


def problem(text: str, *overrides: str) -> Problem:
    (only,) = problems(text, *overrides)
    return only
