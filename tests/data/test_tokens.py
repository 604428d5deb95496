"""Texts as tokens, against a reading character by character, and the vocabulary against a count by loops."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.data.tokens import Tokenizer, Vocabulary

SKIN_TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
ANY = st.text(max_size=30) | st.text("ab1_'’ .!£é\u0301\u200d❤\ufe0f\n", max_size=12)


def is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or character in "\u200c\u200d" + SKIN_TONES


def is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def end_of_run(text: str, at: int) -> int:
    """Return where the run of word characters and their marks that begins at a place ends; the place if none does."""
    if at == len(text) or not is_word(text[at]):
        return at
    while at < len(text) and (is_word(text[at]) or is_mark(text[at])):
        at += 1
    return at


def words_by_hand(text: str) -> list[str]:
    text = unicodedata.normalize("NFC", text.lower()).replace("’", "'")
    found, at = [], 0
    while at < len(text):
        start = at
        if text[at].isspace():
            at += 1
            continue
        at = end_of_run(text, start)
        if at > start:
            if text[at : at + 1] == "'" and end_of_run(text, at + 1) > at + 1:
                at = end_of_run(text, at + 1)
        else:
            at += 1
            while at < len(text) and is_mark(text[at]):
                at += 1
        found.append(text[start:at])
    return found


@given(ANY)
def test_words_are_those_read_character_by_character(text: str) -> None:
    assert Tokenizer("word")(text) == words_by_hand(text)


@given(ANY)
def test_nothing_but_blanks_is_lost(text: str) -> None:
    joined = "".join(Tokenizer("word", lowercase=False)(text))
    assert joined == "".join(unicodedata.normalize("NFC", text).replace("’", "'").split())
    assert "".join(Tokenizer("character", lowercase=False)(text)) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WINNER!! £900", ["winner", "!", "!", "£", "900"]),
        ("'quoted' rock'n'roll", ["'", "quoted", "'", "rock'n", "'", "roll"]),
        ("नमस्ते السَّلام", ["नमस्ते", "السَّلام"]),
        ("cafe\u0301 café", ["café", "café"]),
        ("👍🏽❤️👩‍🚀", ["👍🏽", "❤️", "👩\u200d", "🚀"]),
        ("a,b\r\nc\td", ["a", ",", "b", "c", "d"]),
        (" \n\t", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert Tokenizer()(text) == expected


@given(
    st.lists(st.tuples(ANY, st.integers(1, 3)), max_size=8),
    st.sampled_from(["word", "character"]),
    st.booleans(),
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_the_vocabulary_counts_as_a_loop_does(
    texts: list[tuple[str, int]], tokens: str, lowercase: bool, length: int, most: int, minimum_count: int
) -> None:
    tokenizer = Tokenizer(tokens, lowercase)
    vocabulary = Vocabulary(tokenizer, length, most, minimum_count)
    whole = vocabulary.fit([text for text, _ in texts], [times for _, times in texts])
    cut = [tokenizer(text)[:length] for text, times in texts for _ in range(times)]
    counts = Counter(token for kept in cut for token in kept)
    ranked = sorted((-count, token) for token, count in counts.items() if count >= minimum_count)
    assert vocabulary.known == [token for _, token in ranked][:most]
    assert vocabulary.different == len(counts)
    assert whole.tolist() == [len(tokenizer(text)) for text, _ in texts]
    loaded = Vocabulary.load(json.loads(json.dumps(vocabulary.state())))
    assert loaded.state() == vocabulary.state()
    for reader in (vocabulary, loaded):
        codes, again = reader.encode([text for text, _ in texts])
        assert again.tolist() == whole.tolist()
        expected = []
        for text, _ in texts:
            places = [(*vocabulary.known, token).index(token) + 1 for token in tokenizer(text)[:length]]
            expected += [place if place <= len(vocabulary.known) else 0 for place in places] or [0]
        assert codes.tolist() == expected
        assert vocabulary.kept(again).sum() == len(codes)


def test_a_thousand_texts_and_more_are_taken_piece_by_piece() -> None:
    texts = [f"a {'b ' * (row % 3)}" for row in range(3000)]
    vocabulary = Vocabulary(Tokenizer())
    vocabulary.fit(texts, [1] * len(texts))
    codes, whole = vocabulary.encode(texts)
    assert whole.tolist() == [1 + row % 3 for row in range(3000)]
    assert codes.tolist() == [code for row in range(3000) for code in [1, *[2] * (row % 3)]]
