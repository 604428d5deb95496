"""The BLAS: threads before and after NumPy is imported, and the kernel notice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nntrain import blas

AVX512 = {"sse2", "avx", "avx2", "fma", "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}


def run(script: str, **variables: str) -> dict[str, object]:
    clean = {name: value for name, value in os.environ.items() if name not in blas.THREAD_VARIABLES}
    found = subprocess.run(
        [sys.executable, "-c", f"import json, os, sys\nfrom nntrain import blas\n{script}"],
        env={**clean, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(found.stdout)
    assert isinstance(result, dict)
    return result


def test_importing_it_loads_no_numpy() -> None:
    assert run("print(json.dumps({'numpy': 'numpy' in sys.modules}))") == {"numpy": False}


def test_one_thread_before_numpy() -> None:
    assert run("blas.use_one_thread(); print(json.dumps(blas.describe()))")["threads"] == 1


def test_one_thread_after_numpy() -> None:
    assert run("import numpy; blas.use_one_thread(); print(json.dumps(blas.describe()))")["threads"] == 1


def test_the_users_variable_is_left_alone() -> None:
    script = "blas.use_one_thread(); print(json.dumps({n: os.environ[n] for n in blas.THREAD_VARIABLES}))"
    found = run(script, OPENBLAS_NUM_THREADS="2", OPENBLAS_CORETYPE="Haswell")
    assert found.pop("OPENBLAS_NUM_THREADS") == "2"
    assert set(found.values()) == {"1"}


def test_the_description_names_library_and_kernel() -> None:
    found = blas.describe()
    assert set(found) == {"library", "version", "kernel", "threads"}
    assert found["library"] and found["version"]


@pytest.mark.parametrize(
    ("wanted", "flags", "kernel", "told"),
    [
        ("Haswell", AVX512, "Haswell", True),
        ("HASWELL", AVX512, "Haswell", True),
        ("Prescott", {"sse2", "avx", "avx2", "fma"}, "Prescott", True),
        ("SkylakeX", AVX512, "SkylakeX", False),
        ("Haswell", {"sse2", "avx", "avx2", "fma"}, "Haswell", False),
        ("Haswell", AVX512 - {"avx512vl"}, "Haswell", False),
        (None, AVX512, "Haswell", False),
        ("ARMV8", set(), "ARMV8", False),
        ("Haswell", AVX512, None, False),
    ],
)
def test_a_kernel_below_the_processor_is_told(
    wanted: str | None, flags: set[str], kernel: str | None, told: bool
) -> None:
    environment = {} if wanted is None else {"OPENBLAS_CORETYPE": wanted}
    notice = blas.forced_kernel(environment, flags, kernel)
    assert (notice is not None) == told
    if notice is not None:
        assert f"OPENBLAS_CORETYPE={wanted}" in notice


def test_processor_flags(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("model name\t: x\nflags\t\t: sse2 avx avx2 fma\nflags\t\t: other\n")
    assert blas.processor_flags(str(tmp_path / "cpuinfo")) == {"sse2", "avx", "avx2", "fma"}
    assert blas.processor_flags(str(tmp_path / "none")) == set()
