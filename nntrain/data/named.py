"""What the data section names, files and columns: looked for before anything is read, so that all is told at once."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nntrain.data.options import DataOptions
from nntrain.data.parts import Resolve
from nntrain.data.source import expand, not_found
from nntrain.data.split_file import is_split_file
from nntrain.data.table import Table, column_not_found
from nntrain.data.target import names_of
from nntrain.errors import DataError, KeyPath, Problem


def check_files(options: DataOptions, resolve: Resolve) -> None:
    """Refuse files that are not there; what else is wrong with a file is found by whoever reads it.

    Raises:
        DataError: with all of them, each under the key that names it.
    """
    absent = [
        replace(problem, at=key, help=_share(key, text) or problem.help)
        for key, text in _files(options)
        for problem in _absent(str(resolve(text)), text)
    ]
    if absent:
        raise DataError(absent)


def check_columns(table: Table, options: DataOptions) -> None:
    """Refuse columns that the table does not have.

    Raises:
        DataError: with all of them, each under the key that names it.
    """
    absent = [
        replace(problem, at=key)
        for key, name in _columns(options)
        if name not in table.columns
        for problem in column_not_found(table, name, ".".join(map(str, key[:2] if key[1] in _LISTS else key))).problems
    ]
    if absent:
        raise DataError([absent[0], *(replace(problem, path=None, help=None, notes=()) for problem in absent[1:])])


_LISTS = ("target", "features", "ignore", "columns")
"""Keys of the data section that name several columns."""


def _files(options: DataOptions) -> Iterator[tuple[KeyPath, str]]:
    for part in ("train", "validation", "test"):
        given = getattr(options, part)
        if given is None or isinstance(given, (int, float)) or given == "none":
            continue
        for i, text in enumerate(names_of(given)):
            yield ("data", part, i) if isinstance(given, list) and len(given) > 1 else ("data", part), text
    if is_split_file(options.split):
        yield ("data", "split"), options.split


def _absent(path: str, shown: str) -> tuple[Problem, ...]:
    try:
        for file, _ in expand(path, shown):
            Path(file).stat()
    except DataError as error:  # a pattern that matches nothing
        return error.problems
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return not_found(path, shown).problems
    except ValueError:  # a name that no file can have is told by whoever reads it
        pass
    return ()


def _share(key: KeyPath, text: str) -> str | None:
    """Return the remedy for a share that is written as a text, or None for another text."""
    is_share = key[1] in ("validation", "test") and re.fullmatch(r"0?\.[0-9]+|0", text)
    return f"a share is written without quotes: {text}" if is_share else None


def _columns(options: DataOptions) -> Iterator[tuple[KeyPath, str]]:
    for key in ("target", "features", "ignore"):
        for i, name in enumerate(names_of(getattr(options, key) or ())):
            yield ("data", key, i), name
    for name in options.columns:
        yield ("data", "columns", name), name
    sections: list[tuple[KeyPath, Any, tuple[str, ...]]] = [(("data",), options, ("weight", "group", "order"))]
    if options.sequence is not None:
        sections.append((("data", "sequence"), options.sequence, ("group", "order", "length")))
    for above, section, keys in sections:
        for key in keys:
            if getattr(section, key) is not None:
                yield (*above, key), getattr(section, key)
