"""Rewards of the loop: six facets with the safety constraint; examiners that share the reward's network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError
from small_cycles import config_for, improve

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.loop.independence import independent, networks_of, require_independent_watch


class Seeing:
    """A scorer by a network of a given identity."""

    heads: tuple[str, ...] = ("seeing",)
    differentiable = False

    def __init__(self, name: str, *, network: str = "", fitted_on: str = "") -> None:
        self.name = self.fingerprint = name
        self.tower = SimpleNamespace(identity=network)
        self.card = SimpleNamespace(clip=fitted_on)

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        raise NotImplementedError

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        raise NotImplementedError


def test_networks_are_those_of_all_parts_and_of_the_clip_that_was_tuned() -> None:
    tuned, other = Seeing("tuned", network="b", fitted_on="a"), Seeing("other", network="c")
    blend = SimpleNamespace(parts=(tuned, other), fingerprint="blend")
    assert networks_of(tuned) == {"a", "b"}
    assert networks_of(blend) == {"a", "b", "c"}  # type: ignore[arg-type]
    assert not independent(Seeing("clip", network="a"), blend)  # type: ignore[arg-type]
    assert independent(Seeing("clip", network="d"), blend)  # type: ignore[arg-type]
    assert not independent(tuned, tuned)
    assert independent(tuned, None)
    assert independent(Seeing("rules"), Seeing("others"))  # no network is no common network
    require_independent_watch(other, tuned)
    with pytest.raises(
        UsageError, match=r"probes\.heldout = 'clip' sees pictures by the same network as the reward 't"
    ):
        require_independent_watch(Seeing("clip", network="a"), tuned)


def test_the_report_marks_examiners_on_the_rewards_features(model: Path, tmp_path: Path) -> None:
    outcome = improve(tmp_path, config_for(model, method="nft", reward={"heads": 1.0}, probes={"every": 0}))
    rows = {row.name: row.independent for row in outcome.report.measures if row.role == "unseen"}
    assert rows["clip"] is False  # heads are fitted on the features of clip
    assert rows["clip-heldout"] is True
    assert any("clip: seen by the network that the trained reward is made of" in note for note in outcome.report.notes)


def test_the_scorer_that_watches_may_not_be_the_reward(model: Path, tmp_path: Path) -> None:
    config = config_for(model, method="nft", reward={"clip-heldout": 1.0})
    with pytest.raises(UsageError, match=r"probes\.heldout = 'clip-heldout' sees pictures by the same network"):
        improve(tmp_path, config)


def test_ddpo_on_the_six_facets_of_the_oracle(model: Path, tmp_path: Path) -> None:
    config = config_for(
        model, method="ddpo", facets={"scorer": "oracle"}, sampling={"steps": 3}, tripwires={"most_drift": 100.0}
    )
    outcome = improve(tmp_path, config)
    assert outcome.reward == "facets"
    assert [row.name for row in outcome.report.measures if row.role == "trained"] == ["reward: facets"]
    assert len(outcome.rounds[0].log) == 4


def test_facets_and_rewards_are_one_or_the_other(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"facets of 'oracle' and reward clip: give one of them"):
        config_for(model, facets={"scorer": "oracle"}, reward={"clip": 1.0})
    with pytest.raises(
        UsageError, match=r"the scorer 'clip' has no facet 'semantics' \(it has clip\): name one with all"
    ):
        improve(tmp_path, config_for(model, facets={"scorer": "clip"}))
