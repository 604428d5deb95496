"""Random changes of training images that keep their labels: shifts, flips, rotations, zooms, crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nntrain.core.array import Array
from nntrain.core.scratch import ScratchOwner
from nntrain.data.options import AugmentOptions

_PIECE_PIXELS = 1 << 15
"""About how many pixels are changed at a time: what is needed for them stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Moves:
    """What is done to each image of a batch, about its centre: flip, then rotate and zoom, then shift.

    Attributes:
        flips: (B, 2) bool, whether top and bottom, and left and right, change places.
        angles: (B,) in radians.
        zooms: (B,) factors, above 1 where things become larger.
        shifts: (B, 2) int64, pixels down and to the right.
        centres: (B, 2) where what is to be the centre lies, down and to the right of the image's, in shares of its side
            from the middle of the first pixel to that of the last.
    """

    flips: Array
    angles: Array
    zooms: Array
    shifts: Array
    centres: Array

    def part(self, start: int, end: int) -> Moves:
        """Return the moves of the images from ``start`` to ``end``."""
        rows = slice(start, end)
        return Moves(*(each[rows] for each in (self.flips, self.angles, self.zooms, self.shifts, self.centres)))


class ImageAugmentation:
    """Changes each image of a batch by its own draw; what comes into view is background.

    An image that is rotated or zoomed is read once, at the places its pixels come from, by linear interpolation between
    the four pixels around each.

    Args:
        options: how far images are shifted, flipped, rotated, zoomed and cropped.
        background: the value of an empty pixel.

    >>> x = np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1)
    >>> ImageAugmentation(AugmentOptions(shift=1), background=-1.0).apply(x, np.random.default_rng(0))
    >>> x[0, :, :, 0].tolist()
    [[-1.0, -1.0], [0.0, 1.0]]
    """

    def __init__(self, options: AugmentOptions, background: float) -> None:
        self.options = options
        self.background = background
        self.resamples = options.rotate > 0 or options.zoom > 0 or options.crop > 0
        self._resampler = Resampler(background)
        self._framed: dict[tuple[int, ...], Array] = {}

    def apply(self, x: Array, noise: np.random.Generator) -> None:
        if not x.size:
            return
        moves = self.draw(len(x), noise)
        step = max(1, _PIECE_PIXELS // (x.shape[1] * x.shape[2]))
        for start in range(0, len(x), step):
            piece, own = x[start : start + step], moves.part(start, start + step)
            if self.resamples:
                self._resampler.apply(piece, own)
            else:
                _flip(piece, own.flips)
                self._shift(piece, own.shifts)

    def draw(self, images: int, noise: np.random.Generator) -> Moves:
        """Return random moves for so many images."""
        options = self.options
        shifts, flips = np.zeros((images, 2), np.int64), np.zeros((images, 2), bool)
        angles, zooms, centres = np.zeros(images), np.ones(images), np.zeros((images, 2))
        if options.shift:
            shifts = noise.integers(-options.shift, options.shift, (images, 2), endpoint=True)
        if options.flip in ("vertical", "both"):
            flips[:, 0] = noise.random(images) < 0.5
        if options.flip in ("horizontal", "both"):
            flips[:, 1] = noise.random(images) < 0.5
        if options.rotate:
            angles = np.deg2rad(options.rotate) * noise.uniform(-1, 1, images)
        if options.zoom:
            zooms = 1 + options.zoom * noise.uniform(-1, 1, images)
        if options.crop:
            lost = options.crop * noise.random(images)  # a share of each side; the rest lies anywhere in the image
            zooms = zooms / (1 - lost)
            centres = noise.uniform(-0.5, 0.5, (images, 2)) * lost[:, None]
        return Moves(flips, angles, zooms, shifts, centres)

    def _shift(self, x: Array, shifts: Array) -> None:
        """Shift images (B, H, W, C): cut them out of themselves in a frame of background."""
        most = self.options.shift
        if not most:
            return
        images, height, width, channels = x.shape
        shape = (images, height + 2 * most, width + 2 * most, channels)
        if shape not in self._framed:
            self._framed[shape] = np.full(shape, self.background, x.dtype)
        framed = self._framed[shape]
        framed[:, most : most + height, most : most + width] = x
        windows = np.lib.stride_tricks.sliding_window_view(framed, (height, width), axis=(1, 2))
        down, right = (most - shifts).T
        x[...] = windows[np.arange(images), down, right].transpose(0, 2, 3, 1)


def _flip(x: Array, flips: Array) -> None:
    """Flip images (B, H, W, C) in place where (B, 2) says so."""
    upside_down, mirrored = np.flatnonzero(flips[:, 0]), np.flatnonzero(flips[:, 1])
    if len(upside_down):
        x[upside_down] = x[upside_down, ::-1]
    if len(mirrored):
        images, height, width, channels = x.shape
        lines = x.reshape(images, height, width * channels)  # a copy channel by channel would take five times as long
        backwards = np.arange(width * channels).reshape(width, channels)[::-1].reshape(-1)
        lines[mirrored] = lines[mirrored].take(backwards, axis=2)


class Resampler(ScratchOwner):
    """Moves images by reading each pixel where it comes from.

    A pixel p, told from the image's centre, comes from F R(-angle) (p - shift) / zoom + centre with F the flips;
    between pixels the image is linear, and around it there is background.

    Args:
        background: the value around an image.
    """

    def __init__(self, background: float) -> None:
        self.background = background

    def apply(self, x: Array, moves: Moves) -> None:
        """Move images (B, H, W, C) in place."""
        images, height, width, channels = x.shape
        y_matrix, x_matrix = _inverses(moves)
        first_row, down = self._places("down", y_matrix, moves, x.shape, 0)
        first_column, right = self._places("right", x_matrix, moves, x.shape, 1)
        # The frame is one pixel wide before an image and two behind, so that all four neighbours are in it.
        corner = self.scratch("corner", first_row.shape, np.intp)
        np.multiply(first_row, width + 3, out=corner)
        corner += first_column
        corner += (np.arange(images) * (height + 3) * (width + 3) + width + 4)[:, None, None]
        framed = self.scratch("framed", (images, height + 3, width + 3), x.dtype)
        framed.fill(self.background)
        for channel in range(channels):
            framed[:, 1:-2, 1:-2] = x[..., channel]
            x[..., channel] = self._interpolated(framed.reshape(-1), corner, down, right, width + 3)

    def _places(self, name: str, matrix: Array, moves: Moves, shape: tuple[int, ...], axis: int) -> tuple[Array, Array]:
        """Return the row (or column) just before each pixel's source (B, H, W), as an index, and the rest, 0 to 1."""
        images, height, width, _ = shape
        size = shape[1 + axis]
        centre = (size - 1) * moves.centres[:, axis : axis + 1]
        along_y = np.arange(height) - (height - 1) / 2 - moves.shifts[:, :1]
        along_x = np.arange(width) - (width - 1) / 2 - moves.shifts[:, 1:]
        by_row = (matrix[:, :1] * along_y + centre + (size - 1) / 2).astype(np.float32)
        by_column = (matrix[:, 1:] * along_x).astype(np.float32)
        place = self.scratch(name, (images, height, width), np.float32)
        np.add(by_row[:, :, None], by_column[:, None, :], out=place)
        np.clip(place, -1, size, out=place)
        before = self.scratch(f"{name}_before", place.shape, np.float32)
        np.floor(place, out=before)
        place -= before
        index = self.scratch(f"{name}_index", place.shape, np.intp)
        np.copyto(index, before, casting="unsafe")
        return index, place

    def _interpolated(self, pixels: Array, corner: Array, down: Array, right: Array, row: int) -> Array:
        """Return the mean of the four pixels from ``corner`` (B, H, W) on, weighted by how near each is."""
        upper, lower, other = (self.scratch(name, corner.shape, pixels.dtype) for name in ("upper", "lower", "other"))
        for line, first in ((upper, 0), (lower, row)):
            pixels[first:].take(corner, out=line, mode="clip")
            pixels[first + 1 :].take(corner, out=other, mode="clip")
            other -= line
            other *= right
            line += other
        lower -= upper
        lower *= down
        upper += lower
        return upper


def _inverses(moves: Moves) -> tuple[Array, Array]:
    """Return the two rows (B, 2) of the matrices that lead from a pixel to where it comes from."""
    cosine, sine = np.cos(moves.angles) / moves.zooms, np.sin(moves.angles) / moves.zooms
    signs = np.where(moves.flips, -1.0, 1.0)
    return signs[:, :1] * np.stack([cosine, sine], axis=1), signs[:, 1:] * np.stack([-sine, cosine], axis=1)
