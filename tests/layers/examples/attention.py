"""Attention, what stands before it and what is made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Example = tuple[dict[str, Any], tuple[int, ...], dict[str, Any]]


def code_sequences(codes: int, *shape: int) -> Callable[[np.random.Generator, int], Any]:
    """Return what makes batches of sequences of codes."""
    return lambda generator, rows: generator.integers(0, codes, (rows, *shape)).astype(float)


def of_codes(codes: int, *shape: int) -> dict[str, Any]:
    return {"inputs": code_sequences(codes, *shape), "constant_columns": tuple(range(shape[-1])), "padded": True}


PADDED = {"padded": True}

EXAMPLES: dict[str, list[Example]] = {
    "embedding": [
        ({"vocabulary": 6, "dimensions": 3}, (5,), of_codes(6, 5)),
        ({"vocabulary": 400, "dimensions": 16}, (7, 1), of_codes(400, 7, 1)),
        ({"vocabulary": 3, "dimensions": 1}, (1,), of_codes(3, 1)),
        # codes outside the vocabulary
        ({"vocabulary": 4, "dimensions": 2}, (3,), of_codes(9, 3)),
    ],
    "positional_encoding": [
        ({}, (5, 4), PADDED),
        ({}, (4, 3), PADDED),
        ({"kind": "learned"}, (5, 4), {}),
        ({"kind": "learned", "maximum": 7}, (5, 4), PADDED),
    ],
    "multi_head_attention": [
        ({"heads": 2}, (5, 6), PADDED),
        ({"heads": 1, "bias": False}, (7, 4), PADDED),
        ({"heads": 4, "causal": True}, (6, 4), PADDED),
        ({"heads": 1}, (1, 1), PADDED),
        ({"heads": 3, "dropout": 0.3}, (5, 6), {}),
        # more scores than are worked on at a time
        ({"heads": 2}, (40, 4), {}),
    ],
    "transformer_block": [
        ({"heads": 2}, (5, 6), PADDED),
        ({"heads": 2, "norm": "last", "hidden": 3, "activation": "tanh"}, (4, 4), PADDED),
        ({"heads": 1, "causal": True}, (3, 4), PADDED),
        ({"heads": 2, "dropout": 0.2}, (3, 4), {}),
    ],
}
