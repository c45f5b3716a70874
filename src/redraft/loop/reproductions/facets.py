"""The six-facet model from 3,000 slider answers: how much of each facet it explains, and what each facet is good for.

Four stages: pictures, the fit, the examination against the oracle's true facets, and a thousand seeds of asks that
prefer pictures of low confidence. Each is resumable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from redraft.core.errors import DamagedError
from redraft.core.keys import Key
from redraft.core.records import FACETS, Prompt
from redraft.core.tensors import Images
from redraft.loop.reproductions.facets_asks import coverage
from redraft.loop.reproductions.facets_ceilings import against_answers, settled
from redraft.loop.reproductions.facets_examine import (
    ablation,
    clip_scores,
    explained,
    facets_of,
    told_apart,
    uncertainty_tells,
)
from redraft.loop.reproductions.facets_moving import FRAMES, Clips, moving_clips
from redraft.loop.reproductions.facets_page import figure, page
from redraft.loop.reproductions.facets_people import CROWD, ask_sliders, draw_crowd
from redraft.loop.reproductions.facets_pictures import TruePictures, mixed_pictures
from redraft.loop.reproductions.study import Bench, Stage, Study
from redraft.rewards.facets import FacetsScorer, open_facets
from redraft.rewards.facets_answers import FacetAnswers, SliderAnswer, facet_answers
from redraft.rewards.facets_config import TEMPORAL, FacetFitConfig
from redraft.rewards.preference_pictures import PixelPictures
from redraft.store.files import write_file

ANSWERS, EXAMINED = 3000, 1500
CLIP_ANSWERS, CLIP_PAIRS = 300, 300
SEEDS = 1000
MODEL, CLIP = "builtin:sd", "clip"
_KEPT = ("metrics", "alarms", "alarm", "labels", "predictions", "reliability")  # of the card


def _pictures(bench: Bench) -> dict[str, Any]:
    key = Key(seed=bench.seed).child("facets")
    backbone = bench.factory.backbone(MODEL)
    found = {}
    for name, count in (("fit", ANSWERS), ("exam", EXAMINED)):
        bench.say(f"  {count} pictures to {name}")
        pictures = mixed_pictures(backbone, count, key=key.child(name))
        _save(pictures, bench.folder / f"{name}.safetensors")
        found[name] = {
            "pictures": len(pictures), "painted": int(pictures.painted.sum()),
            "mean": dict(zip(FACETS, pictures.facets.mean(0).tolist(), strict=True)),
            "deviation": dict(zip(FACETS, pictures.facets.std(0).tolist(), strict=True)),
        }  # fmt: skip
    return found


def _fit(bench: Bench) -> dict[str, Any]:
    from redraft.evaluation.facet_page import facet_page
    from redraft.rewards.facets_fit import fit_facets

    key = Key(seed=bench.seed).child("facets")
    config = FacetFitConfig(facets=(*FACETS, TEMPORAL))
    seen = _read(bench.folder / "fit.safetensors")
    clips = moving_clips(CLIP_ANSWERS, order="mixed", key=key.child("clips", "fit"))
    answers, pixels = asked(seen, clips, key=key.child("people"), facets=config.ordered)
    tower = bench.factory.scorer(CLIP).tower  # type: ignore[attr-defined]

    def on_pass(done: int, total: int, numbers: Any) -> None:
        if done % 4 == 0:
            bench.say(f"  pass {done} of {total}: loss {numbers['loss']:.4f}")

    scorer = fit_facets(
        tower, answers, PixelPictures(pixels=pixels), key=key.child("fit"), config=config, on_pass=on_pass
    )
    scorer.save(bench.folder / "model")
    content = scorer.card.model_dump(mode="json")
    write_file(bench.folder / "model" / "card.html", facet_page(content, title="Facets of the picture world").encode())
    return {
        "answers": int((~answers.of_clips).sum()), "clip_answers": int(answers.of_clips.sum()), "people": CROWD,
        "touched": {name: float(share) for name, share in zip(
            answers.facets, answers.mask[~answers.of_clips].float().mean(0).tolist(), strict=True
        )},
        "card": {name: content[name] for name in _KEPT},
    }  # fmt: skip


def asked(seen: TruePictures, clips: Clips, *, key: Key, facets: tuple[str, ...]) -> tuple[FacetAnswers, torch.Tensor]:
    """One slider answer about each picture and each clip by a crowd, and all pixels: pictures, then frames."""
    crowd = draw_crowd(CROWD, key=key.child("crowd"))
    stills = ask_sliders(
        seen.facets.numpy(), [prompt.text for prompt in seen.prompts], crowd=crowd, key=key.child("stills"),
        names=[(f"{row}",) for row in range(len(seen))],
    )  # fmt: skip
    frames = [tuple(f"clip {row} frame {place}" for place in range(FRAMES)) for row in range(len(clips.prompts))]
    moving: tuple[SliderAnswer, ...] = ask_sliders(
        clips.facets, [prompt.text for prompt in clips.prompts], crowd=crowd, key=key.child("clips"), names=frames,
        temporal=clips.temporal,
    )  # fmt: skip
    names = [f"{row}" for row in range(len(seen))] + [name for shown in frames for name in shown]
    answers = facet_answers((*stills, *moving), facets=facets, pictures={name: row for row, name in enumerate(names)})
    return answers, torch.cat([seen.pixels, clips.pixels.flatten(0, 1)])


def _examination(bench: Bench) -> dict[str, Any]:
    key = Key(seed=bench.seed).child("facets", "exam")
    tower = bench.factory.scorer(CLIP).tower  # type: ignore[attr-defined]
    scorer = open_facets(bench.folder / "model", tower=tower)
    seen = _read(bench.folder / "exam.safetensors")
    images = Images(pixels=seen.pixels.float() / 255)
    predicted = facets_of(scorer, seen)
    spread = scorer.uncertainty(images, seen.prompts)[:, : len(FACETS)]
    parts = {"all": torch.ones_like(seen.painted), "rendered": ~seen.painted, "painted": seen.painted}
    smooth, shuffled = (
        clip_scores(scorer, moving_clips(CLIP_PAIRS, order=order, key=key.child("clips")))
        for order in ("smooth", "shuffled")
    )
    return {
        "explained": {
            name: explained(predicted[rows], seen.facets[rows], key=key.child("explained", name))
            for name, rows in parts.items()
        },
        "pooled": _pooled(bench, scorer, seen, key=key.child("pooled")),
        "answers": against_answers(predicted, seen, people=CROWD, key=key.child("answers")),
        "settled": settled(seen, key=key.child("settled")),
        "ablation": ablation(scorer, predicted, seen.facets, key=key.child("ablation")),
        "clips": told_apart(smooth, shuffled, key=key.child("told")),
        "uncertainty": uncertainty_tells(spread, predicted, seen.facets),
    }


def _pooled(bench: Bench, scorer: FacetsScorer, seen: TruePictures, *, key: Key) -> dict[str, Any]:
    """The same answers with the CLIP's pooled features alone, the usual way: what its maps add."""
    from redraft.rewards.feature_heads import head_inputs
    from redraft.rewards.fit import fit_head
    from redraft.rewards.fit_config import RewardFitConfig

    people = Key(seed=bench.seed).child("facets", "people")
    fitted = _read(bench.folder / "fit.safetensors")
    nobody = moving_clips(1, order="smooth", key=key.child("unused"))
    answers, _ = asked(fitted, nobody, key=people, facets=(*FACETS, TEMPORAL))
    rows = (~answers.of_clips).nonzero().flatten()
    inputs = []
    for pictures in (fitted, seen):
        image = scorer.tower.image_features(pictures.pixels.float() / 255)
        inputs.append(head_inputs(image, scorer.tower.text_features(pictures.prompts), inputs="alignment"))
    heads = fit_head(
        inputs[0], answers.values[rows][:, : len(FACETS)], key=key.child("fit"), names=FACETS,
        mask=answers.mask[rows][:, : len(FACETS)], groups=tuple(answers.groups[row] for row in rows.tolist()),
        config=RewardFitConfig(hidden=32, optimizer="adamw", l2=1e-3),
    )  # fmt: skip
    return explained(heads.module.predict(inputs[1]).detach(), seen.facets, key=key.child("explained"))


def _asks(bench: Bench) -> dict[str, Any]:
    return {"rows": coverage(SEEDS, key=Key(seed=bench.seed).child("facets", "asks"))}


def _save(pictures: TruePictures, path: Path) -> None:
    from safetensors.torch import save

    tensors = {"pixels": pictures.pixels, "facets": pictures.facets, "painted": pictures.painted}
    texts = "\n".join(prompt.text for prompt in pictures.prompts)
    write_file(path, save(tensors, metadata={"prompts": texts}))


def _read(path: Path) -> TruePictures:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return TruePictures(
                prompts=tuple(Prompt(text=text) for text in file.metadata()["prompts"].split("\n")),
                pixels=file.get_tensor("pixels"), facets=file.get_tensor("facets"), painted=file.get_tensor("painted"),
            )  # fmt: skip
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise DamagedError(f"{path} holds no pictures ({error}): run its stage with --again") from error


REPRODUCTION = Study(
    name="facets",
    title="Six facets from 3,000 slider answers",
    question="How much of each facet does a model on a tiny CLIP explain, does each facet help, and do weights undo "
    "asks that prefer pictures of low confidence?",
    stages=(
        Stage(name="pictures", title=f"{ANSWERS} pictures to fit, {EXAMINED} to examine", run=_pictures),
        Stage(name="fit", title=f"{ANSWERS} answers, {CLIP_ANSWERS} more about clips", run=_fit),
        Stage(name="examination", title="against the true facets", run=_examination),
        Stage(name="asks", title=f"{SEEDS} seeds of biased asks", run=_asks),
    ),
    page=page,
    figure=figure,
)
