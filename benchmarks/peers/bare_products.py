"""The matrix products of a perceptron's update and nothing else: the floor below its time.

Each process has its share of a batch's rows and one BLAS thread, as nntrain's shards have; all run at once.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time

# Before NumPy reads it.
os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1"))

import multiprocessing
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any

import numpy as np


def products(sizes: list[int], rows: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return factors and result of each product: all forward, then from the last layer each layer's two gradients."""
    generator = np.random.default_rng(0)
    x = [generator.normal(size=(rows, size)).astype("float32") for size in sizes]
    dy = [generator.normal(size=(rows, size)).astype("float32") for size in sizes]
    w = [generator.normal(size=pair).astype("float32") for pair in pairwise(sizes)]
    found = [(x[i], w[i], np.empty_like(x[i + 1])) for i in range(len(w))]
    for i in reversed(range(len(w))):
        found.append((x[i].T, dy[i + 1], np.empty_like(w[i])))
        if i:  # The inputs need no gradient.
            found.append((dy[i + 1], w[i].T, np.empty_like(dy[i])))
    return found


def work(case: dict[str, Any], start: Any, answers: Connection) -> None:
    """Make the products of so many updates, each when all processes are ready for it, and send the seconds of each."""
    wanted = products(case["sizes"], case["rows"] // case["processes"])
    seconds = []
    for _ in range(case["updates"]):
        start.wait()
        started = time.perf_counter()
        for a, b, out in wanted:
            np.matmul(a, b, out=out)
        seconds.append(time.perf_counter() - started)
    answers.send(seconds)


def main() -> None:
    case = json.loads(sys.argv[1])
    context = multiprocessing.get_context("spawn")
    start, ends = context.Barrier(case["processes"]), [context.Pipe() for _ in range(case["processes"])]
    workers = [context.Process(target=work, args=(case, start, end)) for _, end in ends]
    for worker in workers:
        worker.start()
    # An update is over when the last of them is.
    slowest = [max(each) for each in zip(*(end.recv() for end, _ in ends), strict=True)]
    for worker in workers:
        worker.join()
    print(json.dumps({"seconds": statistics.median(slowest[len(slowest) // 4 :]), "raw": slowest}))


if __name__ == "__main__":
    main()
