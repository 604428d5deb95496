"""Plain values to YAML that reads back as the same values."""

from __future__ import annotations

from typing import Any

import yaml

from nntrain.config.scalars import CURLY_QUOTES, UnusableNumber, resolve


class _Dumper(yaml.SafeDumper):
    """PyYAML's emitter, with text quoted wherever YAML 1.2 would read something else than that text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


# Without resolvers the emitter takes every scalar for text and writes it bare where its style allows; what the bare
# word would mean is decided here, in _style.
_Dumper.yaml_implicit_resolvers = {}


def _scalar(dumper: yaml.SafeDumper, text: str, style: str | None = None) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _style(text: str) -> str | None:
    if not text.isprintable():
        return '"'
    try:
        is_text = text != "" and resolve(text) == text
    except UnusableNumber:
        is_text = False
    is_plain = is_text and text not in ("<<", "=") and not text.startswith(CURLY_QUOTES)
    return None if is_plain else "'"


def _number(value: float) -> str:
    return repr(value).replace("inf", ".inf").replace("nan", ".nan")


_Dumper.add_representer(str, lambda dumper, value: _scalar(dumper, value, _style(value)))
_Dumper.add_representer(int, lambda dumper, value: _scalar(dumper, str(value)))
_Dumper.add_representer(float, lambda dumper, value: _scalar(dumper, _number(value)))
_Dumper.add_representer(bool, lambda dumper, value: _scalar(dumper, "true" if value else "false"))
_Dumper.add_representer(type(None), lambda dumper, value: _scalar(dumper, "null"))


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
