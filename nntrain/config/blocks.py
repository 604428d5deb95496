"""Blocks of layers, as they are written in a list of layers, to ordinary mappings with ``name``.

=========================================  ====================================================
written                                    means
=========================================  ====================================================
``residual: [...]``                        ``{name: residual, layers: [...]}``
``{branch: [[...], [...]], merge: add}``   ``{name: branch, branches: [[...], [...]], merge: add}``
``{repeat: 3, layers: [...]}``             ``{name: repeat, times: 3, layers: [...]}``
=========================================  ====================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ARGUMENT_OF_BLOCK = {"residual": "layers", "branch": "branches", "repeat": "times"}
"""The argument that a block's own value stands for."""

WRITTEN_AS = {argument: block for block, argument in ARGUMENT_OF_BLOCK.items()}


def unfold(spec: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a layer's mapping with ``name``, and the keys that were renamed: ``{new: as written}``.

    >>> unfold({"repeat": 3, "layers": ["relu"]})
    ({'name': 'repeat', 'times': 3, 'layers': ['relu']}, {'times': 'repeat'})
    """
    blocks = [key for key in spec if key in ARGUMENT_OF_BLOCK]
    if "name" in spec or len(blocks) != 1 or ARGUMENT_OF_BLOCK[blocks[0]] in spec:
        return dict(spec), {}
    argument = ARGUMENT_OF_BLOCK[blocks[0]]
    renamed = {argument if key == blocks[0] else key: value for key, value in spec.items()}
    return {"name": blocks[0], **renamed}, {argument: blocks[0]}
