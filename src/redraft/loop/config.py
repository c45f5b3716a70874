"""The configuration of one `redraft improve` run, typed. Not where values are read from files: that is the roof's work.

Everything here is kept with the run and with its checkpoint, so a run can be repeated from it alone.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from redraft.core.config import Config
from redraft.evaluation.gate import GatePolicy
from redraft.evaluation.tripwires import Tripwires
from redraft.methods.collapse import CollapseRules
from redraft.methods.fit_config import FitConfig
from redraft.models.builtin import DEFAULT as DEFAULT_MODEL
from redraft.rewards.fit_config import RewardFitConfig

RATINGS = "ratings"
"""The name of a reward that is fitted to ratings of the incumbent's own pictures."""


class Sampling(Config):
    """How pictures are sampled, at examination and (unless `collect` says otherwise) while collecting."""

    steps: int | None = Field(default=None, ge=1, le=1000, description="denoising steps; None: the model's own recipe")
    guidance_scale: float | None = Field(default=None, description="1 means no guidance; None: the model's own recipe")
    batch: int = Field(default=64, ge=1, description="pictures a network call")


class Collect(Config):
    """What is painted and scored before each round of training."""

    prompts: int = Field(default=128, ge=1, description="prompts a round")
    pictures_per_prompt: int = Field(default=8, ge=1, description="pictures of each prompt: the size of a group")
    guidance_scale: float | None = Field(default=None, description="guidance while collecting; None: as in sampling")
    disjoint: bool = Field(
        default=False, description="no prompt in two rounds; the prompts must suffice for all rounds"
    )
    false_captions: int = Field(default=3, ge=0, description="false captions of a picture (soft tokens)")


class Adapter(Config):
    """What is trained: LoRA factors, all weights of the denoiser, or soft tokens beside the prompt's."""

    kind: Literal["lora", "full", "tokens"] = "lora"
    rank: int = Field(default=32, ge=1)
    alpha: float = Field(default=32.0, gt=0)
    targets: tuple[str, ...] | None = Field(
        default=None, description="endings of layer names (tokens: names of blocks); None: those of the family"
    )
    tokens: int = Field(default=4, ge=1, description="soft tokens of each bank and layer")
    token_buckets: int = Field(default=100, ge=0, description="of timesteps, each with tokens of its own; 0: none")


class Ratings(Config):
    """Simulated ratings that a learned reward is fitted on (picture world only), for methods that need gradients."""

    prompts: int = Field(default=192, ge=16, description="prompts that are rated")
    pictures_per_prompt: int = Field(default=8, ge=2)
    raters: int = Field(default=3, ge=1, description="simulated raters of each picture")
    clip: str = Field(default="clip", description="CLIP scorer whose features the reward reads")
    fit: RewardFitConfig = RewardFitConfig(tune_layers=2)


class Facets(Config):
    """Six facets of one scorer as the reward: five weighed, safety as a constraint."""

    scorer: str = Field(description="the scorer that judges the facets: oracle, or a learned one")
    weights: dict[str, float] | None = Field(
        default=None, description="of the five facets of quality; None: one fifth each"
    )
    least_safety: float = Field(default=0.5, gt=0, le=1, description="below it a picture is punished")
    strength: float | None = Field(
        default=None, gt=0, description="of that punishment; None: enough that no quality makes up for it"
    )


class Examine(Config):
    """The examination of candidate and incumbent on held-out prompts."""

    prompts: int = Field(default=512, ge=12, description="prompts of the six tasks; half with unseen combinations")
    tail_prompts: int = Field(default=96, ge=0, description="prompts of each suite's long tail")
    diversity_prompts: int = Field(default=48, ge=0, description="prompts painted several times to measure diversity")
    diversity_pictures: int = Field(default=4, ge=2, description="pictures of each of those prompts")
    scorers: tuple[str, ...] = Field(
        default=("clip", "clip-heldout", "heads"), description="scorers of the report, beside the reward and the oracle"
    )
    features: str = Field(
        default="clip-heldout", description="CLIP scorer whose features measure diversity and distance"
    )
    reference_pictures: int = Field(default=1000, ge=16, description="renders of the world for the Frechet distance")


class Probes(Config):
    """Small examinations while training, for the tripwires."""

    every: int = Field(default=60, ge=0, description="training steps between probes; 0 switches them off")
    prompts: int = Field(default=64, ge=6, description="held-out prompts of a probe")
    pictures_per_prompt: int = Field(default=3, ge=1, description="at least 2 to watch diversity")
    heldout: str = Field(default="clip-heldout", description="scorer that training never sees")


class RunConfig(Config):
    """One run of `redraft improve` or `redraft train`."""

    model: str = Field(default=DEFAULT_MODEL, description="built-in name, pipeline folder or hub id")
    method: str = Field(default="nft", description="a method or a preset of one")
    methods: dict[str, dict[str, Any]] = Field(default_factory=dict, description="options of methods, by name")
    scorers: dict[str, dict[str, Any]] = Field(default_factory=dict, description="options of scorers, by name")
    reward: dict[str, float] = Field(
        default_factory=dict,
        description="scorers trained on, with weights; `ratings` alone: fitted to ratings of the model's own pictures; "
        "empty: the oracle, or fitted ratings where gradients are needed",
    )
    facets: Facets | None = Field(default=None, description="instead of `reward`: six facets, safety as a constraint")
    prompts: str | None = Field(default=None, description="a prompts file; None: the picture world")
    pairs: str | None = Field(
        default=None, description="what people chose: a JSONL file, a folder of picture pairs, or 'answers'"
    )
    selection: str | None = Field(default=None, description="a file with the pictures that a person keeps of a round")
    seed: int = Field(default=0, ge=0)
    rounds: int = Field(default=3, ge=1, description="rounds of collect, judge, prepare and train")
    sampling: Sampling = Sampling()
    collect: Collect = Collect()
    ratings: Ratings = Ratings()
    adapter: Adapter = Adapter()
    fit: FitConfig = FitConfig()
    examine: Examine = Examine()
    probes: Probes = Probes()
    tripwires: Tripwires = Tripwires()
    collapse: CollapseRules = CollapseRules()
    gate: GatePolicy = GatePolicy()
    device: str = "cpu"
    promote: bool = Field(default=True, description="move the champion alias when the gate says promote")

    @model_validator(mode="after")
    def _one_source_of_examples(self) -> RunConfig:
        if self.facets is not None and self.reward:
            raise ValueError(f"facets of {self.facets.scorer!r} and reward {', '.join(self.reward)}: give one of them")
        if RATINGS in self.reward and len(self.reward) > 1:
            raise ValueError(f"reward {', '.join(self.reward)}: fitted ratings cannot be blended; name `ratings` alone")
        if self.pairs is not None and self.selection is not None:
            raise ValueError("pairs and selection: pairs are chosen already, so give one of them")
        return self
