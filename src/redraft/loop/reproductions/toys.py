"""The toy rewards of DRaFT (Clark et al., arXiv 2309.17400): does a gradient move each, on its own metric?

Nothing holds the prompts, so the oracle falls; that is not what is asked here. Unsafe pictures have a reproduction of
their own, `safety`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redraft.loop.reproductions.findings import rises
from redraft.loop.reproductions.plan import Arm, Claim, Reproduction
from redraft.loop.reproductions.watching import NO_TRIPWIRES

SOURCE = "2309.17400"
WORLD: Mapping[str, Any] = {
    "rounds": 1,
    "collect": {"prompts": 256, "pictures_per_prompt": 1},
    "fit": {"steps": 60, "batch_size": 16, "learning_rate": 4e-4, "ema_decay": 0.9, "save_every": 60},
    "probes": {"every": 0},
    "tripwires": NO_TRIPWIRES,
    "examine": {"prompts": 192, "tail_prompts": 0, "diversity_prompts": 24},
}
# Turning a picture by 90 degrees is about where things are, which the last step no longer decides.
_LAYOUT: Mapping[str, Any] = {
    "fit": {"steps": 40, "save_every": 40, "learning_rate": 2e-3},
    "methods": {"draft": {"last": "all", "checkpointing": True}},
}  # fmt: skip
_TOYS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "jpeg-compressibility": ("little is lost by JPEG", {}),
    "jpeg-incompressibility": ("much is lost by JPEG", {}),
    "object-present": ("a star is there", {}),
    "object-removed": ("no star is there", {}),
    "classifier-target": ("what is there is taken for a star", {}),
    "rotational-anti-correlation": ("unlike itself turned by 90 degrees", _LAYOUT),
}

REPRODUCTION = Reproduction(
    name="toys",
    title="Toy rewards",
    question="Does a reward gradient move each of the toy rewards, on prompts that it was not trained on?",
    arms=tuple(
        Arm(
            name=name, title=f"`{name}`: {what}", method="draft",
            config={"reward": {name: 1.0}, "methods": {"draft": {"last": 1}}, **more},
        )
        for name, (what, more) in _TOYS.items()
    ),
    claims=tuple(
        Claim(source=SOURCE, text=f"`{name}` rises.", arms=(name,), judge=rises(name, metric="reward"))
        for name in _TOYS
    ),
    metrics=(("reward", "its own metric"), ("oracle", "oracle accuracy, %"), ("diversity", "diversity, %")),
    settings={"world": WORLD},
)  # fmt: skip
