"""The networks that are timed, and the CSV each is trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml


@dataclass(frozen=True)
class Case:
    """One network, one batch size, and how long it is trained.

    Attributes:
        net: what the peers build the network from.
        architecture: the same network as nntrain's config says it.
        shape: of an example.
        classes: number of them, or 0 where the target is a number.
        updates: batches of an epoch; all of them are whole.
        data: further keys of the config's ``data``.
        in_suite: whether the case counts in the means; others are stated apart.
    """

    name: str
    net: dict[str, Any]
    architecture: dict[str, Any]
    shape: tuple[int, ...]
    classes: int
    batch: int
    updates: int
    epochs: int
    data: dict[str, Any] = field(default_factory=dict)
    in_suite: bool = True

    @property
    def rows(self) -> int:
        return self.batch * self.updates

    @property
    def has_pixels(self) -> bool:
        return "image" in self.data

    def tiny(self) -> Case:
        """Return the same network, hardly trained: to see that it runs."""
        return replace(self, batch=min(self.batch, 32), updates=2, epochs=2)

    def csv(self, folder: Path) -> Path:
        """Return the case's rows of random numbers as a file, written where it is not there yet."""
        sizes = [*self.shape, self.classes, self.rows]
        kind = "pixels" if self.has_pixels else "numbers"
        path = folder / f"{kind}-{'x'.join(map(str, sizes))}.csv"
        if not path.exists():
            write_csv(path, self.rows, math.prod(self.shape), self.classes, self.has_pixels)
        return path

    def config(self, csv: Path, **further: Any) -> str:
        """Return nntrain's config: nothing but the training itself, so that all do the same work."""
        values = {
            "data": {"train": str(csv), "target": "label", "validation": 0.0, "missing": "error", **self.data},
            "architecture": self.architecture,
            "loss": "cross_entropy" if self.classes else "mse",
            "metrics": [],
            "optimizer": {"name": "adam", "learning_rate": 0.001},
            "batch_size": self.batch,
            "epochs": self.epochs,
            "checkpoint": {"every_seconds": 3600.0},
            **further,
        }
        return yaml.safe_dump(values, sort_keys=False)

    def for_peers(self, csv: Path) -> dict[str, Any]:
        """Return what a peer's script is told."""
        return {
            "net": self.net,
            "shape": list(self.shape),
            "classes": self.classes,
            "pixels": self.has_pixels,
            "batch": self.batch,
            "updates": self.updates,
            "epochs": self.epochs,
            "csv": str(csv),
        }


def write_csv(path: Path, rows: int, columns: int, classes: int, pixels: bool = False) -> None:
    """Write rows of random features, and of a label: one of ``classes`` (c0, c1, ...), or a number where that is 0."""
    import pandas as pd

    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (rows, columns)) if pixels else generator.normal(size=(rows, columns))
    table = pd.DataFrame(x, columns=[f"x{number}" for number in range(columns)])
    # Every class is there, however few rows there are.
    numbers = generator.permutation(np.arange(rows) % classes) if classes else generator.normal(size=rows)
    table["label"] = [f"c{number}" for number in numbers] if classes else numbers
    # Under another name until it is whole.
    part = path.with_suffix(".part")
    table.to_csv(part, index=False, float_format="%.4f")
    part.rename(path)


def mlp(sizes: list[int], batch: int, updates: int, epochs: int, classes: bool = True, in_suite: bool = True) -> Case:
    """Return a perceptron from the sizes of all its layers."""
    kind = "" if classes else ", regression"
    return Case(
        name=f"mlp {'-'.join(map(str, sizes))}{kind}, batch {batch}",
        net={"kind": "mlp", "hidden": sizes[1:-1]},
        architecture={"name": "mlp", "hidden": sizes[1:-1], "activation": "relu"},
        shape=(sizes[0],),
        classes=sizes[-1] if classes else 0,
        batch=batch,
        updates=updates,
        epochs=epochs,
        in_suite=in_suite,
    )


def tabular_resnet(batch: int, updates: int, epochs: int) -> Case:
    """Return four residual blocks of width 128 on 8 columns."""
    return Case(
        name=f"resnet 8 columns, 4 blocks of 128, batch {batch}",
        net={"kind": "resnet", "width": 128, "hidden": 256, "blocks": 4, "dropout": 0.2},
        architecture={"name": "resnet", "blocks": 4, "width": 128, "hidden_factor": 2.0, "hidden_dropout": 0.2},
        shape=(8,),
        classes=10,
        batch=batch,
        updates=updates,
        epochs=epochs,
    )


def cnn(
    batch_norm: bool, batch: int, updates: int, epochs: int, stages: tuple[int, ...] = (16, 32), in_suite: bool = True
) -> Case:
    """Return stages of convolution and pooling on pictures of 28 x 28, and a dense layer of 128."""
    layers: list[Any] = []
    for filters in stages:
        convolution = {"name": "conv2d", "filters": filters, "kernel": 3, "padding": "same"}
        if batch_norm:
            layers += [convolution, "batch_norm", "relu"]
        else:
            layers.append({**convolution, "activation": "relu"})
        layers.append({"name": "max_pool2d", "pool": 2})
    layers += ["flatten", {"name": "dense", "units": 128, "activation": "relu"}]
    apart = "" if in_suite else f", {' and '.join(map(str, stages))} filters"
    return Case(
        name=f"cnn 28x28{', batch norm' if batch_norm else ''}{apart}, batch {batch}",
        net={"kind": "cnn", "filters": list(stages), "dense": 128, "batch_norm": batch_norm},
        architecture={"layers": layers},
        shape=(28, 28, 1),
        classes=10,
        batch=batch,
        updates=updates,
        epochs=epochs,
        data={"image": {"height": 28, "width": 28}, "scale": "minmax"},
        in_suite=in_suite,
    )


def recurrent(
    kind: str, steps: int, channels: int, units: int, batch: int, updates: int, epochs: int, in_suite: bool = True
) -> Case:
    """Return one recurrent layer over a sequence, and its last state to the logits."""
    return Case(
        name=f"{kind} {steps} steps of {channels}, {units} units, batch {batch}",
        net={"kind": kind, "units": units},
        architecture={"name": kind, "hidden": [units]},
        shape=(steps, channels),
        classes=10,
        batch=batch,
        updates=updates,
        epochs=epochs,
        data={"sequence": {"steps": steps, "channels": channels}},
        in_suite=in_suite,
    )


SUITE: tuple[Case, ...] = (
    mlp([4, 16, 3], batch=32, updates=400, epochs=21),
    mlp([30, 64, 32, 2], batch=32, updates=400, epochs=15),
    mlp([8, 256, 256, 2], batch=256, updates=80, epochs=15),
    mlp([784, 256, 128, 10], batch=128, updates=50, epochs=15),
    mlp([784, 1024, 1024, 1024, 10], batch=512, updates=10, epochs=8),
    mlp([8, 64, 64, 1], batch=256, updates=80, epochs=15, classes=False, in_suite=False),
    mlp([784, 800, 10], batch=100, updates=50, epochs=10, in_suite=False),
    tabular_resnet(batch=256, updates=50, epochs=12),
    cnn(batch_norm=False, batch=128, updates=30, epochs=6),
    cnn(batch_norm=True, batch=128, updates=30, epochs=6),
    cnn(batch_norm=False, batch=128, updates=30, epochs=6, stages=(8, 16), in_suite=False),
    cnn(batch_norm=False, batch=64, updates=30, epochs=6, stages=(32, 64), in_suite=False),
    recurrent("lstm", 50, 8, 64, batch=64, updates=40, epochs=10),
    recurrent("lstm", 28, 28, 128, batch=128, updates=30, epochs=8),
    recurrent("lstm", 20, 16, 256, batch=32, updates=30, epochs=8, in_suite=False),
    recurrent("lstm", 12, 1, 32, batch=32, updates=100, epochs=12, in_suite=False),
    recurrent("gru", 50, 8, 64, batch=64, updates=40, epochs=10),
    recurrent("gru", 28, 28, 128, batch=128, updates=30, epochs=8, in_suite=False),
    recurrent("gru", 12, 1, 32, batch=32, updates=100, epochs=12, in_suite=False),
)
