"""Images: the feature columns are the pixels, row by row, the channels of a pixel side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.data.augmentation import ImageAugmentation
from nntrain.data.chunks import Selection, chunks, row_numbers
from nntrain.data.column import Column
from nntrain.data.encoders import IMPUTED
from nntrain.data.faults import first_of
from nntrain.data.features import feature_columns
from nntrain.data.forms.base import Examples, Form, kept_rows, plain_examples, too_large
from nntrain.data.forms.image_columns import check_pixel_columns
from nntrain.data.imputing import Imputer
from nntrain.data.missing import count_missing, drop_missing, missing_rows
from nntrain.data.notices import Notice
from nntrain.data.options import AugmentOptions, DataOptions
from nntrain.data.parsing import narrowed as narrowest
from nntrain.data.pixels import PIXEL_SCALES, PixelScale, storage_of
from nntrain.data.storage import Storage, storage_for
from nntrain.data.table import Table
from nntrain.data.target import Target
from nntrain.errors import ConfigError, DataError, quote

_NO_ROWS = slice(0, 0)
_BLOCK = 64
"""Columns that are turned into rows of pixels at a time."""


class ImageForm(Form):
    """A row is an image (H, W, C).

    Args:
        columns: names of the pixel columns.
        size: height, width and channels.
        missing: error, drop, mean, median, most_frequent or constant.
        fill: what ``constant`` puts in.
        pixels: the scale of all pixels.
        augment: what is changed at random in training.
    """

    name = "image"
    streams = True
    is_table = True

    def __init__(
        self,
        columns: Sequence[str],
        size: Shape,
        missing: str,
        fill: float,
        pixels: PixelScale,
        augment: AugmentOptions | None = None,
    ) -> None:
        self.names = list(columns)
        self.size = size
        self.missing = missing
        self.fills = np.full(len(self.names), float(fill))
        self.pixels = pixels
        self.augment = augment
        self.kinds = dict.fromkeys(self.names, "numeric")
        self.notices = []

    @classmethod
    def axes(cls, options: DataOptions) -> int:
        return 3

    @classmethod
    def adjust(cls, options: DataOptions) -> DataOptions:
        """Return the options with ``missing: error`` for ``auto``: there is no place for a mark of missing pixels."""
        if options.scale not in PIXEL_SCALES:
            raise ConfigError(
                f"data.scale: expected standard, minmax or none for images, got {quote(options.scale)}",
                help="all pixels have one scale: standard goes by their mean and deviation, minmax to 0 to 1",
            )
        for name, own in options.columns.items():
            for key, value in dataclasses.asdict(own).items():
                if value is not None and (key, value) != ("type", "numeric"):
                    message = f"data.columns.{name}.{key}: the pixels of an image are all treated alike"
                    help = f"use data.{key}" if key in ("scale", "missing", "fill") else "leave it out"
                    raise ConfigError(message, help=help)
        return dataclasses.replace(options, missing="error") if options.missing == "auto" else options

    @classmethod
    def make(cls, table: Table, options: DataOptions) -> ImageForm:
        image = options.image
        assert image is not None and options.scale in PIXEL_SCALES
        names = feature_columns(table, options)
        check_pixel_columns(table, names, image)
        size = (image.height, image.width, image.channels)
        return cls(names, size, options.missing, options.fill, PixelScale(options.scale), image.augment)

    @property
    def columns(self) -> list[str]:
        return list(self.names)

    @property
    def shape(self) -> Shape:
        return self.size

    @property
    def feature_names(self) -> list[str]:
        return [f"channel {i}" for i in range(self.size[2])]

    def select(self, table: Table) -> Array:
        """Return all rows, but for ``missing: drop`` those without a missing pixel."""
        if self.missing != "drop":
            return row_numbers(table.rows)
        whole = np.ones(table.rows, bool)
        for name in self.names:
            drop_missing(table.columns[name], True, whole)
        return kept_rows(table, whole, "pixel", instead="constant")

    def dropped(self, table: Table) -> int:
        return table.rows - len(self.select(table))

    def fit(self, table: Table, rows: Array) -> list[Notice]:
        chosen = Selection(rows, table.rows)
        if self.missing not in ("error", "drop", "constant"):
            for i, name in enumerate(self.names):
                imputer = Imputer(self.missing)
                imputer.fit(chosen.read(table.columns[name].numbers))
                self.fills[i] = imputer.fill
        self.pixels.fit(self._training_values(table, chosen))
        if self.pixels.is_constant:
            self.notices.append("warning: all pixels of the training rows are equal, so they are not scaled")
        return []

    def examples(
        self, table: Table, parts: Mapping[str, Array], target: Target | None, weight: Array | None
    ) -> Examples:
        storage = storage_for(table)
        images = self._images(table, list(parts.values()), storage)
        found = plain_examples(table, parts, images, target, weight, storage)
        reading = self.pixels if self.pixels.whole else None
        changes = {part: self._augmentation() if part == "train" else None for part in found}
        found = {part: data.replace(reading=reading, augmentation=changes[part]) for part, data in found.items()}
        return found, self._imputed(table, parts.values())

    def _readers(self, table: Table) -> Iterator[Callable[[slice], Array]]:
        """Yield what reads the values of each pixel in a stretch of rows: integers, or float64 where some are not."""
        for name, fill in zip(self.names, self.fills.tolist(), strict=True):
            column = table.columns[name]
            if column.integers(_NO_ROWS) is not None:
                yield partial(_integers, column)
                continue
            if self.missing == "error" and column.has_missing:
                raise missing_pixels(column, missing_rows(column, numeric=True))
            yield partial(_filled, column, fill)

    def _training_values(self, table: Table, chosen: Selection) -> Iterator[Array]:
        """Yield the values (N,) of each pixel at training rows: integers where all are whole, else float64."""
        for read in self._readers(table):
            yield narrowest(chosen.read(read, np.empty(len(chosen), read(_NO_ROWS).dtype)))

    def _kinds(self, table: Table) -> Iterator[Array]:
        """Yield the values (R,) of each pixel; none of those that are bytes all over, which their type tells."""
        for read in self._readers(table):
            of_none = read(_NO_ROWS)
            yield of_none if of_none.dtype == np.uint8 else narrowest(read(slice(0, table.rows)))

    def _images(self, table: Table, rows: Sequence[Array], storage: Storage) -> list[Array]:
        """Return the images (N, H, W, C) at some rows, once for each array of row numbers, as they are kept.

        Some columns and rows at a time, so that no other copy of all pixels is in memory.
        """
        dtype = storage_of(self._kinds(table)) if self.pixels.whole else np.dtype(np.float32)
        parts = [storage.empty((len(chosen), len(self.names)), dtype) for chosen in rows]
        selections = [Selection(chosen, table.rows) for chosen in rows]
        readers = list(self._readers(table))
        for stretch in chunks(table.rows):
            places = [selection.within(stretch) for selection in selections]
            for start in range(0, len(readers), _BLOCK):
                block = self._block(table, readers, start, stretch, dtype)
                for part, (which, inside) in zip(parts, places, strict=True):
                    part[which, start : start + len(block)] = block.take(inside, axis=1).T
        return [part.reshape(-1, *self.size) for part in parts]

    def _block(
        self, table: Table, readers: Sequence[Callable[[slice], Array]], start: int, rows: slice, dtype: np.dtype[Any]
    ) -> Array:
        """Return the values (P, R) of some pixels from ``start`` on as they are kept, scaled unless a reading does."""
        names = self.names[start : start + _BLOCK]
        block = np.empty((len(names), rows.stop - rows.start), dtype)
        for place, (name, read) in enumerate(zip(names, readers[start : start + _BLOCK], strict=True)):
            values = read(rows)
            if dtype == np.float32:
                with np.errstate(over="ignore"):
                    scaled = self.pixels.scaled(values).astype(np.float32)
                if not np.isfinite(scaled).all():
                    raise too_large(table, name, rows.start + int(np.flatnonzero(~np.isfinite(scaled))[0]))
                values = values if self.pixels.whole else scaled
            block[place] = values
        return block

    def _imputed(self, table: Table, parts: Iterable[Array]) -> list[Notice]:
        """Return a notice for each pixel that is missing in some of the rows used."""
        if self.missing == "error":
            return []
        parts = list(parts)
        absent = {name: sum(count_missing(table.columns[name], True, rows) for rows in parts) for name in self.names}
        return [Notice(IMPUTED, name, str(count)) for name, count in absent.items() if count]

    def _augmentation(self) -> ImageAugmentation | None:
        changes = self.augment is not None and any(dataclasses.asdict(self.augment).values())
        return ImageAugmentation(self.augment, self.pixels.background) if self.augment and changes else None

    def describe(self) -> str:
        height, width, channels = self.size
        told = f"images: {height} x {width} x {channels}, {self.pixels.describe()}"
        changes = {} if self.augment is None else dataclasses.asdict(self.augment)
        listed = [f"{key} {value:g}" if key != "flip" else f"{key} {value}" for key, value in changes.items() if value]
        return f"{told}; in training {', '.join(listed)}" if listed else told

    def state(self) -> dict[str, Any]:
        given = {"columns": self.names, "size": list(self.size), "missing": self.missing, "fills": self.fills}
        return {**given, "pixels": self.pixels.state()}

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> ImageForm:
        size = tuple(state["size"])
        loaded = cls(state["columns"], size, state["missing"], 0.0, PixelScale.load(state["pixels"]))
        loaded.fills = np.asarray(state["fills"], np.float64)
        return loaded


def _integers(column: Column, rows: slice) -> Array:
    values = column.integers(rows)
    assert values is not None, "what is whole stays whole"
    return values


def _filled(column: Column, fill: float, rows: slice) -> Array:
    values = column.numbers(rows)
    values[np.isnan(values)] = fill
    return values


def missing_pixels(column: Column, rows: Array) -> DataError:
    """Return the error for the cells of a pixel that are missing at some rows (M,)."""
    help = "fill the cell, or set data.missing: constant (data.fill is put in), mean, median or drop (the row)"
    return first_of(rows, column, f"column {quote(column.name)}: a pixel is missing", help)
