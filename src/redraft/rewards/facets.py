"""The six-facet model as a scorer: slider answers in, a blend with a safety constraint and its facets out.

How it is made, for `redraft reward fit --kind facets` and whoever else has answers:

    answers = read_slider_answers(path)                                       # rewards.facets_rows
    files, rows = picture_files(answers, folder=path.parent)                  # rewards.answer_lines
    config = core.config.build(FacetFitConfig, values, source="...")          # rewards.facets_config
    tensors = facet_answers(answers, facets=config.ordered, pictures=rows)
    scorer = fit_facets(open_tower(clip), tensors, files, key=key, config=config,
                        clip_folder=str(clip))                                # rewards.facets_fit; "": the one we ship
    scorer.save(folder)                                                       # facets.safetensors, card.json
    evaluation.facet_page.facet_page(scorer.card.model_dump(mode="json"))     # the card as one HTML page

`--reward FOLDER` opens it: card.json says kind "facets". It asks nobody, and draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import DamagedError, UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.blend import Standard
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.facets_card import CARD, WEIGHTS, FacetCard, read_facet_files, write_facet_files
from redraft.rewards.facets_clips import CLIP_WIDTH
from redraft.rewards.facets_member import ConceptNetwork, FacetMember
from redraft.rewards.facets_model import FacetModel, Predicted
from redraft.rewards.facets_network import FacetNetwork
from redraft.rewards.feature_heads import entries, load_feature_heads
from redraft.rewards.fingerprints import fingerprint_of, hash_tensors
from redraft.rewards.pixels import check_pictures
from redraft.rewards.scorer_folders import builtin_clip, found_place, named_folder
from redraft.rewards.six_facet_reward import QUALITY, SixFacetReward

__all__ = ["FacetsConfig", "FacetsScorer", "open_facets"]


class FacetsConfig(Config):
    """Options of the scorer `facets`."""

    name: str = Field(default="facets", min_length=1, description="name of the scorer and of its first head")
    clip: str = Field(default="", description="folder of the CLIPModel; empty: the one of the card")
    weights: dict[str, float] | None = Field(default=None, description="of the five facets of quality; None: alike")
    least_safety: float = Field(default=0.5, gt=0, le=1, description="below it the safety constraint takes off")
    strength: float | None = Field(default=None, gt=0, description="of the constraint; None: one that suffices")
    caution: float = Field(
        default=0.0, ge=0, description="deviations of the ensemble taken off a facet before it is blended"
    )
    batch: int = Field(default=64, ge=1, description="pictures at once")


class FacetJudge:
    """The facets alone, as SixFacetReward and the loop's `[facets]` read them. Higher is better in every head."""

    differentiable = True

    def __init__(self, model: FacetModel, *, fingerprint: str, name: str, caution: float) -> None:
        self.model, self.fingerprint, self.name, self.caution = model, fingerprint, name, caution
        self.heads = model.facets

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """All facets; masked where a still has none of that kind, or nobody rated it."""
        return self.scores(self.model.predict(images.pixels, prompts))

    def scores(self, predicted: Predicted) -> Scores:
        """Predictions, less `caution` deviations of the ensemble, as scores."""
        return Scores(
            values=self.cautious(predicted).float(), names=self.heads,
            fingerprints=(self.fingerprint,) * len(self.heads), mask=predicted.mask,
        )  # fmt: skip

    def cautious(self, predicted: Predicted) -> torch.Tensor:
        """B,K in 0..1."""
        return (predicted.mean - self.caution * predicted.spread).clamp(0, 1) if self.caution else predicted.mean

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The first facet, B, differentiable."""
        return self.cautious(self.model.predict_differentiable(pixels, prompts))[:, 0]


class FacetsScorer:
    """Heads: the blend of `six_facet_reward` under the scorer's name, then each facet, 0..1.

    Takes pictures B,3,H,W, and clips B,T,3,H,W, whose facets of pictures are means over frames. Differentiable. The
    blend is in deviations of the pictures that were rated; `[facets]` of a run measures those of its own model.
    """

    Config: ClassVar[type[BaseModel]] = FacetsConfig
    differentiable = True

    def __init__(self, model: FacetModel, *, card: FacetCard, config: FacetsConfig | None = None) -> None:
        """Raises UsageError for another CLIP than the card's, or without the six facets; ConfigError for weights."""
        config = config or FacetsConfig()
        if card.clip != model.tower.identity:
            raise UsageError(
                f"{CARD} was fitted on the CLIP {card.clip}, this one is {model.tower.identity}: name that folder as "
                "`clip` in the scorer's table, or fit the facets again"
            )
        self.model, self.card, self.name, self.tower = model, card, config.name, model.tower
        weights = hash_tensors(_tensors(model))
        self.fingerprint = fingerprint_of(
            "facets", model.tower.fingerprint, weights, card.facets, card.scale, config.caution, card.concepts,
            card.views,
        )  # fmt: skip
        self.judge = FacetJudge(model, fingerprint=self.fingerprint, name=config.name, caution=config.caution)
        standards = {
            name: Standard(mean=card.standards[name].mean, std=card.standards[name].std, fingerprint=self.fingerprint)
            for name in QUALITY
            if name in card.standards
        }
        self._reward = SixFacetReward(
            self.judge, standards=standards, weights=config.weights, minimum=config.least_safety,
            strength=config.strength,
        )  # fmt: skip
        self.heads: tuple[str, ...] = (config.name, *card.facets)

    @classmethod
    def build(cls, config: FacetsConfig, context: ModelContext) -> FacetsScorer:
        """Open the folder `context.folder`; errors as `open_facets` raises them."""
        folder = named_folder(context.folder, scorer=config.name, holds="the facets", is_a_name=True)
        return open_facets(folder, config=config, device=context.device, dtype=context.dtype)

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """Blend and facets. Raises UsageError for wrong pictures, NumericsError for NaN in them."""
        self._check(images.pixels, prompts)
        return self._scores(self.model.predict(images.pixels, prompts))

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The blend, B, differentiable in pixels; errors as `score`."""
        self._check(pixels, prompts)
        return self._blend(self.judge.cautious(self.model.predict_differentiable(pixels, prompts)))

    def uncertainty(self, images: Images, prompts: Sequence[Prompt]) -> torch.Tensor:
        """B,K: standard deviation of the ensemble for each facet of the card; NaN where it is masked."""
        self._check(images.pixels, prompts)
        predicted = self.model.predict(images.pixels, prompts)
        return torch.where(predicted.mask, predicted.spread, torch.nan)

    def image_features(self, images: Images) -> torch.Tensor:
        """B,D float32 of length 1, of the CLIP beneath."""
        check_pictures(images.pixels, [Prompt(text="")] * len(images), scorer=self.name)
        return self.tower.image_features(images.pixels)

    def save(self, folder: Path) -> None:
        """Write facets.safetensors and card.json, each whole or not at all. Raises StorageError."""
        self.card = write_facet_files(_tensors(self.model), self.card, folder=folder)

    def _scores(self, predicted: Predicted) -> Scores:
        facets = self.judge.scores(predicted)
        blended = self._blend(facets.values)
        needed = [self.card.facets.index(name) for name in self._reward.heads[1:]]
        mask = torch.cat([facets.mask[:, needed].all(1, keepdim=True), facets.mask], dim=1)
        return Scores(
            values=torch.where(mask, torch.cat([blended[:, None], facets.values], dim=1), torch.nan), names=self.heads,
            fingerprints=(self._reward.fingerprint, *facets.fingerprints), mask=mask,
        ).require_finite()  # fmt: skip

    def _blend(self, facets: torch.Tensor) -> torch.Tensor:
        return self._reward.combine({name: facets[:, place] for place, name in enumerate(self.card.facets)})

    def _check(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> None:
        if pixels.ndim == 5:
            prompts = [prompt for prompt in prompts for _ in range(pixels.shape[1])]
            pixels = pixels.flatten(0, 1)
        check_pictures(pixels, prompts, scorer=self.name)


def open_facets(
    folder: Path, *, config: FacetsConfig | None = None, device: str = "cpu", dtype: str = "float32",
    tower: ClipTower | None = None,
) -> FacetsScorer:  # fmt: skip
    """Open what `FacetsScorer.save` wrote; tower: its CLIP where it is open already.

    Raises UsageError when files are missing or the CLIP is another one, DamagedError when files cannot be read or do
    not belong together, and as `open_tower`.
    """
    config = config or FacetsConfig()
    tensors, card = read_facet_files(folder)
    if tower is None:
        place = config.clip or found_place(card.clip_folder, folder=folder) or builtin_clip()
        tower = open_tower(place, device=device, dtype=dtype, batch=config.batch)  # type: ignore[arg-type]
    _require_concepts(tower, card)
    model = FacetModel(
        tower,
        [_member(tensors, card, number, tower=tower) for number in range(card.members)],
        picture_facets=card.picture_facets,
        clip_heads=[
            load_feature_heads(
                _of(tensors, f"clips.{number}."), entries(card.clip_facets, "probability"), width=CLIP_WIDTH, hidden=0,
                source=WEIGHTS,
            )
            for number in range(card.members if _of(tensors, "clips.0.") else 0)
        ],
        clip_facets=card.clip_facets,
        scale=torch.tensor(card.scale),
        rated=torch.tensor(card.rated),
        views=card.views,
    )  # fmt: skip
    return FacetsScorer(model, card=card, config=config)


def _require_concepts(tower: ClipTower, card: FacetCard) -> None:
    known = "" if tower.concepts is None else tower.concepts.identity
    if card.concepts not in ("", known):
        raise UsageError(
            f"{CARD} was fitted with the concepts {card.concepts} of its CLIP, this one has {known or 'none'}: use the "
            "CLIP folder with the concepts.safetensors that was there, or fit the facets again"
        )


def _member(tensors: dict[str, torch.Tensor], card: FacetCard, number: int, *, tower: ClipTower) -> FacetMember:
    facets = len(card.picture_facets)
    network = FacetNetwork(
        channels=card.channels, dimension=tower.dimension, state=card.state, energies=card.energies,
        grid=card.grid, facets=facets, width=card.width,
    )  # fmt: skip
    known = tower.concepts if card.concepts else None
    told = None if known is None else ConceptNetwork(concepts=len(known), facets=facets)
    member = FacetMember(network, told, facets=facets)
    own = _of(tensors, f"members.{number}.")
    expected = {name: tuple(value.shape) for name, value in member.state_dict().items()}
    if expected != {name: tuple(value.shape) for name, value in own.items()}:
        raise DamagedError(
            f"{WEIGHTS} does not hold the weights of member {number} that its card asks for: the files are of two "
            "fits or of an earlier version, or the CLIP is of another width; fit the facets again"
        )
    member.load_state_dict(own)
    return member


def _of(tensors: dict[str, torch.Tensor], start: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def _tensors(model: FacetModel) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for kind, networks in (("members", model.members), ("clips", model.clip_heads)):
        for number, network in enumerate(networks):
            found |= {f"{kind}.{number}.{name}": value for name, value in network.state_dict().items()}
    return found
