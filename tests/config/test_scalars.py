"""YAML 1.2 core: what plain words mean."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.config.scalars import UnusableNumber, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("-1.5e+3", -1500.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("+.5e1", 5.0),
        ("10", 10),
        ("+10", 10),
        ("-0", 0),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
    ],
)
def test_numbers_booleans_and_null(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "No",
        "on",
        "off",
        "y",
        "Yes",
        "1_0",
        "1_000.5",
        "12:30",
        "190:20:30",
        "2024-01-31",
        "0b11",
        "017o",
        "-0x1F",
        "1e",
        "e5",
        ".",
        "+",
        "-",
        "1.2.3",
        "0x",
        "tRue",
        "nUll",
        "inf",
        "nan",
        "٣",
        "1e5x",
        "1,5",
        "=",
        "<<",
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert resolve(text) == text


def test_not_a_number() -> None:
    assert math.isnan(resolve(".nan"))  # type: ignore[arg-type]


def test_an_integer_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(UnusableNumber):
        resolve("9" * 5000)
    with pytest.raises(UnusableNumber):
        resolve("0x" + "f" * 5000)


@pytest.mark.parametrize("text", ["1e-400", "-0.00001e-330", ".5e-999"])
def test_a_number_that_would_be_nothing_is_refused(text: str) -> None:
    with pytest.raises(UnusableNumber, match="too small: to a computer it is 0"):
        resolve(text)
    assert resolve("0.0e-400") == resolve("-0e9") == 0.0
    assert resolve("5e-324") == 5e-324


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_reads_as_itself(value: float) -> None:
    read = resolve(repr(value))
    assert read == value
    assert math.copysign(1, read) == math.copysign(1, value)  # type: ignore[arg-type]


@given(st.text(alphabet="0123456789+-.eExXoOabcdefABCDEF_:naifNIlutr~", max_size=12))
def test_any_word_reads_as_a_plain_value(text: str) -> None:
    value = resolve(text)
    assert value is None or isinstance(value, (bool, int, float, str))
    if isinstance(value, str):
        assert value == text
