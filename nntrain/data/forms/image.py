"""Images: the feature columns are the pixels, row by row, the channels of a pixel side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape
from nntrain.data.augmentation import ImageAugmentation
from nntrain.data.batches import Dataset
from nntrain.data.column import Column
from nntrain.data.encoders import IMPUTED
from nntrain.data.faults import first_of
from nntrain.data.features import feature_columns
from nntrain.data.forms.base import Examples, Form, at_rows, encoded, kept_rows, narrowed
from nntrain.data.forms.image_columns import check_pixel_columns
from nntrain.data.imputing import Imputer
from nntrain.data.notices import Notice
from nntrain.data.options import AugmentOptions, DataOptions
from nntrain.data.parsing import narrowed as narrowest
from nntrain.data.pixels import PIXEL_SCALES, PixelScale, storage_of
from nntrain.data.table import Table
from nntrain.data.target import Target
from nntrain.errors import ConfigError, DataError, quote

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
    def is_asked_for(cls, options: DataOptions) -> bool:
        return options.image is not None

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
        whole = np.ones(table.rows, bool)
        if self.missing == "drop":
            for name in self.names:
                whole &= ~table.columns[name].missing(numeric=True)
        return kept_rows(table, whole, "pixel", instead="constant")

    def dropped(self, table: Table) -> int:
        return table.rows - len(self.select(table))

    def fit(self, table: Table, rows: Array) -> list[Notice]:
        if self.missing not in ("error", "drop", "constant"):
            for i, name in enumerate(self.names):
                imputer = Imputer(self.missing)
                imputer.fit(table.columns[name].numbers()[rows])
                self.fills[i] = imputer.fill
        self.pixels.fit(narrowest(values[rows]) for values in self._values(table))
        if self.pixels.is_constant:
            self.notices.append("warning: all pixels of the training rows are equal, so they are not scaled")
        return []

    def examples(
        self, table: Table, parts: Mapping[str, Array], target: Target | None, weight: Array | None
    ) -> Examples:
        labels = encoded(table, target)
        images = self._images(table, list(parts.values()))
        found = {}
        for (part, rows), x in zip(parts.items(), images, strict=True):
            found[part] = Dataset(
                x,
                labels[rows],
                at_rows(weight, rows),
                rows,
                table,
                reading=self.pixels if self.pixels.whole else None,
                augmentation=self._augmentation() if part == "train" else None,
            )
        return found, self._imputed(table, np.concatenate(list(parts.values())))

    def _values(self, table: Table) -> Iterator[Array]:
        """Yield the values (R,) of each pixel: integers where all are whole, else float64."""
        for name, fill in zip(self.names, self.fills, strict=True):
            column = table.columns[name]
            whole = column.integers()
            if whole is not None:
                yield whole
                continue
            values = column.numbers()
            absent = np.isnan(values)
            if absent.any():
                if self.missing == "error":
                    raise missing_pixels(column, absent)
                values[absent] = fill
            yield narrowest(values)

    def _images(self, table: Table, rows: Sequence[Array]) -> list[Array]:
        """Return the images (N, H, W, C) at some rows, once for each array of row numbers, as they are kept.

        Some columns at a time, so that no other copy of all pixels is in memory.
        """
        storage = storage_of(self._values(table)) if self.pixels.whole else np.dtype(np.float32)
        parts = [np.empty((len(chosen), len(self.names)), storage) for chosen in rows]
        block = np.empty((_BLOCK, table.rows), storage)
        for i, values in enumerate(self._values(table)):
            place = i % _BLOCK
            block[place] = self._kept(table, self.names[i], values, storage)
            if place + 1 == _BLOCK or i + 1 == len(self.names):
                for part, chosen in zip(parts, rows, strict=True):
                    part[:, i - place : i + 1] = block[: place + 1].take(chosen, axis=1).T
        return [part.reshape(-1, *self.size) for part in parts]

    def _kept(self, table: Table, name: str, values: Array, storage: np.dtype[Any]) -> Array:
        """Return the values (R,) of a pixel as they are kept, scaled unless a reading does that."""
        if storage != np.float32:
            return values
        scaled = narrowed(table, name, self.pixels.scaled(values))
        return values if self.pixels.whole else scaled

    def _imputed(self, table: Table, rows: Array) -> list[Notice]:
        """Return a notice for each pixel that is missing in some of the rows used."""
        if self.missing == "error":
            return []
        absent = {name: table.columns[name].missing(numeric=True)[rows] for name in self.names}
        return [Notice(IMPUTED, name, str(int(mask.sum()))) for name, mask in absent.items() if mask.any()]

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


def missing_pixels(column: Column, missing: Array) -> DataError:
    """Return the error for missing cells (N,) of a pixel."""
    help = "fill the cell, or set data.missing: constant (data.fill is put in), mean, median or drop (the row)"
    return first_of(np.flatnonzero(missing), column, f"column {quote(column.name)}: a pixel is missing", help)
