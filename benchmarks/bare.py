"""A perceptron's config with everything off that can be off."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml


def bare_config(csv: Path, hidden: Sequence[int], batch: int, epochs: int, **further: Any) -> str:
    """Return the config: no validation, no metrics, no checkpoint before the end.

    Args:
        further: keys that are added, or stand in place of these; those of ``data`` are added to it.
    """
    data = {"train": str(csv), "target": "label", "validation": 0.0, "missing": "error", **further.pop("data", {})}
    values = {
        "data": data,
        "architecture": {"name": "mlp", "hidden": list(hidden)},
        "loss": "cross_entropy",
        "metrics": [],
        "batch_size": batch,
        "epochs": epochs,
        "checkpoint": {"every_seconds": 1e9},
        **further,
    }
    return yaml.safe_dump({key: value for key, value in values.items() if value is not None}, sort_keys=False)
