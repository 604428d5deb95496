"""The header of a checkpoint: where its arrays lie, checked before a byte of them is read or a byte is allocated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nntrain.errors import quote
from nntrain.runs import plain_json

FORMAT = 1
LARGEST_HEADER = 32 << 20
NO_CHECKSUM = "00000000"
PREFIX = b'{"__metadata__":{"nntrain":"{\\"checksum\\":\\"'
CHECKSUM_AT = len(PREFIX)
MOST_AXES = 32

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    **{f"I{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
"""NumPy types by safetensors code."""


class Malformed(ValueError):  # noqa: N818 - the text says what is wrong
    """The bytes are no checkpoint of ours; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one array lies: bytes ``begin`` to ``end`` of the data."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What a header says."""

    checksum: str
    state: dict[str, Any]
    places: tuple[Place, ...]
    data_size: int


def parse_size(first: bytes, file_size: int) -> int:
    """Return the header's size from the file's first eight bytes.

    Raises:
        Malformed: too few bytes, or a size that does not fit into the file.
    """
    if len(first) < 8:
        raise Malformed(f"not an nntrain checkpoint: it has only {file_size} bytes")
    size = int.from_bytes(first, "little")
    if size > LARGEST_HEADER:
        raise Malformed(
            f"not an nntrain checkpoint: a header of {size:,} bytes, at most {LARGEST_HEADER:,} are allowed"
        )
    if size > file_size - 8:
        raise Malformed(f"not an nntrain checkpoint, or cut short: a header of {size:,} bytes in {file_size:,}")
    return size


def parse_header(header: bytes, data_size: int) -> Layout:
    """Return what a header says, after checking all of it against the number of data bytes in the file.

    Raises:
        Malformed: anything that :func:`nntrain.runs.checkpoint.save` does not write.
    """
    if not header.startswith(PREFIX):
        raise Malformed("not an nntrain checkpoint: its header does not begin with the metadata key 'nntrain'")
    entries = _parse("header", header)
    metadata = entries.pop("__metadata__", None)
    if not isinstance(metadata, dict) or list(metadata) != ["nntrain"] or not isinstance(metadata["nntrain"], str):
        raise Malformed("expected one metadata key, 'nntrain', holding text")
    meta = _parse("metadata 'nntrain'", metadata["nntrain"])
    _check_format(meta)
    places = sorted(
        (_place(name, entry) for name, entry in entries.items()), key=lambda place: (place.begin, place.end)
    )
    _check_gapless(places, data_size)
    return Layout(meta["checksum"], meta["state"], tuple(places), data_size)


def _parse(what: str, text: str | bytes) -> dict[str, Any]:
    try:
        value = plain_json.parse(text)
    except ValueError as error:
        raise Malformed(f"the {what} is not sound JSON: {str(error)[:200]}") from None
    if not isinstance(value, dict):
        raise Malformed(f"the {what} is not a mapping")
    return value


def _check_format(meta: dict[str, Any]) -> None:
    version = meta.get("format")
    if type(version) is not int or version < 1:
        raise Malformed(f"expected a format number, got {quote(version)}")
    if version > FORMAT:
        raise Malformed(
            f"written by a newer nntrain (checkpoint format {quote(version)}, this version reads up to {FORMAT});"
            " upgrade nntrain"
        )
    if sorted(meta) != ["checksum", "format", "state"] or not isinstance(meta["state"], dict):
        raise Malformed("expected checksum, format and state in the metadata")
    if not isinstance(meta["checksum"], str):
        raise Malformed("the checksum is not text")


def _place(name: str, entry: Any) -> Place:
    if not isinstance(entry, dict) or sorted(entry) != ["data_offsets", "dtype", "shape"]:
        raise Malformed(f"array {quote(name)}: expected dtype, shape and data_offsets")
    dtype = DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        raise Malformed(f"array {quote(name)}: unknown type {quote(entry['dtype'])}")
    shape, offsets = _naturals(name, "shape", entry["shape"]), _naturals(name, "data_offsets", entry["data_offsets"])
    if len(offsets) != 2 or len(shape) > MOST_AXES:
        raise Malformed(f"array {quote(name)}: expected two offsets and at most {MOST_AXES} axes")
    begin, end = offsets
    # Python's integers do not overflow, so no shape can pass for a smaller one.
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise Malformed(f"array {quote(name)}: {end - begin:,} bytes do not hold the shape {quote(list(shape))}")
    return Place(name, dtype, shape, begin, end)


def _naturals(name: str, what: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(item) is int and 0 <= item < 2**62 for item in value):
        raise Malformed(f"array {quote(name)}: {what} is not a list of whole numbers from 0")
    return tuple(value)


def _check_gapless(places: list[Place], data_size: int) -> None:
    """Refuse gaps, overlaps, missing and trailing bytes: every byte of the data belongs to exactly one array."""
    reached = 0
    for place in places:
        if place.begin != reached:
            how = "overlaps the one before it" if place.begin < reached else "leaves a gap before it"
            raise Malformed(f"array {quote(place.name)} {how}")
        reached = place.end
    if reached != data_size:
        how = "cut short" if reached > data_size else "followed by bytes that belong to nothing"
        raise Malformed(f"the arrays need {reached:,} bytes, the file holds {data_size:,}: it is {how}")
