"""A checkpoint: arrays and plain state in one safetensors file, and nothing in it that could be executed.

The file is ``size (8 bytes, little-endian) | header (JSON) | array bytes``, as every safetensors reader expects. The
header's one metadata key ``nntrain`` holds JSON: ``checksum`` (CRC-32 of the whole file with the checksum's own eight
digits as zeros), ``format`` and ``state``. It stands first, so that the checksum has a fixed place. A CRC finds every
single flipped bit; it guards against accidents, not against forgers, whom strict reading leaves nothing to gain.

Arrays stand sorted by item size, then by name, and the state with sorted keys: equal contents are equal bytes.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nntrain.errors import RunError, quote
from nntrain.runs import plain_json
from nntrain.runs.checkpoint_layout import (
    CHECKSUM_AT,
    DTYPES,
    FORMAT,
    LARGEST_HEADER,
    NO_CHECKSUM,
    PREFIX,
    Layout,
    Malformed,
    parse_header,
    parse_size,
)
from nntrain.runs.files import is_there, opened, replace_file, told

Array: TypeAlias = NDArray[Any]

_CODES = {dtype: code for code, dtype in DTYPES.items()}


def save(path: Path | str, arrays: Mapping[str, Array], state: Mapping[str, Any]) -> None:
    """Write a checkpoint, replacing the file whole.

    Args:
        path: where; the folder must exist.
        arrays: by name (``weights.dense_1.kernel``), of numbers or booleans, in any memory order.
        state: plain values (mappings with text keys, lists, text, finite numbers, booleans, None).

    Raises:
        ResourceError: the system refused; the old file is untouched.
        TypeError: an array or value that would not come back equal.
    """
    write(path, encode(arrays, state))


def write(path: Path | str, parts: Sequence[bytes | memoryview]) -> None:
    """Write what :func:`encode` returned, replacing the file whole."""
    replace_file(path, *parts)


def encode(arrays: Mapping[str, Array], state: Mapping[str, Any]) -> list[bytes | memoryview]:
    """Return the file's bytes in parts; the parts of arrays that lie in one piece are views, not copies."""
    prepared = {name: _stored(name, array) for name, array in arrays.items()}
    names = sorted(prepared, key=lambda name: (-prepared[name].itemsize, name))
    views = [_bytes_of(prepared[name]) for name in names if prepared[name].size]
    header = _header([(name, prepared[name]) for name in names], state)
    head = len(header).to_bytes(8, "little") + header
    checksum = zlib.crc32(head)
    for view in views:
        checksum = zlib.crc32(view, checksum)
    start = 8 + CHECKSUM_AT
    return [head[:start] + b"%08x" % checksum + head[start + 8 :], *views]


def _stored(name: str, array: Array) -> Array:
    """Return an array as it is stored: in C order, little-endian."""
    # np.ascontiguousarray would make a vector of a scalar array.
    stored = np.asarray(array, order="C")
    stored = stored.astype(stored.dtype.newbyteorder("<"), copy=False)
    if stored.dtype not in _CODES or name == "__metadata__":
        raise TypeError(f"a checkpoint cannot hold {name!r} of type {stored.dtype}")
    return stored


def _bytes_of(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _header(arrays: list[tuple[str, Array]], state: Mapping[str, Any]) -> bytes:
    meta = plain_json.canonical({"checksum": NO_CHECKSUM, "format": FORMAT, "state": dict(state)})
    entries: dict[str, Any] = {"__metadata__": {"nntrain": meta}}
    offset = 0
    for name, array in arrays:
        end = offset + array.nbytes
        entries[name] = {"dtype": _CODES[array.dtype], "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    header = json.dumps(entries, separators=(",", ":")).encode()
    # Blanks at the end put the arrays on a multiple of eight bytes, as other readers map them straight into memory.
    header += b" " * (-len(header) % 8)
    if len(header) > LARGEST_HEADER or not header.startswith(PREFIX):
        raise RunError(f"the state takes {len(header):,} bytes, a checkpoint holds at most {LARGEST_HEADER:,}")
    return header


def load(path: Path | str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return ``(arrays, state)`` of a checkpoint; the arrays are writable and share one block of memory.

    Raises:
        RunError: missing, not an nntrain checkpoint, of a newer format, cut short, or changed in any bit.
        ResourceError: the system refused.
    """
    place = Path(path)
    with _opened(place) as (file, size):
        head, layout = _read_header(place, file, size)
        data = np.empty(layout.data_size, np.uint8)
        _fill(place, file, data.data)
    blank = head[: 8 + CHECKSUM_AT] + NO_CHECKSUM.encode() + head[8 + CHECKSUM_AT + 8 :]
    if f"{zlib.crc32(data.data, zlib.crc32(blank)):08x}" != layout.checksum:
        raise RunError("the checkpoint is damaged: its checksum does not match its content", path=str(place))
    return _cut(place, data, layout), layout.state


def inspect(path: Path | str) -> tuple[Layout, dict[str, Any]]:
    """Return layout and state of a checkpoint without reading its arrays, so without finding damage inside them.

    Raises:
        RunError: as :func:`load`.
    """
    place = Path(path)
    with _opened(place) as (file, size):
        _, layout = _read_header(place, file, size)
        return layout, layout.state


@contextmanager
def _opened(place: Path) -> Iterator[tuple[int, int]]:
    if not is_there(place):
        raise RunError("the checkpoint is missing", path=str(place))
    with told(place, "read"), opened(place, os.O_RDONLY) as found:
        yield found


def _read_header(place: Path, file: int, size: int) -> tuple[bytes, Layout]:
    """Return the bytes before the data, and what they say."""
    try:
        first = _read_bytes(place, file, min(8, size))
        header = _read_bytes(place, file, parse_size(first, size))
        return first + header, parse_header(header, size - 8 - len(header))
    except Malformed as error:
        raise RunError(str(error), path=str(place)) from None


def _read_bytes(place: Path, file: int, count: int) -> bytes:
    content = bytearray(count)
    _fill(place, file, memoryview(content))
    return bytes(content)


def _fill(place: Path, file: int, block: memoryview) -> None:
    with open(file, "rb", buffering=0, closefd=False) as stream:
        while len(block):
            count = stream.readinto(block)
            if not count:
                raise RunError("the checkpoint is cut short: it ended while it was read", path=str(place))
            block = block[count:]


def _cut(place: Path, data: Array, layout: Layout) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for part in layout.places:
        raw = data[part.begin : part.end]
        if part.dtype == np.bool_ and raw.size and raw.max() > 1:
            raise RunError(f"array {quote(part.name)}: a truth value is neither 0 nor 1", path=str(place))
        try:
            arrays[part.name] = raw.view(part.dtype).reshape(part.shape)
        except ValueError as error:  # an empty array of a shape that NumPy refuses
            raise RunError(f"array {quote(part.name)}: {error}", path=str(place)) from None
    return arrays
