"""Blocks parsed in several places: the same as in one, also where a place ends or none can be had."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest

from nntrain.core import place
from nntrain.data import parallel_blocks
from nntrain.data.parallel_blocks import ParallelBlocks, Parsed
from nntrain.data.pieces import Texts

SIZE = 1000


def parse(block: memoryview) -> Parsed | None:
    """Parse bytes as numbers and as texts; 0 is a fault, 1 needs more room than there is, 2 fails."""
    numbers = np.frombuffer(block, np.uint8)
    if (numbers == 0).any():
        return None
    if (numbers == 2).any():
        raise ValueError("two")
    copies = 2 * SIZE if (numbers == 1).any() else 1
    texts = Texts(numbers % 2, ["even", "odd"])
    return Parsed([texts, *[numbers * 0.5] * copies], len(numbers), len(numbers), np.arange(len(numbers)), False)


def blocks(count: int) -> list[memoryview]:
    random = np.random.default_rng(0)
    return [random.integers(3, 256, 1 + i % SIZE, dtype=np.uint8).data for i in range(count)]


@pytest.fixture(params=["processes", "threads", "none"])
def parallel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ParallelBlocks]:
    monkeypatch.setattr(place, "CAN_FORK", request.param == "processes" and place.CAN_FORK)
    monkeypatch.setattr(parallel_blocks, "processors", lambda: 1 if request.param == "none" else 3)
    found = ParallelBlocks(parse, SIZE)
    yield found
    found.close()


def check(found: Parsed | None, block: memoryview) -> None:
    expected = parse(block)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (found.rows, found.newlines, found.is_shortest) == (expected.rows, expected.newlines, expected.is_shortest)
    np.testing.assert_array_equal(found.lines, expected.lines)
    assert len(found.pieces) == len(expected.pieces)
    for piece, other in zip(found.pieces, expected.pieces, strict=True):
        if isinstance(other, Texts):
            assert isinstance(piece, Texts)
            assert piece.distinct == other.distinct
            assert piece.codes.dtype == other.codes.dtype
            assert piece.codes.tolist() == other.codes.tolist()
        else:
            assert isinstance(piece, np.ndarray)
            assert (piece.dtype, piece.tolist()) == (other.dtype, other.tolist())


def test_equals_one_place(parallel: ParallelBlocks) -> None:
    given = blocks(200)
    given[20], given[30] = memoryview(b"\5\0"), memoryview(b"\1" * SIZE)
    given[40] = memoryview(b"\3" * 9 * SIZE)
    waiting = []
    for block in given:
        waiting.append(parallel.submit(block))
        if len(waiting) > 7:
            pending = waiting.pop(0)
            check(parallel.result(pending), pending.block)
    for pending in waiting:
        check(parallel.result(pending), pending.block)


def test_an_error_is_that_of_the_block(parallel: ParallelBlocks) -> None:
    check(parallel.result(parallel.submit(memoryview(b"\3"))), memoryview(b"\3"))
    with pytest.raises(ValueError, match="two"):
        parallel.result(parallel.submit(memoryview(b"\2")))


@pytest.mark.skipif(not place.CAN_FORK, reason="there are no processes here")
def test_what_a_lost_process_had_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel_blocks, "processors", lambda: 2)
    main = os.getpid()

    def parse_or_die(block: memoryview) -> Parsed | None:
        if block[0] == 9 and os.getpid() != main:
            os.kill(os.getpid(), signal.SIGKILL)
        return parse(block)

    parallel = ParallelBlocks(parse_or_die, SIZE)
    given = [*blocks(3), memoryview(b"\x09\x09"), *blocks(20)]
    waiting = [parallel.submit(block) for block in given]
    for pending in waiting:
        check(parallel.result(pending), pending.block)
    parallel.close()


@pytest.mark.parametrize("what, error", [("new_place", BlockingIOError), ("shared_zeros", MemoryError)])
def test_without_further_processes_all_is_done_here(
    what: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> None:
        raise error("Resource temporarily unavailable")

    monkeypatch.setattr(parallel_blocks, "processors", lambda: 3)
    monkeypatch.setattr(parallel_blocks, what, refused)
    parallel = ParallelBlocks(parse, SIZE)
    for block in blocks(SIZE)[-5:]:
        pending = parallel.submit(block)
        assert pending.is_ready
        check(parallel.result(pending), block)
    parallel.close()


def test_what_nobody_has_begun_is_taken_back(parallel: ParallelBlocks) -> None:
    waiting = [parallel.submit(block) for block in blocks(SIZE)[-7:]]
    assert parallel.take_back(waiting[0]) is waiting[0], "others were submitted after it"
    for i in range(len(waiting) - 1, 0, -1):
        taken = parallel.take_back(waiting[i])
        assert taken.block is waiting[i].block
        if taken.helper is not None:
            break
        waiting[i] = taken
    for pending in waiting:
        check(parallel.result(pending), pending.block)
