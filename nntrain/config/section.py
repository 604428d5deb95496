"""The base of the config's sections, and small types that several of them use."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from nntrain.config.annotations import Says


class Section(BaseModel):
    """A mapping of the config with fixed keys; every value has exactly the type its annotation says."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, arbitrary_types_allowed=True, defer_build=True
    )


def check_failed(at: tuple[str | int, ...], message: str, help: str | None = None) -> PydanticCustomError:
    """Return the error of a section's own check, to be raised; ``at`` is the key within the section."""
    return PydanticCustomError("check", "check", {"at": at, "message": message, "help": help})


class _OneOrMore:
    """Mark of a list that may be written as its only item."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        of_list = handler(schema)
        return {"anyOf": [of_list["items"], of_list]}


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, (str, dict)) else value


ONE_OR_MORE = _OneOrMore()

Name = Annotated[str, MinLen(1), Says("a name (text)")]
Column = Annotated[str, Says("the name of a column (text)")]
Columns = Annotated[list[Column], ONE_OR_MORE, Says("a list of column names")]
