"""Registered things in a config: a name or a mapping with ``name``, checked against the constructor's signature.

The pydantic model of a registered name is made when the name is first used, so that loading a config costs what the
config uses.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    create_model,
)
from pydantic_core import PydanticCustomError, core_schema

from nntrain.config.annotations import SpecMark, plain_type
from nntrain.config.blocks import unfold
from nntrain.config.issues import Issue, Level, issues_of
from nntrain.errors import closest, enumerate_names, quote
from nntrain.registry import Entry, registry_of

STRICT = ConfigDict(
    strict=True, extra="forbid", allow_inf_nan=False, validate_default=True, arbitrary_types_allowed=True
)


REGISTERED = "registered"
"""Stands in a JSON Schema for the definition of a kind, until all kinds are gathered."""


class Spec(SpecMark):
    """Mark of a value that is a registered thing; validation returns it complete, as a mapping with ``name``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.complete)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {REGISTERED: self.kind}

    def complete(self, value: Any) -> dict[str, Any]:
        """Return the complete mapping of a spec, or raise an error that carries all issues."""
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict):
            raise PydanticCustomError("spec", "spec")
        spec, renamed = self.unfolded(value)
        found = complete_spec(self.kind, spec)
        if isinstance(found, dict):
            return found
        issues = [issue.below(renamed) for issue in found]
        raise PydanticCustomError("nested", "nested", {"issues": issues})

    def unfolded(self, value: dict[str, Any]) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
        if self.kind == "layer":
            return unfold(value)
        if self.kind == "architecture" and "layers" in value and "name" not in value:
            return {"name": "sequential", **value}, {}
        return value, {}


@cache
def spec_type(kind: str) -> Any:
    """Return the type of a registered thing of a kind, for an annotation."""
    return Annotated[dict[str, Any], Spec(kind)]


def complete_spec(kind: str, spec: dict[str, Any]) -> dict[str, Any] | list[Issue]:
    """Return a spec with all defaults, or what is wrong with it."""
    registry = registry_of(kind)
    name = spec.get("name")
    if not isinstance(name, str):
        return [_nameless(kind, spec)]
    if name not in registry:
        return [Issue(("name",), "unknown_name", level=Level(kind, name, ()))]
    model = model_of(kind, name)
    try:
        values = model.model_validate({key: value for key, value in spec.items() if key != "name"})
    except ValidationError as error:
        level = Level(kind, name, tuple(info.alias or field for field, info in model.model_fields.items()))
        return issues_of(error, model, level)
    return {"name": name, **{info.alias or f: plain(getattr(values, f)) for f, info in model.model_fields.items()}}


def _nameless(kind: str, spec: dict[str, Any]) -> Issue:
    registry = registry_of(kind)
    if "name" in spec:
        given = spec["name"]
        is_nested = isinstance(given, (dict, list))
        message = f"expected the name of {_article(kind)} {kind}, got {'a mapping' if is_nested else quote(given)}"
        remedy = "write the name itself here, and its arguments beside it" if is_nested else "write the name in quotes"
        return Issue(("name",), "message", message, help=remedy if given else None)
    likely = [key for key in spec if key in registry]
    if likely:
        arguments = "..." if isinstance(spec[likely[0]], dict) and spec[likely[0]] else ""
        inner = f"{{name: {likely[0]}, {arguments}}}" if arguments else f"{{name: {likely[0]}}}"
        return Issue((), "message", f"the mapping needs 'name', got {quote(likely[0])} as a key", help=f"write {inner}")
    near = next((key for key in spec if closest(key, ["name"])), None)
    remedy = f"write 'name' for {quote(near)}" if near else f"one of: {enumerate_names(registry.names(), 12)}"
    return Issue((), "message", f"the mapping needs 'name', which {kind} it is", help=remedy)


def _article(kind: str) -> str:
    return "an" if kind[0] in "aeiou" else "a"


@cache
def _model(kind: str, entry: Entry[Any]) -> type[BaseModel]:
    fields: dict[str, Any] = {f"argument_{i}": _field(argument) for i, argument in enumerate(_arguments(entry))}
    return create_model(f"{kind}_{entry.name}", __config__=STRICT, **fields)


def model_of(kind: str, name: str) -> type[BaseModel]:
    """Return the pydantic model of the arguments of a registered name.

    Its fields are called ``argument_0``, ... with the arguments as aliases, so that no argument's name can collide
    with a method of pydantic's.
    """
    return _model(kind, registry_of(kind).get(name))


def _arguments(entry: Entry[Any]) -> list[Any]:
    return [argument for argument in entry.arguments if argument.name != "name"]


def _field(argument: Any) -> tuple[Any, Any]:
    default = None if argument.required else plain(argument.default)
    annotation = plain_type(argument.annotation, spec_type, inspect.Parameter.empty if argument.required else default)
    if argument.required:
        return annotation, Field(alias=argument.name, description=argument.doc)
    return annotation, Field(default, alias=argument.name, description=argument.doc)


def plain(value: Any) -> Any:
    """Return a value with its tuples as lists and its mappings as dicts."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value
