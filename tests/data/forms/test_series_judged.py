"""Files of their own: what is history in them, what is judged, and what lies beyond their end."""

from __future__ import annotations

import numpy as np

from nntrain.data.preparation import load_for_eval
from tests.data.conftest import Workplace
from tests.data.forms.series_columns import ROWS, columns_of, panel, prepared


def test_eval_of_the_validation_rows_gives_the_validation_examples(workplace: Workplace) -> None:
    columns = columns_of()
    data = prepared(workplace, columns, 7, horizon=2, difference=2, log=True)
    assert data.validation is not None
    tail = {name: cells[ROWS - 10 - 7 :] for name, cells in columns.items()}
    judged = load_for_eval(data.preprocessing, workplace.table(tail), "error")
    assert judged.dataset.x.tobytes() == data.validation.x.tobytes()
    assert judged.labels.target.tobytes() == data.validation.target.tobytes()
    np.testing.assert_array_equal(judged.labels.base, data.validation.base)
    assert judged.labels.rows.tolist() == list(range(7, 16))
    assert judged.truth["y_2"] == [str(value) for value in columns["y"][ROWS - 9 :]]


def test_a_validation_file_begins_with_history(workplace: Workplace) -> None:
    columns = columns_of()
    workplace.write({name: cells[28:] for name, cells in columns.items()}, "later.csv")
    data = prepared(workplace, {name: cells[:30] for name, cells in columns.items()}, 4, validation="later.csv")
    assert data.validation is not None
    assert data.validation.rows.tolist() == list(range(4, 12))
    assert data.train.rows.tolist() == list(range(4, 30))


def test_predict_adds_the_window_that_ends_with_the_last_row(workplace: Workplace) -> None:
    columns = columns_of()
    data = prepared(workplace, columns, 6, horizon=2, difference=3)
    table = workplace.table({name: cells[:20] for name, cells in columns.items()})
    judged, _ = data.preprocessing.labelled(table)
    found, notices = data.preprocessing.apply(table)
    assert found.rows.tolist() == [*range(6, 19), 20]
    assert found.x[:-1].tobytes() == judged.x.tobytes()
    longer = workplace.table({name: cells[:22] for name, cells in columns.items()}, "longer.csv")
    ahead, _ = data.preprocessing.labelled(longer)
    assert found.x[-1].tobytes() == ahead.x[-1].tobytes()
    np.testing.assert_array_equal(found.base[-1], ahead.base[-1])
    assert notices == ["predicted beyond the last known row, and so not to be found in the file: 'y' in row 20"]


def test_predict_ends_with_the_last_known_target(workplace: Workplace) -> None:
    columns = columns_of()
    data = prepared(workplace, columns, 6)
    known, _ = data.preprocessing.apply(workplace.table({name: cells[:20] for name, cells in columns.items()}))
    columns["y"] = [*columns["y"][:20], *([None] * 20)]
    found, _ = data.preprocessing.apply(workplace.table(columns))
    assert found.rows.tolist() == list(range(6, 21))
    assert found.x.tobytes() == known.x.tobytes()


def test_predict_of_several_series_numbers_their_forecasts(workplace: Workplace) -> None:
    columns = panel()
    data = prepared(workplace, columns, 5, group="s")
    found, notices = data.preprocessing.apply(workplace.table(columns))
    count = len(columns["y"])
    assert [row for row in found.rows.tolist() if row >= count] == [count + 1, count + 2]
    assert f"'north' in row {count + 1}, 'south' in row {count + 2}" in " ".join(notices)
    assert found.table is not None
    named = data.preprocessing.form.identify(found.table, found.rows)
    assert named["s"] == [[*columns["s"], "islet", "north", "south"][row] for row in found.rows.tolist()]
    # What the order says of a forecast behind the last row is not known.
    assert named["year"] == [str([*columns["year"], "", "", ""][row]) for row in found.rows.tolist()]


def test_predict_without_any_target_tells_of_the_last_window(workplace: Workplace) -> None:
    columns = columns_of(20)
    data = prepared(workplace, columns, 6, target=[], reconstructs=True)
    found, notices = data.preprocessing.apply(workplace.table(columns))
    assert found.rows.tolist() == list(range(6, 21))
    assert "'anomaly_score' in row 20" in " ".join(notices)


def test_predict_needs_no_target_that_is_no_input(workplace: Workplace) -> None:
    columns = columns_of()
    data = prepared(workplace, columns, 6, include_target=False, log=True)
    without = {name: cells for name, cells in columns.items() if name != "y"}
    found, _ = data.preprocessing.apply(workplace.table(without))
    assert found.rows.tolist() == list(range(6, ROWS + 1))
    assert data.preprocessing.extra_columns(workplace.table(columns)) == []
    assert data.preprocessing.extra_columns(workplace.table({**columns, "b": columns["a"]})) != []
