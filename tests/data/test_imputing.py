"""What stands in for a missing number, by the training rows alone."""

from __future__ import annotations

import numpy as np
import pytest

from nntrain.data.imputing import Imputer


@pytest.mark.parametrize(
    ("missing", "frequent", "fill"),
    [
        ("auto", False, 2.0),
        ("auto", True, 1.0),
        ("mean", False, 3.0),
        ("mean", True, 1.0),
        ("median", False, 2.0),
        ("most_frequent", False, 1.0),
        ("constant", False, 7.5),
    ],
)
def test_what_stands_in_for_a_missing_number(missing: str, frequent: bool, fill: float) -> None:
    imputer = Imputer(missing, 7.5, frequent)
    values = np.array([1.0, np.nan, 1.0, 2.0, 3.0, 8.0, np.nan])
    imputer.fit(values)
    assert imputer.fill == fill
    assert imputer.apply(values).tolist() == [1.0, fill, 1.0, 2.0, 3.0, 8.0, fill]
    inputs = np.full((len(values), 2), 5.0)
    imputer.mark(values, inputs)
    assert inputs[:, 0].tolist() == [5.0] * 7
    assert inputs[:, 1].tolist() == ([0, 1, 0, 0, 0, 0, 1] if missing == "auto" else [5.0] * 7)


def test_no_mark_where_no_training_row_lacks_the_cell() -> None:
    imputer = Imputer("auto")
    imputer.fit(np.array([1.0, 2.0]))
    inputs = np.full((1, 1), 5.0)
    imputer.mark(np.array([np.nan]), inputs)
    assert inputs.tolist() == [[5.0]]
    assert imputer.apply(np.array([np.nan])).tolist() == [1.5]


def test_a_column_without_any_number_is_filled_all_the_same() -> None:
    imputer = Imputer("auto")
    imputer.fit(np.array([np.nan, np.nan]))
    assert (imputer.fill, imputer.marked) == (0.0, True)


def test_state_makes_an_equal_imputer() -> None:
    imputer, twin = Imputer("auto"), Imputer("auto")
    imputer.fit(np.array([1.0, np.nan, 4.0]))
    twin.load(imputer.state())
    assert (twin.fill, twin.marked) == (2.5, True)
