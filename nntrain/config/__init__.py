"""The config file: YAML with positions, overrides, validation against the registry.

Importing this package loads neither YAML nor pydantic; they come with the first config.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nntrain.config.schema import Config

__all__ = ["load_config"]


def load_config(path: str, overrides: Sequence[str] = (), plugins: Sequence[str] | None = ()) -> Config:
    """Read, override, check and complete a config; see :func:`nntrain.config.schema.load_config`."""
    from nntrain.config import schema

    return schema.load_config(path, overrides, plugins)
