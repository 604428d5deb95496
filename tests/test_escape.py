"""One function makes text safe to show: no control byte is left of any text, and what is shown tells what it was."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from nntrain.errors import LONGEST_SHOWN, ConfigError, Problem, enumerate_names, escape, quote, shorten

UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
any_text = st.text(st.characters()) | st.text("\x1b\x07\x9b\r\n\t\u202e\u200b\ud800\U000e0041\u3000 aé\U0001f600\\'")


@given(any_text)
@example("\x1b]0;x\x07")
@example("\ud800")
@example("\U000e0001")
@example("\u3164")
def test_nothing_unseen_is_left(text: str) -> None:
    shown = escape(text)
    assert not UNSEEN.search(shown)
    assert all(unicodedata.category(character)[0] != "C" for character in shown)
    assert escape(shown) == shown
    shown.encode("utf-8")


@given(st.text(st.characters(exclude_characters="\\")))
def test_what_is_shown_tells_what_it_was(text: str) -> None:
    seen = re.sub(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[nrt])", lambda m: _meant(m[0]), escape(text))
    assert seen == text


def _meant(written: str) -> str:
    return written.encode().decode("unicode_escape")


@given(any_text, any_text, any_text)
def test_a_message_is_one_line_each_for_error_help_and_note(path: str, message: str, help: str) -> None:
    problem = Problem(message, path, 1, 2, help or None, (message,))
    lines = problem.render().split("\n")
    assert len(lines) == 2 + bool(help)
    assert not any(UNSEEN.search(line) for line in lines)
    assert not any(UNSEEN.search(str(value)) for value in problem.as_json().values())
    assert not UNSEEN.search(str(ConfigError([problem])).replace("\n", ""))


@given(any_text)
def test_values_are_cut(text: str) -> None:
    longest = 10 * LONGEST_SHOWN + 40  # an escape sequence stands for one character
    assert len(shorten(text * 50)) <= longest
    assert len(quote(text * 50)) <= longest + 2
    assert len(enumerate_names([text * 50] * 30)) <= 20 * (longest + 2) + 40


@given(st.integers() | st.floats() | st.none() | st.booleans() | st.lists(any_text) | st.integers(10**400, 10**500))
def test_any_value_is_quoted(value: object) -> None:
    assert not UNSEEN.search(quote(value))
