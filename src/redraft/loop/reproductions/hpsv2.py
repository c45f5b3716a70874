"""Preference models, after HPS v2 (arXiv 2306.09341): what 2,000 choices teach a CLIP, and whether it generalises.

Five stages: short checkpoints of a base model, pictures to learn from, pictures of another family, the fit, the
examination. Each is resumable; no scorer of the examination reads the oracle.
"""

from __future__ import annotations

import shutil
from typing import Any

import torch

from redraft.core.keys import Key
from redraft.core.protocols import MethodContext, Scorer
from redraft.loop.painting import paint
from redraft.loop.reproductions.hpsv2_examine import CEILING, OURS, accuracies, rankings, score_album, training_curve
from redraft.loop.reproductions.hpsv2_page import figure, page
from redraft.loop.reproductions.hpsv2_people import as_preferences, ask_people, average_taste
from redraft.loop.reproductions.hpsv2_pictures import (
    BATCH,
    Album,
    Setting,
    paint_album,
    read_album,
    study_prompts,
    true_facets,
)
from redraft.loop.reproductions.hpsv2_training import train_checkpoints
from redraft.loop.reproductions.study import Bench, Stage, Study

FIT_PROMPTS, EXAM_PROMPTS = 2000, 300
CHOICES, EXAM_CHOICES = 2000, 4000
CROWD = 40
SLIP = 0.1
"""Noise of one answer, chosen so that somebody who knew the average taste would foresee about 85 % of the choices."""
SETTINGS = (
    Setting(steps=10, guidance=1.0), Setting(steps=10, guidance=2.5), Setting(steps=10, guidance=5.0),
    Setting(steps=4, guidance=1.0), Setting(steps=3, guidance=2.5), Setting(steps=2, guidance=1.0),
    Setting(steps=1, guidance=1.0),
)  # fmt: skip
RENDERED = Setting(steps=0, guidance=1.0)
FAMILY, OTHER_FAMILY = "builtin:sd", "builtin:sd3"
TRAINED = (0, 100, 200, 400, 600)
SHIPPED_STEPS = 7600
CURVE_PROMPTS = 96
SCORERS = ("clip", "clip-heldout", "heads", "safety", "jpeg-compressibility")
TITLES = {"heads": "aesthetic head", "safety": "safety head", "jpeg-compressibility": "JPEG size"}


def _fit_pictures(bench: Bench) -> dict[str, Any]:
    key = Key(seed=bench.seed).child("hpsv2")
    prompts, _ = study_prompts(fitted=FIT_PROMPTS, examined=EXAM_PROMPTS, key=key)
    backbone = bench.factory.backbone(FAMILY)
    album = paint_album(backbone, prompts, settings=(*SETTINGS, RENDERED), each=2, key=key.child("fit"))
    return _kept(bench, "fit", album, (*SETTINGS, RENDERED))


def _exam_pictures(bench: Bench) -> dict[str, Any]:
    key = Key(seed=bench.seed).child("hpsv2")
    _, prompts = study_prompts(fitted=FIT_PROMPTS, examined=EXAM_PROMPTS, key=key)
    backbone = bench.factory.backbone(OTHER_FAMILY)
    return _kept(
        bench, "exam", paint_album(backbone, prompts, settings=SETTINGS, each=4, key=key.child("exam")), SETTINGS
    )


def _kept(bench: Bench, name: str, album: Album, settings: tuple[Setting, ...]) -> dict[str, Any]:
    album.save(bench.folder / f"{name}.safetensors")
    means = {
        setting.name: album.facets[album.setting == number].mean(0).tolist() for number, setting in enumerate(settings)
    }
    return {"prompts": len(album.prompts), "pictures": album.pixels[:, :, 0, 0, 0].numel(), "facets": means}


def _training(bench: Bench) -> dict[str, Any]:
    key = Key(seed=bench.seed).child("hpsv2")
    _, prompts = study_prompts(fitted=FIT_PROMPTS, examined=EXAM_PROMPTS, key=key)
    asked = prompts[:CURVE_PROMPTS]
    shipped: Any = bench.factory.backbone(FAMILY)
    recipe, noise = shipped.default_recipe(), key.child("curve")
    columns = [paint(shipped, asked, recipe=recipe, key=noise, batch=BATCH).pixels]
    states = bench.folder / f"training-{bench.seed}"
    method = bench.factory.method("sft", context=MethodContext(recipe=recipe, reward=None))
    found = train_checkpoints(shipped, method, steps=TRAINED, folder=states, key=key.child("training"))
    for step in reversed(TRAINED):
        bench.say(f"  painting with the weights of step {step}")
        columns.insert(0, paint(shipped, asked, recipe=recipe, key=noise, batch=BATCH, parameters=found[step]).pixels)
    pixels = torch.stack(columns, 1)
    album = Album(
        prompts=asked, pixels=pixels, facets=true_facets(pixels, asked),
        setting=torch.arange(pixels.shape[1]).expand(len(asked), -1).clone(),
    )  # fmt: skip
    album.save(bench.folder / "training.safetensors")
    shutil.rmtree(states)  # what `--again` trains is trained again
    return {"steps": [*TRAINED, SHIPPED_STEPS], "facets": album.facets.mean(0).tolist()}


def _fit(bench: Bench) -> dict[str, Any]:
    from redraft.rewards.preference_data import preference_data
    from redraft.rewards.preference_fit import fit_preference
    from redraft.rewards.preference_pictures import PixelPictures

    key = Key(seed=bench.seed).child("hpsv2", "choices")
    album = read_album(bench.folder / "fit.safetensors")
    chosen = ask_people(album, CHOICES, crowd=CROWD, slip=SLIP, key=key)
    each = album.pixels.shape[1]
    names = {
        f"{prompt}/{index}": prompt * each + index for prompt in range(len(album.prompts)) for index in range(each)
    }
    data = preference_data(as_preferences(chosen, album), pictures=names)
    start: Any = bench.factory.scorer("clip")
    reward = fit_preference(
        start.tower, data, PixelPictures(pixels=album.pixels.flatten(0, 1)), key=key, name="preference",
        on_pass=lambda done, total, found: bench.say(f"  pass {done} of {total}: {dict(found)}"),
    )  # fmt: skip
    shutil.rmtree(bench.folder / "preference", ignore_errors=True)
    reward.save(bench.folder / "preference")
    return {"choices": len(chosen), "ties": 1 - chosen.strict.double().mean().item(), "card": reward.card.model_dump()}


def _examine(bench: Bench) -> dict[str, Any]:
    key = Key(seed=bench.seed).child("hpsv2", "examination")
    scorers: dict[str, Scorer] = {OURS: bench.factory.scorer(str(bench.folder / "preference"))}
    scorers |= {TITLES.get(name, name): bench.factory.scorer(name) for name in SCORERS}
    album, curve = (read_album(bench.folder / f"{name}.safetensors") for name in ("exam", "training"))
    scores = {name: score_album(scorer, album) for name, scorer in scorers.items()}
    chosen = ask_people(album, EXAM_CHOICES, crowd=CROWD, slip=SLIP, key=key.child("people"))
    found = accuracies(scores, album, chosen, key=key)
    found["ranking"] = rankings(
        scores, album, chosen, names=tuple(setting.name for setting in SETTINGS), key=key.child("ranking")
    )
    bench.say("  the short checkpoints")
    drawn = {name: score_album(scorers[name], curve) for name in (OURS, "clip")}
    drawn[CEILING] = average_taste(curve, key=key)
    found["curve"] = training_curve(drawn, steps=(*TRAINED, SHIPPED_STEPS), key=key.child("curve"))
    found["fingerprints"] = {name: scorer.fingerprint for name, scorer in scorers.items()}
    return found


REPRODUCTION = Study(
    name="hpsv2",
    title="A preference model from 2,000 choices",
    question="Does a CLIP tuned to choices foresee those of other people, on pictures of a model family it never saw?",
    stages=(
        Stage(name="training", title="short checkpoints of a base model", run=_training),
        Stage(name="fit-pictures", title=f"pictures of {FAMILY} to learn from", run=_fit_pictures),
        Stage(name="exam-pictures", title=f"pictures of {OTHER_FAMILY} to examine with", run=_exam_pictures),
        Stage(name="fit", title=f"the fit to {CHOICES:,} choices", run=_fit),
        Stage(name="examination", title="accuracy, ranking of generators, training curve", run=_examine),
    ),
    page=page,
    figure=figure,
)
