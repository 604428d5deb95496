"""The base of the config's sections, and small types that several of them use."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import MinLen
from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from nntrain.config.annotations import Says


class Section(BaseModel):
    """A mapping of the config with fixed keys; every value has exactly the type its annotation says."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, arbitrary_types_allowed=True, defer_build=True
    )


def check_failed(at: tuple[str | int, ...], message: str, help: str | None = None) -> PydanticCustomError:
    """Return the error of a section's own check, to be raised; ``at`` is the key within the section."""
    return PydanticCustomError("check", "check", {"at": at, "message": message, "help": help})


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, (str, dict)) else value


ONE_OR_MORE = BeforeValidator(_as_list)
"""Mark of a list that may be written as its only item."""

Name = Annotated[str, MinLen(1), Says("a name (text)")]
Column = Annotated[str, Says("the name of a column (text)")]
Columns = Annotated[list[Column], ONE_OR_MORE, Says("a list of column names")]
