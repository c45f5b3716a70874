"""How the C libraries below torch are to use the cores and the memory of this process and of those that it starts.

Settings only, made before torch is imported; whatever the user has set stays. No settings of torch itself.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import MutableMapping

KEPT_BYTES = (1 << 31) - 1  # the most that mallopt takes
"""Freed memory that a process keeps at most."""
MAPPED_BYTES = 1 << 28
"""From this size on a block of memory is the system's own affair: taken from it, and given back when freed."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)


def share_cores(environment: MutableMapping[str, str]) -> None:
    """Let the threads of torch wait for each other briefly before they sleep, unless the user chose how they wait.

    By default they keep their core for milliseconds at the end of every operator. Where other work wants the cores,
    such as the worker that trains beside a studio, that made pictures of two models take 27 s from the moment on when
    the second was loaded, and 2 s with this; with the cores to itself it paints as fast. Read by the OpenMP of GCC when
    torch is imported; no other heeds it.
    """
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", "2000")


def keep_memory(environment: MutableMapping[str, str]) -> None:
    """Keep freed memory for the next operator instead of giving it back to the system, unless the user chose otherwise.

    By default the allocator of glibc returns what a step of a network has freed, and the next step takes it anew, page
    by page: of painting with `builtin:sd` on one core 5 to 10 % of the time, more in one process than in the next, and
    of a training step a sixth. The process holds its largest size, which hardly grows. Where there is no such
    allocator nothing is done. The processes that this one starts read it from the environment.
    """
    chosen = "GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_"
    if sys.platform != "linux" or any(name in environment for name in chosen):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    environment["MALLOC_TRIM_THRESHOLD_"] = str(KEPT_BYTES)
    environment["MALLOC_MMAP_THRESHOLD_"] = str(MAPPED_BYTES)
    mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
    mallopt(_MMAP_THRESHOLD, MAPPED_BYTES)
