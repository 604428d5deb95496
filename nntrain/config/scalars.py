"""What a plain word of YAML means: the core schema of YAML 1.2 (YAML 1.2.2, section 10.3.2).

Unlike the YAML 1.1 that PyYAML reads by default, ``1e-3`` is a number, ``no``, ``on`` and ``y`` are text, ``010`` is
ten, and neither underscores, base 60 nor dates exist.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from nntrain.errors import shorten

Scalar: TypeAlias = bool | int | float | str | None

LONGEST_NUMBER = 300
"""Digits of the longest integer that is read; a longer one would not fit a float either."""

CURLY_QUOTES = tuple("“”„‟‘’‚‛")
"""What word processors make of quotes; to YAML they are letters."""

_CONSTANTS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{sign + word: float(f"{sign}inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}

_NUMBERS = {
    10: re.compile(r"[-+]?[0-9]+"),
    8: re.compile(r"0o([0-7]+)"),
    16: re.compile(r"0x([0-9a-fA-F]+)"),
}

_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


class UnusableNumber(ValueError):  # noqa: N818 - it never leaves this package
    """An integer of more digits than any use of it could have, or a number that is none but 0 to a computer."""


def resolve(text: str) -> Scalar:
    """Return the value of an unquoted scalar.

    Raises:
        UnusableNumber: it is an integer of more than :data:`LONGEST_NUMBER` digits, or too small to differ from 0.

    >>> [resolve(text) for text in ("1e-3", "no", "010", "0o17", "0x1F", "1_0", "12:30", "~")]
    [0.001, 'no', 10, 15, 31, '1_0', '12:30', None]
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "-+.0123456789":
        return text
    for base, pattern in _NUMBERS.items():
        found = pattern.fullmatch(text)
        if found:
            return _integer(found[found.lastindex or 0], base)
    return _float(text) if _FLOAT.fullmatch(text) else text


def _float(text: str) -> float:
    value = float(text)
    if value == 0.0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        raise UnusableNumber(f"{shorten(text)} is too small: to a computer it is 0")
    return value


def _integer(digits: str, base: int) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise UnusableNumber(f"a number of {len(digits)} digits is too long")
    return int(digits, base)
