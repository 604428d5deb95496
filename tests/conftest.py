"""What all tests share."""

from __future__ import annotations

import os

# One BLAS thread: results do not depend on the machine's cores, and workers of a parallel run do not fight for them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

# No deadline: a first example pays for imports, and other processes may hold the processor.
settings.register_profile("nntrain", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nntrain")
