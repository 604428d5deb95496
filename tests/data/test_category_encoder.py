"""Columns of categories as inputs of the network."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from nntrain.data.category_encoder import CategoryEncoder
from nntrain.data.column import Column
from nntrain.data.features import encoder_from
from nntrain.errors import DataError
from tests.data.encoding import inputs_of


def _column(workplace: Any, cells: list[Any]) -> Column:
    return workplace.table({"a": cells, "other": ["x"] * len(cells)}).columns["a"]


def _fitted(column: Column, form: str = "onehot", missing: str = "auto", **given: Any) -> CategoryEncoder:
    encoder = CategoryEncoder("a", form, missing, **given)
    encoder.fit(column, np.arange(len(column)))
    return encoder


def _inputs(encoder: Any, column: Column) -> list[list[float]]:
    return [[float(value) for value in values] for values in inputs_of(encoder, column)]


def test_one_input_for_each_category(workplace: Any) -> None:
    column = _column(workplace, ["red", "blue", "red", "NA"])
    encoder = _fitted(column)
    assert encoder.outputs() == ["a = NA", "a = blue", "a = red"]
    assert _inputs(encoder, column) == [[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0]]


def test_a_missing_cell_is_a_category_of_its_own(workplace: Any) -> None:
    column = _column(workplace, ["red", None, "blue"])
    encoder = _fitted(column)
    assert encoder.outputs() == ["a is missing", "a = blue", "a = red"]
    assert _inputs(encoder, column) == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_what_training_never_saw_shares_one_bucket_with_a_count(workplace: Any) -> None:
    encoder = _fitted(_column(workplace, ["red", "blue"]))
    assert _inputs(encoder, _column(workplace, ["green", "red", "grey", "green"])) == [[0, 0, 0, 0], [0, 1, 0, 0]]
    assert [(notice.column, notice.detail) for notice in encoder.notices] == [("a", "3 rows ('green', 'grey')")]


def test_embedding_codes_keep_0_for_missing_and_unseen(workplace: Any) -> None:
    encoder = _fitted(_column(workplace, ["b", None, "a"]), "embedding")
    assert encoder.embedded == 3
    assert _inputs(encoder, _column(workplace, ["a", "b", None, "z"])) == [[1, 2, 0, 0]]


def test_ordinal_codes_follow_the_numbers(workplace: Any) -> None:
    column = _column(workplace, ["10", "9", "11"])
    assert _inputs(_fitted(column, "ordinal", scale="none"), column) == [[2, 1, 3]]


def test_the_most_frequent_or_a_given_category_stands_in(workplace: Any) -> None:
    column = _column(workplace, ["b", "b", "a", None])
    assert _inputs(_fitted(column, missing="most_frequent"), column) == [[0, 0, 1, 0], [1, 1, 0, 1]]
    assert _fitted(column, missing="constant", fill="c").outputs() == ["a = a", "a = b", "a = c"]


def test_missing_error_names_the_line(workplace: Any) -> None:
    column = _column(workplace, ["x", None])
    encoder = _fitted(column, missing="error")
    with pytest.raises(DataError, match=r"other\.csv:3: column 'a': a cell is missing"):
        encoder.encoding(column)


@pytest.mark.parametrize("later", [["1", "2"], ["1.0", "02"], ["1", "new"], ["1.0", None]])
def test_whole_numbers_are_one_category_however_they_are_written(workplace: Any, later: list[Any]) -> None:
    encoder = _fitted(_column(workplace, ["1", "2.0", "01", None]))
    assert encoder.outputs() == ["a is missing", "a = 1", "a = 2"]
    assert _inputs(encoder, _column(workplace, later))[1] == [1, 0]


def test_text_stays_text_where_a_later_file_holds_only_numbers(workplace: Any) -> None:
    encoder = _fitted(_column(workplace, ["1.0", "2.0", "x"]))
    assert _inputs(encoder, _column(workplace, ["1.0", "2.0"]))[:2] == [[1, 0], [0, 1]]


@pytest.mark.parametrize("form", ["onehot", "embedding", "ordinal"])
def test_state_makes_an_equal_encoder(workplace: Any, form: str) -> None:
    column = _column(workplace, ["b", "a", None, "b", "c"])
    encoder = _fitted(column, form)
    twin = encoder_from("a", json.loads(json.dumps(encoder.state())))
    assert (twin.outputs(), _inputs(twin, column)) == (encoder.outputs(), _inputs(encoder, column))
