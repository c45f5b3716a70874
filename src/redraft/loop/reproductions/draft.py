"""DRaFT again (Clark et al., arXiv 2309.17400): reward gradients, what they cost, and the knobs that need no training.

The aesthetic reward is `heads` (the paper has a LAION aesthetic score), the rough one the JPEG round trip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redraft.loop.reproductions.charts import Curves, Sweep
from redraft.loop.reproductions.findings import alike, along, both, gains_more, keeps, reaches, rises
from redraft.loop.reproductions.plan import Arm, Claim, Measures, Reproduction, Section, Variation
from redraft.loop.reproductions.watching import EXAMINATION, NO_TRIPWIRES, PROBES

AESTHETIC, ROUGH = {"heads": 1.0}, {"jpeg-compressibility": 1.0}
SOURCE = "2309.17400"
METRICS = (
    ("reward", "trained reward"), ("oracle", "oracle accuracy, %"), ("clip-heldout", "unseen scorer"),
    ("diversity", "diversity, %"),
)  # fmt: skip
BOTH_REWARDS = (("heads/aesthetics", "aesthetic reward"), ("reward", "JPEG reward"), *METRICS[1:])

WORLD: Mapping[str, Any] = {
    "reward": AESTHETIC,
    "rounds": 1,
    "collect": {"prompts": 256, "pictures_per_prompt": 1},
    "fit": {"steps": 80, "batch_size": 16, "learning_rate": 3e-4, "ema_decay": 0.9, "save_every": 40},
    "probes": {"every": 10, **PROBES},
    "tripwires": NO_TRIPWIRES,
}
# Section 3.2 of the specification: the paper's table. Its small runs have 45 prompts, names of animals.
_PUBLISHED: Mapping[str, Any] = {**WORLD, "sampling": {"steps": 50, "guidance_scale": 7.5}}
PUBLISHED_SMALL: Mapping[str, Any] = {
    **_PUBLISHED,
    "collect": {"prompts": 45, "pictures_per_prompt": 1},
    "adapter": {"rank": 8, "alpha": 8.0},
    "fit": {
        "steps": 2000, "batch_size": 4, "learning_rate": 4e-4, "betas": (0.9, 0.999), "weight_decay": 0.1,
        "ema_decay": 0.0, "save_every": 250,
    },
    "probes": {"every": 125, **PROBES},
}  # fmt: skip
PUBLISHED_LARGE: Mapping[str, Any] = {
    **_PUBLISHED,
    "collect": {"prompts": 4096, "pictures_per_prompt": 1},
    "adapter": {"rank": 32, "alpha": 32.0},
    "fit": {
        "steps": 10000, "batch_size": 16, "learning_rate": 2e-4, "betas": (0.9, 0.999), "weight_decay": 0.1,
        "ema_decay": 0.0, "save_every": 500,
    },
    "probes": {"every": 500, **PROBES},
}  # fmt: skip


def _draft(name: str, title: str, options: Mapping[str, Any], **config: Any) -> Arm:
    return Arm(name=name, title=title, method="draft", config={**config, "methods": {"draft": dict(options)}})


_LV = {"last": 1, "lv_draws": 2}
_STEPS = (
    _draft("k1", "DRaFT-1", {"last": 1}),
    _draft("k2", "DRaFT-2", {"last": 2}),
    _draft("k5", "DRaFT-5", {"last": 5, "checkpointing": True}),
    _draft("full", "DRaFT, all steps", {"last": "all", "checkpointing": True}),
    _draft("lv", "DRaFT-LV, n = 2", _LV),
)
# Few pictures a step, where the noise of a gradient counts, and an end before the ceiling: with 16 pictures both have
# taken 14 of the 17 points after 80 steps, and little was left to part them.
_NOISY = {"steps": 40, "batch_size": 4}
_ROUGH = tuple(
    _draft(f"rough-{name}", f"{title}, rough reward", options, reward=ROUGH, fit=_NOISY)
    for name, title, options in (
        ("k1", "DRaFT-1", {"last": 1}),
        ("lv", "DRaFT-LV, n = 2", _LV),
        ("lv8", "DRaFT-LV, n = 8", {"last": 1, "lv_draws": 8}),
    )
)
_OTHERS: tuple[Arm | Variation, ...] = (
    # A tenth of the pictures that DDPO may paint: at its learning rate, and at twice that.
    *(
        _draft(
            name, f"DRaFT-LV, n = 2, learning rate {shown}", _LV,
            fit={"steps": 64, "learning_rate": rate, "save_every": 64}, probes={"every": 8},
        )
        for name, rate, shown in (("lv-fast", 1e-3, "1e-3"), ("lv-faster", 2e-3, "2e-3"))
    ),
    Arm(
        name="ddpo", title="DDPO", method="ddpo",
        config={
            "rounds": 20, "collect": {"prompts": 32, "pictures_per_prompt": 16},
            "fit": {"steps": 16, "batch_size": 32, "learning_rate": 1e-3, "save_every": 16}, "probes": {"every": 48},
        },
    ),
    Arm(name="refl", title="ReFL", method="refl", config={}),
    Arm(name="alignprop", title="AlignProp", method="alignprop", config={}),
    Variation(
        name="noise-search", title="noise search, 10 rounds a picture", scales={}, enhance="noise_search",
        options={"rounds": 10},
        config={"examine": {"prompts": 72, "tail_prompts": 0, "diversity_prompts": 12, "diversity_pictures": 2}},
    ),
)  # fmt: skip
_SCALES = tuple(
    Variation(name=f"scale-{scale:g}", title=f"LV at LoRA scale {scale:g}", scales={"lv": scale})
    for scale in (0.25, 0.5, 0.75, 1.25)
)
_MIXES = tuple(
    Variation(
        name=f"mix-{first:g}-{second:g}", title=f"{first:g} aesthetic + {second:g} JPEG",
        scales={"lv": first, "rough-lv": second}, config={"reward": ROUGH},
    )
    for first, second in ((1, 0), (0.75, 0.25), (0.5, 0.5), (0.25, 0.75), (0, 1), (1, 1))
)  # fmt: skip
_LAST = tuple(
    Variation(name=f"last-{share:g}", title=f"LV in the last {share:.0%} of the steps", scales={"lv": 1.0}, share=share)
    for share in (0.1, 0.2, 0.5, 0.8)
)
_FIRST = tuple(
    Variation(
        name=f"first-{share:g}", title=f"LV in the first {share:.0%} of the steps", scales={"lv": 1.0}, share=share,
        side="first",
    )
    for share in (0.2, 0.5, 0.8)
)  # fmt: skip
_HALF = {"steps": 80, "batch_size": 8}
_GUARDS = (
    _draft("kl", "DRaFT-1 with KL", {"last": 1, "kl_coefficient": 1.0}),
    *(
        _draft(
            f"diversity-{kind}", f"DRaFT-1 with {kind} diversity",
            {"last": 1, "pictures_per_prompt": 2, "diversity_weight": 1.0, "diversity": kind}, fit=_HALF,
        )
        for kind in ("embedding", "perceptual")
    ),
)  # fmt: skip
_PROMPTS = tuple(
    _draft(f"prompts-{count}", f"LV on {count} prompts", _LV, collect={"prompts": count}) for count in (4, 16, 64)
)


def _names(arms: tuple[Arm | Variation, ...]) -> tuple[str, ...]:
    return tuple(arm.name for arm in arms)


CLAIMS = (
    Claim(
        source=f"{SOURCE}, 4.2", text="On a rough reward DRaFT-LV learns more than DRaFT-1 in the same steps.",
        arms=("rough-lv", "rough-k1"), judge=gains_more("rough-lv", "rough-k1", metric="reward"),
    ),
    Claim(
        source="closed form, docs/methods/draft.md", text="On a smooth reward LV gains nothing over DRaFT-1.",
        arms=("lv", "k1"), judge=alike("lv", "k1", metric="reward"),
    ),
    Claim(
        source=SOURCE, text="Few differentiated steps train better than all of them.",
        arms=("k1", "full"), judge=gains_more("k1", "full", metric="reward"),
    ),
    Claim(
        source=SOURCE, text="DRaFT reaches DDPO's final reward in at most a tenth of its samples.",
        arms=("lv-faster", "ddpo"), judge=reaches("lv-faster", "ddpo", cost="samples", share=0.1),
    ),
    Claim(
        source="ours", text="It does so at DDPO's own learning rate.",
        arms=("lv-fast", "ddpo"), judge=reaches("lv-fast", "ddpo", cost="samples", share=0.1),
    ),
    Claim(
        source=SOURCE, text="DRaFT reaches DDPO's final reward in less time.",
        arms=("lv-faster", "ddpo"), judge=reaches("lv-faster", "ddpo", cost="seconds", share=1.0),
    ),
    Claim(
        source=f"{SOURCE}, 5", text="DRaFT gains more than ReFL in the same steps.",
        arms=("lv", "refl"), judge=gains_more("lv", "refl", metric="reward"),
    ),
    Claim(
        source=f"{SOURCE}, 5", text="Trained weights gain more than searching the noise of each picture.",
        arms=("lv", "noise-search"), judge=gains_more("lv", "noise-search", metric="reward"),
    ),
    Claim(
        source=f"{SOURCE}, 4.3", text="The reward rises with the scale of the LoRA, from 0 to 1.",
        arms=("scale-0.25", "scale-0.5", "scale-0.75", "lv"),
        judge=along(("scale-0.25", "scale-0.5", "scale-0.75", "lv"), metric="reward"),
    ),
    Claim(
        source=f"{SOURCE}, 4.3", text="Two LoRAs of different rewards, added up, raise both rewards without training.",
        arms=("mix-0.5-0.5",),
        judge=both(rises("mix-0.5-0.5", metric="heads/aesthetics"), rises("mix-0.5-0.5", metric="reward")),
    ),
    Claim(
        source=f"{SOURCE}, appendix", text="The more of the last steps the LoRA acts in, the more reward.",
        arms=("last-0.1", "last-0.2", "last-0.5", "last-0.8", "lv"),
        judge=along(("last-0.1", "last-0.2", "last-0.5", "last-0.8", "lv"), metric="reward"),
    ),
    *(
        Claim(
            source=f"{SOURCE}, appendix", text=f"The {kind} diversity term keeps diversity and costs reward.",
            arms=(f"diversity-{kind}", "k1"),
            judge=both(
                gains_more(f"diversity-{kind}", "k1", metric="diversity"),
                gains_more("k1", f"diversity-{kind}", metric="reward"),
            ),
        )
        for kind in ("embedding", "perceptual")
    ),
    Claim(
        source=f"{SOURCE}, 5", text="What was learned carries over to prompts that were not trained on.",
        arms=("lv",), judge=both(rises("lv", metric="training/reward"), rises("lv", metric="reward")),
    ),
    Claim(
        source="ours", text="With few training prompts the unseen ones gain less.",
        arms=("prompts-4", "lv"), judge=gains_more("lv", "prompts-4", metric="reward"),
    ),
    Claim(
        source="ours", text="A better look does not cost the content: oracle accuracy loses at most 3 points.",
        arms=("lv",), judge=keeps("lv", metric="oracle", margin=0.03),
    ),
)  # fmt: skip

SECTIONS = (
    Section(
        title="How many steps to differentiate", text="The aesthetic reward, the same number of steps for all.",
        arms=_names(_STEPS), metrics=METRICS,
    ),
    Section(
        title="A rough reward", text="Minus the squared distance to the JPEG round trip: it jumps where LV smooths.",
        arms=_names(_ROUGH), metrics=METRICS,
    ),
    Section(
        title="Other ways to the same reward",
        text="DDPO sees the reward as a number; ReFL and AlignProp follow its gradient; noise search trains nothing.",
        arms=("lv", *_names(_OTHERS)), metrics=METRICS,
        facts=(("network_calls", "network calls a picture"), ("backward_calls", "of them backward")),
    ),
    Section(
        title="Without training: LoRA scale, start step and its mirror",
        text="The weights of DRaFT-LV, at another strength or in some of the sampling steps only.",
        arms=("lv", *_names(_SCALES), *_names(_LAST), *_names(_FIRST)), metrics=METRICS,
    ),
    Section(
        title="Without training: two LoRAs mixed", text="DRaFT-LV of the aesthetic reward and of the JPEG reward.",
        arms=_names(_MIXES), metrics=BOTH_REWARDS,
    ),
    Section(
        title="Against collapse", text="Terms beside the reward: pull to the base, and two kinds of diversity.",
        arms=("k1", *_names(_GUARDS)), metrics=METRICS,
    ),
    Section(
        title="How many training prompts", text="The reward on prompts that were trained on, and on held-out ones.",
        arms=(*_names(_PROMPTS), "lv"), metrics=(("training/reward", "reward, training prompts"), *METRICS),
    ),
)  # fmt: skip

_REWARD = (("reward", "trained reward"), ("oracle", "oracle accuracy, points"), ("diversity", "diversity, points"))
_RACERS = ("k1", "lv", "lv-fast", "lv-faster", "full", "ddpo", "refl", "alignprop")
CHARTS = (
    Curves(name="samples", title="By pictures painted", cost="samples", metrics=_REWARD, arms=_RACERS),
    Curves(name="seconds", title="By seconds of training", cost="seconds", metrics=_REWARD, arms=_RACERS),
    Sweep(
        name="scale", title="LoRA scale", axis="scale", metrics=_REWARD,
        lines=(("scale", ((0, ""), (0.25, "scale-0.25"), (0.5, "scale-0.5"), (0.75, "scale-0.75"), (1, "lv"),
                          (1.25, "scale-1.25"))),),
    ),
    Sweep(
        name="start", title="Steps in which the LoRA acts", axis="share of the steps", metrics=_REWARD,
        lines=(
            ("last steps", ((0, ""), *((arm.share or 0, arm.name) for arm in _LAST), (1, "lv"))),
            ("first steps", ((0, ""), *((arm.share or 0, arm.name) for arm in _FIRST), (1, "lv"))),
        ),
    ),
    Sweep(
        name="mix", title="Two LoRAs mixed", axis="share of the JPEG LoRA", metrics=BOTH_REWARDS[:2],
        lines=(("mix", tuple((x, f"mix-{1 - x:g}-{x:g}") for x in (0, 0.25, 0.5, 0.75, 1))),),
    ),
    Sweep(
        name="prompts", title="Training prompts", axis="training prompts", logarithmic=True,
        metrics=(("training/reward", "reward, training prompts"), ("reward", "reward, unseen prompts")),
        lines=(("LV", (*((float(arm.name.removeprefix("prompts-")), arm.name) for arm in _PROMPTS), (256, "lv"))),),
    ),
)  # fmt: skip

REPRODUCTION = Reproduction(
    name="draft",
    title="DRaFT: reward gradients",
    question=(
        "How far do gradients of a reward carry, against methods that see it as a number only, and which knobs hold "
        "them back afterwards? The aesthetic reward is a head on the tiny CLIP; the unseen scorer another CLIP."
    ),
    arms=(*_STEPS, *_ROUGH, *_OTHERS, *_SCALES, *_MIXES, *_LAST, *_FIRST, *_GUARDS, *_PROMPTS),
    claims=CLAIMS,
    metrics=METRICS,
    settings={"world": WORLD, "published-small": PUBLISHED_SMALL, "published-large": PUBLISHED_LARGE},
    measures=Measures(examine=EXAMINATION, curve=True, training=True),
    sections=SECTIONS,
    charts=CHARTS,
)
