"""Texts as tokens, and tokens as codes by a vocabulary."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

import numpy as np

from nntrain.core.array import Array

UNKNOWN = 0
"""The code of every token that the vocabulary lacks."""

_JOINERS = "\u200c\u200d\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
"""Non-joiner, joiner and the skin tones of emoji: they belong to the character before them as marks do."""
_NO_TOKENS = [""]
"""What stands for a text without any token; the empty token is in no vocabulary."""
_PIECE = 1024


class Tokenizer:
    """Cuts texts into tokens.

    A ``word`` is a run of letters, digits and underscores of any script, with the marks that belong to them (accents,
    vowel signs, joiners), or two runs with an apostrophe between: ``don't``, ``150p``, ``08452810075``. Every other
    character that is not blank is a token of its own, such as ``!``, ``£`` or an emoji with its modifiers; so a price
    ``£1.50`` is four tokens. Blanks only separate. A ``character`` is one code point, blanks included. Equal looks are
    equal tokens: texts are taken in Unicode's normal form C, and among words the typographic apostrophe as the plain.

    Args:
        tokens: word or character.
        lowercase: whether capital and small letters are the same.

    >>> Tokenizer("word")("Don’t call 08452-81, it's £1.50 😀!!")
    ["don't", 'call', '08452', '-', '81', ',', "it's", '£', '1', '.', '50', '😀', '!', '!']
    >>> Tokenizer("character", lowercase=False)("Hi you")
    ['H', 'i', ' ', 'y', 'o', 'u']
    """

    def __init__(self, tokens: str = "word", lowercase: bool = True) -> None:
        self.tokens, self.lowercase = tokens, lowercase
        self._cut: Callable[[str], list[str]] = _words if tokens == "word" else list

    def __call__(self, text: str) -> list[str]:
        """Return the tokens of a text, in order."""
        small = text.lower() if self.lowercase else text
        return self._cut(small if small.isascii() else unicodedata.normalize("NFC", small))


_WORD = re.compile(r"\w+'\w+|\w+|[^\w\s]")


def _words(text: str) -> list[str]:
    if text.isascii():
        return _WORD.findall(text)
    plain = text.replace("’", "'")
    return _WORD.findall(plain) if _marks().isdisjoint(plain) else _marked_word().findall(plain)


@cache
def _marks() -> frozenset[str]:
    """Return all characters that belong to the one before them."""
    found = map(chr, chain(range(0x300, 0x20000), range(0xE0000, 0xE0200)))  # beyond stand ideographs and no marks
    return frozenset(_JOINERS).union(mark for mark in found if unicodedata.category(mark).startswith("M"))


@cache
def _marked_word() -> re.Pattern[str]:
    """Return the pattern of a word or any other visible character, each with its marks."""
    marks = re.escape("".join(sorted(_marks())))
    run = rf"\w[\w{marks}]*"
    return re.compile(rf"{run}'{run}|{run}|[^\w\s][{marks}]*")


class _Codes(dict[str, int]):
    def __missing__(self, token: str) -> int:
        return UNKNOWN


class Vocabulary:
    """The tokens that are told apart, by how often training texts hold them; all others share the code 0.

    Tokens beyond the first ``length`` of a text count nowhere. A text without tokens is one unknown token.

    Args:
        tokenizer: cuts the texts.
        length: tokens of a text that are kept.
        most: tokens at most in the vocabulary.
        minimum_count: how often a token must stand in training texts.

    >>> vocabulary = Vocabulary(Tokenizer(), length=3, minimum_count=2)
    >>> vocabulary.fit(["no yes", "Yes maybe", "never again", ""], [1, 1, 1, 2]).tolist()
    [2, 2, 2, 0]
    >>> vocabulary.known, vocabulary.different
    (['yes'], 5)
    >>> codes, counts = vocabulary.encode(["yes we can do", ""])
    >>> codes.tolist(), counts.tolist(), vocabulary.kept(counts).tolist()
    ([1, 0, 0, 0], [4, 0], [3, 1])
    """

    def __init__(self, tokenizer: Tokenizer, length: int = 100, most: int = 10_000, minimum_count: int = 2) -> None:
        self.tokenizer, self.length, self.most, self.minimum_count = tokenizer, length, most, minimum_count
        self.different = 0
        self._know([])

    def _know(self, tokens: Iterable[str]) -> None:
        self.known = list(tokens)
        self._codes = _Codes({token: code for code, token in enumerate(self.known, start=UNKNOWN + 1)})

    def fit(self, texts: Sequence[str], times: Iterable[int]) -> Array:
        """Learn from training texts, each of which stands in so many rows; return how many tokens each has (N,)."""
        counts: Counter[str] = Counter()
        whole = np.empty(len(texts), np.int64)
        for number, (text, rows) in enumerate(zip(texts, times, strict=True)):
            tokens = self.tokenizer(text)
            whole[number] = len(tokens)
            del tokens[self.length :]
            if rows == 1:
                counts.update(tokens)
            else:
                counts.update({token: rows * count for token, count in Counter(tokens).items()})
        self.different = len(counts)
        frequent = [token for token, count in counts.items() if count >= self.minimum_count]
        self._know(sorted(frequent, key=lambda token: (-counts[token], token))[: self.most])
        return whole

    def kept(self, whole: Array) -> Array:
        """Return how many codes texts have (N,), given their numbers of tokens (N,)."""
        return np.clip(whole, 1, self.length)

    def encode(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """Return the codes of all texts one after the other, and how many tokens each text has (N,)."""
        codes, whole = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
        for start in range(0, len(texts), _PIECE):
            found = [self.tokenizer(text) for text in texts[start : start + _PIECE]]
            whole.append(np.array([len(tokens) for tokens in found], np.int64))
            kept = chain.from_iterable(tokens[: self.length] or _NO_TOKENS for tokens in found)
            codes.append(np.fromiter(map(self._codes.__getitem__, kept), np.int32))
        return np.concatenate(codes), np.concatenate(whole)

    def state(self) -> dict[str, Any]:
        """Return everything given and learnt, as plain values."""
        return {
            "tokens": self.tokenizer.tokens,
            "lowercase": self.tokenizer.lowercase,
            "length": self.length,
            "most": self.most,
            "minimum_count": self.minimum_count,
            "different": self.different,
            "known": self.known,
        }

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Vocabulary:
        """Return the vocabulary that :meth:`state` described."""
        tokenizer = Tokenizer(state["tokens"], state["lowercase"])
        vocabulary = cls(tokenizer, state["length"], state["most"], state["minimum_count"])
        vocabulary.different = state["different"]
        vocabulary._know(state["known"])
        return vocabulary
