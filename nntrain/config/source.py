"""The bytes of a config file, and the text they stand for."""

from __future__ import annotations

import codecs
import re

from nntrain.config.place import LineTable
from nntrain.errors import ConfigError, quote
from nntrain.user_files import FileKind

CONFIG_FILE = FileKind(
    "config",
    "YAML",
    "config file",
    (".yaml", ".yml"),
    largest=512 * 1024,
    instead="give a YAML file; a table is named in it, as data.train",
)

# The printable characters of YAML 1.2.2, section 5.1, production [1].
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}

_SAVE = "save it as UTF-8"


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
