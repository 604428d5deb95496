"""Columns of text: an example is the sequence of a row's tokens, with the row's other columns beside each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nntrain.core.array import Array, Shape, distinct_values
from nntrain.data.batches import Dataset
from nntrain.data.column import Column
from nntrain.data.column_types import ColumnKind, FreeTextError, kind_of
from nntrain.data.encoders import missing_cells
from nntrain.data.features import feature_columns, make_encoders
from nntrain.data.forms.base import Examples, Form, at_rows, encoded, kept_rows
from nntrain.data.forms.rows import RowForm
from nntrain.data.notices import Notice
from nntrain.data.options import ColumnOptions, DataOptions, TextOptions
from nntrain.data.table import Table
from nntrain.data.target import Target
from nntrain.data.tokens import UNKNOWN, Tokenizer, Vocabulary
from nntrain.errors import DataError, enumerate_names, quote

_PIECE = 4096


@dataclass(frozen=True)
class _Cells:
    """The texts of a column as codes, each distinct text once.

    Attributes:
        place: (R,) of each row's text among the distinct ones.
        codes: of all distinct texts, one after the other.
        starts: (D,) where each text's codes begin.
        kept: (D,) how many they are.
        whole: (D,) how many tokens the text has.
        unknown: (D,) how many of those kept are not in the vocabulary.
    """

    place: Array
    codes: Array
    starts: Array
    kept: Array
    whole: Array
    unknown: Array


class TextForm(Form):
    """An example is a sequence (T, 1 + F): the codes of a row's tokens, and F other inputs, the same at each step.

    The tokens of several columns follow each other, with a code of their own between them. T is the length of the
    longest training sequence; a longer one is cut. Code 0 is for tokens that are not in the vocabulary.

    Args:
        texts: the text columns, and what is done about missing cells of each: error, drop, or anything else for an
            empty text.
        vocabulary: of the tokens.
        others: the other columns.
        kinds: what each column is, by name.
        notices: what is odd about the columns.
    """

    name = "text"
    is_table = True
    ragged = True

    def __init__(
        self,
        texts: Mapping[str, str],
        vocabulary: Vocabulary,
        others: RowForm,
        kinds: Mapping[str, ColumnKind] | None = None,
        notices: Sequence[str] = (),
    ) -> None:
        self.texts = dict(texts)
        self.vocabulary = vocabulary
        self.others = others
        self.kinds = kinds or {}
        self.notices = list(notices)
        self.shortest = self.steps = 0

    @classmethod
    def axes(cls, options: DataOptions) -> int:
        return 2

    @classmethod
    def make(cls, table: Table, options: DataOptions) -> TextForm:
        names = feature_columns(table, options)
        texts = [name for name in names if _is_text(table.columns[name], options)]
        if not texts:
            raise DataError(
                f"data.text: no column is free text; the features are {enumerate_names(names)}",
                path=table.path,
                help=f"name one that is, as in data.columns.{names[-1]}.type: text, or leave data.text out",
            )
        rest = [name for name in names if name not in texts]
        encoders, kinds, notices = make_encoders(table, dataclasses.replace(options, features=rest))
        given = options.text or TextOptions()
        vocabulary = Vocabulary(
            Tokenizer(given.tokens, given.lowercase), given.length, given.vocabulary, given.minimum_count
        )
        missing = {name: options.columns.get(name, ColumnOptions()).missing or options.missing for name in texts}
        of_texts: dict[str, ColumnKind] = dict.fromkeys(texts, "text")
        return cls(missing, vocabulary, RowForm(encoders, kinds), of_texts | kinds, notices)

    @property
    def columns(self) -> list[str]:
        return [*self.texts, *self.others.columns]

    @property
    def shape(self) -> Shape:
        return (self.steps, len(self.feature_names))

    @property
    def embedded(self) -> dict[int, int]:
        codes = len(self.vocabulary.known) + 1 + (len(self.texts) > 1)
        return {0: codes, **{1 + place: count for place, count in self.others.embedded.items()}}

    @property
    def feature_names(self) -> list[str]:
        return [" + ".join(self.texts), *self.others.feature_names]

    @property
    def boundary(self) -> int:
        """The code between the texts of two columns."""
        return len(self.vocabulary.known) + 1

    def select(self, table: Table) -> Array:
        """Return all rows, but for ``missing: drop`` those without a missing cell."""
        whole = np.isin(np.arange(table.rows), self.others.select(table))
        for name, missing in self.texts.items():
            if missing == "drop" and name in table.columns:
                whole &= ~table.columns[name].missing(numeric=False)
        return kept_rows(table, whole)

    def dropped(self, table: Table) -> int:
        return table.rows - len(self.select(table))

    def fit(self, table: Table, rows: Array) -> list[Notice]:
        found = [_texts(table.columns[name], [rows]) for name in self.texts]
        times = [np.bincount(place[rows], minlength=len(texts)) for place, texts in found]
        counts = self.vocabulary.fit([text for _, texts in found for text in texts], np.concatenate(times).tolist())
        if not self.vocabulary.known:
            raise self._nothing_known(table)
        ends = np.cumsum([len(texts) for _, texts in found])[:-1]
        whole = [each[place[rows]] for each, (place, _) in zip(np.split(counts, ends), found, strict=True)]
        lengths = sum(self.vocabulary.kept(each) for each in whole) + len(whole) - 1
        self.shortest, self.steps = int(np.min(lengths)), int(np.max(lengths))
        odd = self.others.fit(table, rows)
        for name, each in zip(self.texts, whole, strict=True):
            cut = int(np.count_nonzero(each > self.vocabulary.length))
            sentence = f"training texts cut after {self.vocabulary.length} tokens (data.text.length)"
            odd += [Notice(sentence, name, f"{cut:,} of {len(rows):,}")] if cut else []
        return odd

    def _nothing_known(self, table: Table) -> DataError:
        name, least = next(iter(self.texts)), self.vocabulary.minimum_count
        if not self.vocabulary.different:
            return DataError(
                f"column {quote(name)}: all texts of the training rows are empty",
                path=table.path,
                help=f"leave it out with data.ignore: [{name}]",
            )
        return DataError(
            f"column {quote(name)}: no {self.vocabulary.tokenizer.tokens} stands {least} times in the training rows",
            path=table.path,
            help="set data.text.minimum_count: 1, or give more rows",
        )

    def _encode(self, place: Array, texts: Sequence[str]) -> _Cells:
        codes, whole = self.vocabulary.encode(texts)
        kept = self.vocabulary.kept(whole)
        starts = np.cumsum(kept) - kept
        unknown = np.add.reduceat(codes == UNKNOWN, starts) if len(starts) else starts
        return _Cells(place, codes, starts, kept, whole, unknown)

    def examples(
        self, table: Table, parts: Mapping[str, Array], target: Target | None, weight: Array | None
    ) -> Examples:
        self.check_columns(table)
        labels, chosen = encoded(table, target), list(parts.values())
        inputs, notices = self.others.encode(table, chosen)
        cells = [self._encode(*_texts(self._checked(table, name), chosen)) for name in self.texts]
        found, cut = {}, np.zeros(len(cells), np.int64)
        for (part, rows), other in zip(parts.items(), inputs, strict=True):
            x, lengths, lost = self._sequences(cells, rows, other)
            found[part] = Dataset(x, labels[rows], at_rows(weight, rows), rows, table, lengths)
            cut += 0 if part == "train" else lost
        held_out = np.concatenate([rows for part, rows in parts.items() if part != "train"] or [np.empty(0, np.intp)])
        return found, [*notices, *self._told(cells, held_out, cut), *self._empty(cells, np.concatenate(chosen))]

    def _checked(self, table: Table, name: str) -> Column:
        column = table.columns[name]
        if self.texts[name] == "error" and (missing := column.missing(numeric=False)).any():
            raise missing_cells(column, np.flatnonzero(missing))
        return column

    def _sequences(self, cells: Sequence[_Cells], rows: Array, other: Array) -> tuple[Array, Array, Array]:
        """Return x (N, T, 1 + F) and lengths (N,) of some rows, and how many texts of each column lost tokens."""
        x = np.zeros((len(rows), self.steps, 1 + other.shape[1]), np.float32)
        lengths, cut = np.zeros(len(rows), np.int64), np.zeros(len(cells), np.int64)
        for start in range(0, len(rows), _PIECE):
            piece = slice(start, start + _PIECE)
            cut += self._write(cells, rows[piece], x[piece, :, 0], lengths[piece])
            there = np.arange(self.steps) < lengths[piece, None]
            np.copyto(x[piece, :, 1:], other[piece, None, :], where=there[:, :, None])
        return x, lengths, cut

    def _write(self, cells: Sequence[_Cells], rows: Array, codes: Array, ends: Array) -> list[int]:
        """Write the codes (N, T) of some rows and where they end (N,); return how many texts lost tokens."""
        cut = []
        for number, each in enumerate(cells):
            if number:
                fits = np.flatnonzero(ends < self.steps)
                codes[fits, ends[fits]] = self.boundary
                ends[fits] += 1
            place = each.place[rows]
            kept = np.minimum(each.kept[place], self.steps - ends)
            owner = np.repeat(np.arange(len(rows)), kept)
            step = np.arange(len(owner)) - np.repeat(np.cumsum(kept) - kept, kept)
            codes[owner, ends[owner] + step] = each.codes[each.starts[place][owner] + step]
            ends += kept
            cut.append(int(np.count_nonzero(kept < each.whole[place])))
        return cut

    def _told(self, cells: Sequence[_Cells], rows: Array, cut: Array) -> Iterable[Notice]:
        """Yield notices of held-out rows: what training texts did not have."""
        kind = self.vocabulary.tokenizer.tokens
        for name, each, lost in zip(self.texts, cells, cut, strict=True):
            place = each.place[rows]
            unknown = int(each.unknown[place][each.whole[place] > 0].sum())
            if unknown:
                total = int(each.kept[place].sum())
                sentence = f"{kind}s that the vocabulary lacks share code {UNKNOWN}"
                yield Notice(sentence, name, f"{unknown:,} of {total:,}")
            if lost:
                yield Notice(f"texts cut to {self.steps} tokens, as in training", name, f"{lost:,} of {len(rows):,}")

    def _empty(self, cells: Sequence[_Cells], rows: Array) -> Iterable[Notice]:
        for name, each in zip(self.texts, cells, strict=True):
            empty = int(np.count_nonzero(each.whole[each.place[rows]] == 0))
            if empty:
                yield Notice("empty texts, each taken as one unknown token", name, f"{empty:,}")

    def describe(self) -> str:
        known, different = len(self.vocabulary.known), self.vocabulary.different
        told = f"text: {known:,} {self.vocabulary.tokenizer.tokens}s (of {different:,} different), "
        told += f"{self.shortest} to {self.steps} tokens a row"
        return f"{told}; {self.others.describe()} at each step" if self.others.encoders else told

    def state(self) -> dict[str, Any]:
        texts = [{"name": name, "missing": missing} for name, missing in self.texts.items()]
        lengths = {"shortest": self.shortest, "steps": self.steps}
        return {"texts": texts, **lengths, "vocabulary": self.vocabulary.state(), **self.others.state()}

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> TextForm:
        texts = {spec["name"]: spec["missing"] for spec in state["texts"]}
        form = cls(texts, Vocabulary.load(state["vocabulary"]), RowForm(RowForm.loaded_encoders(state)))
        form.shortest, form.steps = state["shortest"], state["steps"]
        return form


def _is_text(column: Column, options: DataOptions) -> bool:
    """Return whether a column is declared as text or, where ``data.text`` is given, is free text."""
    declared = options.columns.get(column.name, ColumnOptions()).type
    if options.text is None or declared is not None:
        return declared == "text"
    try:
        kind_of(column, None)
    except FreeTextError:
        return True
    return False


def _texts(column: Column, chosen: Sequence[Array]) -> tuple[Array, list[str]]:
    """Return the place (R,) of each row's text among those of the rows chosen, and these; a missing one is empty."""
    codes, distinct = column.codes()
    used = distinct_values(np.concatenate([codes[rows] for rows in chosen]))
    place = np.zeros(len(distinct), np.int64)
    place[used] = np.arange(len(used))
    absent = set(distinct_values(codes[column.missing(numeric=False)]).tolist())
    return place[codes], ["" if code in absent else distinct[code] for code in used.tolist()]
