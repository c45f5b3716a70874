"""RSIDiff again (Zhang et al., arXiv 2502.09963): eight rounds of training on one's own pictures, and what holds it up.

Pictures are painted as they are examined, with guidance both times: what more guidance adds would be learned by any
choice of pictures, and random self-training would look like progress. They are chosen by text alignment and by a
person's verdict, for which the oracle stands. In trials the CLIP alone, and the CLIP with aesthetics, chose too badly:
pictures on which a thing is missing are clearer and prettier, and accuracy stayed or fell (docs/methods/rsi.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redraft.loop.published import PUBLISHED
from redraft.loop.reproductions.charts import RoundGrid, RoundLines
from redraft.loop.reproductions.findings import along, both, gains_more, peak_before_the_end, rises
from redraft.loop.reproductions.plan import Arm, Claim, Measures, Reproduction, Section
from redraft.loop.reproductions.watching import EXAMINATION, NO_TRIPWIRES

SOURCE = "2502.09963"
ROUNDS, SWEEP_ROUNDS, STEPS = 8, 4, 60
SCORES = ("oracle", "clip")
REAL_SCORES = ("clip", "heads")
"""Of a model whose pictures no oracle can read."""
WORLD: Mapping[str, Any] = {
    "reward": dict.fromkeys(SCORES, 1.0),
    "rounds": ROUNDS,
    "sampling": {"guidance_scale": 2.0},
    "collect": {"prompts": 256, "pictures_per_prompt": 6, "guidance_scale": 2.0},
    "fit": {"steps": STEPS, "save_every": STEPS, "learning_rate": 2.5e-4},
    "methods": {"rsi": {"heads": SCORES, "keep_share": 1 / 6}},
    "probes": {"every": 0},
    "tripwires": NO_TRIPWIRES,
}
# Stable Diffusion 1.4: 300 of 5,000 pictures a round, all weights, batch 12, 750 steps. For a GPU and such a model. The
# grammar has fewer than 8 x 5,000 texts, so prompts come again in other rounds.
PUBLISHED_SD14: Mapping[str, Any] = {
    **WORLD,
    **PUBLISHED["rsi-sd14"],
    "reward": dict.fromkeys(REAL_SCORES, 1.0),
    "sampling": {"steps": 50, "guidance_scale": 7.5},
    "collect": {"prompts": 5000, "pictures_per_prompt": 1, "guidance_scale": 7.5},
    "probes": {"every": 0},
    "methods": {"rsi": {"heads": REAL_SCORES, "keep_share": 0.06}},
}


def template_prompts() -> tuple[str, ...]:
    """'a photo of [concept]' for every shape, plain and in every colour, that training may see."""
    from redraft.core.keys import Key
    from redraft.evaluation.suites import WorldSuite, WorldSuiteConfig

    drawn = WorldSuite(WorldSuiteConfig()).training_prompts(Key(seed=0).child("templates"), 3000)
    concepts = [prompt.text for prompt in drawn if prompt.tag("task") in ("single_object", "colors")]
    return tuple(sorted({text for text in concepts if text.startswith("a photo of ")}))


def _arm(name: str, title: str, options: Mapping[str, Any] | None = None, **config: Any) -> Arm:
    return Arm(name=name, title=title, method="rsi", config={**config, "methods": {"rsi": dict(options or {})}})


_RANDOM = {"rule": "random"}
_UNWEIGHTED = {"weighting": "none"}
_EVERYTHING = {**_RANDOM, **_UNWEIGHTED, "keep_share": 1.0, "at_most_per_prompt": 8}
STRATEGIES = (
    _arm("full", "RSIDiff"),
    _arm("no-prompts", "without prompt construction", prompts="templates"),
    _arm("no-preference", "without preference sampling", _RANDOM),
    _arm("no-weighting", "without distance weighting", _UNWEIGHTED),
    _arm("none", "none of the three: random self-training", {**_RANDOM, **_UNWEIGHTED}, prompts="templates"),
    _arm(
        "sft", "SFT on all pictures of the base, as many steps", _EVERYTHING, rounds=1,
        fit={"steps": ROUNDS * STEPS, "save_every": STEPS},
    ),
)  # fmt: skip
SIZES = tuple(
    _arm(
        f"keep-{share:g}",
        f"keep {share:.0%} of the pictures",
        {"keep_share": share, "at_most_per_prompt": most},
        rounds=SWEEP_ROUNDS,
    )
    for share, most in ((0.03, 1), (0.06, 1), (0.5, 3))
)
BETAS = tuple(
    _arm(f"beta-{quantile:g}", f"beta at the {quantile:.0%} quantile", {"quantile": quantile}, rounds=SWEEP_ROUNDS)
    for quantile in (0.5, 0.8, 0.99)
)
# Eight rounds without a common prompt would leave the tasks with few texts out of the later ones, so the other arms
# draw anew in every round.
DISJOINT = (
    _arm(
        "disjoint", "no prompt in two rounds", rounds=SWEEP_ROUNDS,
        collect={"disjoint": True},
    ),
)  # fmt: skip
DECAYS = tuple(
    _arm(f"sigma2-{decay:g}", f"sigma2 = {decay:g}", {"sigma2": decay}, rounds=SWEEP_ROUNDS) for decay in (0.5, 10.0)
)

METRICS = (
    ("oracle", "oracle accuracy, % (selects)"), ("clip", "text alignment (selects)"),
    ("heads/aesthetics", "aesthetics"), ("clip-heldout", "unseen scorer"),
)  # fmt: skip
TASKS = (("tasks/oracle", "oracle, six tasks, %"), ("tasks/clip", "text alignment"),
         ("tasks/heads/aesthetics", "aesthetics"), ("tasks/clip-heldout", "unseen scorer"))  # fmt: skip
TAIL = (("tail/oracle", "oracle, long tail, %"), ("tail/clip", "text alignment"),
        ("tail/heads/aesthetics", "aesthetics"), ("tail/clip-heldout", "unseen scorer"))  # fmt: skip


def _names(arms: tuple[Arm, ...]) -> tuple[str, ...]:
    return tuple(arm.name for arm in arms)


def _at_round_four(name: str, text: str, source: str) -> Claim:
    return Claim(
        source=source, text=text, arms=("full", name),
        judge=gains_more("full", name, metric="oracle", after_round=SWEEP_ROUNDS),
    )  # fmt: skip


CLAIMS = (
    Claim(
        source=SOURCE, text="Eight rounds of RSIDiff end above the base.",
        arms=("full",), judge=rises("full", metric="oracle"),
    ),
    Claim(
        source=SOURCE, text="Its gain is seen by a scorer that took no part in the choice of pictures.",
        arms=("full",), judge=rises("full", metric="clip-heldout"),
    ),
    Claim(
        source=SOURCE, text="Random self-training ends below the base.",
        arms=("none",), judge=rises("none", metric="oracle", lower=True),
    ),
    Claim(
        source=SOURCE, text="The three strategies together end above random self-training.",
        arms=("full", "none"), judge=gains_more("full", "none", metric="oracle"),
    ),
    *(
        Claim(
            source=SOURCE, text=f"{what} costs something when it is left out.",
            arms=("full", name), judge=gains_more("full", name, metric="oracle"),
        )
        for name, what in (
            ("no-prompts", "Prompt construction"), ("no-preference", "Preference sampling"),
            ("no-weighting", "Distance weighting"),
        )
    ),
    Claim(
        source=SOURCE, text="The best round is not the last (published: the sixth of eight).",
        arms=("full",), judge=peak_before_the_end("full", metric="oracle"),
    ),
    Claim(
        source=SOURCE, text="It is better than SFT on all pictures.",
        arms=("full", "sft"), judge=gains_more("full", "sft", metric="oracle"),
    ),
    _at_round_four("keep-0.03", "Too few pictures a round are too few.", SOURCE),
    _at_round_four("keep-0.5", "With more pictures a round it is no better after four rounds.", SOURCE),
    Claim(
        source=SOURCE, text="Both suites gain, the six tasks and the long tail.",
        arms=("full",), judge=both(rises("full", metric="tasks/oracle"), rises("full", metric="tail/oracle")),
    ),
    Claim(
        source="closed form, docs/methods/rsi.md", text="Weights slow the drift: the Frechet distance grows less.",
        arms=("full", "no-weighting"), judge=gains_more("full", "no-weighting", metric="frechet", lower=True),
    ),
    Claim(
        source="ours", text="Random self-training gets worse from round to round.",
        arms=("none",), judge=along(("none",), metric="oracle", rounds=(1, ROUNDS // 2, ROUNDS), lower=True),
    ),
)  # fmt: skip

_EVERY = (*METRICS, ("diversity", "diversity, %"), ("frechet", "Frechet distance"))
SECTIONS = (
    Section(
        title="The three strategies", text="After eight rounds, or for SFT as many steps on the first pictures.",
        arms=_names(STRATEGIES), metrics=_EVERY,
    ),
    Section(title="Suite one: six tasks", text="Four scores, the last round.", arms=_names(STRATEGIES), metrics=TASKS),
    Section(title="Suite two: long tail", text="Four scores, the last round.", arms=_names(STRATEGIES), metrics=TAIL),
    Section(
        title="Sizes, beta, sigma2, and prompts",
        text=(
            "After four rounds; `full` (a sixth kept, beta at the 95 % quantile, sigma2 = 2 / 35 of it) is drawn above."
        ),
        arms=(*_names(SIZES), *_names(BETAS), *_names(DECAYS), *_names(DISJOINT)), metrics=_EVERY,
    ),
)  # fmt: skip
CHARTS = (
    RoundLines(name="tasks", title="Round by round, six tasks", metrics=TASKS, arms=_names(STRATEGIES)),
    RoundLines(name="tail", title="Round by round, long tail", metrics=TAIL, arms=_names(STRATEGIES)),
    RoundLines(
        name="sizes",
        title="Pictures kept, and disjoint prompts",
        metrics=METRICS,
        arms=("full", "disjoint", *_names(SIZES)),
    ),
    RoundLines(
        name="weights", title="beta and sigma2", metrics=METRICS, arms=("full", *_names(BETAS), *_names(DECAYS))
    ),
    RoundGrid(name="rounds", title="The same prompts, the same noise", arm="full", beside=("sft", "none")),
)

REPRODUCTION = Reproduction(
    name="rsidiff",
    title="RSIDiff: recursive self-training",
    question=(
        "Does a model get better by training on its own pictures, and what does each of the three strategies add? "
        "Pictures are chosen by the oracle, which stands for a person, and by text alignment; held-out prompts are "
        "examined, and the unseen scorer takes no part."
    ),
    arms=(*STRATEGIES, *SIZES, *BETAS, *DECAYS, *DISJOINT),
    claims=CLAIMS,
    metrics=_EVERY,
    settings={"world": WORLD, "published-sd14": PUBLISHED_SD14},
    measures=Measures(examine=EXAMINATION, rounds=True, shown=("full", "sft", "none")),
    sections=SECTIONS,
    charts=CHARTS,
    prompts={"templates": template_prompts},
)
