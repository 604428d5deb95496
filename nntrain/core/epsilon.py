"""The range of the small number that keeps a division finite, which optimizers and layers share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from annotated_types import Ge

Epsilon: TypeAlias = Annotated[float, Ge(1e-30)]
"""Keeps a division from being 0 / 0; anything smaller would be 0 in float32."""
