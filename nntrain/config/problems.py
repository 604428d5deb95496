"""Issues to problems: the message with its key path, the place in the file, the remedy."""

from __future__ import annotations

import math
import re
from typing import Any

from nntrain.config.blocks import ARGUMENT_OF_BLOCK, WRITTEN_AS
from nntrain.config.issues import Issue, Level
from nntrain.config.load import Document
from nntrain.config.place import Place, dotted
from nntrain.config.unknown_keys import keys_of, unknown_key
from nntrain.errors import KeyPath, Problem, enumerate_names, quote, shorten
from nntrain.registry import registry_of

_LIKE_A_NUMBER = re.compile(r"[-+]?[0-9][0-9_]*([.,][0-9]+)?([eE][-+]?[0-9]+)?")


def problem_of(issue: Issue, document: Document, listed: set[str]) -> Problem:
    """Return the problem an issue is, at its place in a document.

    Args:
        issue: what is wrong.
        document: where.
        listed: the levels whose keys were listed in an earlier problem, added to here.
    """
    at = _named(issue, document)
    message, remedy = _message(issue, at, document, listed)
    path, line, column = place_of(issue, document)
    shown = f"{dotted([shorten(part) if isinstance(part, str) else part for part in at])}: " if at else ""
    return Problem(f"{shown}{message}", path, line, column, issue.help or remedy)


def place_of(issue: Issue, document: Document) -> tuple[str, int | None, int | None]:
    """Return path, line and column of what an issue is about."""
    stands = as_written(document, issue.at)
    stands = stands if stands in document.places else _named(issue, document)
    return locate(document, stands, at_key=issue.kind == "unknown_key")


def _named(issue: Issue, document: Document) -> KeyPath:
    """Return the key path that the message names; an unknown name is named by what it should be the name of."""
    stands = as_written(document, issue.at)
    return stands[:-1] if issue.kind == "unknown_name" else stands


def _message(issue: Issue, at: KeyPath, document: Document, listed: set[str]) -> tuple[str, str | None]:
    if issue.kind == "unknown_key" and issue.level:
        message, remedy = unknown_key(str(at[-1]), issue.level)
        return message + _list_once(issue.level, listed), remedy
    if issue.kind == "unknown_name" and issue.level:
        return _unknown_name(issue.level, listed)
    if issue.kind == "missing" and issue.level:
        if issue.text:
            return f"required key is missing ({at[-1]} needs: {issue.text})", None
        return "required key is missing" + (_list_once(issue.level, listed) if issue.level.name else ""), None
    if issue.kind == "type":
        value, place = value_at(document, at), document.places.get(at)
        return f"expected {issue.text}, got {_shown(value, place)}", _remedy(issue.text, value, place)
    return issue.text, None


def _unknown_name(level: Level, listed: set[str]) -> tuple[str, str | None]:
    registry = registry_of(level.kind)
    known = f" (known: {enumerate_names(registry.names(), 60)})" if level.kind not in listed else ""
    listed.add(level.kind)
    return registry.unknown(level.name) + known, _remedy_for_text("number", level.name)


def _list_once(level: Level, listed: set[str]) -> str:
    if level.name in listed:
        return ""
    listed.add(level.name)
    return f" ({keys_of(level)})"


def _shown(value: Any, place: Place | None) -> str:
    if value is None and place is not None and place.text == "":
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, (int, float)) and not isinstance(value, bool) and place is not None and place.text:
        return shorten(place.text)
    return quote(value)


def _remedy(expected: str, value: Any, place: Place | None) -> str | None:
    if value is None:
        return "give a value or delete the line"
    if isinstance(value, str):
        return _remedy_for_text(expected, value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (bool, int, float)) and re.search(r"\btexts?\b", expected):
        written = place.text if place is not None and place.text else quote(value)
        return f"write it in quotes: '{shorten(written)}'"
    if isinstance(value, float) and "integer" in expected and value and value.is_integer():
        return f"write {quote(int(value))}"
    return None


def _remedy_for_text(expected: str, value: str) -> str | None:
    if "true or false" in expected and value.lower() in ("yes", "no", "on", "off", "y", "n", "true", "false"):
        return f"write {'true' if value.lower() in ('yes', 'on', 'y', 'true') else 'false'}"
    if re.search("integer|number", expected) and _LIKE_A_NUMBER.fullmatch(value):
        written = value.replace("_", "").replace(",", "" if "integer" in expected else ".")
        return f"write {written}, without quotes"
    return None


def value_at(document: Document, at: KeyPath) -> Any:
    """Return the value at a key path, or None where there is none."""
    value = document.values
    for part in at:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def locate(document: Document, at: KeyPath, at_key: bool = False) -> tuple[str, int | None, int | None]:
    """Return path, line and column of a key path, or of the nearest mapping around it that the file holds.

    Args:
        document: the config.
        at: key path, of the resolved config or of the file.
        at_key: whether the key's place is meant, not the value's.
    """
    place, is_exact = find_place(document, at)
    if place is document.places.get(()) and not is_exact:
        return place.path, None, None
    position = place.key if (at_key or not is_exact) and place.key else place.value
    return place.path, *(position or (None, None))


def find_place(document: Document, at: KeyPath) -> tuple[Place, bool]:
    """Return the place of a key path or of the nearest mapping around it, and whether it is its own."""
    written = as_written(document, at)
    for length in range(len(written), 0, -1):
        if written[:length] in document.places:
            return document.places[written[:length]], length == len(written)
    return document.places.get((), Place(document.path)), not written


def as_written(document: Document, at: KeyPath) -> KeyPath:
    """Return a key path as the file has it: blocks of layers by their own key, a single item without its index."""
    written: KeyPath = ()
    for part in at:
        block = (*written, WRITTEN_AS.get(str(part), ""))
        within = next((b for b in ARGUMENT_OF_BLOCK if (*written, b, part) in document.places), None)
        if (*written, part) in document.places:
            written = (*written, part)
        elif within and isinstance(part, str):
            written = (*written, within, part)
        elif block in document.places:
            written = block
        elif part != 0 or isinstance(value_at(document, written), list):
            written = (*written, part)
    return written
