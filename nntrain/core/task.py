"""What is to be predicted: classes, numbers, or several yes-or-no labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

TaskKind: TypeAlias = Literal["classification", "regression", "multilabel"]


@dataclass(frozen=True, slots=True)
class Task:
    """The task a table's target sets, as far as losses, metrics and the output layer need to know it.

    Target arrays: class codes (B,) of dtype int64 for ``classification``; float (B, D) for ``regression``, in the
    scaled units the network is trained in; float 0 or 1 (B, D) for ``multilabel``.

    Attributes:
        kind: of the task.
        targets: names of the target columns, D of them (one for classification).
        classes: labels in the order of their codes; empty unless the kind is ``classification``.
        positive: code of the positive class where there are two classes, else None.

    >>> Task("classification", ("species",), ("setosa", "virginica"), 1).is_binary
    True
    """

    kind: TaskKind
    targets: tuple[str, ...]
    classes: tuple[str, ...] = ()
    positive: int | None = None

    @property
    def is_classification(self) -> bool:
        return self.kind == "classification"

    @property
    def is_binary(self) -> bool:
        """Whether there are exactly two classes."""
        return self.kind == "classification" and len(self.classes) == 2

    @property
    def width(self) -> int:
        """Number of classes, or of target columns."""
        return len(self.classes) if self.kind == "classification" else len(self.targets)
