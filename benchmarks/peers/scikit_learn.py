"""A training with scikit-learn's ``MLPClassifier`` or ``MLPRegressor``; ``partial_fit`` is one shuffled epoch."""

from __future__ import annotations

import time

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor

from reading import read_case, report


def main() -> None:
    case, x, y = read_case()
    kind = MLPClassifier if case["classes"] else MLPRegressor
    sizes = case["net"]["hidden"]
    # Adam at 0.001 and shuffled batches are its defaults.
    model = kind(hidden_layer_sizes=sizes, batch_size=case["batch"], alpha=0.0, random_state=0)
    arguments = {"classes": np.arange(case["classes"])} if case["classes"] else {}
    seconds = []
    for _ in range(case["epochs"]):
        started = time.perf_counter()
        model.partial_fit(x, y if case["classes"] else y[:, 0], **arguments)
        seconds.append(time.perf_counter() - started)
        arguments = {}
    report(seconds, sklearn.__version__)


if __name__ == "__main__":
    main()
