"""Arrays in mapped files: as good as those in memory, and nothing is left of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nntrain.data.cache import reading_anew
from nntrain.data.storage import MEMORY, Disk, storage_for
from nntrain.errors import ResourceError


def test_files_have_no_name(tmp_path: Path) -> None:
    array = Disk([tmp_path]).empty((1000, 7), np.float32)
    array[:] = np.arange(7)
    assert list(tmp_path.iterdir()) == []
    assert array.sum() == 21_000 and array.flags.writeable and array.flags.c_contiguous
    assert Disk([tmp_path]).empty((0, 7), np.int64).shape == (0, 7)


def test_the_next_folder_is_taken_where_the_first_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    array = Disk([tmp_path / "file", tmp_path / "made"]).empty((4,), np.uint8)
    array[:] = 3
    assert array.tolist() == [3] * 4 and (tmp_path / "made").is_dir()


def test_a_disk_without_room_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ResourceError) as caught:
        Disk([tmp_path]).empty((1 << 50,), np.float32)
    problem = caught.value.problems[0]
    assert problem.message.startswith("cannot keep 4,503,599,627 MB of examples on disk: ")
    assert problem.path == str(tmp_path) and problem.help is not None and "stream: false" in problem.help


def test_examples_are_where_their_table_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNTRAIN_CACHE_DIR", str(tmp_path))
    assert storage_for(SimpleNamespace(is_streamed=False)) is MEMORY  # type: ignore[arg-type]
    streamed = SimpleNamespace(is_streamed=True)
    disk = storage_for(streamed)  # type: ignore[arg-type]
    assert isinstance(disk, Disk) and disk.folders[0] == tmp_path and len(disk.folders) == 2
    with reading_anew():
        without = storage_for(streamed)  # type: ignore[arg-type]
    assert isinstance(without, Disk) and tmp_path not in without.folders
