"""Numbers 0 to 255 read from bytes: the same as by splitting the text, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nntrain.data import digits
from nntrain.data.digits import small_numbers

cells = st.one_of(
    st.integers(0, 255).map(str), st.sampled_from(["0", "00", "007", "256", "999", "1000", "", "-1", "a"])
)


def by_splitting(text: str, width: int) -> list[list[int]] | None:
    rows = [line.split(",") for line in text.splitlines()]
    fine = all(len(row) == width and all(c.isdigit() and len(c) <= 3 and int(c) <= 255 for c in row) for row in rows)
    return [[int(cell) for cell in row] for row in rows] if fine and rows else None


@given(
    rows=st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=12),
    width=st.integers(1, 4),
    step=st.sampled_from([1, 2, 3, 5, 8, 1 << 18]),
)
def test_equals_splitting(rows: list[list[str]], width: int, step: int) -> None:
    text = "".join(",".join(row) + "\n" for row in rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "_STEP", step)
        found = small_numbers(text.encode(), ord(","), width)
    expected = by_splitting(text, width)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert found[0].dtype == np.uint8
    assert found[0].tolist() == expected
    assert found[1] == all(str(int(cell)) == cell for row in rows for cell in row)
