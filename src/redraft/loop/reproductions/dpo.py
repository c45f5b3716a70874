"""Diffusion-DPO again (Wallace et al., arXiv 2311.12908): how often the tuned model wins, by the pairs it was shown.

Pairs are the best and the worst of four pictures of a prompt by similarity, so each prompt is one pair exactly. Wins
are counted on held-out prompts from the same noise, by the reward, by a scorer unseen, and by the oracle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redraft.loop.reproductions.charts import Sweep
from redraft.loop.reproductions.findings import along, gains_more, keeps, rises
from redraft.loop.reproductions.plan import Arm, Claim, Measures, Reproduction, Section
from redraft.loop.reproductions.watching import EXAMINATION, NO_TRIPWIRES

SOURCE = "2311.12908"
PAIRS = (16, 64, 256, 1024)
WORLD: Mapping[str, Any] = {
    "reward": {"clip": 1.0},
    "rounds": 1,
    "collect": {"prompts": 256, "pictures_per_prompt": 4},
    "fit": {"steps": 200, "batch_size": 16, "save_every": 100},
    "probes": {"every": 0},
    "tripwires": NO_TRIPWIRES,
}


def _arm(name: str, title: str, **config: Any) -> Arm:
    return Arm(name=name, title=title, method="dpo", config=config)


SIZES = tuple(_arm(f"pairs-{count}", f"{count} pairs", collect={"prompts": count}) for count in PAIRS)
OTHERS = (
    _arm("online", "256 pairs a round, four rounds", rounds=4, fit={"steps": 50, "save_every": 50}),
    _arm("beta-500", "256 pairs, beta 500", methods={"dpo": {"beta": 500.0}}),
    _arm("beta-50000", "256 pairs, beta 50,000", methods={"dpo": {"beta": 50000.0}}),
)
WINS = (
    ("wins/clip-heldout", "wins, unseen scorer, %"),
    ("wins/clip", "wins, reward, %"),
    ("wins/oracle", "wins, oracle, %"),
)
METRICS = (*WINS, ("oracle", "oracle accuracy, %"), ("diversity", "diversity, %"))
_NAMES = tuple(arm.name for arm in SIZES)

CLAIMS = (
    Claim(
        source=SOURCE, text="The tuned model wins against its base more often than not, by a scorer unseen.",
        arms=("pairs-1024",), judge=rises("pairs-1024", metric="wins/clip-heldout"),
    ),
    Claim(
        source=SOURCE, text="It wins by the preference that made the pairs.",
        arms=("pairs-1024",), judge=rises("pairs-1024", metric="wins/clip"),
    ),
    Claim(
        source="ours", text="More pairs, more wins.",
        arms=_NAMES, judge=along(_NAMES, metric="wins/clip-heldout"),
    ),
    Claim(
        source="ours", text="Pairs of the present model are worth more than those of the first one.",
        arms=("online", "pairs-1024"), judge=gains_more("online", "pairs-1024", metric="wins/clip-heldout"),
    ),
    Claim(
        source="closed form, docs/methods/dpo.md", text="A smaller beta goes further from the base.",
        arms=("beta-500", "beta-50000"), judge=gains_more("beta-500", "beta-50000", metric="wins/clip"),
    ),
    Claim(
        source="ours", text="Winning by similarity costs no content: oracle accuracy loses at most 3 points.",
        arms=("pairs-1024",), judge=keeps("pairs-1024", metric="oracle", margin=0.03),
    ),
)  # fmt: skip

REPRODUCTION = Reproduction(
    name="dpo",
    title="Diffusion-DPO: wins by pairs used",
    question="How often does a model tuned on pairs win against its base, and how many pairs does it take?",
    arms=(*SIZES, *OTHERS),
    claims=CLAIMS,
    metrics=METRICS,
    settings={"world": WORLD},
    measures=Measures(examine=EXAMINATION),
    sections=(
        Section(
            title="By pairs used", text="The base's own share of wins is a half, a tie counts half.",
            arms=_NAMES, metrics=METRICS,
        ),
        Section(
            title="Other ways", text="New pairs in every round; other beta.", arms=tuple(arm.name for arm in OTHERS),
            metrics=METRICS,
        ),
    ),
    charts=(
        Sweep(
            name="pairs", title="Wins beyond a half", axis="pairs", metrics=WINS, logarithmic=True,
            lines=(("dpo", tuple((float(count), f"pairs-{count}") for count in PAIRS)),),
        ),
    ),
)  # fmt: skip
