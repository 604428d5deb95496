"""The BLAS under NumPy: its threads, set before NumPy is imported, and the processor kernel it runs.

Which kernel runs decides half the speed and the last bits of every matrix product, so it is recorded in each run. One
BLAS thread a shard is both faster on small products and independent of the number of threads (nntrain runs shards in
processes of its own).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
CORE_TYPE = "OPENBLAS_CORETYPE"

_KERNELS = {
    "avx512": ("SkylakeX", "Cooperlake", "SapphireRapids"),
    "avx2": ("Haswell", "Zen", "Excavator"),
    "avx": ("Sandybridge", "Bulldozer", "Piledriver", "Steamroller"),
    "sse": ("Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Atom", "Opteron", "Barcelona", "Bobcat", "Nano"),
}
_WIDTHS = ("sse", "avx", "avx2", "avx512")
_NEEDED = {
    "avx512": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"},
    "avx2": {"avx2", "fma"},
    "avx": {"avx"},
}


def use_one_thread() -> None:
    """Let the BLAS use one thread: by environment variables before NumPy is imported, by threadpoolctl after.

    Variables that the user has set are left as they are.
    """
    limit_threads(1)


def limit_threads(count: int) -> None:
    """Let the BLAS use ``count`` threads, from 1."""
    if "numpy" not in sys.modules:
        for variable in THREAD_VARIABLES:
            os.environ.setdefault(variable, str(count))
        return
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threadpool_limits(count, user_api="blas")


def describe() -> dict[str, Any]:
    """Return the ``library``, ``version``, ``kernel`` and ``threads`` of NumPy's BLAS; None where it does not say."""
    found = _numpy_blas()
    return {
        "library": found.get("internal_api"),
        "version": found.get("version"),
        "kernel": found.get("architecture"),
        "threads": found.get("num_threads"),
    }


def _numpy_blas() -> dict[str, Any]:
    import numpy  # noqa: F401 - so that its BLAS is loaded
    from threadpoolctl import threadpool_info

    libraries = [library for library in threadpool_info() if library.get("user_api") == "blas"]
    own = [library for library in libraries if "numpy" in str(library.get("filepath")).lower()]
    return dict((own or libraries or [{}])[0])


def notices() -> list[str]:
    """Return what is worth knowing about the BLAS: that the environment forces a kernel below the processor's."""
    if not os.environ.get(CORE_TYPE):
        return []
    notice = forced_kernel(os.environ, processor_flags(), describe()["kernel"])
    return [] if notice is None else [notice]


def forced_kernel(environment: Mapping[str, str], flags: set[str], kernel: str | None) -> str | None:
    """Return the notice where ``OPENBLAS_CORETYPE`` forces a kernel below what the processor has, or None.

    >>> forced_kernel({"OPENBLAS_CORETYPE": "Haswell"}, {"avx", "avx2", "fma"}, "Haswell") is None
    True
    """
    wanted = environment.get(CORE_TYPE)
    running, possible = _width_of(kernel), widest(flags)
    if not wanted or running is None or possible is None or _WIDTHS.index(running) >= _WIDTHS.index(possible):
        return None
    return (
        f"{CORE_TYPE}={wanted} makes OpenBLAS run its {kernel} kernel ({running}), and this processor has {possible}:"
        " large matrix products take up to twice as long; unset it for speed"
        " (the last digits of results then differ)"
    )


def _width_of(kernel: str | None) -> str | None:
    wanted = (kernel or "").lower()
    return next((width for width, names in _KERNELS.items() if wanted in map(str.lower, names)), None)


def widest(flags: set[str]) -> str | None:
    """Return the widest vector instructions among processor flags that OpenBLAS has a kernel for.

    >>> widest({"sse2", "avx", "avx2", "fma"})
    'avx2'
    """
    for width, needed in _NEEDED.items():
        if needed <= flags:
            return width
    return "sse" if "sse2" in flags else None


def processor_flags(path: str = "/proc/cpuinfo") -> set[str]:
    """Return the processor's instruction set flags, none where the system does not tell."""
    try:
        lines = Path(path).read_text("utf-8", "replace").splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
