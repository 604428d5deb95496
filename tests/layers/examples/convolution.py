"""Convolutions of sequences and images, and the transposed one."""

from __future__ import annotations

from typing import Any

Example = tuple[dict[str, Any], tuple[int, ...], dict[str, Any]]

PADDED = {"padded": True}

EXAMPLES: dict[str, list[Example]] = {
    "conv1d": [
        ({"filters": 3, "kernel": 3}, (7, 2), PADDED),
        ({"filters": 2, "kernel": 4, "padding": "same", "stride": 2}, (7, 3), PADDED),
        ({"filters": 4, "kernel": 3, "padding": "same", "dilation": 3, "activation": "tanh"}, (9, 17), PADDED),
        ({"filters": 4, "kernel": 2, "groups": 2, "stride": 3}, (8, 4), PADDED),
        ({"filters": 3, "kernel": 3, "groups": 3, "padding": "same"}, (6, 3), PADDED),
        ({"filters": 1, "kernel": 1, "bias": False}, (1, 1), PADDED),
        ({"filters": 20, "kernel": 2, "dilation": 2}, (5, 1), PADDED),
    ],
    "conv2d": [
        ({"filters": 3, "kernel": 3}, (5, 4, 2), {}),
        ({"filters": 2, "kernel": 3, "padding": "same"}, (5, 4, 17), PADDED),
        ({"filters": 9, "kernel": [2, 3], "stride": [2, 1], "padding": "same"}, (5, 4, 1), PADDED),
        ({"filters": 2, "kernel": [1, 2], "dilation": [1, 2], "activation": "relu"}, (3, 5, 2), {}),
        ({"filters": 4, "kernel": 1}, (3, 2, 5), {}),
        ({"filters": 4, "kernel": 1, "stride": 2, "bias": False}, (3, 4, 5), {}),
        ({"filters": 6, "kernel": 3, "groups": 2, "padding": "same"}, (4, 4, 4), {}),
        ({"filters": 3, "kernel": 3, "groups": 3, "padding": "same", "stride": 2}, (4, 5, 3), {}),
        ({"filters": 6, "kernel": 2, "groups": 3}, (4, 3, 3), PADDED),
    ],
    "conv2d_transpose": [
        ({"filters": 3, "kernel": 3, "stride": 2, "padding": "same"}, (3, 2, 4), PADDED),
        ({"filters": 2, "kernel": 2, "stride": 2}, (3, 3, 2), {}),
        ({"filters": 2, "kernel": [4, 1], "stride": [1, 3], "activation": "tanh"}, (3, 2, 2), PADDED),
        ({"filters": 2, "kernel": 3, "padding": "same", "bias": False}, (3, 4, 3), {}),
        ({"filters": 20, "kernel": 2}, (3, 4, 1), {}),
        ({"filters": 3, "kernel": 1}, (2, 2, 3), {}),
    ],
}
