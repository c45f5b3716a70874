"""Freed memory stays with the process: counted in page faults of a real child process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# 64 MiB: above the largest block (32 MiB) that glibc keeps by itself.
_FAULTS = """
import resource, sys
import torch
if sys.argv[1] == "keep":
    from redraft.models.memory import keep_freed_memory
    assert keep_freed_memory()
for _ in range(12):  # the rests of aligned blocks go to a cache of seven first
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", _FAULTS, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_kept_memory_is_not_faulted_in_again() -> None:
    # Huge pages make one fault of 512, so the plain count may be low: it is at least 32 for each of the ten tensors.
    plain, kept = _faults("plain"), _faults("keep")
    assert plain >= 10 * 32
    assert kept < plain / 10
