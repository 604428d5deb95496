"""A config file to plain values that know where they stand.

Three steps: bytes to text (:mod:`nntrain.config.source`), text to nodes (:mod:`nntrain.config.nodes`), nodes to plain
values with the place of each, which is this module. Mistakes that leave the rest readable (a duplicate key, a tag, a
number too long) are collected, so that they are reported together with what the schema finds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nntrain.config.nodes import DEEPEST, MOST_NODES, Node, compose
from nntrain.config.place import LineTable, Place, dotted
from nntrain.config.scalars import CURLY_QUOTES, UnusableNumber, resolve
from nntrain.config.source import CONFIG_FILE, decode
from nntrain.config.syntax import conflict_marker
from nntrain.errors import ConfigError, KeyPath, Problem, quote

_KINDS = {"mapping": "a mapping", "sequence": "a list"}


@dataclass(slots=True)
class Document:
    """A config as plain values.

    Attributes:
        path: the file as the user typed it.
        values: dicts, lists, texts, numbers, booleans and None.
        places: where each value stands, by its key path; ``()`` is the whole document.
        problems: mistakes found on the way.
        spoiled: key paths of values that could not be read; nothing more need be said about them.
        text: what the file holds.
    """

    path: str
    values: Any
    places: dict[KeyPath, Place]
    problems: list[Problem] = field(default_factory=list)
    spoiled: set[KeyPath] = field(default_factory=set)
    text: str = ""


def load_document(path: str) -> Document:
    """Read the config file at ``path``.

    Raises:
        ConfigError: the file is missing, unreadable or not one YAML document.
    """
    return parse_document(CONFIG_FILE.read(path), path)


def parse_document(content: bytes, path: str) -> Document:
    """Return the document in ``content``, the bytes of a file named ``path``.

    Raises:
        ConfigError: it is not one YAML document in UTF-8.

    >>> parse_document(b"optimizer: {name: adam, learning_rate: 1e-2}", "a.yaml").values
    {'optimizer': {'name': 'adam', 'learning_rate': 0.01}}
    """
    return parse_text(decode(content, path), path)


def parse_text(text: str, path: str) -> Document:
    """Return the document in a text; see :func:`parse_document`."""
    marker = conflict_marker(text, path)
    if marker:
        raise marker
    return _Expansion(text, path).document(compose(text, path))


class _Expansion:
    """Nodes to plain values; what stands under an alias or a merge key is repeated, under the cap."""

    def __init__(self, text: str, path: str) -> None:
        self.lines = LineTable(text)
        self.found = Document(path, None, {}, text=text)
        self.count = 0
        self.reported: set[int] = set()

    def document(self, root: Node) -> Document:
        self.found.values = self.value(root, (), None)
        return self.found

    def value(self, node: Node, at: KeyPath, key: Node | None) -> Any:
        self.check_cap(node, at)
        self.found.places[at] = self.place(node, key)
        if node.tag is not None:
            return self.refused_tag(node, at)
        if node.kind == "sequence":
            return [self.value(item, (*at, i), item) for i, item in enumerate(node.items)]
        if node.kind == "mapping":
            return {name: self.value(child, (*at, name), key) for name, (key, child) in self.pairs(node, at).items()}
        return self.scalar(node, at)

    def check_cap(self, node: Node, at: KeyPath, merges: int = 0) -> None:
        self.count += 1
        line, column = self.lines.at(node.start)
        if self.count > MOST_NODES:
            message = f"more than {MOST_NODES:,} values after its aliases and merges are written out"
            raise ConfigError(f"{_prefix(at)}{message}", path=self.found.path, line=line, column=column)
        if len(at) + merges > DEEPEST:
            message = f"nested more than {DEEPEST} deep after its aliases are written out"
            raise ConfigError(message, path=self.found.path, line=line, column=column)

    def place(self, node: Node, key: Node | None) -> Place:
        text = node.text if node.kind == "scalar" and node.is_plain else None
        at_key = None if key is None else self.lines.at(key.start)
        return Place(self.found.path, at_key, self.lines.at(node.start), text)

    def scalar(self, node: Node, at: KeyPath) -> Any:
        if not node.is_plain:
            return self.checked_text(node, at)
        if node.text.startswith(CURLY_QUOTES):
            self.curly(node, at)
            return None
        try:
            value = resolve(node.text)
        except UnusableNumber as reason:
            self.spoil(node, at, str(reason))
            return None
        return self.checked_text(node, at) if isinstance(value, str) else value

    def checked_text(self, node: Node, at: KeyPath) -> str | None:
        if any("\ud800" <= character <= "\udfff" for character in node.text):
            self.spoil(node, at, "half of a surrogate pair is no character")
            return None
        return node.text

    def pairs(self, node: Node, at: KeyPath, merges: int = 0) -> dict[str, tuple[Node, Node]]:
        """Return key and value nodes by name: the mapping's own first, then what it merges."""
        if merges:
            self.check_cap(node, at, merges)
        own: dict[str, tuple[Node, Node]] = {}
        for key, child in node.pairs:
            name = self.name(key, at)
            if name is None:
                continue
            if name in own:
                self.duplicate(name, own[name][0], key, at)
                continue
            own[name] = (key, child)
        if "<<" in own and own["<<"][0].is_plain:
            key, merged = own.pop("<<")
            for source in self.merge_sources(merged, (*at, "<<")):
                for name, pair in self.pairs(source, at, merges + 1).items():
                    self.check_cap(key, at, merges)
                    own.setdefault(name, pair)
        return own

    def merge_sources(self, merged: Node, at: KeyPath) -> list[Node]:
        sources = merged.items if merged.kind == "sequence" else [merged]
        wrong = [source for source in sources if source.kind != "mapping"]
        if wrong:
            self.report(wrong[0], f"{dotted(at)}: expected a mapping to merge, got {_shown(wrong[0])}")
        return [source for source in sources if source.kind == "mapping"]

    def name(self, key: Node, at: KeyPath) -> str | None:
        """Return a key as text, or None where it is none, which is reported."""
        if key.tag is not None:
            self.report(key, f"{_prefix(at)}tag {quote(_short_tag(key.tag))} is not allowed")
        elif key.kind != "scalar":
            self.report(key, f"{_prefix(at)}expected text as a key, got {_KINDS[key.kind]}")
        elif key.is_plain and not isinstance(_resolved(key), str):
            remedy = f"write it in quotes: '{key.text}'" if key.text else "put the key before the ':'"
            self.report(key, f"{_prefix(at)}expected text as a key, got {quote(_resolved(key))}", remedy)
        elif key.is_plain and key.text.startswith(CURLY_QUOTES):
            self.curly(key, at)
        else:
            return self.checked_text(key, at)
        return None

    def duplicate(self, name: str, first: Node, second: Node, at: KeyPath) -> None:
        lines = [self.lines.at(node.start)[0] for node in (first, second)]
        message = f"{dotted((*at, name))}: duplicate key, on lines {lines[0]} and {lines[1]}"
        self.report(second, message, "keep one of them")

    def curly(self, node: Node, at: KeyPath) -> None:
        remedy = "use straight quotes (\" or '); curly ones would be part of the text"
        self.spoil(node, at, f"value {quote(node.text)} has curly quotes", remedy)

    def refused_tag(self, node: Node, at: KeyPath) -> None:
        tag = quote(_short_tag(node.tag or ""))
        self.spoil(node, at, f"tag {tag} is not allowed; expected plain text, a number, a list or a mapping")

    def spoil(self, node: Node, at: KeyPath, message: str, remedy: str | None = None) -> None:
        self.found.spoiled.add(at)
        self.report(node, f"{_prefix(at)}{message}", remedy)

    def report(self, node: Node, message: str, remedy: str | None = None) -> None:
        line, column = self.lines.at(node.start)
        if node.start not in self.reported:  # an alias would repeat it
            self.reported.add(node.start)
            self.found.problems.append(Problem(message, self.found.path, line, column, remedy))


def _resolved(key: Node) -> Any:
    try:
        return resolve(key.text)
    except UnusableNumber:
        return 10**100


def _prefix(at: KeyPath) -> str:
    return f"{dotted(at)}: " if at else ""


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!", 1)


def _shown(node: Node) -> str:
    return _KINDS.get(node.kind) or quote(node.text)
