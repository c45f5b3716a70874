"""What `redraft reward fit` does for each kind: read the answers, fit, save. The commands stand in `reward`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from redraft.core.keys import Key
    from redraft.rewards.preference_data import PreferenceData
    from redraft.rewards.preference_pictures import FilePictures


def fit_preference(
    answers: Path, out: Path, *, clip: Path, values: Mapping[str, Any], key: Key, quiet: bool
) -> dict[str, Any]:
    """Tune the CLIP; returns its card, as the other two do."""
    from redraft.cli.screen import Screen
    from redraft.core.config import build
    from redraft.rewards.clip_tower import open_tower
    from redraft.rewards.preference_config import PreferenceFitConfig
    from redraft.rewards.preference_fit import fit_preference as fit

    config = build(PreferenceFitConfig, values, source="the configuration")
    data, files = _read(answers)
    with Screen(quiet=quiet) as screen:
        screen.stage("fit", f"{len(data.pairs):,} pairs, {len(data.points):,} ratings, {len(files):,} pictures")

        def on_pass(done: int, total: int, metrics: Mapping[str, float]) -> None:
            screen.progress(done, total)
            screen.note(f"pass {done}: " + ", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))

        reward = fit(open_tower(clip), data, files, key=key, config=config, on_pass=on_pass)
    reward.save(out)
    return reward.card.model_dump(mode="json")


def fit_head(answers: Path, out: Path, *, clip: Path, values: Mapping[str, Any], key: Key) -> dict[str, Any]:
    """Heads fitted to stars and thumbs."""
    import torch

    from redraft.core.config import build
    from redraft.core.tensors import Images
    from redraft.rewards.clip_tower import open_tower
    from redraft.rewards.fit import RewardFitConfig, fit_reward
    from redraft.rewards.picture_files import read_picture
    from redraft.rewards.ratings import Ratings

    config = build(RewardFitConfig, values, source="the configuration")
    data, files = _read(answers)
    if not len(data.points):
        raise UsageError(f"{answers} has no stars and no thumbs, which heads are fitted to: use --kind preference")
    entries = data.points
    shown = [read_picture(files.paths[row]) for row in data.entry_picture[entries].tolist()]
    if len({picture.shape for picture in shown}) > 1:
        raise UsageError("pictures of several sizes: heads are fitted to pictures of one size; resize them first")
    images = Images(pixels=torch.stack(shown))
    prompts = [data.prompts[row] for row in data.entry_prompt[entries].tolist()]
    ratings = Ratings(images=images, prompts=prompts, labels=data.label, weights=data.point_weight)
    reward = fit_reward(open_tower(clip), ratings, key=key, config=config)
    reward.save(out)
    return reward.card.model_dump(mode="json")


def fit_profile(answers: Path, out: Path, *, base: Path | None, rater: str | None, key: Key) -> dict[str, Any]:
    """The profile of one rater on a preference model."""
    from redraft.core.protocols import ModelContext
    from redraft.rewards.preference import PreferenceConfig, PreferenceScorer
    from redraft.rewards.profiles import fit_profile as fit

    if base is None or rater is None:
        raise UsageError("a profile needs --base FOLDER, a preference model, and --rater NAME, whose answers count")
    common = PreferenceScorer.build(PreferenceConfig(), ModelContext(folder=str(base)))
    everybody, files = _read(answers)
    data = everybody.of_rater(rater)
    profile = fit(common, data, files, key=key, rater=rater, base_folder=str(base))
    profile.save(out)
    return profile.card.model_dump(mode="json")


def _read(answers: Path) -> tuple[PreferenceData, FilePictures]:
    from redraft.rewards.preference_data import preference_data
    from redraft.rewards.preference_rows import picture_files, read_preferences

    records = read_preferences(answers)
    files, rows = picture_files(records, folder=answers.parent)
    return preference_data(records, pictures=rows), files
