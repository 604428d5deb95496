"""Plain values to YAML that reads back as the same values."""

from __future__ import annotations

from typing import Any

import yaml

from nntrain.config.scalars import NumberTooLong, resolve


class _Dumper(yaml.SafeDumper):
    """PyYAML's emitter, with text quoted wherever YAML 1.2 would read something else than that text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


# Every plain scalar keeps the tag the representer gave it, so the emitter decides on syntax alone; on meaning, below.
_Dumper.yaml_implicit_resolvers = {}


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    if not text.isprintable() or not text.isascii() and any(c in "\u2028\u2029\x85\ufeff" for c in text):
        return '"'
    try:
        is_text = resolve(text) == text
    except NumberTooLong:
        is_text = False
    plain = is_text and text not in ("<<", "=") and text[0] not in "“”„‟‘’‚‛"
    return None if plain else "'"


def _scalar(kind: str, text: str) -> Any:
    # The tag of an implicit string makes the emitter write the word bare.
    return lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", text or _number(value))


def _number(value: float) -> str:
    return repr(value).replace("inf", ".inf").replace("nan", ".nan")


_Dumper.add_representer(str, _text)
_Dumper.add_representer(int, _scalar("int", ""))
_Dumper.add_representer(float, _scalar("float", ""))
_Dumper.add_representer(bool, lambda dumper, value: _scalar("bool", "true" if value else "false")(dumper, value))
_Dumper.add_representer(type(None), _scalar("null", "null"))


def dump_yaml(values: Any) -> str:
    """Return plain values as YAML; :func:`nntrain.config.load.parse_text` reads the same values back.

    >>> print(dump_yaml({"learning_rate": 1e-05, "name": "1e-3", "hidden": [16, 16]}), end="")
    learning_rate: 1e-05
    name: '1e-3'
    hidden: [16, 16]
    """
    return yaml.dump(
        values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100_000_000
    )
