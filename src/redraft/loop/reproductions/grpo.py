"""Four ways to a reward at equal seconds: DDPO, Flow-GRPO, DiffusionNFT and DRaFT, and what a scorer unseen says of it.

The reward is the similarity of the tiny CLIP, which all four can use; the held-out one is another CLIP, and the oracle
knows the truth. Runs differ in length: they are compared where the first of them ends. DRaFT's learning rate is one at
which the reward has not fallen back by the end: at 8e-4, which its recipe has for a sixth of these steps, it fell back
after a hundred of them, at 3e-4 after half.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redraft.loop.reproductions.charts import Curves
from redraft.loop.reproductions.findings import at_equal_cost, keeps, more_transfer, rises
from redraft.loop.reproductions.plan import Arm, Claim, Measures, Reproduction, Section
from redraft.loop.reproductions.watching import EXAMINATION, NO_TRIPWIRES, PROBES

WORLD: Mapping[str, Any] = {"reward": {"clip": 1.0}, "tripwires": NO_TRIPWIRES, "probes": PROBES}
_GROUPS: Mapping[str, Any] = {"rounds": 20, "collect": {"prompts": 32, "pictures_per_prompt": 16}}


def _policy(name: str, title: str, method: str) -> Arm:
    fit = {"steps": 16, "batch_size": 32, "learning_rate": 1e-3, "save_every": 16}
    return Arm(name=name, title=title, method=method, config={**_GROUPS, "fit": fit, "probes": {"every": 32}})


ARMS = (
    _policy("ddpo", "DDPO", "ddpo"),
    _policy("grpo", "Flow-GRPO", "grpo"),
    _policy("grpo-mix", "MixGRPO: noise in a window of four steps", "grpo-mix"),
    Arm(
        name="nft", title="DiffusionNFT", method="nft",
        config={**_GROUPS, "fit": {"steps": 30, "save_every": 30}, "probes": {"every": 60}},
    ),
    Arm(
        name="draft", title="DRaFT-LV", method="draft-lv",
        config={
            "rounds": 1, "collect": {"prompts": 512},
            "fit": {"steps": 360, "batch_size": 16, "learning_rate": 1e-4, "save_every": 60}, "probes": {"every": 30},
        },
    ),
)  # fmt: skip
NAMES = tuple(arm.name for arm in ARMS)
METRICS = (
    ("reward", "trained reward"), ("clip-heldout", "held-out reward"), ("oracle", "oracle accuracy, %"),
    ("diversity", "diversity, %"),
)  # fmt: skip

CLAIMS = (
    *(
        Claim(source=source, text=f"{title} raises its reward.", arms=(name,), judge=rises(name, metric="reward"))
        for name, title, source in (
            ("ddpo", "DDPO", "2305.13301"), ("grpo", "Flow-GRPO", "2505.05470"), ("nft", "DiffusionNFT", "2509.16117"),
            ("draft", "DRaFT", "2309.17400"),
        )
    ),
    Claim(
        source="2509.16117", text="DiffusionNFT is ahead of Flow-GRPO at equal seconds.",
        arms=NAMES, judge=at_equal_cost("nft", "grpo", metric="reward", among=NAMES),
    ),
    Claim(
        source="ours", text="Flow-GRPO is ahead of DDPO at equal seconds.",
        arms=NAMES, judge=at_equal_cost("grpo", "ddpo", metric="reward", among=NAMES),
    ),
    Claim(
        source="2507.21802", text="Noise in a window only is ahead of noise in all steps at equal seconds.",
        arms=NAMES, judge=at_equal_cost("grpo-mix", "grpo", metric="reward", among=NAMES),
    ),
    Claim(
        source="2309.17400", text="A reward's gradient is ahead of methods that see a number at equal seconds.",
        arms=NAMES, judge=at_equal_cost("draft", "ddpo", metric="reward", among=NAMES),
    ),
    Claim(
        source="survey of public results, 2509.16117 and others",
        text="Of its gain in the trained reward, DRaFT carries over less to the held-out one than DiffusionNFT.",
        arms=NAMES, judge=more_transfer("nft", "draft", trained="reward", heldout="heldout", among=NAMES),
    ),
    Claim(
        source="ours", text="DRaFT on similarity costs no content: oracle accuracy loses at most 3 points.",
        arms=("draft",), judge=keeps("draft", metric="oracle", margin=0.03),
    ),
)  # fmt: skip

_PANELS = (("reward", "trained reward"), ("heldout", "held-out reward"), ("oracle", "oracle accuracy, points"))
REPRODUCTION = Reproduction(
    name="grpo",
    title="DDPO, Flow-GRPO, DiffusionNFT and DRaFT at equal seconds",
    question=(
        "How does the trained reward rise against one that training never sees, in DDPO, Flow-GRPO, DiffusionNFT and "
        "DRaFT, by seconds and by pictures? The table shows where each run ended, the claims where the first one did."
    ),
    arms=ARMS,
    claims=CLAIMS,
    metrics=METRICS,
    settings={"world": WORLD},
    measures=Measures(examine=EXAMINATION, curve=True),
    sections=(Section(title="Where each run ended", text="All of its steps.", arms=NAMES, metrics=METRICS),),
    charts=(
        Curves(name="seconds", title="By seconds of training", cost="seconds", metrics=_PANELS, arms=NAMES),
        Curves(name="samples", title="By pictures painted", cost="samples", metrics=_PANELS, arms=NAMES),
    ),
)
