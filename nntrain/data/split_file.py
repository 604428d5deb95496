"""Splits that a file of row numbers gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nntrain.core.array import Array
from nntrain.data.column import Column
from nntrain.data.splitting import Split
from nntrain.data.table import Table, read_table
from nntrain.errors import DataError, did_you_mean, enumerate_names, quote

PARTS = ("train", "val", "test")
_NUMBERED = "rows are numbered from 0, the header does not count"


def is_split_file(split: str) -> bool:
    """Return whether ``data.split`` names a file."""
    return split.lower().endswith((".npz", ".csv", ".csv.gz"))


def from_file(path: Path, shown: str, rows: int) -> Split:
    """Return the split that a file gives: row numbers from 0 in ``train``, ``val`` and ``test``.

    They are the arrays of a .npz, or the columns of a .csv, which end in empty cells where one is shorter than another.
    A .csv may also have two columns, ``row`` and ``part``. ``val`` and ``test`` may be absent; rows that no part names
    are left out.

    Raises:
        DataError: the file is missing or no such file, or a number is no row of the table or stands there twice.
    """
    parts = _read_npz(path, shown) if path.suffix.lower() == ".npz" else _read_csv(path, shown)
    unknown = [name for name in parts if name not in PARTS]
    if unknown or not len(parts.get("train", ())):
        message = (
            f"unknown part {quote(unknown[0])}{did_you_mean(unknown[0], PARTS)}" if unknown else "no rows in 'train'"
        )
        raise DataError(message, path=shown, help=f"the parts are {enumerate_names(PARTS)}")
    for name, numbers in parts.items():
        outside = numbers[(numbers < 0) | (numbers >= rows)]
        if len(outside):
            message = f"{name}: row {int(outside[0])} is none of the {rows} rows of the table"
            raise DataError(message, path=shown, help=_NUMBERED)
    numbers, counts = np.unique(np.concatenate(list(parts.values())), return_counts=True)
    if (counts > 1).any():
        row = int(numbers[counts > 1][0])
        named = " and ".join(name for name in PARTS if name in parts and row in parts[name])
        more = int(np.count_nonzero(counts > 1)) - 1
        notes = [f"{more} more like this"] if more else []
        raise DataError(f"row {row} is named more than once, in {named}", path=shown, help=_NUMBERED, notes=notes)
    return Split(*(np.sort(parts.get(name, np.empty(0, np.int64))) for name in PARTS))


def _read_npz(path: Path, shown: str) -> dict[str, Array]:
    from zipfile import BadZipFile

    try:
        # Opened here, so that it is closed also where it turns out to be no archive.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            found = {name: np.asarray(file[name]) for name in file.files}
    except FileNotFoundError:
        raise DataError("file not found", path=shown, help="check data.split") from None
    except (OSError, ValueError, KeyError, EOFError, AttributeError, BadZipFile):
        raise DataError("not a .npz file of row numbers", path=shown, help="write it with numpy.savez") from None
    for name, numbers in found.items():
        if numbers.ndim != 1 or (numbers.dtype.kind not in "iu" and numbers.size):
            message = f"{name}: expected a list of whole numbers, got {numbers.ndim} axes of {numbers.dtype}"
            raise DataError(message, path=shown, help=_NUMBERED)
    return {name: numbers.astype(np.int64) for name, numbers in found.items()}


def _read_csv(path: Path, shown: str) -> dict[str, Array]:
    table = read_table([str(path)], None, [shown])
    if set(table.names) != {"row", "part"}:
        return {name: _row_numbers(table, table.columns[name]) for name in table.names}
    numbers, part_of = _row_numbers(table, table.columns["row"]), table.columns["part"].text()
    if len(numbers) < table.rows:
        raise DataError("column 'row': a cell is missing", path=shown, help=_NUMBERED)
    return {str(name): numbers[part_of == name] for name in dict.fromkeys(part_of)}


def _row_numbers(table: Table, column: Column) -> Array:
    values = column.numbers()
    known = values[~np.isnan(values)]
    broken = np.flatnonzero(~np.isnan(values) & (values != np.floor(values)))
    if len(broken):
        message = f"column {quote(column.name)}: expected a whole number, got {values[broken[0]]:g}"
        raise DataError(message, path=table.path, line=table.line(int(broken[0])), help=_NUMBERED)
    return known.astype(np.int64)
