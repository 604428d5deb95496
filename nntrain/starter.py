"""A first config for a CSV: commented, complete enough to train as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nntrain.data.column_types import FreeTextError
from nntrain.data.features import NoFeaturesError
from nntrain.data.options import ColumnOptions, DataOptions
from nntrain.data.preparation import Prepared, prepare
from nntrain.errors import DataError, enumerate_names, escape, quote
from nntrain.user_files import text_of

FEW_ROWS, MANY_ROWS = 1_000, 20_000
MANY_INPUTS = 200
FEWEST_WORDS = 3
"""Texts of fewer words on average are names or identifiers, which tell little of the next row."""
COMMENT_COLUMN = 34
"""Comments of short lines stand below one another."""


@dataclass(frozen=True)
class Starter:
    """A config text, and what was found out on the way.

    Attributes:
        text: of the config.
        prepared: the data, as the config reads it.
        ignored: columns with another text in nearly every row, but no words to learn from.
        texts: columns of free text, which are read word by word.
    """

    text: str
    prepared: Prepared
    ignored: list[str]
    texts: list[str]


def write_starter(csv: str, target: str, directory: Path) -> Starter:
    """Return a config for a CSV and its target column.

    Columns of free text are read word by word. Those that hold names or identifiers instead are ignored, and named in
    a comment.

    Args:
        csv: path of the file as the user typed it.
        target: name of the column to predict.
        directory: where the config is going to stand; the path in it is relative to that.

    Raises:
        DataError: the file cannot be read, or the target is not a column of it.
    """
    ignored: list[str] = []
    texts: list[str] = []
    while True:
        columns = {name: ColumnOptions(type="text") for name in texts}
        try:
            prepared = prepare(DataOptions(train=csv, target=target, ignore=[*ignored], columns=columns), Path, seed=0)
            break
        except FreeTextError as error:
            (texts if error.words >= FEWEST_WORDS else ignored).append(error.column)
        except NoFeaturesError as error:
            if not ignored:
                raise
            named = enumerate_names([quote(name) for name in ignored])
            raise DataError(
                f"no column is left to learn from but names or identifiers: {named}",
                path=error.problems[0].path,
                help="add columns of numbers, categories, dates or text; one that is text all the same: type: text",
            ) from None
    return Starter(_text(_relative(csv, directory), target, prepared, ignored, texts), prepared, ignored, texts)


def _relative(csv: str, directory: Path) -> str:
    import os

    return text_of(Path(os.path.relpath(Path(csv).resolve(), directory.resolve())).as_posix())


Lines = list[tuple[str, str]]
"""Lines of a config, each with its comment."""


def _text(csv: str, target: str, prepared: Prepared, ignored: list[str], texts: list[str]) -> str:
    task, rows = prepared.task, sum(prepared.row_counts().values())
    start = _of_text(rows) if texts else _of_table(rows, prepared.preprocessing.shape[0])
    # Escaped: a line break in a column's name must not end the comment.
    header = [f"# {escape(line)}" for line in (*prepared.summary.lines(), *prepared.notices)]
    loss, other = _losses(task.kind, task.is_binary)
    held_out, batch_size = prepared.validation is not None, min(start.batch_size, len(prepared.train))
    lines = [
        ("seed: 0", ""),
        *_data_lines(csv, target, prepared, ignored, texts),
        (f"architecture: {start.architecture}", ""),
        (f"loss: {loss}", f"or {other}; nntrain list loss"),
        ("optimizer: {name: adamw, learning_rate: 0.003, weight_decay: 0.01}", "nntrain list optimizer"),
        (f"metrics: [{', '.join(_metrics(task.kind, task.is_binary))}]", "nntrain list metric"),
        (f"batch_size: {batch_size}", "rows of an update; full is batch gradient descent"),
        (f"epochs: {start.epochs}", "at most" if held_out else ""),
    ]
    if held_out:
        stopping = f"early_stopping: {{monitor: val_loss, patience: {start.patience}}}"
        lines.append((stopping, "epochs without a better val_loss"))
    if task.kind == "classification" and _is_unequal(prepared):
        lines.append(("# class_weight: balanced", "the classes differ much in size"))
    body = [f"{key:<{COMMENT_COLUMN}}  # {comment}" if comment else key for key, comment in lines]
    return "\n".join([*header, *body]) + "\n"


def _data_lines(csv: str, target: str, prepared: Prepared, ignored: list[str], texts: list[str]) -> Lines:
    lines = [("data:", ""), (f"  train: {_scalar(csv)}", ""), (f"  target: {_scalar(target)}", "")]
    if ignored:
        lines.append((f"  ignore: [{', '.join(map(_scalar, ignored))}]", "names or identifiers"))
    if texts:
        lines.append(("  columns:", ""))
        lines += [(f"    {_scalar(name)}: {{type: text}}", "read word by word") for name in texts]
        lines.append(("  # text: {vocabulary: 10000, length: 100}", "words told apart, words of a row"))
    held_out = prepared.validation is not None
    lines.append((f"  validation: {'0.2' if held_out else 'none'}", "share of the rows, a file, or none"))
    lines.append(("  # test: test.csv", "judged once, at the end, with the best weights"))
    if list(prepared.summary.columns) != ["text"]:
        lines += [
            ("  scale: standard", "standard, minmax, robust, quantile, none"),
            ("  missing: auto", "numbers: median and an indicator; categories: one of their own"),
            ("  categorical: onehot", "onehot, embedding, ordinal"),
        ]
    return lines


@dataclass(frozen=True)
class _Start:
    """A network and a training that are a fair start for data of some size."""

    architecture: str
    batch_size: int
    epochs: int
    patience: int


def _of_table(rows: int, inputs: int) -> _Start:
    hidden, batch, epochs = [64, 64], 64, 100
    if rows < FEW_ROWS:
        hidden, batch, epochs = [32, 32], 16, 200
    elif rows >= MANY_ROWS:
        hidden, batch = [256, 128], 256
    elif inputs >= MANY_INPUTS:
        hidden = [256, 128]
    return _Start(f"{{name: mlp, hidden: {hidden}, activation: relu, dropout: 0.0}}", batch, epochs, patience=20)


def _of_text(rows: int) -> _Start:
    units, batch = (64, 128) if rows >= MANY_ROWS else (32, 64 if rows >= FEW_ROWS else 16)
    return _Start(f"{{name: gru, hidden: [{units}], embedding: {units}, bidirectional: true}}", batch, 30, patience=5)


def _losses(kind: str, is_binary: bool) -> tuple[str, str]:
    if kind == "regression":
        return "mse", "mae, huber, quantile"
    return ("binary_cross_entropy", "focal, hinge") if is_binary or kind == "multilabel" else ("cross_entropy", "focal")


def _metrics(kind: str, is_binary: bool) -> list[str]:
    if kind == "regression":
        return ["rmse", "mae", "r2"]
    if kind == "multilabel":
        return ["subset_accuracy", "f1_macro"]
    return ["accuracy", "f1", "roc_auc"] if is_binary else ["accuracy", "f1_macro"]


def _is_unequal(prepared: Prepared) -> bool:
    counts = list(prepared.summary.classes.values())
    return min(counts) * 3 < max(counts)


def _scalar(text: str) -> str:
    """Return text as a YAML scalar: bare where that is safe, else in double quotes.

    >>> _scalar("../data/iris.csv"), _scalar("yes"), _scalar('a "b"'), _scalar("1e3")
    ('../data/iris.csv', '"yes"', '"a \\\\"b\\\\""', '"1e3"')
    """
    if _BARE.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return '"' + "".join(map(_in_quotes, text)) + '"'


def _in_quotes(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    code = ord(character)
    return character if character.isprintable() else f"\\U{code:08X}"


_BARE = re.compile(r"(\.\./)*[A-Za-z][A-Za-z0-9_./-]*")
_YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "none", "nan", "y", "n"}
