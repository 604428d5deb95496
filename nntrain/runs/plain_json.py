"""JSON, strict both ways: no NaN, no duplicate keys, no bombs, and equal values give equal bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from nntrain.core.plain import odd_part

MOST = {"lists and mappings": ("[{", 500_000), "keys": (":", 1_000_000), "values": (",", 4_000_000)}
"""What the largest document that is read may hold, by the characters that stand for it; texts may hold them too."""


def parse(text: str | bytes) -> Any:
    """Return the value of a JSON text from an untrusted file.

    Raises:
        ValueError: not JSON, or JSON that we never write: a duplicate key, a number that is not finite, nesting or a
            count of lists and mappings beyond all reason.

    >>> parse('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: duplicate key 'a'
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    for what, (signs, most) in MOST.items():
        if sum(text.count(sign) for sign in signs) > most:
            raise ValueError(f"more than {most:,} {what}")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"duplicate key {key[:60]!r}")
            seen.add(key)
    return mapping


def _refuse(literal: str) -> Any:
    raise ValueError(f"{literal} is no JSON number")


def _finite(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError(f"{literal[:60]} is out of range")
    return value


def canonical(value: Any) -> str:
    """Return plain state as JSON with sorted keys and no blanks: equal states give equal text.

    Raises:
        ValueError: something in it would not come back equal: no number, text, list or mapping, or no finite number.
    """
    odd = odd_part(value)
    if odd is not None:
        raise ValueError(f"expected plain values in the state: {odd}")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


_ENCODER = json.JSONEncoder(allow_nan=False)


def line(row: Mapping[str, Any]) -> bytes:
    """Return a row of a ``.jsonl`` file, with its newline; what is not finite becomes null.

    >>> line({"epoch": 1, "val_auc": float("nan")})
    b'{"epoch": 1, "val_auc": null}\\n'
    """
    try:
        text = _ENCODER.encode(row)
    except (TypeError, ValueError):  # something NumPy's, or a number that is not finite
        text = _ENCODER.encode(plain(row))
    return text.encode() + b"\n"


def document(value: Any) -> bytes:
    """Return a JSON file for people and programs: indented, keys in the order given."""
    return json.dumps(plain(value), allow_nan=False, indent=2).encode() + b"\n"


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: NumPy numbers and arrays as Python's, tuples as lists, NaN as None."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (Sequence, set, frozenset)):
        return [plain(inner) for inner in value]
    return str(value)
