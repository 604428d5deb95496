"""Names of run directories, and making one so that two runs never share it."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from nntrain.errors import ConfigError, NntrainError, quote
from nntrain.runs.files import sync_folder, told
from nntrain.runs.lock import LOCK, held_elsewhere, is_live
from nntrain.user_files import path_of

LONGEST_NAME = 100
LONGEST_FILE_NAME = 255
HIDDEN = re.compile(r"\..{1,40}\.new-[0-9a-f]{8}", re.DOTALL)
"""Full names of directories that are just being made."""
ABANDONED_SECONDS = 3600.0
"""A directory is made in a moment; one that is this old never becomes a run."""
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR}
_ATTEMPTS = 1000


def check_name(name: str) -> None:
    """Refuse a name that is no plain file name.

    Raises:
        ConfigError: the name holds a path, something invisible, or is too long; the message says which.
    """
    problem = _problem(name)
    if problem is not None:
        raise ConfigError(f"name: expected a plain file name, got {quote(name)}: {problem}")


def _problem(name: str) -> str | None:
    if not name.strip() or name != name.strip():
        return "it is empty, or begins or ends with a blank"
    if name[0] in ".-":
        return f"it begins with {name[0]!r}"
    if any(character in '/\\<>:"|?*' for character in name):
        return 'it holds one of / \\ < > : " | ? *'
    if any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in name):
        return "it holds a character that cannot be seen"
    size = len(name.encode())
    return f"it has {size} bytes, at most {LONGEST_NAME} fit" if size > LONGEST_NAME else None


def run_id(name: str) -> str:
    """Return ``<name>-<YYYYMMDD-HHMMSS>-<4 hex>``; the digits at the end make it unique where the clock does not."""
    return f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def make_directory(
    name: str, runs_dir: str, run_dir: str | None, fill: Callable[[Path, str], Callable[[Path], None]]
) -> Path:
    """Make a run directory and return its path: filled under a hidden name, then renamed without replacing anything.

    Args:
        name: of the run.
        runs_dir: where to make ``<name>-<time>-<hex>``, unless
        run_dir: this very directory is wanted.
        fill: given the hidden directory and the run's id, fills it and returns what is called with its final path.

    Raises:
        ConfigError: the name is none, or ``run_dir`` exists.
        ResourceError: the system refused, or ``run_dir`` is in use by another process.
    """
    check_name(name)
    final = Path(runs_dir) / path_of(run_id(name)) if run_dir is None else Path(run_dir)
    if run_dir is not None:
        _check_free(final)
    _make_parent(final.parent)
    _remove_abandoned(final.parent)
    hidden = final.with_name(f".{final.name[:40]}.new-{secrets.token_hex(4)}")
    with told(hidden, "make the run directory"):
        hidden.mkdir()
    try:
        moved = fill(hidden, final.name)
        for _ in range(_ATTEMPTS):
            if _rename(hidden, final):
                moved(final)
                return final
            if run_dir is not None:
                raise _exists(final)
            final = final.with_name(path_of(run_id(name)))
        raise ConfigError(f"name: no free directory for {quote(name)} in {quote(runs_dir)}")
    except BaseException:
        # What is removed is the hidden directory of this very call; a run that has its name is never touched.
        shutil.rmtree(hidden, ignore_errors=True)
        raise


def _check_free(final: Path) -> None:
    size = len(os.fsencode(final.name))
    if size > LONGEST_FILE_NAME:
        limit = f"expected a name of at most {LONGEST_FILE_NAME} bytes, got {size}"
        raise ConfigError(f"--run-dir: {limit}: {quote(final.name)}")
    if os.path.lexists(final):
        raise _exists(final)


def _make_parent(parent: Path) -> None:
    with told(parent, "make the folder"):
        new = [folder for folder in (parent, *parent.parents) if not folder.exists()]
        parent.mkdir(parents=True, exist_ok=True)
        for folder in new:  # else a loss of power could take the whole folder of runs
            sync_folder(folder.parent)


def _remove_abandoned(parent: Path) -> None:
    """Remove hidden directories of processes that were killed while they made a run directory.

    They are ours by their name and what is in them, old, and locked by nobody; whatever is not all of that stays.
    """
    with suppress(OSError), os.scandir(parent) as entries:  # what cannot be removed does no harm
        for entry in entries:
            if HIDDEN.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                folder = Path(entry.path)
                is_old = time.time() - folder.stat().st_mtime > ABANDONED_SECONDS
                is_ours = (folder / LOCK).is_file() or not any(folder.iterdir())  # the lock is made first
                if is_old and is_ours and not is_live(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _rename(hidden: Path, final: Path) -> bool:
    """Rename, and return False where the name is taken.

    A rename replaces an empty directory at most, and a run directory is never empty.
    """
    with told(final, "make the run directory"):
        if os.path.lexists(final):
            return False
        try:
            hidden.rename(final)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        sync_folder(final.parent)
    return True


def _exists(final: Path) -> NntrainError:
    if is_live(final):
        return held_elsewhere(final)
    return ConfigError(
        "--run-dir: expected a directory that does not exist yet, got one that does",
        path=str(final),
        help="choose another, or go on with this run: nntrain fit --resume",
    )
