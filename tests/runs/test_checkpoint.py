"""Checkpoints: exact round trips, equal bytes for equal states, and every kind of damage or malice found."""

from __future__ import annotations

import json
import pickle
import struct
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nntrain.errors import RunError
from nntrain.runs import checkpoint
from nntrain.runs.checkpoint_layout import CHECKSUM_AT, DTYPES, NO_CHECKSUM

ARRAYS = {
    "weights.dense_1.kernel": np.linspace(-1, 1, 60, dtype=np.float32).reshape(6, 10),
    "weights.dense_1.bias": np.zeros(10, np.float32),
    "optimizer.first_moment": np.arange(70.0),
    "order": np.arange(13, dtype=np.int64),
    "mask": np.array([True, False, True]),
}
STATE = {"epoch": 3, "model": {"columns": ["a", "é"], "mean": [0.1, -2.5e-300]}, "best": None, "done": False}

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**130), 2**130) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
arrays = st.sampled_from(list(DTYPES.values())).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)
names = st.text(min_size=1).filter(lambda name: name != "__metadata__")


def seal(header: dict[str, Any] | bytes, data: bytes = b"", meta: dict[str, Any] | str | None = None) -> bytes:
    """Return a file with a right checksum around any header: what a forger would write."""
    if isinstance(header, dict):
        meta = {"checksum": NO_CHECKSUM, "format": 1, "state": {}} if meta is None else meta
        text = meta if isinstance(meta, str) else json.dumps(meta, separators=(",", ":"))
        header = json.dumps({"__metadata__": {"nntrain": text}, **header}, separators=(",", ":")).encode()
    head = struct.pack("<Q", len(header)) + header
    digits = b"%08x" % zlib.crc32(data, zlib.crc32(head))
    start = 8 + CHECKSUM_AT
    return head[:start] + digits + head[start + 8 :] + data


def refusal(folder: Path, content: bytes) -> str:
    path = folder / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(RunError) as caught:
        checkpoint.load(path)
    assert caught.value.exit_code == 4
    assert caught.value.problems[0].path == str(path)
    return caught.value.problems[0].message


def entry(dtype: str, shape: Any, begin: Any, end: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@given(st.dictionaries(names, arrays, max_size=4), st.dictionaries(st.text(), plain, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_state_comes_back_bit_for_bit(tmp_path: Path, held: dict[str, np.ndarray], state: dict[str, Any]) -> None:
    path = tmp_path / "a.safetensors"
    checkpoint.save(path, held, state)
    found, found_state = checkpoint.load(path)
    assert found_state == state
    assert json.dumps(found_state, sort_keys=True) == json.dumps(state, sort_keys=True)  # 1 and true, 0.0 and -0.0
    assert found.keys() == held.keys()
    for name, array in held.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
        assert found[name].flags.writeable


def test_special_values_memory_orders_and_byte_orders(tmp_path: Path) -> None:
    payload = np.array([0x7FF8DEADBEEF0001, 0x8000000000000000, 1], np.uint64).view(np.float64)
    base = np.arange(24.0).reshape(2, 3, 4)
    held = {
        "nan": payload,
        "fortran": np.asfortranarray(base),
        "strided": base[:, ::2, ::-1],
        "big": base.astype(">f8"),
    }
    checkpoint.save(tmp_path / "a", held, {})
    found, _ = checkpoint.load(tmp_path / "a")
    assert found["nan"].tobytes() == payload.tobytes()
    for name in ("fortran", "strided", "big"):
        np.testing.assert_array_equal(found[name], held[name])


def test_equal_states_give_equal_files_whatever_their_order(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", ARRAYS, STATE)
    checkpoint.save(tmp_path / "b", dict(reversed(ARRAYS.items())), dict(reversed(STATE.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_reference_library_reads_it(tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file

    checkpoint.save(tmp_path / "a", {**ARRAYS, "scalar": np.array(2.5), "empty": np.zeros((0, 3))}, STATE)
    read = load_file(tmp_path / "a")
    assert read.keys() == {*ARRAYS, "scalar", "empty"}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read[name], array)
    with safe_open(tmp_path / "a", "numpy") as opened:
        assert json.loads(opened.metadata()["nntrain"])["state"] == STATE


@pytest.mark.parametrize(
    ("held", "state", "error"),
    [
        ({"a": np.array(["text"])}, {}, TypeError),
        ({"a": np.array([object()])}, {}, TypeError),
        ({"a": np.array([1j])}, {}, TypeError),
        ({"__metadata__": np.zeros(1)}, {}, TypeError),
        ({}, {"a": np.float64(1)}, ValueError),
        ({}, {"a": {1: "key is no text"}}, ValueError),
        ({}, {"a": float("nan")}, ValueError),
    ],
)
def test_what_would_not_come_back_is_refused(
    tmp_path: Path, held: dict[str, Any], state: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        checkpoint.save(tmp_path / "a", held, state)
    assert not (tmp_path / "a").exists()


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a"
    checkpoint.save(path, ARRAYS, STATE)
    whole = path.read_bytes()
    positions = sorted({*range(0, len(whole), 97), *range(160)})
    for position in positions:
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            with pytest.raises(RunError):
                checkpoint.load(path)


def test_every_truncation_and_extension_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a"
    checkpoint.save(path, ARRAYS, STATE)
    whole = path.read_bytes()
    for size in [*range(40), *range(40, len(whole), 41), len(whole) - 1]:
        refusal(tmp_path, whole[:size])
    assert "belong to nothing" in refusal(tmp_path, whole + b"\0")
    assert "cut short" in refusal(tmp_path, whole[:-1])
    assert "checksum" in refusal(tmp_path, whole[:-8] + b"\1" * 8)


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("evil-was-here"),))


def test_a_pickle_and_a_zip_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert "not an nntrain checkpoint" in refusal(tmp_path, pickle.dumps(Evil(), protocol) + b" " * 64)
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr("../../x.pkl", pickle.dumps(Evil()))
    assert "not an nntrain checkpoint" in refusal(tmp_path, (tmp_path / "z").read_bytes())
    assert not (tmp_path / "evil-was-here").exists()


def test_a_foreign_safetensors_file_and_a_newer_format_are_named(tmp_path: Path) -> None:
    from safetensors.numpy import save

    assert "does not begin with the metadata key 'nntrain'" in refusal(tmp_path, save({"a": np.zeros(3)}))
    newer = seal({}, meta={"checksum": NO_CHECKSUM, "format": 2, "state": {}})
    assert "newer nntrain (checkpoint format 2" in refusal(tmp_path, newer)


@pytest.mark.parametrize(
    ("shape", "end"),
    [
        ([10**11], 8 * 10**11),
        ([4194305, 4194305, 211106198978564], 8),
        ([2**62, 4], 0),
        ([-1], 8),
        ([True], 8),
        ([1.0], 8),
        (["1"], 8),
        (None, 8),
        ([1] * 33, 8),
        ([2**61 + 1, 8], 8),
    ],
)
def test_hostile_shapes_are_refused_before_allocation(tmp_path: Path, shape: Any, end: int) -> None:
    content = seal({"a": entry("F64", shape, 0, end)}, bytes(8))
    tracemalloc.start()
    refusal(tmp_path, content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6


def test_many_large_arrays_are_refused_by_their_sum(tmp_path: Path) -> None:
    size = 3_900_000_000
    header = {f"a{i}": entry("U8", [size], i * size, (i + 1) * size) for i in range(40)}
    assert "cut short" in refusal(tmp_path, seal(header, bytes(100)))


@pytest.mark.parametrize(
    ("places", "data", "expected"),
    [
        ([(0, 8), (4, 12)], 12, "overlaps"),
        ([(0, 8), (16, 24)], 24, "leaves a gap"),
        ([(8, 16)], 16, "leaves a gap"),
        ([(0, 8)], 9, "belong to nothing"),
        ([(0, 8)], 7, "cut short"),
        ([(8, 0)], 8, "do not hold the shape"),
        ([(0, 8), (0, 8)], 8, "overlaps"),
    ],
)
def test_offsets_leave_no_gap_overlap_or_rest(
    tmp_path: Path, places: list[tuple[int, int]], data: int, expected: str
) -> None:
    header = {f"a{i}": entry("F64", [1], begin, end) for i, (begin, end) in enumerate(places)}
    assert expected in refusal(tmp_path, seal(header, bytes(data)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"a": 1},
        {"a": {"dtype": "F64", "shape": []}},
        {"a": {**entry("F64", [], 0, 8), "more": 1}},
        {"a": entry("F128", [], 0, 16)},
        {"a": {**entry("F64", [], 0, 8), "dtype": 7}},
        {"a": {**entry("F64", [], 0, 8), "dtype": ["F64"]}},
        {"a": {**entry("F64", [], 0, 8), "data_offsets": [0]}},
    ],
)
def test_malformed_entries_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    assert "array 'a'" in refusal(tmp_path, seal(wrong, bytes(8)))


def test_a_truth_value_of_two_is_refused(tmp_path: Path) -> None:
    assert "neither 0 nor 1" in refusal(tmp_path, seal({"a": entry("BOOL", [2], 0, 2)}, b"\1\2"))


PREFIX = '{"__metadata__":{"nntrain":"{\\"checksum\\":\\"00000000\\",\\"format\\":1,\\"state\\":'


@pytest.mark.parametrize(
    ("state", "rest", "expected"),
    [
        ("[" * 100_000 + "]" * 100_000, "", "nested too deeply"),
        ('{\\"a\\":1,\\"a\\":2}', "", "duplicate key"),
        ('{\\"a\\":NaN}', "", "NaN"),
        ('{\\"a\\":1e999}', "", "out of range"),
        ("{}", ',"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' * 2, "duplicate key"),
        ("{}", ',"a":Infinity', "Infinity"),
        ("{}", ',"a":' + "[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{\\"a\\":[' + "[]," * 600_000 + "[]]}", "", "lists and mappings"),
        ('{\\"a\\":' + "9" * 5000 + "}", "", "not sound JSON"),
        ('{\\"a\\":{' + ",".join(f'\\"{i}\\":1' for i in range(1_100_000)) + "}}", "", "keys"),
        ('{\\"a\\":[' + "1," * 4_100_000 + "1]}", "", "values"),
    ],
    ids=[
        *("deep", "duplicate", "nan", "inf", "two arrays", "infinity", "deep header"),
        *("many", "digits", "many keys", "many values"),
    ],
)
def test_hostile_json_is_refused_quickly(tmp_path: Path, state: str, rest: str, expected: str) -> None:
    content = seal((PREFIX + state + '}"}' + rest + "}").encode())
    started = time.perf_counter()
    assert expected in refusal(tmp_path, content)
    assert time.perf_counter() - started < 2


def test_a_huge_header_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", 200_000_000))
        stream.truncate(200_000_100)
    started = time.perf_counter()
    with pytest.raises(RunError, match="a header of 200,000,000 bytes"):
        checkpoint.load(path)
    assert time.perf_counter() - started < 0.5


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    refusal(tmp_path, content)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_header_with_a_right_checksum_gives_arrays_or_a_refusal(tmp_path: Path, data: st.DataObject) -> None:
    junk = st.recursive(
        st.none() | st.booleans() | st.integers(-2, 2**64) | st.text(max_size=3) | st.sampled_from(["F64", "U8"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets", "x"]), inner, max_size=4)
        ),
        max_leaves=6,
    )
    header = data.draw(st.dictionaries(st.text(min_size=1, max_size=3), junk, max_size=3))
    path = tmp_path / "x"
    path.write_bytes(seal(header, data.draw(st.binary(max_size=32))))
    try:
        found, state = checkpoint.load(path)
    except RunError as error:
        assert error.problems[0].path == str(path)
    else:
        assert found.keys() == header.keys()
        assert state == {}


def test_missing_files_folders_and_links_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="missing"):
        checkpoint.load(tmp_path / "gone")
    with pytest.raises(RunError):
        checkpoint.load(tmp_path)
    checkpoint.save(tmp_path / "a", ARRAYS, STATE)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(RunError, match="got a link"):
        checkpoint.load(tmp_path / "b")


def test_inspection_finds_header_damage_without_reading_arrays(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", ARRAYS, STATE)
    layout, state = checkpoint.inspect(tmp_path / "a")
    assert state == STATE
    assert {place.name: place.shape for place in layout.places} == {name: a.shape for name, a in ARRAYS.items()}
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-1])
    with pytest.raises(RunError, match="cut short"):
        checkpoint.inspect(tmp_path / "a")


def test_saving_copies_no_large_array(tmp_path: Path) -> None:
    large = {"w": np.ones(2_000_000)}
    checkpoint.save(tmp_path / "a", large, {})
    tracemalloc.start()
    checkpoint.save(tmp_path / "a", large, {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6
