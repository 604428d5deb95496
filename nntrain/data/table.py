"""One or several data files as a table of named columns, exact about every cell.

Nothing is guessed silently: what is not a well-formed table is an error that names the line; what had to be found out
(the separator, padded names) is a notice; what a cell means is decided by the grammar of :mod:`nntrain.data.grammar`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nntrain.data.available_memory import available_memory
from nntrain.data.cache import active_cache
from nntrain.data.column import Column, Part, places
from nntrain.data.csv_part import CsvPart
from nntrain.data.decoding import is_parquet
from nntrain.data.grammar import Grammar
from nntrain.data.parquet_part import ParquetPart
from nntrain.data.pieces import Positions
from nntrain.data.source import Announce, PlainFile, expand, plain_file_size, read_bytes, unpacked_size, unpacks_beyond
from nntrain.errors import ConfigError, DataError, did_you_mean, enumerate_names, escape, quote

SMALL_FILE_BYTES = 1 << 20
"""Files up to this size are read whole and are not cached: reading them takes no longer than finding them."""
UNPACKED_BYTES = 16 << 20
"""Small files that are packed, and that unpacked are larger than this, are read like large ones, block by block."""
STREAMED_BYTES = 512 << 20
"""Files that are larger together are streamed however much memory there is."""
_ENDINGS = (".parquet", ".pq")


@dataclass(frozen=True)
class ReadOptions:
    """How the files are written: the ``data.*`` keys of the config that say so.

    Args:
        delimiter: one character between the cells; null finds it from the header among comma, semicolon, tab and ``|``.
        decimal: decimal separator of the numbers, ``.`` or ``,``.
        header: whether the first line names the columns; false names them c0, c1, ...; or the list of names of a file
            without a header.
        encoding: text encoding of the files.
        missing_values: further strings that mean a missing cell, in every column.
    """

    delimiter: str | None = None
    decimal: str = "."
    header: bool | Sequence[str] = True
    encoding: str = "utf-8"
    missing_values: tuple[str, ...] = ()

    def grammar(self) -> Grammar:
        """Return the rules for single cells."""
        if self.decimal not in (".", ","):
            raise ConfigError(f"data.decimal: expected '.' or ',', got {quote(self.decimal)}")
        return Grammar(self.decimal, tuple(self.missing_values))


class Table:
    """The rows of one or several files, one after the other.

    Columns may lie in files that are mapped into memory: :meth:`stretches` and the ``rows`` that the methods of
    :class:`~nntrain.data.column.Column` take read them piece by piece, so that memory stays bounded however many rows
    there are.

    ``path``: as the user typed it, of the first file; ``rows``; ``looks_like_data``: whether its first line does;
    ``names``: in the order of the first file; ``columns``: by name; ``notices``: what the user should know;
    ``is_streamed``: whether it is so large, or so asked for, that arrays of all its rows are not to be in memory.
    """

    def __init__(self, parts: Sequence[Part], grammar: Grammar, is_streamed: bool = False) -> None:
        self._parts = parts
        self.is_streamed = is_streamed
        self.path = parts[0].shown
        self.rows = sum(part.rows for part in parts)
        self.looks_like_data = parts[0].looks_like_data
        self.names = list(parts[0].names)
        self.notices = [notice for part in parts for notice in part.notices]
        positions = [{name: i for i, name in enumerate(part.names)} for part in parts]
        self.columns: Mapping[str, Column] = {
            name: Column(name, [(part, where[name]) for part, where in zip(parts, positions, strict=True)], grammar)
            for name in self.names
        }

    @property
    def sha256(self) -> dict[str, str]:
        """SHA-256 of the content of each file, by path.

        Raises:
            DataError: a file has changed since it was read.
        """
        return {part.shown: part.sha256 for part in self._parts}

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns.values())

    def column(self, name: str, key: str = "") -> Column:
        """Return a column.

        Args:
            name: as in the header.
            key: the config key that names it, for the message: ``data.target``.

        Raises:
            DataError: there is no such column; with the closest name and those there are.
        """
        if name in self.columns:
            return self.columns[name]
        raise column_not_found(self, name, key)

    def stretches(self, rows: int) -> Iterator[slice]:
        """Yield the rows in stretches of a fixed length, the last one shorter, for the methods of columns.

        >>> from nntrain.data.csv_part import CsvPart
        >>> options = ReadOptions()
        >>> table = Table([CsvPart.from_bytes(b"a\\n1\\n2\\n3\\n", "x.csv", options)], options.grammar())
        >>> [table.columns["a"].numbers(stretch).tolist() for stretch in table.stretches(2)]
        [[1.0, 2.0], [3.0]]
        """
        for start in range(0, self.rows, rows):
            yield slice(start, min(start + rows, self.rows))

    def line(self, row: int) -> int:
        """Return the physical line (the header is 1) on which a row begins in its file."""
        return self.place(row)[1]

    def file_of(self, row: int) -> str:
        """Return the file of a row, as the user typed it."""
        return self.place(row)[0]

    def place(self, row: int) -> tuple[str, int]:
        """Return the file and the physical line of a row."""
        return self.places([row])[0]

    def places(self, rows: Sequence[int] | Positions) -> list[tuple[str, int]]:
        """Return the file and the physical line of each of some rows."""
        return places(self._parts, rows)


def column_not_found(table: Table, name: str, key: str = "") -> DataError:
    """Return the error for a column that a table does not have; see :meth:`Table.column`."""
    hint = "line 1 looks like data: if the file has no header, set data.header: false, or to a list of names"
    return DataError(
        f"{key}{': ' * bool(key)}column {quote(name)} not found{did_you_mean(name, table.names)}",
        path=table.path,
        help=hint if table.looks_like_data else None,
        notes=(f"columns found in {escape(table.path)}: {enumerate_names(table.names)}",),
    )


def read_table(
    paths: Sequence[str],
    options: ReadOptions | None = None,
    shown: Sequence[str] | None = None,
    announce: Announce | None = None,
    stream: bool | str = "auto",
) -> Table:
    """Read CSV or Parquet files with the same columns into one table.

    Args:
        paths: files, pipes or glob patterns, in the order of the rows.
        options: how the files are written.
        shown: the paths as the user typed them, for messages.
        announce: told when reading has to wait for a pipe.
        stream: whether the columns are put on disk rather than in memory; auto decides by the size of the files. No
            value depends on it.

    Raises:
        DataError: a file cannot be read, is not a well-formed table, or has other columns than the first one.
        ConfigError: an option is impossible, or a Parquet file is read without pyarrow.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "xor.csv"
    >>> _ = file.write_text("a,b,y\\n0,0,no\\n0,1,yes\\n")
    >>> table = read_table([str(file)])
    >>> table.names, table.rows, table.columns["b"].numbers(), table.columns["y"].text().tolist(), table.line(1)
    (['a', 'b', 'y'], 2, array([0., 1.]), ['no', 'yes'], 3)
    """
    options = options or ReadOptions()
    grammar = options.grammar()
    if not paths:
        raise ConfigError("data: expected at least one file")
    typed = zip(paths, shown or paths, strict=True)
    files = [file for path, as_typed in typed for file in expand(path, as_typed)]
    sizes = [plain_file_size(path) for path, _ in files]
    contents = [unpacked_size(path, size) for (path, _), size in zip(files, sizes, strict=True) if size]
    on_disk = wants_stream(stream, sum(contents))
    parts = [
        _read_part(path, as_typed, options, announce)
        if size is None or (size <= SMALL_FILE_BYTES and not unpacks_beyond(path, UNPACKED_BYTES))
        else _read_large(path, as_typed, options, on_disk)
        for (path, as_typed), size in zip(files, sizes, strict=True)
    ]
    for part in parts[1:]:
        _check_same_columns(parts[0], part)
    return Table(parts, grammar, on_disk)


def wants_stream(stream: bool | str, size: int) -> bool:
    """Return whether files of so many bytes together are streamed.

    >>> wants_stream("auto", 1000), wants_stream("auto", 1 << 40), wants_stream(True, 1000)
    (False, True, True)
    """
    return size > min(STREAMED_BYTES, available_memory() // 8) if stream == "auto" else bool(stream)


def _read_large(path: str, shown: str, options: ReadOptions, stream: bool) -> Part:
    from nntrain.data.large_file import read_csv_file, read_parquet_file

    if is_parquet(PlainFile(path, shown).head):
        return read_parquet_file(path, shown, stream)
    if path.lower().endswith(_ENDINGS):
        return _read_part(path, shown, options, None)
    return read_csv_file(path, shown, options, active_cache(), stream)


def _read_part(path: str, shown: str, options: ReadOptions, announce: Announce | None) -> Part:
    raw = read_bytes(path, shown, announce)
    if is_parquet(raw):
        return ParquetPart.from_bytes(raw, shown)
    if path.lower().endswith(_ENDINGS):
        raise DataError("expected a Parquet file, but its content is none", path=shown)
    return CsvPart.from_bytes(raw, shown, options)


def _check_same_columns(first: Part, other: Part) -> None:
    lacking = [name for name in first.names if name not in other.names]
    extra = [name for name in other.names if name not in first.names]
    if lacking or extra:
        told = (("lacks", lacking), ("has besides", extra))
        raise DataError(
            f"other columns than {quote(first.shown)}: "
            + "; ".join(f"{verb} {enumerate_names(names, 5)}" for verb, names in told if names),
            path=other.shown,
            help="files that are read as one table need the same columns, in any order",
        )
