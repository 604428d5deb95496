"""Bytes made wrong as files go wrong: flips, cuts, splices, repeats, and tokens that parsers stumble on."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Mutation: TypeAlias = Callable[[bytes, random.Random], bytes]

LARGEST = 1 << 18
"""Bytes that a mutated input has at most: what only size does is tested by hand."""

TOKENS: tuple[bytes, ...] = tuple(
    token.encode("utf-8", "surrogatepass")
    for token in (
        *("", "\0", "\n", "\r", "\r\n", "\t", "\x1b[2J", "\x7f", "\x9b", "\u202e", "\u200b", "\ufeff", "\ud800", "é"),
        *(",", ";", "|", '"', '""', "'", "“", ":", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: ", "!!x ", "? "),
        *("0", "-1", "1e400", "1e-400", "NaN", "nan", "inf", "-inf", ".nan", ".inf", "NA", "null", "None", "True"),
        *("1_0", "0x1F", "0o17", "٥", "5 cm", "1,5", "9" * 400, "2024-01-01", "1e309", "9223372036854775808", "-0.0"),
        *("../../x", "/dev/zero", "<script>", "=1+1", "%s{0}", "__class__", "os.system", "---\n", "...\n", "%YAML 2\n"),
        *('{"a":1,"a":1}', "[[[[[[[[", '"\\ud800"', "data", "train", "target", "epochs", "name", "layers", "best"),
    )
)


def mutated(content: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    """Return ``content`` after one to six changes; ``others`` are files that parts may come from."""
    for _ in range(source.choice((1, 1, 2, 3, 6))):
        kind = source.choice((*MUTATIONS, splice))
        content = splice(content, source, others) if kind is splice else kind(content, source)
        content = content[:LARGEST]
    return content


def flip(content: bytes, source: random.Random) -> bytes:
    """Flip one bit."""
    if not content:
        return content
    at = source.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << source.randrange(8)]) + content[at + 1 :]


def cut(content: bytes, source: random.Random) -> bytes:
    """Cut the file off, or a piece out of it."""
    begin, end = _stretch(content, source)
    return content[:begin] if source.random() < 0.3 else content[:begin] + content[end:]


def repeat(content: bytes, source: random.Random) -> bytes:
    """Write a piece several times."""
    begin, end = _stretch(content, source)
    times = min(source.choice((2, 3, 50, 3000)), 2 + LARGEST // max(1, end - begin))
    return content[:begin] + content[begin:end] * times + content[end:]


def put_token(content: bytes, source: random.Random) -> bytes:
    """Put a token in."""
    at = source.randrange(len(content) + 1)
    return content[:at] + source.choice(TOKENS) + content[at:]


def replace_word(content: bytes, source: random.Random) -> bytes:
    """Put a token in place of what stands between two separators."""
    begin = at = source.randrange(len(content) + 1)
    while begin and content[begin - 1] not in _SEPARATORS:
        begin -= 1
    while at < len(content) and content[at] not in _SEPARATORS:
        at += 1
    return content[:begin] + source.choice(TOKENS) + content[at:]


def swap_lines(content: bytes, source: random.Random) -> bytes:
    """Let two lines change places."""
    lines = content.split(b"\n")
    first, second = source.randrange(len(lines)), source.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def noise(content: bytes, source: random.Random) -> bytes:
    """Write random bytes over a piece."""
    begin, end = _stretch(content, source)
    return content[:begin] + source.randbytes(min(end - begin, 64)) + content[end:]


def recode(content: bytes, source: random.Random) -> bytes:
    """Write the text in another encoding, or with other line ends."""
    if source.random() < 0.5:
        return content.replace(b"\n", source.choice((b"\r", b"\r\n", b"\n\n")))
    text = content.decode("utf-8", "replace")
    return text.encode(source.choice(("utf-16", "utf-32", "latin-1", "utf-7", "utf-8-sig")), "replace")


def splice(content: bytes, source: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """Put a piece of another file in."""
    other = source.choice(others) if others else content
    begin, end = _stretch(other, source)
    at = source.randrange(len(content) + 1)
    return content[:at] + other[begin:end] + content[at:]


MUTATIONS: tuple[Mutation, ...] = (
    *(flip, cut, repeat, put_token, put_token, replace_word, replace_word, replace_word, swap_lines, noise, recode),
)
_SEPARATORS = b'\n,;:{}[]" \t|'


def _stretch(content: bytes, source: random.Random) -> tuple[int, int]:
    """Return where a piece begins and ends: most are short, some are long."""
    begin = source.randrange(len(content) + 1)
    length = source.choice((1, 4, 16, 64, 1024, len(content) or 1))
    return begin, min(len(content), begin + source.randrange(1, length + 1))


ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 0.5, -1e308, 5e-324, "", "x", "\x1b[2J", "__import__"),
    *(
        [],
        [[]],
        {},
        {"name": "x"},
        [None],
        ["x"] * 3,
        "../../x",
        [-1],
        [10**12],
        {"a": {"b": []}},
        "dense",
        "os.system",
    ),
)


def mutated_plain(value: Any, source: random.Random) -> Any:
    """Return plain values (mappings, lists, scalars) with one to four of them gone or odd."""
    value = json.loads(json.dumps(value))
    for _ in range(source.choice((1, 1, 2, 4))):
        spots = list(_spots(value))
        if not spots:
            return value
        holder, key = source.choice(spots)
        if source.random() < 0.25:
            del holder[key]
        else:
            holder[key] = json.loads(json.dumps(source.choice((*ODD_VALUES, value))))
    return value


def _spots(value: Any) -> list[tuple[Any, Any]]:
    """Return each mapping or list within a value, with each key of it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[tuple[Any, Any]] = []
    for key, child in list(inner):
        found.append((value, key))
        found += _spots(child)
    return found
