"""Blocks of layers, as they are written in a list of layers, to ordinary mappings with ``name``.

==========================================  ====================================================
written                                     means
==========================================  ====================================================
``residual: [...]``                         ``{name: residual, layers: [...]}``
``{branch: [[...], [...]], merge: add}``    ``{name: branch, branches: [[...], [...]], merge: add}``
``{repeat: 3, layers: [...]}``              ``{name: repeat, times: 3, layers: [...]}``
``residual: {layers: ..., shortcut: ...}``  ``{name: residual, layers: ..., shortcut: ...}``
==========================================  ====================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ARGUMENT_OF_BLOCK = {"residual": "layers", "branch": "branches", "repeat": "times"}
"""The argument that a block's own value stands for."""

WRITTEN_AS = {argument: block for block, argument in ARGUMENT_OF_BLOCK.items()}


def unfold(spec: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """Return a layer's mapping with ``name``, and where its keys are written otherwise: ``{key: as written}``.

    >>> unfold({"repeat": 3, "layers": ["relu"]})
    ({'name': 'repeat', 'times': 3, 'layers': ['relu']}, {'times': ('repeat',)})
    >>> unfold({"residual": {"layers": ["relu"]}})
    ({'name': 'residual', 'layers': ['relu']}, {'layers': ('residual', 'layers')})
    """
    blocks = [key for key in spec if key in ARGUMENT_OF_BLOCK]
    if "name" in spec or len(blocks) != 1 or ARGUMENT_OF_BLOCK[blocks[0]] in spec:
        return dict(spec), {}
    block = blocks[0]
    argument, value = ARGUMENT_OF_BLOCK[block], spec[block]
    if len(spec) == 1 and _holds_arguments(value, argument):
        return {"name": block, **value}, {key: (block, key) for key in value}
    renamed = {argument if key == block else key: value for key, value in spec.items()}
    return {"name": block, **renamed}, {argument: (block,)}


def _holds_arguments(value: Any, argument: str) -> bool:
    """Return whether a block's value is its arguments, and no single layer in place of a list of one."""
    return isinstance(value, Mapping) and argument in value and not {"name", *ARGUMENT_OF_BLOCK} & set(value)
