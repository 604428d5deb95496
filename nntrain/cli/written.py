"""``-o FILE``: a result written where the user said, and never over what it was made from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from nntrain.errors import ConfigError
from nntrain.runs.files import write_output
from nntrain.runs.run import is_run


def write_result(path: str, content: bytes, made_from: Iterable[str]) -> None:
    """Write a result: a file is replaced whole, a device or pipe is written to.

    Args:
        path: as the user typed it.
        content: of the file.
        made_from: files that were read for it.

    Raises:
        ConfigError: the path is no name of a file, one of those files, or a file of a run.
        ResourceError: the system refused.
    """
    target = Path(path)
    if not target.name or os.path.isdir(target):  # noqa: PTH112 - Path.is_dir fails where one may not look
        raise ConfigError("-o: expected the name of a file, got that of a folder", path=path or "''")
    if any(_are_same(target, Path(source)) for source in made_from):
        raise ConfigError("-o: the file is what the result is made from", path=path, help="name another file")
    folders = Path(os.path.realpath(target)).parents[:2]
    if os.path.lexists(target) and any(is_run(folder) for folder in folders):
        raise ConfigError("-o: the file belongs to a run", path=path, help="name another file")
    write_output(target, content)


def _are_same(one: Path, other: Path) -> bool:
    with suppress(OSError, ValueError):  # where one of them is not there, nothing is lost
        return one.is_file() and one.samefile(other)
    return False
