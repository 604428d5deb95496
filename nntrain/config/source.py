"""The bytes of a config file, and the text they stand for."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from nntrain.config.place import LineTable
from nntrain.errors import ConfigError, closest, enumerate_names, escape, quote

LARGEST = 512 * 1024
"""Bytes of the largest config that is read."""

# The printable characters of YAML 1.2.2, section 5.1, production [1].
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}

_SAVE = "save it as UTF-8"


def read(path: str) -> bytes:
    """Return what the file at ``path`` holds; a pipe is read to its end.

    Raises:
        ConfigError: it does not exist, is a directory, may not be read, or is too large for a config.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise _missing(path) from None
    except IsADirectoryError:
        raise _directory(path) from None
    except PermissionError:
        raise ConfigError("permission denied: the config cannot be read", path=path) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"the config cannot be read: {reason}", path=path) from None
    if len(content) > LARGEST:
        remedy = "give a YAML file; a table is named in it, as data.train"
        raise ConfigError(f"larger than {LARGEST // 1024} KiB, so it is no config", path=path, help=remedy)
    return content


def decode(content: bytes, path: str) -> str:
    """Return the text of UTF-8 bytes, with or without a byte order mark.

    Raises:
        ConfigError: the bytes are another encoding, or hold control characters.
    """
    if not content.strip():
        # Named here so that an empty file, /dev/null and a file of blank lines read the same.
        return ""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            raise ConfigError(f"not UTF-8: the file looks like {encoding}", path=path, line=1, help=_SAVE)
    if content[1:2] == b"\x00" or content[:1] == b"\x00":
        raise ConfigError("not UTF-8: the file looks like UTF-16 or is binary", path=path, line=1, help=_SAVE)
    body = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        before = body[: error.start].decode("utf-8")
        line, column = LineTable(before).at(len(before))
        offset = error.start + len(content) - len(body)
        message = f"not UTF-8: byte 0x{content[offset]:02x} at offset {offset}"
        raise ConfigError(message, path=path, line=line, column=column, help=_SAVE) from None
    check_characters(text, path)
    return text


def check_characters(text: str, path: str) -> None:
    """Raise ConfigError where a text holds a character that YAML does not allow to stand as itself."""
    found = _UNPRINTABLE.search(text)
    if found:
        line, column = LineTable(text).at(found.start())
        message = f"character {quote(found[0])} is not allowed in a config"
        remedy = "delete it, or write it as an escape in double quotes"
        raise ConfigError(message, path=path, line=line, column=column, help=remedy)


def _missing(path: str) -> ConfigError:
    folder = Path(path).parent
    if not folder.is_dir():
        return ConfigError(f"file not found; there is no directory '{escape(str(folder))}'", path=path)
    names = _configs_in(folder)
    close = closest(Path(path).name, names)
    if close:
        return ConfigError("file not found", path=path, help=f"did you mean '{escape(str(folder / close))}'?")
    notes = [f"config files there: {enumerate_names(names, 10)}"] if names else ["no *.yaml file is there"]
    return ConfigError("file not found", path=path, notes=notes)


def _directory(path: str) -> ConfigError:
    names = _configs_in(Path(path))
    remedy = f"give a file in it, such as '{escape(str(Path(path) / names[0]))}'" if names else "give a YAML file"
    return ConfigError("is a directory, not a config file", path=path, help=remedy)


def _configs_in(folder: Path) -> list[str]:
    try:
        entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
        return sorted(entry.name for entry in entries if entry.suffix in (".yaml", ".yml"))
    except OSError:
        # Only a hint is lost: the error that asked for it is raised all the same.
        return []
