"""Pooling and upsampling."""

from __future__ import annotations

from typing import Any

Example = tuple[dict[str, Any], tuple[int, ...], dict[str, Any]]

PADDED = {"padded": True}

WINDOWS_1D: list[Example] = [
    ({}, (6, 3), PADDED),
    ({"padding": "same"}, (7, 3), PADDED),
    ({"pool": 3, "stride": 2, "padding": "same"}, (8, 2), PADDED),
    ({"pool": 4, "stride": 1, "padding": "same"}, (5, 2), PADDED),
    ({"pool": 3, "stride": 1}, (6, 1), PADDED),
    ({"pool": 2, "stride": 3}, (9, 2), PADDED),
    ({"pool": 1, "stride": 3, "padding": "same"}, (8, 2), PADDED),
    ({"pool": 5, "padding": "same"}, (3, 2), {}),
    ({"padding": "same"}, (1, 3), {}),
    ({}, (4, 200), PADDED),
]

WINDOWS_2D: list[Example] = [
    ({}, (4, 6, 3), {}),
    ({}, (5, 5, 1), {}),
    ({"padding": "same"}, (5, 3, 2), {}),
    ({"pool": 3, "stride": 2, "padding": "same"}, (6, 7, 2), {}),
    ({"pool": [3, 2], "stride": [1, 2]}, (5, 4, 2), {}),
    ({"pool": [1, 3], "stride": 3, "padding": "same"}, (4, 7, 2), {}),
    ({"pool": 2, "stride": 3, "padding": "same"}, (7, 3, 2), PADDED),
    ({"pool": 3, "padding": "same"}, (1, 1, 2), {}),
]

EXAMPLES: dict[str, list[Example]] = {
    "max_pool1d": WINDOWS_1D,
    "max_pool2d": WINDOWS_2D,
    "average_pool1d": WINDOWS_1D,
    "average_pool2d": WINDOWS_2D,
    "global_max_pool": [({}, (5, 3), PADDED), ({}, (3, 4, 2), PADDED), ({}, (1, 3), {}), ({}, (2, 2, 1), {})],
    "global_average_pool": [({}, (5, 3), PADDED), ({}, (3, 4, 2), PADDED), ({}, (1, 3), {}), ({}, (2, 2, 1), {})],
    "upsample": [
        ({}, (5, 3), PADDED),
        ({"factor": 3}, (4, 1), PADDED),
        ({"factor": 1}, (4, 2), PADDED),
        ({}, (2, 3, 4), {}),
        ({"factor": [1, 3]}, (2, 3, 2), {}),
    ],
}
