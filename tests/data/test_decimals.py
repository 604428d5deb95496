"""Decimal numbers read from words of bytes: those that Python's float() returns, or left to others."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nntrain.data.decimals import MOST_DIGITS, decimals
from nntrain.data.words import FARTHEST, Words

PLAIN = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)")

digits = st.text("0123456789", max_size=26)
cells = st.one_of(
    st.floats(-1e12, 1e12).map(repr),
    st.floats(-1, 1).map("{:.18f}".format),
    st.integers(-(10**19), 10**19).map(str),
    st.builds("{}{}.{}".format, st.sampled_from(["", "-"]), digits, digits),
    st.builds("{}.{}".format, st.integers(1, 1 << 16).map(lambda k: k << 64), st.sampled_from(["", "0", "5"])),
    st.text("0123456789.-+eE naN:/", max_size=12),
    st.sampled_from(
        ["", "-", ".", "-.", "-0", "-0.0", "5.", ".5", "1.2.3", "--1", "+1", " 1", "1e5", "nan", "inf", "é"]
    ),
)


def read(texts: list[str]) -> tuple[list[float], list[bool]]:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([len(text) + 1 for text in encoded]) - 1
    starts = ends - [len(text) for text in encoded]
    points = np.array([start + text.rfind(b".") for start, text in zip(starts, encoded, strict=True)])
    points = np.where(points < starts, ends, points)
    words = Words()
    words.load(b"\n".join(encoded) + b"\n")
    values, odd = decimals(words, starts, points, ends)
    return values.tolist(), (np.zeros(len(texts), bool) if odd is None else odd).tolist()


def significant(text: str) -> int:
    return len(text.lstrip("-").replace(".", "").lstrip("0"))


@given(st.lists(cells, min_size=1, max_size=20))
@example(["9007199254740993.5", "0.1234567890123456789", "72057594037927937.0", "123456789.12345678"])
@example(["18446744073709551616", "18446744073709551616.0", "55340232221128654848.5", "1.25"])  # 2^64, 3 * 2^64
@example(["0" * 30 + "1", "1" + "0" * 30, "0." + "0" * 30 + "1"])
def test_equals_float_or_is_left(texts: list[str]) -> None:
    for text, value, odd in zip(texts, *read(texts), strict=True):
        if text == "":
            assert np.isnan(value)
            assert not odd
        elif odd:
            assert not PLAIN.fullmatch(text) or len(text) > 8
        else:
            assert PLAIN.fullmatch(text), text
            assert value == float(text)
            assert str(value) != "-0.0"


@given(st.lists(st.floats(1e-3, 1e9).map(repr), min_size=1, max_size=50))
def test_what_python_writes_is_read(texts: list[str]) -> None:
    usual = [text for text in texts if "e" not in text and significant(text) <= MOST_DIGITS]
    if usual:
        assert not any(read(usual)[1])


@pytest.mark.parametrize(
    "text",
    # exactly between two float64, where rounding goes to the even one, and a digit beside it
    ["9007199254740993", "9007199254740995", "4503599627370496.5", "4503599627370497.5", "4503599627370497.4999"],
)
def test_ties(text: str) -> None:
    values, odd = read([text, "0.5"])
    assert odd[0] or values[0] == float(text)


def test_all_digits_of_every_length() -> None:
    texts = [("2468013579" * 2)[:length] for length in range(1, MOST_DIGITS + 1)]
    texts += [f"{text[:at]}.{text[at:]}" for text in texts for at in range(len(text) + 1)]
    values, odd = read(texts)
    assert not any(odd)
    assert values == [float(text) for text in texts]


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20))
def test_words_are_the_bytes(stretches: list[bytes]) -> None:
    ends = np.cumsum([len(stretch) for stretch in stretches])
    lengths = np.array([len(stretch) for stretch in stretches])
    text = Words()
    text.load(b"".join(stretches) + b"\n")
    words = [word.astype("<u8") for word in text.before(ends, lengths)]
    for i, stretch in enumerate(stretches):
        joined = b"".join(word[i].tobytes() for word in reversed(words))
        assert joined == stretch[-FARTHEST:].rjust(len(joined), b"\0")
