"""What must hold for any logits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nntrain.core.task import Task
from nntrain.losses.base import LOSSES

THREE = Task("classification", ("label",), ("a", "b", "c"))
BINARY = Task("classification", ("label",), ("a", "b"), 1)
ROWS = 6
LOGITS = arrays(np.float64, (ROWS, 3), elements=st.floats(-50, 50))
CODES = arrays(np.int64, ROWS, elements=st.integers(0, 2))
OF_CLASSES = ("cross_entropy", "focal", "hinge", "squared_hinge", "perceptron", "mse", "log_cosh")


def built(spec, task=THREE):
    loss = LOSSES.build(spec)
    loss.build(task, np.float64)
    return loss


@settings(max_examples=60)
@given(LOGITS, CODES, st.floats(0, 0.5))
def test_softmax_and_cross_entropy(logits, codes, smoothing) -> None:
    loss = built({"name": "cross_entropy", "label_smoothing": smoothing})
    probability = loss.link(logits)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(loss.link(logits + 1000), probability, rtol=1e-10)
    assert (loss.rows(logits, codes) >= -1e-15).all()
    np.testing.assert_allclose(loss.gradient(logits, codes).sum(axis=1), 0, atol=1e-14)


@settings(max_examples=40)
@given(LOGITS, CODES)
def test_gradients_of_margins_sum_to_zero(logits, codes) -> None:
    for name in ("focal", "hinge", "squared_hinge", "perceptron"):
        np.testing.assert_allclose(built(name).gradient(logits, codes).sum(axis=1), 0, atol=1e-12)


@settings(max_examples=40)
@given(LOGITS, CODES, st.permutations(range(ROWS)))
@pytest.mark.parametrize("name", OF_CLASSES)
def test_rows_do_not_know_each_other(name, logits, codes, order) -> None:
    loss = built(name)
    rows, dy = loss.rows(logits, codes), loss.gradient(logits, codes).copy()
    np.testing.assert_array_equal(loss.rows(logits[order], codes[order]), rows[order])
    np.testing.assert_array_equal(loss.gradient(logits[order], codes[order]), dy[order])


@settings(max_examples=40)
@given(LOGITS, CODES, st.permutations(range(3)))
@pytest.mark.parametrize("name", OF_CLASSES)
def test_renaming_classes_changes_nothing(name, logits, codes, names) -> None:
    loss = built(name)
    renamed = np.empty_like(logits)
    renamed[:, names] = logits
    np.testing.assert_allclose(
        loss.rows(renamed, np.array(names)[codes]), loss.rows(logits, codes), rtol=1e-11, atol=1e-13
    )


@settings(max_examples=40)
@given(arrays(np.float64, (ROWS, 1), elements=st.floats(-50, 50)), arrays(np.int64, ROWS, elements=st.integers(0, 1)))
def test_one_logit_is_two_logits_with_the_first_at_zero(logit, codes) -> None:
    two = np.concatenate((np.zeros_like(logit), logit), axis=1)
    one, other = built("binary_cross_entropy", BINARY), built("cross_entropy", BINARY)
    np.testing.assert_allclose(one.rows(logit, codes), other.rows(two, codes), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(one.link(logit), other.link(two), rtol=1e-12)


@settings(max_examples=40)
@given(LOGITS, arrays(np.float64, (ROWS, 3), elements=st.floats(-50, 50)))
def test_regression_losses_are_zero_only_at_the_target_and_symmetric(y, t) -> None:
    task = Task("regression", ("a", "b", "c"))
    for name in ("mse", "mae", "huber", "log_cosh"):
        loss = built(name, task)
        np.testing.assert_array_equal(loss.rows(y, y), 0)
        np.testing.assert_array_equal(loss.rows(y, t), loss.rows(t, y))
        assert (loss.rows(y, t) >= 0).all()


@settings(max_examples=40)
@given(LOGITS, CODES, arrays(np.float64, ROWS, elements=st.floats(0, 10)))
def test_a_weight_is_a_repetition(logits, codes, weight) -> None:
    whole = np.floor(weight).astype(int)
    loss = built("cross_entropy")
    value, _ = loss.value_and_grad(logits, codes, whole.astype(np.float64))
    repeated, _ = loss.value_and_grad(np.repeat(logits, whole, axis=0), np.repeat(codes, whole))
    np.testing.assert_allclose(value, repeated, rtol=1e-12, atol=1e-12)
