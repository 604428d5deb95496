"""The ``data`` section of the config."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt, MinLen
from pydantic import Field, field_validator, model_validator

from nntrain.config.annotations import Choice, Says
from nntrain.config.section import ONE_OR_MORE, Column, Columns, Section, check_failed
from nntrain.errors import quote

Scale = Literal["standard", "minmax", "robust", "quantile", "none"]
Missing = Literal["auto", "error", "drop", "mean", "median", "most_frequent", "constant"]
_NO_ENCODINGS_OF_FILES = ("undefined", "idna", "punycode", "unicode-escape", "raw-unicode-escape")
SPLITS = ("auto", "random", "stratified", "tail")
Categorical = Literal["onehot", "embedding", "ordinal"]

MOST_ROWS = 1_000_000_000
"""No series is longer; a number above is a slip, and one of 20 digits is none that NumPy counts with."""

_Share = Annotated[float, Ge(0), Lt(1)]
_File = Annotated[str, MinLen(1)]
_Lag = Annotated[int, Ge(1)]


class ColumnSection(Section):
    """How one column is treated, where that differs from the rest of the table."""

    type: Literal["numeric", "categorical", "boolean", "datetime", "text"] | None = Field(
        None, description="what the cells are; found from the cells where left out"
    )
    scale: Scale | None = Field(None, description="overrides data.scale")
    missing: Missing | None = Field(None, description="overrides data.missing")
    fill: float | str | None = Field(None, description="overrides data.fill; a text for a column of categories")
    categorical: Categorical | None = Field(None, description="overrides data.categorical")

    @model_validator(mode="after")
    def _text_is_not_scaled(self) -> ColumnSection:
        if self.type == "text":
            for key in ("scale", "fill", "categorical"):
                if getattr(self, key) is not None:
                    raise check_failed((key,), "means nothing for a column of type text", "delete it; see data.text")
            if self.missing not in (None, "auto", "error", "drop"):
                expected = "'auto' (an empty text), 'error' or 'drop' for a column of type text"
                raise check_failed(("missing",), f"expected {expected}, got {quote(self.missing)}")
        return self


class AugmentSection(Section):
    """Random changes of training images, new in each epoch; images that are judged are never changed."""

    shift: Annotated[int, Ge(0)] = Field(
        0, description="most pixels of a shift, up or down and left or right; as a random crop after padding"
    )
    flip: Literal["horizontal", "vertical", "both"] | None = Field(
        None, description="which sides change places, in half of the images; horizontal: left and right"
    )
    rotate: Annotated[float, Ge(0), Le(180)] = Field(0.0, description="most degrees of a turn, either way")
    zoom: Annotated[float, Ge(0), Lt(1)] = Field(0.0, description="share by which an image grows or shrinks at most")
    crop: Annotated[float, Ge(0), Lt(1)] = Field(
        0.0, description="share of each side that is cut away at most; the rest is enlarged to the whole image"
    )


class ImageSection(Section):
    """An example is an image: the feature columns are pixels in row-major order, channels last."""

    height: Annotated[int, Ge(1)] = Field(description="pixels")
    width: Annotated[int, Ge(1)] = Field(description="pixels")
    channels: Annotated[int, Ge(1)] = Field(1, description="values a pixel: 1 for grey, 3 for colour")
    augment: AugmentSection | None = Field(None, description="random changes of training images")

    @model_validator(mode="after")
    def _shift_within(self) -> ImageSection:
        side = min(self.height, self.width)
        if self.augment is not None and self.augment.shift >= side:
            message = f"expected less than the image's {side} pixels, got {self.augment.shift}"
            raise check_failed(("augment", "shift"), message)
        return self


class SequenceSection(Section):
    """An example is a sequence: the rows of one id, or the steps that a row holds side by side."""

    group: Column | None = Field(None, description="column of ids; the rows of one id are one sequence")
    order: Column | None = Field(None, description="column that orders the rows of a sequence")
    target_per: Literal["sequence", "row"] = Field("sequence", description="what has a label")
    steps: Annotated[int, Ge(1)] | None = Field(None, description="steps that a row holds side by side")
    channels: Annotated[int, Ge(1)] | None = Field(None, description="values a step, with steps; 1 where left out")
    length: Column | None = Field(
        None,
        description="column with the true number of steps, with steps; without it empty steps at the end are padding",
    )

    @model_validator(mode="after")
    def _one_form(self) -> SequenceSection:
        if (self.group is None) == (self.steps is None):
            found = "neither" if self.group is None else "both"
            raise check_failed((), f"expected either 'group' or 'steps', got {found}")
        by_group = self.group is not None
        for key in ("channels", "length") if by_group else ("order",):
            if getattr(self, key) is not None:
                raise check_failed((key,), f"goes with '{'steps' if by_group else 'group'}', which is not given")
        if self.target_per == "row" and not by_group:
            message = "'row' goes with 'group': where 'steps' is given, a row is a whole sequence and has one label"
            raise check_failed(("target_per",), message, "leave it out, or write one row a step")
        return self


class SeriesSection(Section):
    """An example is a forecasting window over ordered rows."""

    window: Annotated[int, Ge(1), Le(MOST_ROWS)] = Field(description="rows of the past that are the input")
    horizon: Annotated[int, Ge(1), Le(100_000)] = Field(
        1, description="how many rows after the window are predicted at once"
    )
    step: Annotated[int, Ge(1), Le(MOST_ROWS)] = Field(1, description="rows from one window to the next")
    include_target: bool = Field(True, description="whether the target's past is an input")
    log: bool = Field(False, description="whether the logarithm of the target is modelled")
    difference: Annotated[int | list[int] | None, Choice(_Lag, Annotated[list[_Lag], MinLen(1)], None)] = Field(
        None, description="lag, or lags, of the change that is modelled in place of the target's value"
    )


class TextSection(Section):
    """How text columns become tokens; where it is given, columns of free text need not be declared."""

    tokens: Literal["word", "character"] = Field(
        "word", description="word: runs of letters and digits, and any other visible character; or character"
    )
    vocabulary: Annotated[int, Ge(1), Le(1_000_000)] = Field(
        10_000, description="tokens at most that are told apart, the most frequent of the training rows"
    )
    minimum_count: Annotated[int, Ge(1)] = Field(
        2, description="how often a token must stand in the training rows to be told apart from unknown ones"
    )
    length: Annotated[int, Ge(1)] = Field(100, description="tokens after which a text is cut")
    lowercase: bool = Field(True, description="whether capital and small letters are the same")


class DataSection(Section):
    """The table: its files, its target, its columns, and what becomes of the cells."""

    train: Annotated[list[_File], ONE_OR_MORE, MinLen(1), Says("a file (text) or a list of files")] = Field(
        description="files of the training rows: one, a list, or a glob; .csv, .csv.gz, .parquet"
    )
    validation: Annotated[
        float | str, Choice(_Share, _File), Says("a share of at least 0 and below 1, a file or 'none'")
    ] = Field(0.2, description="share of the training rows that is held out, a file, or `none`")
    test: Annotated[
        float | str | None, Choice(_Share, _File, None), Says("a share of at least 0 and below 1 or a file")
    ] = Field(None, description="a share or a file; evaluated once, at the end, with the best checkpoint")
    target: Annotated[list[Column], ONE_OR_MORE, Says("the name of a column (text) or a list of them")] = Field(
        description="column or columns to be predicted; may be left out where the architecture reconstructs its input"
    )
    task: Literal["auto", "classification", "regression", "multilabel"] = Field(
        "auto", description="what is predicted; `auto` follows the loss, else the target's values"
    )
    features: Columns | None = Field(None, description="columns that are inputs; all but the target where left out")
    ignore: Columns = Field([], description="columns that are no inputs")
    columns: dict[str, ColumnSection] = Field({}, description="treatment of single columns, by name")
    scale: Scale = Field("standard", description="scaling of numeric features")
    target_scale: Literal["auto", "standard", "minmax", "robust", "none"] = Field(
        "auto", description="scaling of a numeric target in training; results are in original units"
    )
    missing: Missing = Field("auto", description="treatment of missing features")
    fill: float = Field(0.0, description="the number that `missing: constant` puts in")
    categorical: Categorical = Field("onehot", description="form of categorical features")
    missing_values: Annotated[list[str], ONE_OR_MORE, Says("a list of texts")] = Field(
        [], description="further texts that mean a missing cell, such as `'?'`"
    )
    delimiter: Annotated[str, Says("one character (text)")] | None = Field(
        None, description="separator of the cells; found from the header where left out"
    )
    decimal: Literal[".", ","] = Field(".", description="decimal mark")
    header: Annotated[bool | list[str], Choice(bool, Annotated[list[Column], MinLen(1)])] = Field(
        True, description="whether the first line names the columns, or their names"
    )
    encoding: str = Field("utf-8", description="of the files")
    split: Annotated[str, Says("'auto', 'random', 'stratified', 'tail', or a .npz or .csv file")] = Field(
        "auto", description="auto, random, stratified, tail (the last rows), or a file of row numbers"
    )
    group: Column | None = Field(None, description="column whose equal rows never straddle a split")
    order: Column | None = Field(None, description="column that orders the rows; the split follows it")
    positive_class: Annotated[str | int | None, Choice(str, int, None)] = Field(
        None, description="the positive one of two classes; the last where left out"
    )
    weight: Column | None = Field(None, description="column of sample weights")
    folds: Annotated[int, Ge(2)] | None = Field(None, description="k-fold cross-validation; excludes validation")
    image: ImageSection | None = Field(None, description="examples are images")
    sequence: SequenceSection | None = Field(None, description="examples are sequences")
    series: SeriesSection | None = Field(None, description="examples are forecasting windows")
    text: TextSection | None = Field(None, description="how text columns become tokens")

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 1 or value in '\r\n"'):
            raise check_failed((), f"expected one character, got {quote(value)}", 'a tab is written "\\t"')
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            is_known = codecs.lookup(value).name not in _NO_ENCODINGS_OF_FILES
        except (LookupError, ValueError):
            is_known = False
        if not is_known:
            raise check_failed((), f"expected the name of an encoding, got {quote(value)}")
        return value

    @field_validator("header")
    @classmethod
    def _different_names(cls, value: bool | list[str]) -> bool | list[str]:
        names = value if isinstance(value, list) else []
        for index, name in enumerate(names):
            if not name:
                raise check_failed((index,), "expected the name of a column, got an empty text")
            if name in names[:index]:
                raise check_failed((index,), f"{quote(name)} is listed twice", "each column needs a name of its own")
        return value

    @field_validator("split")
    @classmethod
    def _known_split(cls, value: str) -> str:
        if value not in SPLITS and not value.lower().endswith((".npz", ".csv")):
            expected = "'auto', 'random', 'stratified', 'tail', or a .npz or .csv file"
            raise check_failed((), f"expected {expected}, got {quote(value)}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> DataSection:
        forms = [form for form in ("image", "sequence", "series", "text") if getattr(self, form) is not None]
        if len(forms) > 1:
            raise check_failed((forms[1],), f"expected one form of an example, got {' and '.join(forms)}")
        for key in ("target", "features", "ignore"):
            names = getattr(self, key) or ()
            for index, column in enumerate(names):
                if column in names[:index]:
                    raise check_failed((key, index), f"{quote(column)} is listed twice", "keep one of them")
                if key != "target" and column in self.target:
                    raise check_failed((key, index), f"{quote(column)} is the target")
        if self.folds is not None and self.validation != "none":
            if "validation" in self.model_fields_set:
                raise check_failed(("folds",), "excludes data.validation, and both are given", "delete one of them")
            self.__dict__["validation"] = "none"  # the section is frozen for everybody else
        return self
