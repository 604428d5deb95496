"""Targets as ``fit`` and ``eval`` see them: tasks, classes and their order, labels that are numbers, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.class_weight import compute_class_weight

from nntrain.data.preparation import load_for_eval
from nntrain.errors import ConfigError, DataError, NntrainError

X24 = range(24)


def classes(workplace: Any, labels: list[Any], **options: Any) -> tuple[str, ...]:
    prepared = workplace.prepare({"x": range(len(labels)), "y": labels}, **options)
    assert prepared.task.kind == "classification"
    return prepared.task.classes


def refusal(workplace: Any, columns: dict[str, Any], **options: Any) -> NntrainError:
    with pytest.raises(NntrainError) as caught:
        workplace.prepare(columns, **options)
    return caught.value


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["10", "9", "1"], ("1", "9", "10")),
        (["1.0", "01", "2", "+3"], ("1", "2", "3")),
        (["b", "B", "a", "ä"], ("B", "a", "b", "ä")),
        (["10", "9", "x"], ("10", "9", "x")),
        (["NA", "nan", "None"], ("NA", "None", "nan")),
        (["1.0", "1", "x"], ("1", "1.0", "x")),
        (["-1", "1"], ("-1", "1")),
        (["True", "False"], ("False", "True")),
    ],
)
def test_classes_and_their_order(workplace: Any, labels: list[str], expected: tuple[str, ...]) -> None:
    assert classes(workplace, labels * 8, task="classification") == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["ant", "Bee", "cat ", "dog", "ñu"]), min_size=24, max_size=50))
def test_codes_agree_with_scikit_learn(workplace: Any, labels: list[str]) -> None:
    labels = [*labels, "ant", "dog", "ant", "dog"]
    prepared = workplace.prepare({"x": range(len(labels)), "y": labels}, validation="none")
    oracle = LabelEncoder().fit(labels)
    assert prepared.task.classes == tuple(oracle.classes_)
    assert prepared.train.target.tolist() == oracle.transform(labels).tolist()
    assert prepared.train.target.dtype == np.int64


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (list(range(20)) * 2, "classification"),
        (list(range(21)) * 2, "regression"),
        ([0.5, 1.0] * 12, "regression"),
        (["true", "false"] * 12, "classification"),
        (["1.0", "2.0"] * 12, "classification"),
        (["small", "large"] * 12, "classification"),
    ],
)
def test_the_task_follows_the_target(workplace: Any, cells: list[Any], kind: str) -> None:
    assert workplace.prepare({"x": range(len(cells)), "y": cells}).task.kind == kind


def test_the_loss_and_the_config_go_before_the_look_of_the_target(workplace: Any) -> None:
    columns = {"x": X24, "y": [0, 1] * 12}
    assert workplace.prepare(columns, task_hint="regression").task.kind == "regression"
    assert workplace.prepare(columns, task_hint="regression", task="classification").task.kind == "classification"


def test_labels_mean_the_same_in_an_eval_file(workplace: Any) -> None:
    prepared = workplace.prepare({"x": X24, "y": ["1", "2", "3"] * 8})
    judged = load_for_eval(prepared.preprocessing, workplace.table({"x": [1, 2], "y": ["1.0", "03"]}), "error")
    assert judged.dataset.target.tolist() == [0, 2]
    mixed = workplace.table({"x": [1, 2, 3], "y": ["1.0", "03", "x"]})
    assert load_for_eval(prepared.preprocessing, mixed, "wrong").dataset.target.tolist() == [0, 2, -1]


def test_labels_that_are_text_stay_text_in_an_eval_file_of_numbers(workplace: Any) -> None:
    prepared = workplace.prepare({"x": X24, "y": ["01", "1", "x"] * 8})
    judged = load_for_eval(prepared.preprocessing, workplace.table({"x": [1, 2], "y": ["01", "1"]}), "error")
    assert [prepared.task.classes[code] for code in judged.dataset.target] == ["01", "1"]


def test_an_unknown_class_is_named_with_line_and_count(workplace: Any) -> None:
    prepared = workplace.prepare({"x": X24, "y": ["a", "b", "c"] * 8})
    table = workplace.table({"x": range(5), "y": ["a", "d", "b", "e", "d"]})
    with pytest.raises(DataError) as caught:
        load_for_eval(prepared.preprocessing, table, "error")
    said = caught.value.render()
    assert caught.value.problems[0].place == "other.csv:3"
    for words in ("column 'y'", "class 'd'", "3 rows", "lines 3, 5, 6", "--unknown-class", "classes: a, b, c"):
        assert words in said
    for choice, words in (("wrong", "count as errors"), ("skip", "left out")):
        judged = load_for_eval(prepared.preprocessing, table, choice)
        assert judged.dataset.target.tolist() == [0, -1, 1, -1, -1]
        assert judged.known.tolist() == [True, False, True, False, False]
        assert any("3 of 5 rows" in notice and words in notice for notice in judged.notices)
        assert any("no rows of class 'c'" in notice for notice in judged.notices)


def test_an_unknown_class_in_a_validation_file_is_an_error_of_fit(workplace: Any) -> None:
    workplace.write({"x": [1], "y": ["d"]}, "val.csv")
    error = refusal(workplace, {"x": X24, "y": ["a", "b"] * 12}, validation="val.csv")
    assert error.problems[0].place == "val.csv:2"
    assert "nntrain eval" not in error.render()


@pytest.mark.parametrize(
    ("cells", "options", "place", "words"),
    [
        (["a"] * 24, {}, "data.csv", ["column 'y' has 1 class ('a')", "needs 2"]),
        ([f"v{i}" for i in range(24)], {}, "data.csv", ["24 distinct values in 24 rows", "regression?"]),
        (["a", "b"] * 11 + [None, "a"], {}, "data.csv:24", ["column 'y'", "missing"]),
        ([*range(21), None, 4, 5], {"task": "regression"}, "data.csv:23", ["column 'y'", "missing"]),
        ([*range(22), "five", 5], {"task": "regression"}, "data.csv:24", ["column 'y'", "'five'"]),
        ([i / 7 for i in range(22)] + ["5,1", 1.0], {}, "data.csv:24", ["column 'y'", "'5,1'", "decimal"]),
    ],
)
def test_refused(workplace: Any, cells: list[Any], options: dict[str, Any], place: str, words: list[str]) -> None:
    error = refusal(workplace, {"x": X24, "y": cells}, **options)
    assert error.problems[0].place == place
    assert error.exit_code == 3
    for word in words:
        assert word in error.render()


def test_text_under_a_loss_for_numbers_names_the_task(workplace: Any) -> None:
    error = refusal(workplace, {"x": X24, "y": ["setosa", "virginica"] * 12}, task_hint="regression")
    assert "column 'y'" in error.render()
    assert "'setosa'" in error.render()
    assert "task: classification" in error.render()


@pytest.mark.parametrize(
    ("wanted", "cells", "code"),
    [(None, "ab", 1), ("a", "ab", 0), (0, "01", 0), ("1", "01", 1), (False, ["true", "false"], 0), (1.0, "01", 1)],
)
def test_positive_class(workplace: Any, wanted: Any, cells: Any, code: int) -> None:
    prepared = workplace.prepare({"x": X24, "y": list(cells) * 12}, positive_class=wanted)
    assert prepared.task.positive == code


def test_wrong_positive_class(workplace: Any) -> None:
    said = refusal(workplace, {"x": X24, "y": ["benign", "malignant"] * 12}, positive_class="malignat").render()
    assert "data.positive_class" in said
    assert "did you mean 'malignant'?" in said
    assert "positive_class" in refusal(workplace, {"x": X24, "y": list("abc") * 8}, positive_class="a").render()


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["Yes", "yes "] * 12, "differ only in case"),
        (["a", "a\u200b"] * 12, "invisible"),
        (["а", "a"] * 12, "look"),
        (["a", "b"] * 12 + ["c"], "single row"),
    ],
)
def test_odd_classes_are_warned_of_with_counts(workplace: Any, cells: list[str], words: str) -> None:
    prepared = workplace.prepare({"x": range(len(cells)), "y": cells})
    warnings = [notice for notice in prepared.notices if notice.startswith("warning: target") and words in notice]
    assert len(warnings) == 1
    assert "12 rows" in warnings[0] or "1 rows" in warnings[0] or "'c'" in warnings[0]
    assert "\u200b" not in warnings[0]


def test_class_weights(workplace: Any) -> None:
    labels = ["a"] * 24 + ["b"] * 8 + ["c"] * 8
    columns = {"x": range(40), "y": labels}
    balanced = workplace.prepare(columns, class_weight="balanced")
    codes = balanced.train.target
    expected = compute_class_weight("balanced", classes=np.arange(3), y=codes)[codes]
    np.testing.assert_allclose(balanced.train.weight, expected, rtol=1e-6)
    assert balanced.validation.weight is None or set(balanced.validation.weight.tolist()) == {1.0}
    mapped = workplace.prepare(columns, class_weight={"b": 5.0, "c": 0.5})
    weight = np.array([1.0, 5.0, 0.5], np.float32)
    assert mapped.train.weight.tolist() == weight[mapped.train.target].tolist()


def test_class_weights_multiply_sample_weights(workplace: Any) -> None:
    columns = {"x": X24, "w": [2, 3] * 12, "y": ["a", "a", "b"] * 8}
    prepared = workplace.prepare(columns, weight="w", class_weight={"b": 10.0}, validation=0.25)
    rows = prepared.train.rows.tolist()
    assert prepared.train.weight.tolist() == [[2, 3][r % 2] * (10.0 if r % 3 == 2 else 1.0) for r in rows]
    assert prepared.validation.weight.tolist() == [[2, 3][r % 2] for r in prepared.validation.rows.tolist()]


def test_wrong_class_weights(workplace: Any) -> None:
    said = refusal(workplace, {"x": X24, "y": ["cat", "dog"] * 12}, class_weight={"dgo": 2.0}).render()
    assert "class_weight" in said
    assert "did you mean 'dog'?" in said
    error = refusal(workplace, {"x": X24, "y": [i / 7 for i in X24]}, class_weight="balanced")
    assert isinstance(error, ConfigError)
    assert "class_weight" in error.render()


def test_several_numeric_targets_are_scaled_each_and_come_back(workplace: Any) -> None:
    first, second = [i / 7 for i in X24], [100.0 - i * i for i in X24]
    prepared = workplace.prepare({"x": X24, "a": first, "b": second}, target=["a", "b"])
    assert prepared.task.kind == "regression"
    rows = prepared.train.rows
    truth = np.stack([np.array(first)[rows], np.array(second)[rows]], axis=1)
    np.testing.assert_allclose(prepared.train.target.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(prepared.train.target.std(axis=0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(prepared.preprocessing.decode(prepared.train.target), truth, rtol=1e-5, atol=1e-4)
    plain = workplace.prepare({"x": X24, "a": first, "b": second}, target=["a", "b"], scales_target=False)
    np.testing.assert_allclose(plain.train.target, truth, rtol=1e-6)


def test_several_indicators_are_multilabel(workplace: Any) -> None:
    prepared = workplace.prepare({"x": X24, "a": [0, 1] * 12, "b": ["true", "false", "true"] * 8}, target=["a", "b"])
    assert prepared.task.kind == "multilabel"
    rows = prepared.train.rows.tolist()
    assert prepared.train.target.tolist() == [[float(r % 2), float(r % 3 != 1)] for r in rows]
    columns = {"x": X24, "a": [0, 1] * 12, "b": [0, 1, 2] * 8}
    error = refusal(workplace, columns, target=["a", "b"], task="multilabel")
    assert error.problems[0].place == "data.csv:4"
    assert "column 'b': expected 0 or 1" in error.render()


def test_classification_takes_one_target(workplace: Any) -> None:
    columns = {"x": X24, "a": ["u", "v"] * 12, "b": ["p", "q"] * 12}
    assert "multilabel" in refusal(workplace, columns, target=["a", "b"], task="classification").render()


def test_a_misspelt_target(workplace: Any) -> None:
    error = refusal(workplace, {"x": X24, "species": ["a", "b"] * 12}, target="specis")
    assert "data.target: column 'specis' not found; did you mean 'species'?" in error.render()
    assert "columns found in data.csv: x, species" in error.render()
