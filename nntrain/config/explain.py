"""The config explained from the same models and signatures that check it: the reference page and listings."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from nntrain.config.annotations import describe as described
from nntrain.config.annotations import field_type
from nntrain.config.sections import Settings
from nntrain.config.specs import model_of
from nntrain.registry import kinds, registry_of


@dataclass(frozen=True, slots=True)
class Row:
    """One key of a section or of a registered thing: its type in plain words, its default and its meaning."""

    key: str
    type: str
    default: str | None
    doc: str


def rows_of(model: type[BaseModel]) -> list[Row]:
    """Return a row for each key of a model, in order; the default is None where the key is required."""
    return [
        Row(
            info.alias or name,
            described(field_type(model, name)).removesuffix(" or null"),
            None if info.is_required() else written(info.get_default(call_default_factory=True)),
            info.description or "",
        )
        for name, info in model.model_fields.items()
    ]


def written(value: Any) -> str:
    """Return a value as it is written in YAML, on one line.

    >>> written({"name": "adam", "rates": [0.1, None, True]})
    '{name: adam, rates: [0.1, null, true]}'
    """
    if isinstance(value, BaseModel):
        return written(value.model_dump(exclude_none=True))
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {written(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(written(item) for item in value)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if str(value) else "''"


def describe(kind: str, name: str) -> str:
    """Return a registered thing for ``nntrain list``: its summary, then a line for each argument.

    >>> print(describe("initializer", "constant"))
    constant: All values are one number.
      value (a number, default 0.0): the number.

    Raises:
        ConfigError: no such name.
    """
    entry = registry_of(kind).get(name)
    lines = [f"{name}: {entry.summary}"]
    for row in rows_of(model_of(kind, name)):
        default = "required" if row.default is None else f"default {row.default}"
        lines.append(f"  {row.key} ({row.type}, {default}): {row.doc}")
    return "\n".join(lines)


def reference_markdown() -> str:
    """Return ``docs/config.md``: every key of the config and every registered thing with its arguments."""
    parts = [
        "# The config file",
        "Made by `nntrain.config.explain.reference_markdown` from what checks a config; a test compares the two. "
        "A registered thing is written as its name, or as a mapping with `name` and its arguments. "
        "`null` is allowed only where it is the default.",
        *_section_parts("Top level", Settings, 2),
    ]
    for kind in kinds():
        registry = registry_of(kind)
        parts.append(f"## {_plural(kind).capitalize()}")
        for name in registry.names():
            parts += [f"### {kind} `{name}`", _escaped(registry.get(name).summary), *_table(model_of(kind, name))]
    return "\n\n".join(parts) + "\n"


def _plural(kind: str) -> str:
    return "losses" if kind == "loss" else f"{kind}s"


def _section_parts(title: str, model: type[BaseModel], depth: int) -> list[str]:
    parts = [f"{'#' * depth} {title}", (inspect.getdoc(model) or "").split("\n\n")[0], *_table(model)]
    for name in model.model_fields:
        inner = _sections_in(field_type(model, name))
        path = f"`{name}`" if depth == 2 else f"{title[:-1]}.{name}`"
        for section in inner:
            parts += _section_parts(path, section, depth + 1)
    return parts


def _sections_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    arguments = getattr(annotation, "__args__", ())
    return [section for argument in arguments for section in _sections_in(argument)]


def _table(model: type[BaseModel]) -> list[str]:
    rows = rows_of(model)
    if not rows:
        return []
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for row in rows:
        default = "required" if row.default is None else f"`{row.default}`"
        lines.append(f"| `{row.key}` | {_escaped(row.type)} | {_escaped(default)} | {_escaped(row.doc)} |")
    return ["\n".join(lines)]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    print(reference_markdown(), end="")
