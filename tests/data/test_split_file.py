"""Files of row numbers that give a split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nntrain.data.split_file import from_file
from nntrain.errors import DataError


def _npz(path: Path, **parts: object) -> Path:
    np.savez(path / "split.npz", **{name: np.array(rows) for name, rows in parts.items()})  # type: ignore[arg-type]
    return path / "split.npz"


def test_a_split_file_of_arrays(tmp_path: Path) -> None:
    split = from_file(_npz(tmp_path, train=[3, 1], val=[0], test=[2]), "split.npz", 5)
    assert [part.tolist() for part in (split.train, split.validation, split.test)] == [[1, 3], [0], [2]]


@pytest.mark.parametrize(
    "text",
    [
        "train,val,test\n3,0,2\n1,,\n",
        "train,test,val\n1,2,0\n3,,\n",
        "row,part\n0,val\n1,train\n2,test\n3,train\n",
    ],
)
def test_a_split_file_of_columns(tmp_path: Path, text: str) -> None:
    (tmp_path / "split.csv").write_text(text)
    split = from_file(tmp_path / "split.csv", "split.csv", 5)
    assert [part.tolist() for part in (split.train, split.validation, split.test)] == [[1, 3], [0], [2]]


def test_validation_and_test_may_be_absent(tmp_path: Path) -> None:
    split = from_file(_npz(tmp_path, train=[0, 1]), "split.npz", 2)
    assert (len(split.validation), len(split.test)) == (0, 0)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"train": [0, 5]}, "split.npz: train: row 5 is none of the 5 rows of the table"),
        ({"train": [0], "val": [-1]}, "split.npz: val: row -1 is none of the 5 rows of the table"),
        ({"train": [0, 1], "val": [1]}, "split.npz: row 1 is named more than once, in train and val"),
        ({"train": [0, 0]}, "split.npz: row 0 is named more than once, in train"),
        ({"train": [0], "valid": [1]}, "split.npz: unknown part 'valid'; did you mean 'val'?"),
        ({"val": [0]}, "split.npz: no rows in 'train'"),
        ({"train": [0.5]}, "split.npz: train: expected a list of whole numbers, got 1 axes of float64"),
        ({"train": [[0]]}, "split.npz: train: expected a list of whole numbers, got 2 axes of int64"),
    ],
)
def test_what_is_wrong_with_a_split_file(tmp_path: Path, parts: dict[str, object], message: str) -> None:
    with pytest.raises(DataError) as caught:
        from_file(_npz(tmp_path, **parts), "split.npz", 5)
    assert str(caught.value).splitlines()[0] == f"error: {message}"


def test_a_split_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "split.npz").write_bytes(b"PK\x03\x04 no zip at all")
    with pytest.raises(DataError, match=r"split\.npz: not a \.npz file of row numbers"):
        from_file(tmp_path / "split.npz", "split.npz", 5)
    with pytest.raises(DataError, match="file not found"):
        from_file(tmp_path / "nosuch.npz", "nosuch.npz", 5)


def test_a_split_file_never_runs_code(tmp_path: Path) -> None:
    np.savez(tmp_path / "split.npz", train=np.array([{}], dtype=object))
    with pytest.raises(DataError, match=r"not a \.npz file of row numbers"):
        from_file(tmp_path / "split.npz", "split.npz", 5)


def test_a_fraction_in_a_split_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("train,val\n0,1\n2.5,\n")
    with pytest.raises(DataError, match=r"split\.csv:3: column 'train': expected a whole number, got 2\.5"):
        from_file(tmp_path / "split.csv", "split.csv", 5)
