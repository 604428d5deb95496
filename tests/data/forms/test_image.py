"""Images: pixels against loops over the cells, one scale of training rows, how they are kept, and every message."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntrain.data.forms import form_of
from nntrain.data.options import AugmentOptions, ColumnOptions, DataOptions, ImageOptions
from nntrain.data.pipeline import Preprocessing
from nntrain.data.preparation import Prepared, load_for_eval
from nntrain.errors import ConfigError, DataError

ROWS, HEIGHT, WIDTH, CHANNELS = 30, 2, 3, 2
PIXELS = HEIGHT * WIDTH * CHANNELS
IMAGE = ImageOptions(height=HEIGHT, width=WIDTH, channels=CHANNELS)
few = settings(max_examples=30, deadline=None)
KINDS = {
    "bytes": lambda random: random.integers(0, 256, (ROWS, PIXELS)),
    "shorts": lambda random: random.integers(0, 1000, (ROWS, PIXELS)),
    "longs": lambda random: random.integers(0, 100_000, (ROWS, PIXELS)),
    "signed": lambda random: random.integers(-100, 100, (ROWS, PIXELS)),
    "floats": lambda random: random.normal(0.5, 0.2, (ROWS, PIXELS)).round(4),
}
STORED = {"bytes": "uint8", "shorts": "uint16", "longs": "float32", "signed": "float32", "floats": "float32"}


def columns(kind: str = "bytes", seed: int = 0) -> dict[str, Any]:
    cells = KINDS[kind](np.random.default_rng(seed))
    return {**{f"p{i}": cells[:, i].tolist() for i in range(PIXELS)}, "y": ["a", "b", "c"] * (ROWS // 3)}


def inputs(data: Any) -> Any:
    return data.inputs()


def by_hand(given: dict[str, Any], prepared: Prepared, scale: str) -> Any:
    """Return the scaled images (R, H, W, C) of all rows, cell by cell."""
    train = [float(given[f"p{i}"][row]) for row in prepared.train.rows for i in range(PIXELS)]
    shift, spread = 0.0, 1.0
    if scale == "standard":
        shift = sum(train) / len(train)
        spread = (sum((value - shift) ** 2 for value in train) / len(train)) ** 0.5
    if scale == "minmax":
        shift, spread = min(train), max(train) - min(train)
    x = np.empty((ROWS, HEIGHT, WIDTH, CHANNELS))
    for row in range(ROWS):
        for i in range(HEIGHT):
            for j in range(WIDTH):
                for c in range(CHANNELS):
                    x[row, i, j, c] = (given[f"p{(i * WIDTH + j) * CHANNELS + c}"][row] - shift) / spread
    return x


@few
@given(kind=st.sampled_from(list(KINDS)), scale=st.sampled_from(["standard", "minmax", "none"]), seed=st.integers(0, 9))
def test_pixels_are_those_of_the_cells(workplace: Any, kind: str, scale: str, seed: int) -> None:
    given = columns(kind, seed)
    prepared = workplace.prepare(given, image=IMAGE, scale=scale, test=0.2)
    expected = by_hand(given, prepared, scale)
    for part in (prepared.train, prepared.validation, prepared.test):
        assert part.x.dtype == STORED[kind]
        assert part.x.shape == (len(part), HEIGHT, WIDTH, CHANNELS)
        assert inputs(part).dtype == np.float32
        np.testing.assert_allclose(inputs(part), expected[part.rows], rtol=1e-5, atol=1e-6)
        batch = part.gather(np.array([1, 0]), part.buffers(2))
        assert batch.x.tobytes() == inputs(part)[[1, 0]].tobytes()
    x, _ = prepared.preprocessing.features(workplace.table(given))
    assert x[prepared.train.rows].tobytes() == inputs(prepared.train).tobytes()
    if scale == "minmax":
        assert (inputs(prepared.train).min(), inputs(prepared.train).max()) == (0.0, 1.0)


@few
@given(
    kind=st.sampled_from(list(KINDS)), other=st.sampled_from(list(KINDS)), scale=st.sampled_from(["standard", "minmax"])
)
def test_a_file_of_other_pixels_is_read_alike(workplace: Any, kind: str, other: str, scale: str) -> None:
    """The same cells give the same bits, whatever stands beside them in the file."""
    prepared = workplace.prepare(columns(kind), image=IMAGE, scale=scale)
    state, arrays = prepared.preprocessing.state()
    loaded = Preprocessing.load(json.loads(json.dumps(state, allow_nan=False)), arrays)
    mixed = columns(other, 1)
    for name in mixed:
        mixed[name][0] = columns(kind)[name][0]
    alone = {name: cells[:1] for name, cells in mixed.items()}
    expected = prepared.preprocessing.features(workplace.table(alone))[0]
    x = loaded.features(workplace.table(mixed))[0]
    assert x[:1].tobytes() == expected.tobytes()
    assert np.isfinite(x).all()
    form: Any = prepared.preprocessing.form
    cells = np.array([mixed[f"p{i}"] for i in range(PIXELS)]).T.reshape(x.shape)
    np.testing.assert_allclose(x, (cells - form.pixels.shift) / form.pixels.scale, rtol=1e-5, atol=1e-5)
    assert json.dumps(loaded.state()[0]) == json.dumps(state)
    assert loaded.form.describe() == form.describe()
    assert loaded.shape == (HEIGHT, WIDTH, CHANNELS)


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_rows_change_nothing_that_is_fitted(workplace: Any, kind: str) -> None:
    given = columns(kind)
    first = workplace.prepare(given, image=IMAGE, test=0.2, missing="mean")
    for row in [*first.validation.rows, *first.test.rows]:
        for i in range(PIXELS):
            given[f"p{i}"][row] = [70_000.5, -3, None][row % 3]
    second = workplace.prepare(given, image=IMAGE, test=0.2, missing="mean")
    assert plain(first) == plain(second)
    assert inputs(first.train).tobytes() == inputs(second.train).tobytes()


def plain(prepared: Prepared) -> tuple[str, dict[str, bytes]]:
    state, arrays = prepared.preprocessing.state()
    return json.dumps(state, allow_nan=False), {name: array.tobytes() for name, array in arrays.items()}


def test_features_give_the_order_of_the_pixels(workplace: Any) -> None:
    given = {"y": ["a", "b"] * 15, "id": range(30), "q": range(30, 60), "p": range(30)}
    image = ImageOptions(height=1, width=2)
    swapped = workplace.prepare(given, image=image, features=["p", "q"], scale="none")
    straight = workplace.prepare(given, image=image, ignore=["id"], scale="none")
    assert swapped.train.x[0].ravel().tolist() == [swapped.train.rows[0], 30 + swapped.train.rows[0]]
    assert straight.train.x[0].ravel().tolist() == [30 + straight.train.rows[0], straight.train.rows[0]]
    other = workplace.table({"extra": [1], "p": [3], "q": [4]})
    x, _ = swapped.preprocessing.features(other)
    assert x.ravel().tolist() == [3.0, 4.0]
    assert swapped.preprocessing.extra_columns(other) == ["columns that are not used: 'extra'"]
    with pytest.raises(DataError, match="column 'p' is missing"):
        swapped.preprocessing.features(workplace.table({"q": [4]}))


def test_columns_with_another_use_are_no_pixels(workplace: Any) -> None:
    given = {**columns(), "w": [0.5] * ROWS, "g": [row // 2 for row in range(ROWS)]}
    prepared = workplace.prepare(given, image=IMAGE, weight="w", group="g")
    assert prepared.preprocessing.form.columns == [f"p{i}" for i in range(PIXELS)]
    assert set(prepared.train.weight.tolist()) == {0.5}


def test_eval_gives_what_validation_gave(workplace: Any) -> None:
    given = columns()
    workplace.write({name: cells[::-1] for name, cells in given.items()}, "held.csv")
    prepared = workplace.prepare(given, image=IMAGE, validation="held.csv")
    judged = load_for_eval(prepared.preprocessing, workplace.table({n: c[::-1] for n, c in given.items()}), "error")
    assert judged.dataset.x.tobytes() == prepared.validation.x.tobytes()
    assert judged.dataset.augmentation is None
    assert any("also stand in the training rows" in notice for notice in prepared.notices)


@pytest.mark.parametrize(
    ("missing", "fill"),
    [("constant", 7.0), ("mean", 4.25), ("median", 2.5), ("most_frequent", 1.0)],
)
def test_missing_pixels_are_filled(workplace: Any, missing: str, fill: float) -> None:
    cells = [1, 1, None, 4, 11] * 6
    given = {"p": cells, "q": range(30), "y": ["a", "b"] * 15}
    image = ImageOptions(height=2, width=1)
    options = {"fill": 7.0} if missing == "constant" else {}
    prepared = workplace.prepare(given, image=image, missing=missing, scale="none", validation="none", **options)
    assert inputs(prepared.train)[2].ravel().tolist() == [fill, 2.0]
    assert prepared.summary.missing == {"p": 6}
    assert prepared.train.x.dtype == (np.uint8 if fill == int(fill) else np.float32)
    x, notices = prepared.preprocessing.features(workplace.table({"p": [None, 3], "q": [1, None]}))
    assert x.ravel().tolist()[:2] == [fill, 1.0]
    assert notices == ["missing cells imputed: 'p' 1, 'q' 1"]


def test_rows_without_a_pixel_are_dropped(workplace: Any) -> None:
    given = {"p": [1, None, 3] * 10, "q": range(30), "y": ["a", "b"] * 15}
    options = {"image": ImageOptions(height=1, width=2), "missing": "drop"}
    prepared = workplace.prepare(given, **options)
    assert all(row % 3 != 1 for row in [*prepared.train.rows, *prepared.validation.rows])
    assert "10 rows with missing cells are left out (missing: drop)" in prepared.notices
    with pytest.raises(DataError, match="every row has a missing pixel"):
        workplace.prepare({**given, "p": [None] * 30}, **options)


@pytest.mark.parametrize("missing", ["auto", "error"])
def test_a_missing_pixel_is_an_error(workplace: Any, missing: str) -> None:
    given = columns()
    given["p4"][5] = given["p4"][9] = None
    with pytest.raises(DataError) as caught:
        workplace.prepare(given, image=IMAGE, missing=missing)
    said = caught.value.render()
    assert said.startswith("error: data.csv:7: column 'p4': a pixel is missing")
    assert "data.missing: constant" in said
    assert "1 more like this on line 11" in said


def test_text_in_a_pixel_is_an_error(workplace: Any) -> None:
    given = columns()
    given["p7"][3] = "five"
    with pytest.raises(DataError, match="expected a number, got 'five'") as caught:
        workplace.prepare(given, image=IMAGE)
    assert caught.value.problems[0].place == "data.csv:5"
    prepared = workplace.prepare(columns(), image=IMAGE)
    with pytest.raises(DataError, match="expected a number, got 'five'") as caught:
        prepared.preprocessing.features(workplace.table(given))
    assert caught.value.problems[0].place == "other.csv:5"


@pytest.mark.parametrize(
    ("more", "image", "found", "remedy"),
    [
        ({}, (2, 3, 1), 12, "set data.image.channels: 2"),
        ({}, (3, 3, 3), 12, "set data.image.height: 2 and data.image.width: 2"),
        ({}, (2, 2, 1), 12, "set data.image.channels: 3"),
        ({"file": ["x.png"] * ROWS}, (2, 3, 2), 13, "leave 'file' out with data.ignore"),
        ({"id": range(ROWS)}, (2, 3, 2), 13, "leave 'id' out with data.ignore"),
        ({"id": range(ROWS)}, (2, 3, 1), 13, "set data.image.channels: 2, and leave 'id' out with data.ignore"),
        ({"p12": [0] * ROWS}, (7, 3, 1), 13, "check height, width and channels"),
    ],
)
def test_a_wrong_number_of_columns(workplace: Any, more: Any, image: Any, found: int, remedy: str) -> None:
    height, width, channels = image
    options = ImageOptions(height=height, width=width, channels=channels)
    with pytest.raises(DataError) as caught:
        workplace.prepare({**columns(), **more}, image=options)
    said = caught.value.render()
    needed = height * width * channels
    size = f"{height} x {width} x {channels}"
    assert f"data.csv: data.image: {size} needs {needed} feature columns, found {found}" in said
    assert remedy in said
    assert f"note: feature columns: p0, p1, p2, p3, p4, ... ({found} in all)" in said


@pytest.mark.parametrize(
    ("options", "message", "remedy"),
    [
        ({"scale": "robust"}, "data.scale: expected standard, minmax or none for images, got 'robust'", "one scale"),
        (
            {"scale": "quantile"},
            "data.scale: expected standard, minmax or none for images, got 'quantile'",
            "one scale",
        ),
        (
            {"columns": {"p1": ColumnOptions(scale="none")}},
            "data.columns.p1.scale: the pixels of an image are all treated alike",
            "use data.scale",
        ),
        ({"columns": {"p1": ColumnOptions(type="categorical")}}, "data.columns.p1.type: the pixels", "leave it out"),
    ],
)
def test_keys_that_images_do_not_have(options: Any, message: str, remedy: str) -> None:
    given = DataOptions(train="no.csv", target="y", image=IMAGE, **options)
    with pytest.raises(ConfigError) as caught:
        form_of(given).adjust(given)
    assert message in caught.value.render()
    assert remedy in caught.value.render()


def test_summary(workplace: Any) -> None:
    given = {"p0": [0, 16] * 15, "p1": [3] * 30, "y": ["a", "b"] * 15}
    augment = AugmentOptions(shift=1, flip="both", rotate=7.5)
    prepared = workplace.prepare(given, image=ImageOptions(height=1, width=2, augment=augment))
    told = "images: 1 x 2 x 1, pixels 0 to 16 as bytes; in training shift 1, flip both, rotate 7.5"
    assert told in prepared.summary.lines()
    still = workplace.prepare(given, image=ImageOptions(height=1, width=2, augment=AugmentOptions()))
    assert "images: 1 x 2 x 1, pixels 0 to 16 as bytes" in still.summary.lines()
    assert still.train.augmentation is None
    given["p0"] = [0.5, 260] * 15
    floats = workplace.prepare(given, image=ImageOptions(height=1, width=2))
    assert "images: 1 x 2 x 1, pixels 0.5 to 260 as 32-bit numbers" in floats.summary.lines()
    given["p0"] = [0, 260] * 15
    shorts = workplace.prepare(given, image=ImageOptions(height=1, width=2))
    assert "images: 1 x 2 x 1, pixels 0 to 260 as 16-bit integers" in shorts.summary.lines()


@pytest.mark.parametrize("scale", ["standard", "minmax"])
def test_equal_pixels_are_told_of(workplace: Any, scale: str) -> None:
    given = {"p0": [5] * 30, "p1": [5] * 30, "y": ["a", "b"] * 15}
    prepared = workplace.prepare(given, image=ImageOptions(height=1, width=2), scale=scale)
    assert "warning: all pixels of the training rows are equal, so they are not scaled" in prepared.notices
    assert np.all(inputs(prepared.train) == 0.0)


def test_only_training_is_augmented_and_the_background_is_that_of_0(workplace: Any) -> None:
    image = ImageOptions(height=HEIGHT, width=WIDTH, channels=CHANNELS, augment=AugmentOptions(shift=1))
    prepared = workplace.prepare(columns(), image=image, test=0.2)
    assert prepared.validation.augmentation is None
    assert prepared.test.augmentation is None
    form: Any = prepared.preprocessing.form
    background = np.float32(-form.pixels.shift / form.pixels.scale)
    loader = prepared.loader(8, 0)
    loader.begin(1)
    x = loader.batch(0).x
    known = inputs(prepared.train)[loader.order[:8]]
    changed = [not np.array_equal(x[b], known[b]) for b in range(8)]
    assert any(changed)
    assert any(np.isclose(x[b], background, atol=1e-6).sum() >= WIDTH for b in range(8) if changed[b])


def test_pixels_are_held_once(workplace: Any) -> None:
    """Preparing takes little more than a byte a pixel beside the table."""
    import tracemalloc

    rows, side = 3000, 28
    generator = np.random.default_rng(0)
    given: dict[str, Any] = {f"p{i}": generator.integers(0, 256, rows).tolist() for i in range(side * side)}
    table = workplace.table({**given, "y": ["a", "b"] * (rows // 2)})
    options = DataOptions(train="x", target="y", image=ImageOptions(height=side, width=side))
    form = form_of(options).make(table, form_of(options).adjust(options))
    form.fit(table, np.arange(rows))
    tracemalloc.start()
    found, _ = form.examples(table, {"train": np.arange(rows)}, None, None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found["train"].x.nbytes == rows * side * side
    assert peak < 1.4 * rows * side * side
