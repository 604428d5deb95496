"""Read a CSV once, as nntrain does before training or as pandas does, and tell how long it took."""

from __future__ import annotations

import json
import sys
import time

import pandas


def nntrain(csv: str, types: list[str]) -> float:
    from nntrain.data.cache import reading_anew
    from nntrain.data.large_file import read_csv_file  # noqa: F401 - imported before the clock runs
    from nntrain.data.table import read_table

    started = time.perf_counter()
    with reading_anew():
        read_table([csv], stream=False)
    return time.perf_counter() - started


def pandas_with_types(csv: str, types: list[str]) -> float:
    started = time.perf_counter()
    pandas.read_csv(csv, dtype={f"x{i}": kind for i, kind in enumerate(types)} if len(set(types)) > 1 else types[0])
    return time.perf_counter() - started


def pandas_alone(csv: str, types: list[str]) -> float:
    started = time.perf_counter()
    pandas.read_csv(csv)
    return time.perf_counter() - started


READERS = {"nntrain": nntrain, "pandas, types given": pandas_with_types, "pandas": pandas_alone}

if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    from nntrain import __version__

    seconds = READERS[wanted["reader"]](wanted["csv"], wanted["types"])
    version = __version__ if wanted["reader"] == "nntrain" else pandas.__version__
    print(json.dumps({"seconds": seconds, "version": version}))
