"""Conformance checks for plug-in authors: does a backbone, scorer or method keep the contract of `core.protocols`?

    from redraft.testing import check_scorer

    def test_my_scorer():
        check_scorer(MyScorer.build(MyScorer.Config(), ModelContext(folder="weights")))

Each check tries the thing for real, collects the rules it breaks and raises one ConformanceError that lists them all.
They say that a plug-in fits, not that it is good: whether a reward means something is for an examination to show.
"""

from redraft.testing.backbones import check_backbone
from redraft.testing.methods import check_method
from redraft.testing.rules import ConformanceError
from redraft.testing.scorers import check_scorer

__all__ = ["ConformanceError", "check_backbone", "check_method", "check_scorer"]
