"""Files changed by chance: bits, bytes, spans, tokens that readers stumble over, and forged checkpoints."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random

from nntrain.runs.checkpoint_layout import CHECKSUM_AT, NO_CHECKSUM

TOKENS = {
    "checkpoint": [
        b"-1", b"1e999", b"NaN", b"null", b"true", b"[", b"]", b"{", b"}", b'"', b"\\", b"\\ud800", b"9" * 30, b"0.5",
        b'"F64"', b'"U8"', b'"dtype"', b"[[[[[[[[", b',"a":1', b"\x00", b"\xff", b"4194305", b"99999999999",
    ],
    "config": [
        b"- ", b"? ", b": ", b"&a ", b"*a", b"<<: *a", b"!!python/name:os.system", b"!x ", b"|\n", b">\n", b"[", b"{",
        b"}", b"]", b'"', b"'", b"\t", b"\r", b"\x00", b"\xff", b"\xef\xbb\xbf", b"---\n", b"...\n", b"%YAML 1.2\n",
        b"null", b"true", b".nan", b".inf", b"1e400", b"-1", b"0x1F", b"1_0", b"9" * 400, b"layers: ", b"name: ",
        b"residual: ", b"branch: ", b"repeat: ", b"# ", b"\\", b"\xe2\x80\xae", b"${x}", b"{name: mlp}", b"units: 0",
    ],
    "table": [
        b",", b";", b"\t", b'"', b'""', b"\n", b"\r", b"\r\n", b"\n\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"nan",
        b"inf", b"-inf", b"1e400", b"1e-400", b"0x1", b"1_0", b"1,5", b"True", b"2024-02-30", b"NA", b" ", b"-",
        b"\xe2\x80\xae", b"\x1b[2J", b"\x1f\x8b", b"PK\x03\x04", b"<html>", b"9" * 400, b"a" * 5000, b",,,,,",
    ],
}  # fmt: skip
CHECKPOINTS = ("checkpoint", "model", "training")
TOKENS |= dict.fromkeys(CHECKPOINTS, TOKENS["checkpoint"])


def mutate(kind: str, content: bytes, other: bytes, chance: Random) -> bytes:
    """Return a file of a kind, changed in one to eight places; ``other`` is a second file of that kind."""
    if kind in CHECKPOINTS and chance.random() < 0.8:
        return _forged(content, chance, TOKENS[kind])
    return _changed(content, other, chance, TOKENS[kind])


def _changed(content: bytes, other: bytes, chance: Random, tokens: Sequence[bytes]) -> bytes:
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        chance.choice(_CHANGES)(data, other, chance, tokens)
    return bytes(data)


def _place(data: bytearray, chance: Random) -> int:
    return chance.randrange(len(data) + 1)


def _flip(data: bytearray, other: bytes, chance: Random, tokens: Sequence[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(data: bytearray, other: bytes, chance: Random, tokens: Sequence[bytes]) -> None:
    start = _place(data, chance)
    del data[start : start + chance.choice([1, 2, 8, 64])]


def _end(data: bytearray, other: bytes, chance: Random, tokens: Sequence[bytes]) -> None:
    del data[_place(data, chance) :]


def _repeat(data: bytearray, other: bytes, chance: Random, tokens: Sequence[bytes]) -> None:
    start = _place(data, chance)
    span = bytes(data[start : start + chance.choice([1, 4, 20, 200])])
    data[start:start] = span * chance.choice([1, 2, 30])


def _insert(data: bytearray, other: bytes, chance: Random, tokens: Sequence[bytes]) -> None:
    start = _place(data, chance)
    data[start:start] = chance.choice(tokens)


def _replace(data: bytearray, other: bytes, chance: Random, tokens: Sequence[bytes]) -> None:
    start, token = _place(data, chance), chance.choice(tokens)
    data[start : start + len(token)] = token


def _splice(data: bytearray, other: bytes, chance: Random, tokens: Sequence[bytes]) -> None:
    data[_place(data, chance) :] = other[chance.randrange(len(other) + 1) :]


_CHANGES: list[Callable[[bytearray, bytes, Random, Sequence[bytes]], None]] = [
    _flip, _cut, _end, _repeat, _insert, _insert, _replace, _replace, _splice,
]  # fmt: skip


def _forged(content: bytes, chance: Random, tokens: Sequence[bytes]) -> bytes:
    """Return a checkpoint with a changed header under a right size and checksum, so that it is read to its end."""
    size = struct.unpack("<Q", content[:8])[0]
    header, data = content[8 : 8 + size], content[8 + size :]
    start = CHECKSUM_AT + len(NO_CHECKSUM)
    changed = header[:start] + _changed(header[start:], header, chance, tokens)
    if chance.random() < 0.2:
        data = _changed(data, data, chance, tokens)
    blank = changed[:CHECKSUM_AT] + NO_CHECKSUM.encode() + changed[start:]
    head = struct.pack("<Q", len(blank)) + blank
    digits = b"%08x" % zlib.crc32(data, zlib.crc32(head))
    return head[: 8 + CHECKSUM_AT] + digits + head[8 + start :] + data
