"""AGSM and SoftREPA again (Lee et al., arXiv 2605.30038 and 2503.08250): soft tokens that make a frozen model count.

Beside them a method with a reward on the same base, and the base at several guidance scales: what AGSM bakes into its
tokens is guidance, so it must be held against more of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redraft.loop.reproductions.charts import Sweep
from redraft.loop.reproductions.findings import along, gains_more, rises
from redraft.loop.reproductions.plan import Arm, Claim, Measures, Reproduction, Section, Variation
from redraft.loop.reproductions.watching import EXAMINATION, NO_TRIPWIRES
from redraft.world import GENEVAL_TASKS

SOURCE, BEFORE = "2605.30038", "2503.08250"
WORLD: Mapping[str, Any] = {"probes": {"every": 0}, "tripwires": NO_TRIPWIRES}
GUIDANCE = (1.5, 2.0, 3.0, 4.0)
OFTEN = {**EXAMINATION, "diversity_prompts": 240, "diversity_pictures": 5}
COUNTED = {"counting": 48}
"""Pictures of every prompt that counts: the grammar holds out 40 of them, and with twelve of each the noise of painting
still made up most of the interval between SoftREPA's counting and AGSM's.
"""


def _agsm(name: str, title: str, **options: Any) -> Arm:
    return Arm(name=name, title=title, method="agsm", config={"methods": {"soft_tokens": options}})


_PUBLISHED = {"error_temperature": 0.07, "denoise_weight": 0.0}
"""Of SoftREPA on flow models; the recipe of the house has others."""

MAIN = (
    Arm(
        name="softrepa", title="SoftREPA, temperature 0.07", method="softrepa",
        config={"methods": {"soft_tokens": _PUBLISHED}},
    ),
    _agsm("agsm", "AGSM, two banks, slow tokens stay, gamma+ 5"),
    Arm(name="agsm-published", title="AGSM as published, gamma+ 1", method="agsm-published", config={}),
    Arm(name="nft", title="DiffusionNFT with the oracle as its reward", method="nft", config={}),
)  # fmt: skip
VARIANTS = (
    _agsm("plain", "denoising only", objective="plain"),
    _agsm("cfg-target", "guidance as the target", objective="cfg_target", negatives="empty", gamma_plus=4.0),
    _agsm("positive-only", "AGSM without its negative term", gamma_minus=0.0),
    _agsm("shared-bank", "AGSM with one bank", dual_bank=False),
    _agsm("hard", "AGSM, false captions that differ in one thing", negatives="hard"),
    _agsm("noise-target", "AGSM, the added noise as the target", target="noise"),
    _agsm("gamma-1", "AGSM, gamma+ 1", gamma_plus=1.0),
    _agsm("gamma-2.5", "AGSM, gamma+ 2.5", gamma_plus=2.5),
    _agsm("gamma-minus-1", "AGSM, gamma- 1", gamma_minus=1.0),
    _agsm("tau-0.01", "AGSM, temperature 0.01", temperature=0.01),
    _agsm("tau-1", "AGSM, temperature 1", temperature=1.0),
)
GUIDED = tuple(
    Variation(
        name=f"{arm or 'base'}-cfg-{scale:g}", title=f"{arm or 'base'} at guidance {scale:g}",
        scales={arm: 1.0} if arm else {}, guidance_scale=scale,
    )
    for arm in ("", "softrepa", "agsm", "nft")
    for scale in GUIDANCE
)  # fmt: skip

COUNTS = (
    ("oracle/counting", "counting, %"), ("seen/over_counted", "counted too many, %"),
    ("seen/repeated", "repeated in other tasks, %"),
)  # fmt: skip
METRICS = (
    ("oracle", "oracle accuracy, %"),
    *COUNTS,
    ("clip-heldout", "text alignment, unseen"),
    ("frechet", "Frechet distance"),
)
TASKS = tuple((f"oracle/{task}", f"{task.replace('_', ' ')}, %") for task in GENEVAL_TASKS)
FACTS = (("parameters", "trained numbers"), ("time_ratio", "time of a picture"))


def _names(arms: tuple[Arm | Variation, ...]) -> tuple[str, ...]:
    return tuple(arm.name for arm in arms)


CLAIMS = (
    Claim(
        source=SOURCE, text="AGSM counts better than the base (published on SD3: 0.56 to 0.64).",
        arms=("agsm",), judge=rises("agsm", metric="oracle/counting"),
    ),
    Claim(
        source=SOURCE, text="SoftREPA counts worse than the base (published on SD3: 0.56 to 0.29).",
        arms=("softrepa",), judge=rises("softrepa", metric="oracle/counting", lower=True),
    ),
    Claim(
        source=SOURCE, text="AGSM counts better than SoftREPA.",
        arms=("agsm", "softrepa"), judge=gains_more("agsm", "softrepa", metric="oracle/counting"),
    ),
    Claim(
        source=SOURCE, text="AGSM counts too many less often than SoftREPA.",
        arms=("agsm", "softrepa"), judge=gains_more("agsm", "softrepa", metric="seen/over_counted", lower=True),
    ),
    Claim(
        source=SOURCE, text="AGSM with the published gammas counts better than SoftREPA, too.",
        arms=("agsm-published", "softrepa"), judge=gains_more("agsm-published", "softrepa", metric="oracle/counting"),
    ),
    Claim(
        source=SOURCE, text="AGSM repeats things less often than SoftREPA.",
        arms=("agsm", "softrepa"), judge=gains_more("agsm", "softrepa", metric="seen/repeated", lower=True),
    ),
    Claim(
        source=SOURCE, text="AGSM raises the mean of the six tasks (published on SD3: 0.68 to 0.72).",
        arms=("agsm",), judge=rises("agsm", metric="oracle"),
    ),
    Claim(
        source=BEFORE, text="SoftREPA raises the alignment of text and picture.",
        arms=("softrepa",), judge=rises("softrepa", metric="clip-heldout"),
    ),
    Claim(
        source=SOURCE, text="AGSM stays nearer to real pictures than SoftREPA (Frechet distance).",
        arms=("agsm", "softrepa"), judge=gains_more("agsm", "softrepa", metric="frechet", lower=True),
    ),
    Claim(
        source=SOURCE, text="Two banks are better than one for true and false captions.",
        arms=("agsm", "shared-bank"), judge=gains_more("agsm", "shared-bank", metric="oracle"),
    ),
    Claim(
        source=SOURCE, text="The negative term adds to the positive one.",
        arms=("agsm", "positive-only"), judge=gains_more("agsm", "positive-only", metric="oracle"),
    ),
    Claim(
        source="ours", text="Hard false captions teach more counting than those of the batch.",
        arms=("hard", "agsm"), judge=gains_more("hard", "agsm", metric="oracle/counting"),
    ),
    Claim(
        source="ours, after trials", text="The base's own answers teach more than the noise that was added.",
        arms=("agsm", "noise-target"), judge=gains_more("agsm", "noise-target", metric="oracle"),
    ),
    Claim(
        source="closed form, docs/methods/soft_tokens.md", text="A larger gamma+ bakes in more guidance, gaining more.",
        arms=("gamma-1", "gamma-2.5", "agsm"), judge=along(("gamma-1", "gamma-2.5", "agsm"), metric="oracle"),
    ),
    Claim(
        source="ours, after trials",
        text="Guidance of the scale that gamma+ 5 asks for (about 4) gains more than tokens can hold of it.",
        arms=("base-cfg-4", "agsm"), judge=gains_more("base-cfg-4", "agsm", metric="oracle"),
    ),
    Claim(
        source="ours", text="A method with the reward itself gains more than tokens that see none.",
        arms=("nft", "agsm"), judge=gains_more("nft", "agsm", metric="oracle"),
    ),
)  # fmt: skip

SECTIONS = (
    Section(
        title="Counting, and what it costs", text="Each at the model's own recipe, against the base.",
        arms=_names(MAIN), metrics=METRICS, facts=FACTS,
    ),
    Section(title="The six tasks", text="The same arms.", arms=_names(MAIN), metrics=TASKS),
    Section(title="Variants of AGSM", text="One thing changed in each.", arms=_names(VARIANTS), metrics=METRICS),
    Section(
        title="More guidance", text="Against the base without guidance: what is left of each gain.",
        arms=_names(GUIDED), metrics=METRICS,
    ),
)  # fmt: skip
_SWEPT = (("oracle", "oracle accuracy, points"), ("oracle/counting", "counting, points"),
          ("seen/over_counted", "counted too many, points"), ("frechet", "Frechet distance"))  # fmt: skip
CHARTS = (
    Sweep(
        name="guidance", title="Guidance", axis="guidance scale", metrics=_SWEPT,
        lines=tuple(
            (arm or "base", ((1.0, arm), *((scale, f"{arm or 'base'}-cfg-{scale:g}") for scale in GUIDANCE)))
            for arm in ("", "softrepa", "agsm", "nft")
        ),
    ),
    Sweep(
        name="gamma", title="gamma+", axis="gamma+", metrics=_SWEPT,
        lines=(("agsm", ((1.0, "gamma-1"), (2.5, "gamma-2.5"), (5.0, "agsm"))),),
    ),
)  # fmt: skip

REPRODUCTION = Reproduction(
    name="agsm",
    title="AGSM and SoftREPA: soft tokens",
    question=(
        "Can a few learned vectors make a frozen model keep to its prompt, above all when it counts, and is it more "
        "than guidance? Pictures are held against the base's from the same noise; trained numbers and time of a "
        "picture are the price."
    ),
    arms=(*MAIN, *VARIANTS, *GUIDED),
    claims=CLAIMS,
    metrics=(("oracle/counting", "counting, %"),),
    settings={"world": WORLD},
    measures=Measures(examine=OFTEN, pictures=COUNTED, timed=64),
    sections=SECTIONS,
    charts=CHARTS,
    model="builtin:sd3",
)
