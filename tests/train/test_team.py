"""Workers in processes and threads of their own: results, errors, and ends."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from nntrain.core import place
from nntrain.core.shared import shared_zeros
from nntrain.errors import ResourceError
from nntrain.train.exchange import Exchange, PeerError
from nntrain.train.team import Team


class Worker:
    def __init__(self, number: int, memory: Any = None) -> None:
        self.number, self.memory, self.calls = number, memory, 0

    def count(self, step: int) -> tuple[int, int, int]:
        self.calls += 1
        return self.number, step, self.calls

    def write(self, value: float) -> None:
        self.memory[self.number] = value * self.number

    def fail(self, which: int) -> int:
        if which == self.number:
            raise ValueError(f"worker {which}")
        return self.number

    def process(self) -> int:
        return os.getpid()

    def fail_oddly(self) -> None:
        class LocalError(Exception):  # cannot be sent to another process
            pass

        if self.number:
            raise LocalError("odd")

    def long(self, size: int) -> bytes:
        return bytes(size)

    def descriptors(self) -> int:
        return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(params=[True, False], ids=["processes", "threads"])
def places(request: Any, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(place, "CAN_FORK", request.param and place.CAN_FORK)
    return bool(place.CAN_FORK)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_each_worker_keeps_its_own_state(places: bool, size: int) -> None:
    team = Team([Worker(i) for i in range(size)])
    for step in (1, 2, 3):
        assert team.call("count", step) == [(i, step, step) for i in range(size)]
    team.close()


def test_what_lies_in_shared_memory_is_seen_by_all(places: bool) -> None:
    memory = shared_zeros((3,), float)
    team = Team([Worker(i, memory) for i in range(3)])
    team.call("write", 2.0)
    assert memory.tolist() == [0.0, 2.0, 4.0]
    team.close()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_errors_are_raised_and_the_team_goes_on(places: bool, which: int) -> None:
    team = Team([Worker(i) for i in range(3)])
    with pytest.raises(ValueError, match=f"worker {which}"):
        team.call("fail", which)
    assert team.call("fail", 7) == [0, 1, 2]
    with pytest.raises(Exception, match="odd"):
        team.call("fail_oddly")
    assert team.call("long", 200_000) == [bytes(200_000)] * 3  # more than a pipe holds
    team.close()


@pytest.mark.skipif(not place.CAN_FORK, reason="there are no processes here")
class TestProcesses:
    def test_there_is_one_for_each_further_worker_until_the_end(self) -> None:
        team = Team([Worker(i) for i in range(3)])
        first, *others = team.call("process")
        assert first == os.getpid()
        assert len({first, *others}) == 3
        team.close()
        for process in others:
            with pytest.raises(ProcessLookupError):
                os.kill(process, 0)

    def test_one_that_is_killed_ends_the_call(self) -> None:
        team = Team([Worker(i) for i in range(3)])
        os.kill(team.call("process")[1], signal.SIGKILL)
        with pytest.raises(ResourceError, match="ended from outside"):
            for _ in range(2):
                team.call("count", 1)
        team.close()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_signals_are_left_to_the_first(self, number: int) -> None:
        team = Team([Worker(i) for i in range(2)])
        os.kill(team.call("process")[1], number)
        assert team.call("count", 1) == [(0, 1, 1), (1, 1, 1)]
        team.close()

    def test_they_end_with_the_process_that_made_them(self) -> None:
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            team = Team([Worker(i) for i in range(3)])
            os.write(write_end, " ".join(map(str, team.call("process")[1:])).encode())
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        workers = [int(text) for text in os.read(read_end, 100).split()]
        end = time.monotonic() + 10
        while any(map(_is_running, workers)) and time.monotonic() < end:
            time.sleep(0.01)
        assert not any(map(_is_running, workers))
        os.close(read_end)
        os.close(write_end)

    def test_no_file_of_the_first_stays_open_in_the_others(self) -> None:
        with Path(__file__).open() as one, Path(__file__).open() as two:
            team = Team([Worker(i) for i in range(2)], [two.fileno()])
            # standard input, output and error, two pipe ends, the file that was named, and the folder that is listed
            assert team.call("descriptors")[1] == 7
            assert one.fileno() != two.fileno()
            team.close()


def _is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Gatherer:
    def __init__(self, peer: Any) -> None:
        self.peer = peer

    def gather(self, size: int, rounds: int) -> list[list[float]]:
        import numpy as np

        found = []
        for number in range(rounds):
            values = np.arange(size, dtype=np.float64) + 100 * self.peer._index + number
            found.append(self.peer.gather(values).sum(axis=1).tolist())
        return found

    def fail(self, which: int) -> None:
        import numpy as np

        if self.peer._index == which:
            self.peer.give_up()
            raise ValueError("the cause")
        self.peer.gather(np.zeros(3))


@pytest.mark.parametrize("size", [1, 50, 4096, 10_000])
@pytest.mark.parametrize("shards", [2, 3])
def test_shards_see_what_all_of_them_gave(places: bool, size: int, shards: int) -> None:
    exchange = Exchange(shards, float)
    team = Team([Gatherer(exchange.peer(i)) for i in range(shards)], exchange.descriptors)
    expected = [[sum(range(size)) + size * (100 * i + number) for i in range(shards)] for number in range(20)]
    assert team.call("gather", size, 20) == [expected] * shards
    team.close()
    exchange.close()


@pytest.mark.parametrize("which", [0, 1])
def test_a_shard_that_fails_ends_the_waiting_of_the_others(places: bool, which: int) -> None:
    exchange = Exchange(2, float)
    team = Team([Gatherer(exchange.peer(i)) for i in range(2)], exchange.descriptors)
    with pytest.raises(ValueError, match="the cause"):
        team.call("fail", which)
    team.close()
    exchange.close()
    assert issubclass(PeerError, RuntimeError)


@pytest.mark.skipif(not place.CAN_FORK, reason="there are no processes here")
def test_a_process_that_cannot_be_had_leaves_no_pipe_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(BlockingIOError):
        place.new_place("worker")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
