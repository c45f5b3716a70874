"""How the C library of a CPU process keeps memory between the steps of a network. Not a cache of tensors.

Each step of a network on the CPU frees its activations. glibc hands large blocks back to the kernel, which must clear
and map the pages again for the next step: measured, a sixth of a training step of the built-in models.
"""

from __future__ import annotations

import ctypes
import sys

# mallopt(3): from malloc.h of glibc.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEEP_BELOW = 1 << 30
_NEVER_TRIM = (1 << 31) - 1


def keep_freed_memory() -> bool:
    """Let this process keep freed blocks below 1 GiB for its next tensors; returns whether the C library agreed.

    Holds for the whole process from now on and changes no number. Only glibc (Linux) knows it; elsewhere nothing is
    done. The process stays as large as it was at its largest.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _KEEP_BELOW)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER_TRIM))
