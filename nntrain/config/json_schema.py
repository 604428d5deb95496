"""The JSON Schema of the config, for completion and checks in editors."""

from __future__ import annotations

from typing import Any

from nntrain.config.blocks import ARGUMENT_OF_BLOCK
from nntrain.config.sections import Settings
from nntrain.config.specs import REGISTERED, model_of
from nntrain.registry import registry_of


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config file."""
    definitions: dict[str, Any] = {}
    schema = _gathered(Settings.model_json_schema(), definitions)
    schema["$defs"] = {**schema.get("$defs", {}), **definitions}
    schema["title"] = "nntrain config"
    schema["properties"]["name"].pop("default")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _gathered(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return a schema with registered things as references, whose definitions are added."""
    if isinstance(schema, list):
        return [_gathered(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get(REGISTERED), str):
        kind = schema[REGISTERED]
        _define(kind, definitions)
        others = {key: value for key, value in schema.items() if key not in (REGISTERED, "title")}
        return {"$ref": f"#/$defs/{kind}", **others}
    return {key: _gathered(value, definitions) for key, value in schema.items()}


def _define(kind: str, definitions: dict[str, Any]) -> None:
    if kind in definitions:
        return
    definitions[kind] = {}  # ends the recursion of layers within layers
    registry = registry_of(kind)
    bare = [name for name in registry.names() if not any(a.required for a in registry.get(name).arguments)]
    forms = [_mapping(kind, name, definitions) for name in registry.names()]
    definitions[kind] = {"anyOf": [{"enum": bare}, *forms, *_blocks(kind, definitions)]}


def _mapping(kind: str, name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    schema = _gathered(model_of(kind, name).model_json_schema(by_alias=True), definitions)
    summary = registry_of(kind).get(name).summary
    return {
        "type": "object",
        "description": summary,
        "properties": {"name": {"const": name, "description": summary}, **schema.get("properties", {})},
        "required": ["name", *schema.get("required", [])],
        "additionalProperties": False,
    }


def _blocks(kind: str, definitions: dict[str, Any]) -> list[dict[str, Any]]:
    if kind == "architecture" and "sequential" in registry_of(kind):
        return [_renamed(_mapping(kind, "sequential", definitions), {})]
    if kind != "layer":
        return []
    known = {block: argument for block, argument in ARGUMENT_OF_BLOCK.items() if block in registry_of(kind)}
    forms = {block: _mapping(kind, block, definitions) for block in known}
    return [
        *(_renamed(form, {known[block]: block}) for block, form in forms.items()),
        *(_nested(block, _renamed(form, {})) for block, form in forms.items()),
    ]


def _nested(block: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a block whose own value is the mapping of its arguments."""
    return {"type": "object", "properties": {block: arguments}, "required": [block], "additionalProperties": False}


def _renamed(form: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Return a mapping's schema without ``name`` and with its keys as they are written in a block."""
    properties = {names.get(key, key): value for key, value in form["properties"].items() if key != "name"}
    required = [names.get(key, key) for key in form["required"] if key != "name"]
    return {**form, "properties": properties, "required": required}
