"""Names of files and texts that mean them, whatever encoding the system has."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.errors import ConfigError
from nntrain.user_files import path_of, text_of, typed


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_means_the_file_of_its_bytes_in_utf_8(text: str) -> None:
    assert os.fsencode(path_of(text)) == text.encode()
    assert text_of(path_of(text)) == text
    assert typed(text) == text


@pytest.mark.skipif(sys.getfilesystemencoding() != "utf-8", reason="what is typed is decoded another way")
def test_what_is_no_utf_8_is_refused_with_its_bytes_shown() -> None:
    with pytest.raises(ConfigError, match=r"caf\\udce9/a\.csv: the name of this file .* is not UTF-8"):
        text_of(os.fsdecode(b"caf\xe9/a.csv"))


def test_bytes_that_python_kept_are_the_text_they_were() -> None:
    assert typed("été".encode().decode("ascii", "surrogateescape")) == "été"
    assert typed("\ud800") == "\ud800"  # stands for no byte
