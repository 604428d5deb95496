"""The ``data:`` section of the config: plain dataclasses, read by the config's schema and by the preparation.

The class of each section holds its keys, their types, ranges and defaults; the ``Args:`` texts are the user's
reference of each key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Ge, Gt, Le, Lt, MinLen

ColumnType: TypeAlias = Literal["numeric", "categorical", "boolean", "datetime", "text"]
ScaleName: TypeAlias = Literal["standard", "minmax", "robust", "quantile", "none"]
TargetScaleName: TypeAlias = Literal["auto", "standard", "minmax", "robust", "none"]
MissingName: TypeAlias = Literal["auto", "error", "drop", "mean", "median", "most_frequent", "constant"]
CategoricalName: TypeAlias = Literal["onehot", "embedding", "ordinal"]
TaskName: TypeAlias = Literal["auto", "classification", "regression", "multilabel"]
Name: TypeAlias = Annotated[str, MinLen(1)]
Names: TypeAlias = Annotated[list[Name], MinLen(1)]
Lag: TypeAlias = Annotated[int, Ge(1)]
Lags: TypeAlias = Annotated[list[Lag], MinLen(1)]
Share: TypeAlias = Annotated[float, Gt(0), Lt(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnOptions:
    """How one feature column is read; what is not given here follows ``data.scale``, ``data.missing``, ...

    Args:
        type: numeric, categorical, boolean, datetime or text; found from the cells where it is not given.
        scale: standard, minmax, robust, quantile or none, for a numeric, datetime or ordinal column.
        missing: what is done about missing cells.
        fill: the value ``missing: constant`` puts in.
        categorical: onehot, embedding or ordinal.
    """

    type: ColumnType | None = None
    scale: ScaleName | None = None
    missing: MissingName | None = None
    fill: float | str | None = None
    categorical: CategoricalName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentOptions:
    """Random changes of training images, each image by its own draw, new in each epoch; evaluation changes none.

    What comes into view is filled with background: pixels of 0, scaled like all others.

    Args:
        shift: most pixels an image is shifted, down or up and right or left; the same as a random crop of an image that
            is padded by so many pixels.
        flip: horizontal (left and right change places), vertical (top and bottom) or both, each in half of the images.
        rotate: most degrees an image is turned, either way.
        zoom: share by which an image is enlarged or made smaller at most.
        crop: share of each side that is cut away at most; what is left, from anywhere in the image, is enlarged to its
            size.
    """

    shift: Annotated[int, Ge(0)] = 0
    flip: Literal["horizontal", "vertical", "both"] | None = None
    rotate: Annotated[float, Ge(0), Le(180)] = 0.0
    zoom: Annotated[float, Ge(0), Lt(1)] = 0.0
    crop: Annotated[float, Ge(0), Lt(1)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """Feature columns are the pixels of an image, in row-major order, channels last.

    Args:
        height: pixels from top to bottom.
        width: pixels from left to right.
        channels: values of a pixel; 1 is grey, 3 is colour.
        augment: random changes of training images, or None.
    """

    height: Annotated[int, Ge(1)]
    width: Annotated[int, Ge(1)]
    channels: Annotated[int, Ge(1)] = 1
    augment: AugmentOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceOptions:
    """Sequences, in one of two forms: rows of one ``group`` in their ``order``, or ``steps`` side by side in a row.

    Args:
        group: column that names the sequence a row belongs to.
        order: column the rows of a sequence are sorted by; the order in the file where it is not given.
        target_per: whether a label belongs to a whole sequence or to each row.
        steps: how many steps a row holds.
        channels: how many values a step holds; 1 where not given.
        length: column with the true number of steps, which is no feature; trailing steps without any cell are padding
            where not given.
    """

    group: Name | None = None
    order: Name | None = None
    target_per: Literal["sequence", "row"] = "sequence"
    steps: Annotated[int, Ge(1)] | None = None
    channels: Annotated[int, Ge(1)] | None = None
    length: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesOptions:
    """Forecasting windows over ordered rows.

    Args:
        window: how many past rows the network sees.
        horizon: how many rows after the window are predicted at once; 1 is the next row.
        step: rows between the starts of two windows.
        include_target: whether the target's own past is an input.
        log: whether the logarithm of the target is modelled.
        difference: whether the change of the target is modelled, against the value so many rows before; several lags
            are applied one after the other. The first rows of a window, as many as the lags' sum, are then only bases.
    """

    window: Annotated[int, Ge(1)]
    horizon: Annotated[int, Ge(1), Le(100_000)] = 1
    step: Annotated[int, Ge(1)] = 1
    include_target: bool = True
    log: bool = False
    difference: Lag | Lags | None = None

    @property
    def lags(self) -> list[int]:
        """The lags of ``difference``, none where the value itself is modelled."""
        if self.difference is None:
            return []
        return [self.difference] if isinstance(self.difference, int) else list(self.difference)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """How columns of ``type: text`` become tokens; where the section is given, so do undeclared columns of free text.

    Args:
        tokens: word (runs of letters and digits; any other visible character is a token too) or character.
        vocabulary: tokens at most that are told apart, the most frequent of the training rows; the rest are unknown.
        minimum_count: how often a token must stand in the training rows to be told apart; from 2 on, rare words teach
            the network what to make of unknown ones.
        length: tokens after which a text is cut.
        lowercase: whether capital and small letters are the same.
    """

    tokens: Literal["word", "character"] = "word"
    vocabulary: Annotated[int, Ge(1), Le(1_000_000)] = 10_000
    minimum_count: Annotated[int, Ge(1)] = 2
    length: Annotated[int, Ge(1)] = 100
    lowercase: bool = True


def _image_options(augment: Mapping[str, Any] | None, **plain: Any) -> ImageOptions:
    return ImageOptions(**plain, augment=None if augment is None else AugmentOptions(**augment))


FORM_OPTIONS: dict[str, Callable[..., Any]] = {
    "image": _image_options,
    "sequence": SequenceOptions,
    "series": SeriesOptions,
    "text": TextOptions,
}
"""The options of each form of an example, by their key in the data section."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """Where the rows come from, what is predicted from what, and how the cells become numbers.

    Args:
        train: a file, a list of files or a glob; .csv, .csv.gz or .parquet.
        target: the column to predict, or a list of columns; none where the input itself is the target.
        validation: share of the rows, a file, or ``none``; no rows are held out of fewer than 20.
        test: share of the rows, or a file, evaluated once with the best checkpoint.
        task: classification, regression or multilabel; ``auto`` follows the loss if one is named, else the target.
        features: the columns to learn from; all that have no other use where not given.
        ignore: columns to leave out.
        columns: per column: its type, scale, missing, fill, categorical.
        scale: how numeric features are scaled, by the training rows: standard (mean 0, deviation 1), minmax (0 to 1),
            robust (median and interquartile range), quantile (to a normal distribution) or none.
        target_scale: how a regression target is scaled; ``auto`` is standard where the loss allows it.
        missing: auto (numbers: median and an indicator column; categories: one of their own), error, drop (the row),
            or the value put in: mean, median, most_frequent, constant. Mean and median concern numbers only.
        fill: the number ``missing: constant`` puts in.
        categorical: onehot, embedding (codes for an embedding layer) or ordinal.
        missing_values: texts that stand for a missing cell, beside the empty cell.
        delimiter: between the cells; found from the header where not given.
        decimal: the decimal mark.
        header: whether the first row holds the column names, or the names; false names columns c0, c1, ...
        encoding: of the files.
        split: auto, random, stratified (classes in equal shares), tail (the last rows), or a .npz or .csv file of row
            numbers from 0 in ``train``, ``val``, ``test``.
        group: column; rows of one group are never divided between parts.
        order: column; the last rows by this column are held out.
        folds: number of folds of a cross-validation, instead of ``validation``.
        positive_class: the positive one of two classes; the last where not given.
        weight: column with the weight of each row.
        image: the features are the pixels of an image.
        sequence: an example is a sequence.
        series: an example is a window of a time series.
        text: how text columns become tokens.
    """

    train: Name | Names
    target: Name | list[Name]
    validation: Share | Name | Names = 0.2
    test: Share | Name | Names | None = None
    task: TaskName = "auto"
    features: Names | None = None
    ignore: list[Name] = field(default_factory=list)
    columns: dict[str, ColumnOptions] = field(default_factory=dict)
    scale: ScaleName = "standard"
    target_scale: TargetScaleName = "auto"
    missing: MissingName = "auto"
    fill: float = 0.0
    categorical: CategoricalName = "onehot"
    missing_values: list[str] = field(default_factory=list)
    delimiter: Annotated[str, MinLen(1)] | None = None
    decimal: Literal[".", ","] = "."
    header: bool | Names = True
    encoding: Name = "utf-8"
    split: Name = "auto"
    group: Name | None = None
    order: Name | None = None
    folds: Annotated[int, Ge(2)] | None = None
    positive_class: str | int | float | bool | None = None
    weight: Name | None = None
    image: ImageOptions | None = None
    sequence: SequenceOptions | None = None
    series: SeriesOptions | None = None
    text: TextOptions | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns, as a tuple of at least one."""
        return (self.target,) if isinstance(self.target, str) else tuple(self.target)
