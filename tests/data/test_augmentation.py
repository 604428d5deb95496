"""Random changes of images: against loops and SciPy, the background, seeds, and training alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from nntrain.data.augmentation import ImageAugmentation, Moves, Resampler
from nntrain.data.batches import Dataset, Loader
from nntrain.data.options import AugmentOptions

few = settings(max_examples=40, deadline=None)
SHAPES = st.tuples(st.integers(1, 5), st.integers(3, 7), st.integers(3, 7), st.integers(1, 3))


def images(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def by_loops(x: Any, moves: Moves, background: float) -> Any:
    """Flip, then shift, pixel by pixel."""
    count, height, width, _ = x.shape
    out = np.full_like(x, background)
    for b in range(count):
        upside_down, mirrored = moves.flips[b]
        for i in range(height):
            for j in range(width):
                k, m = i - moves.shifts[b, 0], j - moves.shifts[b, 1]
                if 0 <= k < height and 0 <= m < width:
                    out[b, i, j] = x[b, height - 1 - k if upside_down else k, width - 1 - m if mirrored else m]
    return out


@few
@given(
    shape=SHAPES,
    shift=st.integers(0, 2),
    flip=st.sampled_from([None, "horizontal", "vertical", "both"]),
    background=st.sampled_from([0.0, -1.5]),
    seed=st.integers(0, 1000),
)
def test_shifts_and_flips_are_those_of_a_loop(
    shape: tuple[int, ...], shift: int, flip: Any, background: float, seed: int
) -> None:
    augmentation = ImageAugmentation(AugmentOptions(shift=shift, flip=flip), background)
    moves = augmentation.draw(shape[0], np.random.default_rng(seed))
    x = images(shape)
    expected = by_loops(x, moves, background)
    for _ in range(2):  # the second time in the arrays of the first
        again = x.copy()
        augmentation.apply(again, np.random.default_rng(seed))
        np.testing.assert_array_equal(again, expected)
    resampled = x.copy()
    Resampler(background).apply(resampled, moves)
    np.testing.assert_array_equal(resampled, expected)


@few
@given(shape=SHAPES, background=st.sampled_from([0.0, -1.5]), seed=st.integers(0, 1000))
def test_rotation_zoom_and_crop_are_those_of_scipy(shape: tuple[int, ...], background: float, seed: int) -> None:
    options = AugmentOptions(shift=2, flip="both", rotate=180, zoom=0.5, crop=0.4)
    augmentation = ImageAugmentation(options, background)
    moves = augmentation.draw(shape[0], np.random.default_rng(seed))
    x = images(shape)
    moved = x.copy()
    augmentation.apply(moved, np.random.default_rng(seed))
    centre = (np.array(shape[1:3]) - 1) / 2
    for b in range(shape[0]):
        cosine, sine = math.cos(moves.angles[b]), math.sin(moves.angles[b])
        matrix = np.diag(np.where(moves.flips[b], -1.0, 1.0)) @ [[cosine, sine], [-sine, cosine]] / moves.zooms[b]
        offset = centre - matrix @ (centre + moves.shifts[b]) + 2 * centre * moves.centres[b]
        for channel in range(shape[3]):
            expected = ndimage.affine_transform(
                x[b, :, :, channel].astype(np.float64), matrix, offset, order=1, mode="grid-constant", cval=background
            )
            np.testing.assert_allclose(moved[b, :, :, channel], expected, atol=2e-5)


def test_a_quarter_turn_is_that_of_numpy() -> None:
    x = images((2, 5, 5, 2))
    moved = x.copy()
    nothing = np.zeros((2, 2), np.int64)
    angles = np.array([math.pi / 2, -math.pi / 2])
    Resampler(0.0).apply(moved, Moves(nothing.astype(bool), angles, np.ones(2), nothing, np.zeros((2, 2))))
    np.testing.assert_allclose(moved[0], np.rot90(x[0]), atol=1e-5)
    np.testing.assert_allclose(moved[1], np.rot90(x[1], -1), atol=1e-5)


def test_draws_reach_their_ends_and_no_further() -> None:
    options = AugmentOptions(shift=2, flip="horizontal", rotate=10, zoom=0.2)
    moves = ImageAugmentation(options, 0.0).draw(4000, np.random.default_rng(0))
    assert set(moves.shifts.ravel().tolist()) == {-2, -1, 0, 1, 2}
    assert not moves.flips[:, 0].any()
    assert 0.45 < moves.flips[:, 1].mean() < 0.55
    assert math.radians(9.9) < np.abs(moves.angles).max() <= math.radians(10)
    assert abs(moves.angles.mean()) < math.radians(0.5)
    assert 0.8 <= moves.zooms.min() < 0.81
    assert 1.19 < moves.zooms.max() <= 1.2


def test_a_crop_stays_within_the_image_and_reaches_its_corners() -> None:
    options = AugmentOptions(crop=0.5)
    augmentation = ImageAugmentation(options, background=1000.0)
    rows, columns = np.meshgrid(np.arange(9.0), np.arange(13.0), indexing="ij")
    x = np.stack([rows, columns], axis=2)[None].repeat(2000, 0).astype(np.float32)
    augmentation.apply(x, np.random.default_rng(0))
    assert x.min() >= -1e-4 and x[..., 0].max() <= 8 + 1e-4 and x[..., 1].max() <= 12 + 1e-4
    # Each picture is a straight piece of the image, at least half as high and as wide.
    heights = x[:, -1, 0, 0] - x[:, 0, 0, 0]
    assert 4 - 1e-4 <= heights.min() < 4.05 and heights.max() > 7.95
    np.testing.assert_allclose(np.diff(x[:, :, 0, 0], axis=1), np.repeat(heights[:, None] / 8, 8, 1), atol=1e-4)
    corners = x[:, 0, 0] / (9 - 1, 13 - 1)
    assert corners.min() < 0.01 and corners.max() > 0.45


def test_each_image_of_a_large_batch_has_its_own_draw() -> None:
    """More images than are changed at a time."""
    options = AugmentOptions(shift=3, flip="both")
    augmentation = ImageAugmentation(options, 0.0)
    x = images((300, 16, 16, 1))
    moved = x.copy()
    augmentation.apply(moved, np.random.default_rng(3))
    np.testing.assert_array_equal(moved, by_loops(x, augmentation.draw(300, np.random.default_rng(3)), 0.0))


@pytest.mark.parametrize("options", [{"shift": 1}, {"rotate": 5.0}, {"zoom": 0.1}, {"crop": 0.3}, {"flip": "both"}])
def test_empty_batches_and_constant_images_stay(options: Any) -> None:
    augmentation = ImageAugmentation(AugmentOptions(**options), -0.25)
    augmentation.apply(np.empty((0, 4, 4, 1), np.float32), np.random.default_rng(0))
    x = np.full((3, 4, 5, 2), -0.25, np.float32)
    augmentation.apply(x, np.random.default_rng(0))
    assert np.all(x == np.float32(-0.25))


def test_epoch_and_batch_give_the_pictures() -> None:
    x = images((10, 6, 6, 1))
    augmentation = ImageAugmentation(AugmentOptions(shift=2, rotate=20), 0.0)
    data = Dataset(x, np.zeros(10, np.int64), None, np.arange(10), augmentation=augmentation)

    def pictures(epoch: int, batches: list[int], seed: int = 0) -> list[bytes]:
        loader = Loader(data, 4, seed)
        loader.begin(epoch)
        return [loader.batch(number).x.tobytes() for number in batches]

    assert pictures(1, [0, 1, 2]) == pictures(1, [0, 1, 2])
    assert pictures(1, [2]) == pictures(1, [0, 1, 2])[2:]
    assert pictures(1, [0]) != pictures(2, [0])
    assert pictures(1, [0]) != pictures(1, [0], seed=1)
    assert x.tobytes() == images((10, 6, 6, 1)).tobytes()
