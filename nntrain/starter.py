"""A first config for a CSV: commented, complete enough to train as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nntrain.data.column_types import FreeTextError
from nntrain.data.features import NoFeaturesError
from nntrain.data.options import DataOptions
from nntrain.data.preparation import Prepared, prepare
from nntrain.errors import DataError, enumerate_names, escape, quote

FEW_ROWS, MANY_ROWS = 1_000, 20_000
MANY_INPUTS = 200
COMMENT_COLUMN = 34
"""Comments of short lines stand below one another."""


@dataclass(frozen=True)
class Starter:
    """A config text, and what was found out on the way."""

    text: str
    prepared: Prepared
    ignored: list[str]


def write_starter(csv: str, target: str, directory: Path) -> Starter:
    """Return a config for a CSV and its target column.

    Columns that cannot be features as they stand (free text) are ignored, and named in a comment.

    Args:
        csv: path of the file as the user typed it.
        target: name of the column to predict.
        directory: where the config is going to stand; the path in it is relative to that.

    Raises:
        DataError: the file cannot be read, or the target is not a column of it.
    """
    ignored: list[str] = []
    while True:
        try:
            prepared = prepare(DataOptions(train=csv, target=target, ignore=list(ignored)), Path, seed=0)
            break
        except FreeTextError as error:
            ignored.append(error.column)
        except NoFeaturesError as error:
            if not ignored:
                raise
            raise DataError(
                f"no column is left to learn from but free text: {enumerate_names([quote(name) for name in ignored])}",
                path=error.problems[0].path,
                help="make columns of the text first, such as counts of words; one number, category or date a column",
            ) from None
    return Starter(_text(_relative(csv, directory), target, prepared, ignored), prepared, ignored)


def _relative(csv: str, directory: Path) -> str:
    import os

    return Path(os.path.relpath(Path(csv).resolve(), directory.resolve())).as_posix()


def _text(csv: str, target: str, prepared: Prepared, ignored: list[str]) -> str:
    task, rows = prepared.task, sum(prepared.row_counts().values())
    hidden, batch, epochs = _sizes(rows, prepared.preprocessing.shape[0])
    # Escaped: a line break in a column's name must not end the comment.
    header = [f"# {escape(line)}" for line in (*prepared.summary.lines(), *prepared.notices)]
    loss, other = _losses(task.kind, task.is_binary)
    held_out = prepared.validation is not None
    lines = [
        ("seed: 0", ""),
        ("data:", ""),
        (f"  train: {_scalar(csv)}", ""),
        (f"  target: {_scalar(target)}", ""),
        *([(f"  ignore: [{', '.join(map(_scalar, ignored))}]", "free text")] if ignored else []),
        (f"  validation: {'0.2' if held_out else 'none'}", "share of the rows, a file, or none"),
        ("  # test: test.csv", "judged once, at the end, with the best weights"),
        ("  scale: standard", "standard, minmax, robust, quantile, none"),
        ("  missing: auto", "numbers: median and an indicator; categories: one of their own"),
        ("  categorical: onehot", "onehot, embedding, ordinal"),
        (f"architecture: {{name: mlp, hidden: {list(hidden)}, activation: relu, dropout: 0.0}}", ""),
        (f"loss: {loss}", f"or {other}; nntrain list loss"),
        ("optimizer: {name: adamw, learning_rate: 0.003, weight_decay: 0.01}", "nntrain list optimizer"),
        (f"metrics: [{', '.join(_metrics(task.kind, task.is_binary))}]", "nntrain list metric"),
        (f"batch_size: {batch}", "rows of an update; full is batch gradient descent"),
        (f"epochs: {epochs}", "at most" if held_out else ""),
    ]
    if held_out:
        lines.append(("early_stopping: {monitor: val_loss, patience: 20}", "epochs without a better val_loss"))
    if task.kind == "classification" and _is_unequal(prepared):
        lines.append(("# class_weight: balanced", "the classes differ much in size"))
    body = [f"{key:<{COMMENT_COLUMN}}  # {comment}" if comment else key for key, comment in lines]
    return "\n".join([*header, *body]) + "\n"


def _sizes(rows: int, inputs: int) -> tuple[tuple[int, ...], int, int]:
    """Return hidden widths, batch size and epochs that are a fair start for a table of this size."""
    if rows < FEW_ROWS:
        return (32, 32), 16, 200
    hidden = (256, 128) if rows >= MANY_ROWS or inputs >= MANY_INPUTS else (64, 64)
    return hidden, (256 if rows >= MANY_ROWS else 64), 100


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
