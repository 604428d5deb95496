"""The text of a config to a tree of nodes, with everything refused that could hurt before it is large or deep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from nntrain.config.place import LineTable
from nntrain.config.syntax import syntax_error
from nntrain.errors import ConfigError, quote

MOST_NODES = 10_000
DEEPEST = 50


@dataclass(slots=True)
class Node:
    """A scalar, a sequence or a mapping, at the characters ``start`` to ``end`` of the text."""

    kind: str
    start: int
    text: str = ""
    is_plain: bool = False
    tag: str | None = None
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    is_open: bool = True


class _Events(Reader, Scanner, Parser):
    """PyYAML's parser, with tabs allowed where YAML 1.2 allows them: between tokens, not as indentation."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def scan_to_next_token(self) -> None:
        super().scan_to_next_token()
        while self.peek() == "\t" and (self.flow_level or not self.allow_simple_key):
            while self.peek() in " \t":
                self.forward()
            super().scan_to_next_token()


class _Composer:
    def __init__(self, text: str, path: str) -> None:
        self.events = _Events(text)
        self.lines = LineTable(text)
        self.path = path
        self.anchors: dict[str, Node] = {}
        self.count = 0

    def document(self) -> Node:
        self.next_event()  # the stream's start
        if self.events.check_event(yaml.StreamEndEvent):
            return Node("scalar", 0, is_plain=True)
        self.next_event()  # the document's start
        root = self.node(self.next_event(), 0)
        self.next_event()  # the document's end
        if not self.events.check_event(yaml.StreamEndEvent):
            raise self.error("a second document begins here; a config is one document", self.next_event())
        return root

    def next_event(self) -> Any:
        return self.events.get_event()  # type: ignore[no-untyped-call]

    def node(self, event: Any, depth: int) -> Node:
        self.count += 1
        if self.count > MOST_NODES:
            raise self.error(f"more than {MOST_NODES:,} values", event)
        if depth > DEEPEST:
            raise self.error(f"nested more than {DEEPEST} deep", event)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        node = Node("scalar", event.start_mark.index, tag=event.tag)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        self.fill(node, event, depth)
        node.is_open = False
        return node

    def alias(self, event: Any) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            raise self.error(f"alias {quote(event.anchor)} names nothing; there is no '&{event.anchor}' above", event)
        if node.is_open:
            raise self.error(f"alias {quote(event.anchor)} stands within what it names; recursion has no end", event)
        return node

    def fill(self, node: Node, event: Any, depth: int) -> None:
        if isinstance(event, yaml.ScalarEvent):
            node.text, node.is_plain = event.value, event.style is None
        elif isinstance(event, yaml.SequenceStartEvent):
            node.kind = "sequence"
            while not isinstance(child := self.next_event(), yaml.SequenceEndEvent):
                node.items.append(self.node(child, depth + 1))
        else:
            node.kind = "mapping"
            while not isinstance(child := self.next_event(), yaml.MappingEndEvent):
                key = self.node(child, depth + 1)
                node.pairs.append((key, self.node(self.next_event(), depth + 1)))

    def error(self, message: str, event: Any) -> ConfigError:
        line, column = self.lines.at(event.start_mark.index)
        return ConfigError(message, path=self.path, line=line, column=column)


def compose(text: str, path: str) -> Node:
    """Return the root node of the one document in ``text``.

    Raises:
        ConfigError: it is not YAML, or too large, too deep, recursive, or more than one document.
    """
    composer = _Composer(text, path)
    try:
        return composer.document()
    except yaml.YAMLError as error:
        raise syntax_error(error, text, path) from None
    except (RecursionError, ValueError, TypeError, OverflowError) as error:
        # PyYAML lets a few of Python's own errors out, for instance of an escape beyond the last code point.
        line, column = composer.lines.at(composer.events.index)
        raise ConfigError("not readable as YAML", path=path, line=line, column=column, notes=[str(error)]) from None
