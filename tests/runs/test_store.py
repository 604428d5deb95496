"""The checkpoints of a run: which is kept when, and which is fallen back to."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from nntrain.errors import ResourceError, RunError
from nntrain.runs import checkpoint
from nntrain.runs.recorder import Recorder
from nntrain.runs.store import CheckpointStore


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def arrays(epoch: int) -> dict[str, np.ndarray]:
    return {"weights.w": np.full(50, epoch, np.float32)}


def save(store: CheckpointStore, *epochs: int) -> None:
    for epoch in epochs:
        store.save_last(arrays(epoch), {"epoch": epoch})


def epoch_of(path: Path) -> int:
    epoch = checkpoint.load(path)[1]["epoch"]
    assert isinstance(epoch, int)
    return epoch


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path)


def test_no_checkpoint_yet(store: CheckpointStore) -> None:
    assert store.load_last() is None
    with pytest.raises(RunError, match="no best checkpoint"):
        store.load_best()


def test_last_previous_and_best(store: CheckpointStore) -> None:
    save(store, 1)
    assert not store.path("previous").exists()
    save(store, 2, 3)
    assert (epoch_of(store.path("last")), epoch_of(store.path("previous"))) == (3, 2)
    store.save_best(arrays(2), {"epoch": 2})
    assert store.load_best()[1] == {"epoch": 2}
    found = store.load_last()
    assert found is not None
    assert found[1] == {"epoch": 3}
    np.testing.assert_array_equal(found[0]["weights.w"], arrays(3)["weights.w"])
    assert store.notices == []
    assert listing(store.folder) == ["best.safetensors", "last.safetensors", "previous.safetensors"]


@pytest.mark.parametrize("how", ["flip", "one byte", "empty", "half", "missing"])
def test_a_damaged_last_is_passed_over_and_said_so(store: CheckpointStore, how: str) -> None:
    save(store, 1, 2)
    last = store.path("last")
    size = last.stat().st_size
    if how == "flip":
        damage(last)
    elif how == "missing":
        last.unlink()
    else:
        os.truncate(last, {"one byte": size - 1, "empty": 0, "half": size // 2}[how])
    later = CheckpointStore(store.folder)
    found = later.load_last()
    assert found is not None
    assert found[1] == {"epoch": 1}
    (notice,) = later.notices
    assert "last.safetensors is passed over" in notice
    assert "previous.safetensors (epoch 1)" in notice
    if how == "flip":
        assert "checksum" in notice


def test_the_sound_previous_survives_the_save_after_a_fallback(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a kill in that save would leave nothing but the damaged file under two names."""
    save(store, 1, 2)
    damage(store.path("last"))
    later = CheckpointStore(store.folder)
    later.load_last()
    monkeypatch.setattr(checkpoint, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save(later, 2)
    monkeypatch.undo()
    assert epoch_of(store.path("previous")) == 1
    unaware = CheckpointStore(store.folder)
    save(unaware, 2)
    assert (epoch_of(store.path("last")), epoch_of(store.path("previous"))) == (2, 1)


def test_both_damaged_is_an_error_that_names_both(store: CheckpointStore) -> None:
    save(store, 1, 2)
    damage(store.path("last"))
    damage(store.path("previous"))
    with pytest.raises(RunError) as caught:
        CheckpointStore(store.folder).load_last()
    assert caught.value.exit_code == 4
    assert [Path(str(problem.path)).name for problem in caught.value.problems] == [
        "last.safetensors",
        "previous.safetensors",
    ]


def test_a_crash_between_link_and_rename_leaves_nothing_to_trip_over(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, 1, 2)
    monkeypatch.setattr(checkpoint, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save(store, 3)
    monkeypatch.undo()
    assert store.path("previous").samefile(store.path("last"))
    save(store, 3)  # renaming one name of a file to another of the same file does nothing
    assert (epoch_of(store.path("last")), epoch_of(store.path("previous"))) == (3, 2)
    assert len(listing(store.folder)) == 2


def test_without_hard_links_the_last_is_moved(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "operation not permitted")

    monkeypatch.setattr(os, "link", unsupported)
    save(store, 1, 2, 3)
    assert (epoch_of(store.path("last")), epoch_of(store.path("previous"))) == (3, 2)


def test_a_failing_link_is_told(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    save(store, 1)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(ResourceError, match="no space left"):
        save(store, 2)
    assert epoch_of(store.path("last")) == 1


def test_a_linked_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "checkpoints").symlink_to(tmp_path / "real")
    store = CheckpointStore(tmp_path / "checkpoints")
    for action in (lambda: save(store, 1), store.load_last, store.load_best):
        with pytest.raises(RunError, match="got a link"):
            action()
    assert listing(tmp_path / "real") == []


def test_a_folder_that_has_gone_is_not_made_again(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "run" / "checkpoints")
    with pytest.raises(ResourceError):
        save(store, 1)
    assert listing(tmp_path) == []


def test_rows_are_durable_before_their_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(tmp_path)
    store = CheckpointStore(tmp_path, recorder)
    recorder.epoch({"epoch": 1}, {"epoch": 1})
    monkeypatch.setattr(checkpoint, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        store.save_last(arrays(1), {"epoch": 1})
    assert (tmp_path / "metrics.jsonl").read_bytes() == b'{"epoch": 1}\n'


def test_the_history_is_inside_and_out_of_sight(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    store = CheckpointStore(tmp_path, recorder)
    recorder.epoch({"epoch": 1, "val_loss": 0.5}, {"epoch": 1})
    store.save_last(arrays(1), {"epoch": 1})
    (tmp_path / "metrics.jsonl").unlink()
    again = Recorder(tmp_path)
    found = CheckpointStore(tmp_path, again).load_last()
    assert found is not None
    assert found[0].keys() == {"weights.w"}
    assert "written anew" in again.truncate_to(1)[0]
    assert (tmp_path / "metrics.jsonl").read_bytes() == b'{"epoch": 1, "val_loss": 0.5}\n'
