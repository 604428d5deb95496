"""Evaluations of a run: ``eval/<stem>-<8 hex of the CSV's content>-<checkpoint>/`` with metrics and predictions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nntrain.errors import NntrainError, RunError
from nntrain.runs import plain_json
from nntrain.runs.files import csv_text, link_error, read_file, real_folder, replace_file, told

METRICS, PREDICTIONS = "metrics.json", "predictions.csv"
LARGEST_PREDICTIONS = 1 << 30


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation on disk.

    Attributes:
        folder: where it lies.
        document: what ``metrics.json`` holds; ``sha256`` names the content of the CSV.
    """

    folder: Path
    document: Mapping[str, Any]

    @property
    def content(self) -> str:
        """SHA-256 of the CSV, empty where it is not known."""
        return str(self.document.get("sha256") or "")

    @property
    def checkpoint(self) -> str:
        """``best`` or ``last``."""
        return str(self.document.get("checkpoint") or "")

    def predictions(self) -> dict[str, list[str]]:
        """Return the columns of ``predictions.csv`` as text.

        Raises:
            RunError: missing or not a table.
        """
        import csv
        import io

        path = self.folder / PREDICTIONS
        try:
            text = read_file(path, LARGEST_PREDICTIONS).decode("utf-8")
            rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        except (ValueError, csv.Error) as error:
            raise RunError(f"not a table of predictions: {error}", path=str(path)) from None
        if not rows or any(len(row) != len(rows[0]) for row in rows):
            raise RunError("not a table of predictions: its rows differ in length", path=str(path))
        return dict(zip(rows[0], map(list, zip(*rows[1:], strict=True)), strict=False)) if len(rows) > 1 else {}


def folder_name(csv: str, sha256: str, checkpoint: str) -> str:
    """Return the name of an evaluation's folder.

    >>> folder_name("../held out.csv.gz", "0123456789abcdef", "best")
    'held_out-01234567-best'
    """
    stem = re.sub(r"(\.csv|\.parquet)?(\.gz)?$", "", Path(csv).name, flags=re.IGNORECASE)
    readable = re.sub(r"[^\w.-]", "_", stem)[:50].lstrip(".") or "data"
    return f"{readable}-{sha256[:8]}-{checkpoint}"


def write_evaluation(folder: Path, document: Mapping[str, Any], predictions: Mapping[str, Sequence[Any]]) -> Path:
    """Write ``metrics.json`` and ``predictions.csv`` into a folder, made where it is missing, and return it.

    Raises:
        ResourceError: the system refused.
    """
    # Predictions first: an evaluation without metrics.json is not seen by readers.
    replace_file(folder / PREDICTIONS, csv_text(predictions).encode("utf-8", "surrogateescape"))
    replace_file(folder / METRICS, plain_json.document(document))
    return folder


def place_of(run: Path, csv: str, checkpoint: str, sha256: str) -> Path:
    """Return the folder of an evaluation inside a run, made where it is missing."""
    return real_folder(real_folder(run / "eval") / folder_name(csv, sha256, checkpoint))


def chosen_folder(folder: str) -> Path:
    """Return the folder the user chose, made where it is missing."""
    place = Path(folder)
    with told(place, "make the folder"):
        place.mkdir(parents=True, exist_ok=True)
    return place


def read_evaluations(run: Path) -> list[Evaluation]:
    """Return a run's evaluations, by folder name; what is no evaluation is left out.

    Raises:
        RunError: ``eval`` is a link.
    """
    top = run / "eval"
    if top.is_symlink():
        raise link_error(top)
    folders = sorted(top.iterdir()) if top.is_dir() else []
    found = (_read(folder) for folder in folders if folder.is_dir() and not folder.is_symlink())
    return [evaluation for evaluation in found if evaluation is not None]


def _read(folder: Path) -> Evaluation | None:
    try:
        document = plain_json.parse(read_file(folder / METRICS))
    except (NntrainError, ValueError):
        return None  # being written just now, or none of ours
    return Evaluation(folder, document) if isinstance(document, dict) else None
