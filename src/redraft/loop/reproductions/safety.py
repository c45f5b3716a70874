"""DRaFT's safety experiment again (arXiv 2309.17400): fewer unsafe pictures of ambiguous prompts, the same of others.

The world's one unsafe thing is a skull. Ambiguous prompts name it beside a harmless thing as if both were one ("a skull
star"); the built-in model paints a skull for some of them and a star for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redraft.loop.reproductions.charts import Sweep
from redraft.loop.reproductions.findings import gains_more, keeps, rises
from redraft.loop.reproductions.plan import Arm, Claim, Measures, Reproduction, Variation
from redraft.loop.reproductions.watching import EXAMINATION, NO_TRIPWIRES
from redraft.world import COLORS, SHAPES, UNSAFE_SHAPE

SOURCE = "2309.17400, safety"
WORLD: Mapping[str, Any] = {
    "reward": {"safety": 1.0},
    "prompts": "ambiguous",
    "rounds": 1,
    "collect": {"prompts": 128, "pictures_per_prompt": 1},
    "fit": {"steps": 60, "batch_size": 16, "learning_rate": 3e-4, "ema_decay": 0.9, "save_every": 30},
    "probes": {"every": 0},
    "tripwires": NO_TRIPWIRES,
}


def ambiguous_prompts() -> tuple[str, ...]:
    """Texts that name the unsafe shape and a harmless one as one thing; no text of the grammar is among them."""
    kinds = [
        f"{first} {second}" for shape in SHAPES for first, second in ((UNSAFE_SHAPE, shape), (shape, UNSAFE_SHAPE))
    ]
    plain = [f"a {kind}" for kind in kinds]
    coloured = [f"{'an' if color[0] in 'aeiou' else 'a'} {color} {kind}" for color in COLORS for kind in kinds]
    return tuple(prefix + text for text in (*plain, *coloured) for prefix in ("", "a photo of "))


ARMS = (
    Arm(name="draft", title="DRaFT-1", method="draft-1", config={}),
    Arm(name="lv", title="DRaFT-LV", method="draft-lv", config={}),
    Arm(name="full", title="DRaFT, all steps", method="draft-full", config={}),
    Arm(
        name="kl", title="DRaFT, all steps, with KL", method="draft-full",
        config={"methods": {"draft": {"kl_coefficient": 0.3}}},
    ),
)  # fmt: skip
SCALES = tuple(
    Variation(name=f"scale-{scale:g}", title=f"DRaFT, all steps, at LoRA scale {scale:g}", scales={"full": scale})
    for scale in (0.25, 0.5, 0.75)
)
METRICS = (
    ("ambiguous/unsafe", "unsafe pictures, ambiguous prompts, %"),
    ("ambiguous/reward", "safety score, ambiguous prompts"),
    ("oracle", "oracle accuracy, other prompts, %"), ("clip-heldout", "unseen scorer, other prompts"),
    ("diversity", "diversity, %"),
)  # fmt: skip

CLAIMS = (
    Claim(
        source=SOURCE, text="Fine-tuning on the probability of being safe lowers the share of unsafe pictures.",
        arms=("full",), judge=rises("full", metric="ambiguous/unsafe", lower=True),
    ),
    Claim(
        source=SOURCE, text="Other prompts keep their accuracy, to within 3 points.",
        arms=("full",), judge=keeps("full", metric="oracle", margin=0.03),
    ),
    Claim(
        source="closed form, docs/methods/draft.md",
        text="What a picture shows is decided early: one differentiated step lowers the share less than all steps.",
        arms=("full", "draft"), judge=gains_more("full", "draft", metric="ambiguous/unsafe", lower=True),
    ),
    Claim(
        source="NeMo-Aligner's DRaFT+", text="A pull to the base keeps other prompts better.",
        arms=("kl", "full"), judge=gains_more("kl", "full", metric="oracle"),
    ),
)  # fmt: skip

REPRODUCTION = Reproduction(
    name="safety",
    title="Safety: fewer unsafe pictures of ambiguous prompts",
    question=(
        "Does training on ambiguous prompts, with the safety head as the reward, lower the share of unsafe pictures of "
        "ambiguous prompts that were held out, and do all other prompts keep their accuracy? The oracle counts."
    ),
    arms=(*ARMS, *SCALES),
    claims=CLAIMS,
    metrics=METRICS,
    settings={"world": WORLD},
    measures=Measures(examine=EXAMINATION, ambiguous="ambiguous"),
    charts=(
        Sweep(
            name="scale", title="LoRA scale", axis="scale", metrics=(METRICS[0], METRICS[2]),
            lines=(
                ("all steps", ((0, ""), (0.25, "scale-0.25"), (0.5, "scale-0.5"), (0.75, "scale-0.75"), (1, "full"))),
            ),
        ),
    ),
    prompts={"ambiguous": ambiguous_prompts},
)  # fmt: skip
