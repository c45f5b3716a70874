"""What `redraft reward fit` does for each kind: read the answers, fit, save. The commands stand in `reward`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redraft.cli.factory import given_files
from redraft.core.errors import UsageError
from redraft.rewards.scorer_folders import builtin_clip, stored_clip, stored_place

if TYPE_CHECKING:
    from redraft.cli.reward_answers import Source
    from redraft.core.keys import Key
    from redraft.rewards.clip_tower import ClipTower

PAGE = "card.html"
"""The card of a facet model as a page, in its folder."""


def fit_kind(
    source: Source, *, clip: Path | None, base: Path | None, rater: str | None, values: Mapping[str, Any], key: Key,
    quiet: bool,
) -> dict[str, Any]:  # fmt: skip
    """Fit the kind that was asked for; returns its card."""
    match source.kind:
        case "profile":
            return fit_profile(source, base=base, rater=rater, key=key)
        case "head":
            return fit_head(source, clip=clip, values=values, key=key)
        case "facets":
            return fit_facets(source, clip=clip, values=values, key=key, quiet=quiet)
        case _:
            return fit_preference(source, clip=clip, values=values, key=key, quiet=quiet)


def fit_preference(
    source: Source, *, clip: Path | None, values: Mapping[str, Any], key: Key, quiet: bool
) -> dict[str, Any]:
    """Tune the CLIP (None: ours); returns its card, as the others do."""
    from redraft.cli.reward_answers import opened_preferences
    from redraft.cli.screen import Screen
    from redraft.core.config import build
    from redraft.rewards.preference_config import PreferenceFitConfig
    from redraft.rewards.preference_fit import fit_preference as fit

    config = build(PreferenceFitConfig, values, source="the configuration")
    with opened_preferences(source) as (data, pictures), Screen(quiet=quiet) as screen:
        screen.stage("fit", f"{len(data.pairs):,} pairs, {len(data.points):,} ratings, {len(pictures):,} pictures")

        def on_pass(done: int, total: int, metrics: Mapping[str, float]) -> None:
            screen.progress(done, total)
            screen.note(f"pass {done}: " + ", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))

        reward = fit(_tower(clip), data, pictures, key=key, config=config, on_pass=on_pass)
        reward.save(source.out)
    return reward.card.model_dump(mode="json")


def fit_head(source: Source, *, clip: Path | None, values: Mapping[str, Any], key: Key) -> dict[str, Any]:
    """Heads fitted to stars and thumbs; clip None: ours."""
    import torch

    from redraft.cli.reward_answers import opened_preferences
    from redraft.core.config import build
    from redraft.core.tensors import Images
    from redraft.rewards.fit import RewardFitConfig, fit_reward
    from redraft.rewards.ratings import Ratings

    config = build(RewardFitConfig, values, source="the configuration")
    with opened_preferences(source) as (data, pictures):
        if not len(data.points):
            raise UsageError(
                f"{source.name} has no stars and no thumbs, which heads are fitted to: use --kind preference"
            )
        entries = data.points
        shown = [pictures.picture(row) for row in data.entry_picture[entries].tolist()]
        if len({picture.shape for picture in shown}) > 1:
            raise UsageError("pictures of several sizes: heads are fitted to pictures of one size; resize them first")
        images = Images(pixels=torch.stack(shown))
        prompts = [data.prompts[row] for row in data.entry_prompt[entries].tolist()]
        ratings = Ratings(images=images, prompts=prompts, labels=data.label, weights=data.point_weight)
        reward = fit_reward(
            _tower(clip), ratings, key=key, config=config,
            clip_folder=stored_clip(clip, folder=source.out),
        )  # fmt: skip
        reward.save(source.out)
    return reward.card.model_dump(mode="json")


def fit_facets(
    source: Source, *, clip: Path | None, values: Mapping[str, Any], key: Key, quiet: bool
) -> dict[str, Any]:
    """The facet model of slider answers, with its card as a page; clip None: ours."""
    from redraft.cli.reward_answers import opened_sliders
    from redraft.cli.screen import Screen
    from redraft.core.config import build
    from redraft.evaluation.facet_page import facet_page
    from redraft.rewards.facets_config import FacetFitConfig
    from redraft.rewards.facets_fit import fit_facets as fit
    from redraft.store.files import write_file

    config = build(FacetFitConfig, values, source="the configuration")
    with opened_sliders(source, facets=config.ordered) as (answers, pictures), Screen(quiet=quiet) as screen:
        screen.stage("fit", f"{len(answers):,} answers by {len(answers.raters):,} people, {len(pictures):,} pictures")
        reward = fit(
            _tower(clip), answers, pictures, key=key, config=config,
            clip_folder=stored_clip(clip, folder=source.out),
            on_pass=lambda done, total, _: screen.progress(done, total),
        )  # fmt: skip
        reward.save(source.out)
        card = reward.card.model_dump(mode="json")
        write_file(source.out / PAGE, facet_page(card, title=f"Facets in {source.out.name}").encode())
    return card


def fit_profile(source: Source, *, base: Path | None, rater: str | None, key: Key) -> dict[str, Any]:
    """The profile of one rater on a preference model."""
    from redraft.cli.reward_answers import opened_preferences
    from redraft.core.protocols import ModelContext
    from redraft.rewards.preference import PreferenceConfig, PreferenceScorer
    from redraft.rewards.profiles import fit_profile as fit

    if base is None or rater is None:
        raise UsageError("a profile needs --base FOLDER, a preference model, and --rater NAME, whose answers count")
    with given_files():
        common = PreferenceScorer.build(PreferenceConfig(), ModelContext(folder=str(base)))
    with opened_preferences(source, rater=rater) as (everybody, pictures):
        data = everybody.of_rater(rater)
        profile = fit(
            common, data, pictures, key=key, rater=rater,
            base_folder=stored_place(base, folder=source.out),
        )  # fmt: skip
        profile.save(source.out)
    return profile.card.model_dump(mode="json")


def _tower(clip: Path | None) -> ClipTower:
    """The CLIP to begin with; None: ours."""
    from redraft.rewards.clip_tower import open_tower

    with given_files():
        return open_tower(clip or builtin_clip())
