"""The benchmark of the import runs and measures real imports. Its speed is not judged here, its memory is."""

from __future__ import annotations

from benchmarks import feedback_import
from benchmarks.subject import QUICK


def test_the_benchmark_imports_and_stays_small() -> None:
    section = feedback_import.measure(amount=QUICK)
    figures = {figure.name: figure for figure in section.figures}
    assert {figure.unit for figure in section.figures} == {"rows/s", "MB", "x"}
    assert all(figure.value > 0 for figure in section.figures)
    # A process that loaded torch would have more than this before its first row.
    assert figures["2,000 rows bare: peak"].value < 150
