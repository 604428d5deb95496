"""Tables written for one test, and prepared as ``fit`` prepares them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from nntrain.data.options import ColumnOptions, DataOptions
from nntrain.data.preparation import Prepared, prepare
from nntrain.data.table import Table, read_table

Columns = Mapping[str, Sequence[Any]]
_OF_PREPARE = ("seed", "task_hint", "scales_target", "fold", "class_weight", "reconstructs")


class Workplace:
    """A folder of tables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, columns: Columns, name: str = "data.csv") -> str:
        """Write columns, a cell None being empty; return the name."""
        with (self.folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
        return name

    def table(self, columns: Columns, name: str = "other.csv") -> Table:
        """Write columns and read them."""
        self.write(columns, name)
        return read_table([str(self.folder / name)], None, [name])

    def prepare(self, columns: Columns, **options: Any) -> Prepared:
        """Write columns to ``data.csv`` and prepare them; the target is ``y`` where no other is given.

        ``types`` are ``data.columns``.
        """
        given = {key: options.pop(key) for key in _OF_PREPARE if key in options}
        options["columns"] = {name: ColumnOptions(**own) for name, own in options.pop("types", {}).items()}
        data = DataOptions(train=self.write(columns), **{"target": "y", **options})
        return prepare(data, self.resolve, given.pop("seed", 0), **given)

    def resolve(self, path: str) -> Path:
        return self.folder / path


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Return a folder that all tests of a session write to, each its own content."""
    return Workplace(tmp_path_factory.mktemp("tables"))
