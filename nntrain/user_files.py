"""Files that the user names: what a name means, what a small file holds, and what is wrong with either one."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nntrain.errors import ConfigError, closest, enumerate_names, escape, quote, reason_of


def typed(text: str) -> str:
    """Return what was typed where the system's encoding is not UTF-8, as with LC_ALL=C, and Python kept its bytes."""
    with suppress(UnicodeError):  # a surrogate that stands for no byte; it is refused later
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    return text


def path_of(text: str) -> str:
    """Return the path that a text means: a name is its bytes in UTF-8, also where the system's encoding is another."""
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def text_of(path: str) -> str:
    """Return the text that means a path, for a config to hold.

    Raises:
        ConfigError: a name in it is not UTF-8, as a config is.
    """
    try:
        return os.fsencode(path).decode("utf-8")
    except UnicodeError:
        help = "rename what is shown with \\udc..: no config, not that of a run either, can name it"
        raise ConfigError("the name of this file or of a folder above it is not UTF-8", path=path, help=help) from None


def current_folder() -> str | None:
    """Return the folder that relative names begin from, or None where somebody has removed it."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class FileKind:
    """Files of one kind, in the words of errors about them.

    Attributes:
        name: what they are here, such as ``config``.
        language: what they are written in, such as ``YAML``.
        called: what the user calls them, such as ``config file``.
        endings: of their names, the usual one first.
        largest: bytes of the largest that is read.
        instead: what to do rather than to give a larger one; empty where there is nothing to say.
    """

    name: str
    language: str
    called: str
    endings: tuple[str, ...]
    largest: int
    instead: str = ""

    def read(self, path: str) -> bytes:
        """Return what the file at ``path`` holds; a pipe is read to its end.

        Raises:
            ConfigError: it does not exist, is a directory, may not be read, or is too large.
        """
        try:
            with Path(path).open("rb") as file:
                content = file.read(self.largest + 1)
        except FileNotFoundError:
            raise self._missing(path) from None
        except IsADirectoryError:
            raise self._directory(path) from None
        except PermissionError:
            raise ConfigError(f"permission denied: the {self.name} cannot be read", path=path) from None
        except OSError as error:
            raise ConfigError(f"the {self.name} cannot be read: {reason_of(error)}", path=path) from None
        except ValueError as error:  # no name of a file, as one with a zero byte
            raise ConfigError(f"the {self.name} cannot be read: {error}", path=path) from None
        if len(content) > self.largest:
            size = f"{self.largest >> 20} MiB" if self.largest >> 20 else f"{self.largest >> 10} KiB"
            raise ConfigError(f"larger than {size}, so it is no {self.name}", path=path, help=self.instead or None)
        return content

    def _missing(self, path: str) -> ConfigError:
        folder = Path(path).parent
        if not folder.is_dir():
            return ConfigError(f"file not found; there is no directory '{escape(str(folder))}'", path=path)
        if Path(path).is_symlink():
            return ConfigError(f"a link to a file that does not exist: {quote(str(Path(path).readlink()))}", path=path)
        names = self._those_in(folder)
        close = closest(Path(path).name, names)
        if close:
            return ConfigError("file not found", path=path, help=f"did you mean '{escape(str(folder / close))}'?")
        none = f"no *{self.endings[0]} file is there"
        there = f"{self.called}s there: {enumerate_names(names, 10)}" if names else none
        return ConfigError("file not found", path=path, notes=[there])

    def _directory(self, path: str) -> ConfigError:
        names = self._those_in(Path(path))
        example = f"file in it, such as '{escape(str(Path(path) / names[0]))}'" if names else f"{self.language} file"
        return ConfigError(f"is a directory, not a {self.called}", path=path, help=f"give a {example}")

    def _those_in(self, folder: Path) -> list[str]:
        try:
            entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
            return sorted(entry.name for entry in entries if entry.suffix in self.endings)
        except OSError:
            # Only a hint is lost: the error that asked for it is raised all the same.
            return []
