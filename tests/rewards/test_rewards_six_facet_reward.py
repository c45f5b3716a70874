"""The six-facet reward in closed form, and that no quality buys an unsafe picture back."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import torch

from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.records import FACETS, Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.blend import Standard
from redraft.rewards.oracle import OracleScorer
from redraft.rewards.six_facet_reward import QUALITY, SixFacetReward, facet_standards
from redraft.testing import check_scorer
from redraft.world.draws import draw_prompts


class Given:
    """A scorer whose facets are what a test says, in the order of FACETS, after another head."""

    name, fingerprint, differentiable = "given", "g1", False
    heads: tuple[str, ...] = ("other", *FACETS)

    def __init__(self, rows: Sequence[Sequence[float]], *, known: torch.Tensor | None = None) -> None:
        self._rows, self._known = torch.tensor(rows), known

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        values = torch.cat([torch.zeros(len(self._rows), 1), self._rows], dim=1)
        mask = torch.ones_like(values, dtype=torch.bool) if self._known is None else self._known
        return Scores(values=values, names=self.heads, fingerprints=(self.fingerprint,) * len(self.heads), mask=mask)

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        raise NotImplementedError


STANDARDS = {name: Standard(mean=0.5, std=0.1, fingerprint="g1") for name in QUALITY}
NOTHING = Images(pixels=torch.zeros(0, 3, 8, 8))


def reward_of(rows: Sequence[Sequence[float]], **options) -> torch.Tensor:
    return SixFacetReward(Given(rows), standards=STANDARDS, **options).score(NOTHING, ()).head("facets")


def test_the_formula() -> None:
    """z = (R - 0.5) / 0.1 clipped at 3; a fifth of each; 5 times what safety lacks to 0.5."""
    rows = [[0.6, 0.5, 0.4, 0.7, 0.5, 1.0], [1.0, 0.5, 0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5, 0.5, 0.3]]
    expected = [(1 - 1 + 2) / 5, 3 / 5, -5 * 0.2]
    assert reward_of(rows, strength=5.0).tolist() == pytest.approx(expected, abs=1e-6)
    weighted = reward_of(rows, strength=5.0, weights={"coherence": 2.0, "semantics": 1.0})
    assert weighted.tolist() == pytest.approx([2 * 2 + 1, 3, -1.0], abs=1e-6)


def test_a_spread_of_nothing_does_not_blow_up() -> None:
    flat = {name: Standard(mean=0.5, std=0.0, fingerprint="g1") for name in QUALITY}
    made = SixFacetReward(Given([[0.502] + [0.5] * 4 + [1.0]]), standards=flat).score(NOTHING, ()).head("facets")
    assert made.item() == pytest.approx(2 / 5, rel=1e-3)  # 0.002 in units of the least deviation, 0.001


def test_no_quality_buys_an_unsafe_picture_back() -> None:
    """The best picture of safety 0 is worse than the worst that is safe enough; not so at the article's strength 5."""
    best_unsafe, worst_safe = [1.0] * 5 + [0.0], [0.0] * 5 + [0.5]
    unsafe, safe = reward_of([best_unsafe, worst_safe]).tolist()
    assert unsafe < safe
    bought, honest = reward_of([best_unsafe, worst_safe], strength=5.0).tolist()
    assert bought > honest
    levels = [reward_of([[0.7] * 5 + [safety]]).item() for safety in (0.0, 0.2, 0.4, 0.5, 0.8)]
    assert all(earlier < later for earlier, later in itertools.pairwise(levels[:4]))
    assert levels[3] == levels[4]  # a constraint, no wish


def test_what_could_not_be_judged_stays_masked() -> None:
    known = torch.ones(2, 7, dtype=torch.bool)
    known[1, 3] = False
    scorer = Given([[0.5] * 5 + [1.0], [0.5, 0.5, float("nan"), 0.5, 0.5, 1.0]], known=known)
    scores = SixFacetReward(scorer, standards=STANDARDS).score(NOTHING, ())
    assert scores.mask[:, 0].tolist() == [True, False]
    assert scores.mask[1].sum() == 5
    assert scores.names == ("facets", *FACETS)
    with pytest.raises(NumericsError, match=r"scorer 'semantics' gave nan for picture 0"):
        SixFacetReward(Given([[float("nan")] + [0.5] * 5]), standards=STANDARDS).score(NOTHING, ())


def test_with_the_oracle_of_the_picture_world() -> None:
    import numpy as np

    from redraft.world import parse
    from redraft.world.render import render

    rng = np.random.default_rng(4)
    prompts = draw_prompts(rng, 24)
    pixels = torch.from_numpy(np.stack([render(parse(prompt.text), rng) for prompt in prompts])).permute(0, 3, 1, 2)
    images, oracle = Images(pixels=pixels.float() / 255), OracleScorer()
    scores = oracle.score(images, prompts)
    reward = SixFacetReward(oracle, standards=facet_standards(scores))
    values = reward.score(images, prompts).head("facets")
    # In their own standard deviations the facets of these very pictures have mean 0, but for what is clipped; the
    # constraint only takes away.
    assert abs(values[scores.head("safety") >= 0.5].mean().item()) < 0.3
    check_scorer(reward, prompts=prompts[:3])


def test_refusals() -> None:
    bare = Given([[0.5] * 6])
    bare.heads = ("other",)
    with pytest.raises(UsageError, match=r"the scorer 'given' has no facet 'semantics' \(it has other\): name one"):
        SixFacetReward(bare, standards=STANDARDS)
    foreign = {**STANDARDS, "coherence": Standard(mean=0.0, std=1.0, fingerprint="another")}
    with pytest.raises(UsageError, match=r"the facet 'coherence' has no standard by 'given' \(g1\): measure"):
        SixFacetReward(Given([[0.5] * 6]), standards=foreign)
    for weights in ({"safety": 1.0}, {}):
        with pytest.raises(ConfigError, match=r"safety is a constraint and has none"):
            SixFacetReward(Given([[0.5] * 6]), standards=STANDARDS, weights=weights)
    with pytest.raises(ConfigError, match=r"weight -1.0 of the facet 'coherence': must be finite and above 0"):
        SixFacetReward(Given([[0.5] * 6]), standards=STANDARDS, weights={"coherence": -1.0})
    with pytest.raises(ConfigError, match=r"minimum 0.0 and strength None: the minimum must lie in \(0, 1\]"):
        SixFacetReward(Given([[0.5] * 6]), standards=STANDARDS, minimum=0.0)
    with pytest.raises(UsageError, match=r"the six-facet reward has no gradient: use a method that needs scores only"):
        SixFacetReward(Given([[0.5] * 6]), standards=STANDARDS).score_pixels(torch.zeros(1, 3, 8, 8), ())
