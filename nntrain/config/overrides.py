"""``--set KEY=VALUE``: values of the command line, written over those of the file."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nntrain.config.load import Document, parse_text
from nntrain.config.nodes import DEEPEST
from nntrain.config.place import Place, dotted
from nntrain.config.source import check_characters
from nntrain.errors import ConfigError, KeyPath, NntrainError, Problem, quote, shorten
from nntrain.user_files import typed

_SEGMENT = re.compile(r'"([^"]*)"|([^."=]+)')

_KEY = re.compile(r'(?:"[^"]*"|[^"=])*')
"""A '=' within a quoted part of the key is part of the key."""
_FORM = "write KEY=VALUE, as in --set optimizer.learning_rate=0.01"


def apply_overrides(document: Document, overrides: Sequence[str], defaults: Mapping[str, Any]) -> None:
    """Write each ``KEY=VALUE`` into the document, later ones over earlier ones.

    Args:
        document: changed in place.
        overrides: as typed: the key path with dots (list items by their index), then ``=``, then a value in YAML.
        defaults: what stands at a top-level key that the file leaves out, so that ``optimizer.learning_rate=0.1``
            means the default optimizer.

    Raises:
        ConfigError: overrides that cannot be read or applied, all at once.
    """
    problems: list[Problem] = []
    for text in overrides:
        try:
            _apply(document, text, defaults)
        except NntrainError as error:
            problems.extend(error.problems)
            document.spoiled |= _unread(text, document)
    if problems:
        raise ConfigError(problems)


def _unread(text: str, document: Document) -> set[KeyPath]:
    """Return the key path that a failed override begins with, if it does with one: its value is not known."""
    found = _KEY.match(typed(text))
    key = split_key(found[0].strip()) if found else None
    return {_with_indices(document.values, key)} if key else set()


def _apply(document: Document, text: str, defaults: Mapping[str, Any]) -> None:
    text = typed(text)
    origin = f"--set {shorten(text)}"
    key, value_text = _split(text, origin)
    written = _parse_value(value_text, origin)
    if document.values is None:
        document.values = {}
    parent = _parent(document, key, origin, defaults)
    _put(parent, key, written.values, origin)
    _replace_places(document, key, written, origin)


def split_key(key: str) -> KeyPath | None:
    """Return the path a dotted key stands for, or None where a part of it is empty.

    >>> split_key('architecture.hidden.0'), split_key('data.columns."petal.length".type'), split_key("a..b")
    (('architecture', 'hidden', '0'), ('data', 'columns', 'petal.length', 'type'), None)
    """
    parts: list[str | int] = []
    position = 0
    while True:
        found = _SEGMENT.match(key, position)
        if not found:
            return None
        parts.append((found[2] if found[1] is None else found[1]).strip())
        position = found.end()
        if position == len(key):
            return tuple(parts) if all(parts) else None
        if key[position] != ".":
            return None
        position += 1


def _split(text: str, origin: str) -> tuple[KeyPath, str]:
    found = re.fullmatch(rf"({_KEY.pattern})=(.*)", text, re.DOTALL)
    if not found:
        raise ConfigError("expected KEY=VALUE, got no '='", path=origin, help=_FORM)
    key = split_key(found[1].strip())
    if key is None:
        raise ConfigError(f"key {quote(found[1])} has an empty or malformed part", path=origin, help=_FORM)
    if len(key) > DEEPEST:
        raise ConfigError(f"the key has more than {DEEPEST} parts", path=origin)
    if not found[2].strip():
        message = f"{dotted(key)}: expected a value after '=', got nothing"
        raise ConfigError(message, path=origin, help="write null for no value, or '' for an empty text")
    return key, found[2]


def _parse_value(text: str, origin: str) -> Document:
    try:
        check_characters(text, origin)
        return parse_text(text, origin)
    except ConfigError as error:
        # Lines and columns within one argument of the command line tell nobody anything.
        raise ConfigError([replace(problem, line=None, column=None) for problem in error.problems]) from None


def _parent(document: Document, key: KeyPath, origin: str, defaults: Mapping[str, Any]) -> Any:
    """Return the mapping or list that holds the last part of ``key``, made where there is none."""
    values = document.values
    if not isinstance(values, dict):
        raise ConfigError("the config is not a mapping, so nothing can be set in it", path=origin)
    if key[0] not in values and key[0] in defaults and len(key) > 1:
        values[str(key[0])] = copy.deepcopy(defaults[str(key[0])])
    for depth, part in enumerate(key[:-1]):
        index = _index(values, part, key[:depth], origin)
        child = values.get(index) if isinstance(values, dict) else values[index]
        if isinstance(child, str):
            child = {"name": child}
        elif child is None:
            child = {}
        elif not isinstance(child, (dict, list)):
            raise ConfigError(f"{dotted(key[: depth + 1])} is {quote(child)}, which has no keys", path=origin)
        values[index] = child
        values = child
    return values


def _index(values: Any, part: str | int, above: KeyPath, origin: str) -> Any:
    if isinstance(values, dict):
        return part
    if (item := _item(values, part)) is not None:
        return item
    held = f"items 0 to {len(values) - 1}" if values else "no items"
    raise ConfigError(f"{dotted(above)} is a list with {held}, got {quote(str(part))}", path=origin)


def _item(values: list[Any], part: str | int) -> int | None:
    """Return the index of the item of a list that a part of a key path means, if it means one."""
    text = str(part).lstrip("0") or "0"
    is_index = text.isascii() and text.isdigit() and len(text) <= len(str(len(values)))
    return int(text) if is_index and int(text) < len(values) else None


def _put(parent: Any, key: KeyPath, value: Any, origin: str) -> None:
    parent[_index(parent, key[-1], key[:-1], origin)] = value


def _replace_places(document: Document, key: KeyPath, written: Document, origin: str) -> None:
    at = _with_indices(document.values, key)
    for old in [path for path in document.places if path[: len(at)] == at]:
        del document.places[old]
    document.spoiled -= {path for path in document.spoiled if path[: len(at)] == at}
    document.spoiled |= {at + path for path in written.spoiled}
    # What the override made on its way (the mapping around the key) belongs to it too.
    for depth in range(1, len(at)):
        document.places.setdefault(at[:depth], Place(origin))
    for path, place in written.places.items():
        document.places[at + path] = Place(origin, text=place.text)
    for problem in written.problems:
        message = ": ".join([dotted(at), problem.message])
        document.problems.append(replace(problem, message=message, path=origin, line=None, column=None))


def _with_indices(values: Any, key: KeyPath) -> KeyPath:
    """Return a key path with numbers for the items of lists, as far as it leads through values that are there."""
    path: list[str | int] = []
    for part in key:
        if isinstance(values, list) and (item := _item(values, part)) is not None:
            path.append(item)
            values = values[item]
        else:
            path.append(part)
            values = values.get(part) if isinstance(values, dict) else None
    return tuple(path)
