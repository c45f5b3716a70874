"""The six-facet model: what it learns from sliders, what it refuses, how it is kept, and its blend."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from redraft.core.errors import ConfigError, DamagedError, UsageError
from redraft.core.keys import Key
from redraft.core.records import FACETS, Prompt
from redraft.core.tensors import Images
from redraft.evaluation.facet_page import facet_page
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.facets import FacetsConfig, FacetsScorer, open_facets
from redraft.rewards.facets_answers import FacetAnswers, SliderAnswer, facet_answers
from redraft.rewards.facets_clips import clip_features
from redraft.rewards.facets_config import TEMPORAL, FacetFitConfig
from redraft.rewards.facets_features import PictureFeatures, picture_features
from redraft.rewards.facets_fit import _column_metrics, fit_facets
from redraft.rewards.facets_network import network_like
from redraft.rewards.facets_training import Examples, _Trainer, fit_members, folds
from redraft.rewards.preference_pictures import PixelPictures
from redraft.testing import check_scorer
from redraft.testing.scorers import PROMPTS
from redraft.world import draw_prompts

KEY = Key(seed=0)
SMALL = FacetFitConfig(facets=(*FACETS, TEMPORAL), members=2, passes=1, width=8)
STILLS, CLIPS, FRAMES = 60, 24, 3


def world_answers(key: Key) -> tuple[FacetAnswers, torch.Tensor]:
    """Sliders about pictures and clips of noise, told by the mean of a colour; safety is never rated."""
    import numpy as np

    prompts = draw_prompts(np.random.default_rng(key.entropy), STILLS + CLIPS)
    pixels = key.child("pixels").uniform((STILLS + CLIPS * FRAMES, 3, 64, 64))
    answers = []
    for row, prompt in enumerate(prompts):
        clip = row >= STILLS
        first = row if not clip else STILLS + (row - STILLS) * FRAMES
        names = tuple(f"{first + frame}" for frame in range(FRAMES if clip else 1))
        sliders = {name: int(10 * pixels[first, place % 3].mean() > 5) * 10 for place, name in enumerate(FACETS[:5])}
        sliders |= {TEMPORAL: row % 11} if clip else {}
        answers.append(SliderAnswer(
            prompt=prompt.text, pictures=names, sliders=sliders, rater=f"{row % 7}", probability=0.5 + 0.5 * (row % 2)
        ))  # fmt: skip
    rows = {f"{row}": row for row in range(len(pixels))}
    return facet_answers(answers, facets=SMALL.ordered, pictures=rows), pixels


@pytest.fixture(scope="module")
def fitted(clip_folder: Path) -> FacetsScorer:
    answers, pixels = world_answers(KEY.child("world"))
    return fit_facets(
        open_tower(clip_folder), answers, PixelPictures(pixels=pixels), key=KEY.child("fit"), config=SMALL
    )


def planted(count: int = 1600) -> Examples:
    """Features whose pooled part tells six facets, with noise, and a mask that hides 40 %; the maps say nothing."""
    dimension = 8
    pooled, text = KEY.child("pooled").normal((count, dimension)), KEY.child("text").normal((count, dimension))
    truth = torch.sigmoid(pooled @ KEY.child("truth").normal((dimension, len(FACETS))) / 4)
    values = (truth + 0.02 * KEY.child("noise").normal(truth.shape)).clamp(0, 1)
    features = PictureFeatures(
        maps=KEY.child("maps").normal((count, 12, 4, 4)),
        pooled=pooled,
        state=torch.zeros(count, 2),
        energies=torch.zeros(count, 1),
        concepts=torch.zeros(count, 0),
    )
    return Examples(
        features=features, mirrored=None, picture=torch.arange(count), text=text, targets=values,
        mask=KEY.child("mask").uniform(values.shape) > 0.4, weight=torch.ones(count),
        fold=torch.arange(count) % 2, facets=FACETS,
    )  # fmt: skip


PLANTED = FacetFitConfig(members=2, passes=10, width=4, dropout=0.0, decay=0.01, learning_rate=4e-3)


def test_planted_facets_are_found_through_masks() -> None:
    """Each member sees half of 1,600 pictures and 60 % of their sliders; of what it left out it explains 0.9."""
    examples = planted()
    left_out = torch.sigmoid(fit_members(examples, key=KEY, config=PLANTED).left_out)
    error = (left_out - examples.targets).square().mean(0)
    assert (1 - error / examples.targets.var(0) > 0.9).all()


def test_a_facet_nobody_rated_keeps_its_start_and_the_others_do_not_care_what_its_labels_are() -> None:
    examples = planted(count=120)
    hidden = examples.mask.clone()
    hidden[:, 2] = False
    quick = PLANTED.model_copy(update={"passes": 1})
    found = [
        fit_members(replace(examples, mask=hidden, targets=targets), key=KEY, config=quick).left_out
        for targets in (examples.targets, torch.where(hidden, examples.targets, 1 - examples.targets))
    ]
    assert torch.equal(found[0], found[1])
    assert (found[0][:, 2] == 0).all()
    assert (found[0][:, 0] != 0).all()


def test_an_answer_of_weight_two_counts_as_two_answers() -> None:
    """The loss of a batch is sum m q l / sum m q, so its gradient too is that of the repeated answers."""
    examples = planted(count=40)
    weight = torch.where(torch.arange(40) % 4 < 2, 2.0, 1.0)
    rows = torch.arange(40).repeat_interleave(weight.long())
    doubled = replace(
        examples, picture=rows, text=examples.text[rows], targets=examples.targets[rows], mask=examples.mask[rows],
        weight=torch.ones(len(rows)), fold=examples.fold[rows],
    )  # fmt: skip
    network = network_like(examples.features, facets=len(FACETS), width=4, key=KEY)
    with torch.no_grad():
        network.output.weight.copy_(KEY.child("output").normal(network.output.weight.shape))
    gradients = []
    for each in (replace(examples, weight=weight), doubled):
        everybody = torch.arange(len(each.targets))
        trainer = _Trainer(network, each, everybody, passes=10, decay=0.01, config=PLANTED, key=KEY)
        loss = trainer._loss(everybody, KEY)
        gradients.append(torch.autograd.grad(loss, network.hidden.weight)[0])
    assert gradients[0].abs().max() > 1e-4
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-3, atol=1e-7)


def test_folds_hold_prompts_together_and_none_is_empty() -> None:
    groups = tuple(f"prompt {row % 40}" for row in range(200))
    fold = folds(groups, members=4)
    assert all(len({fold[row].item() for row in range(number, 200, 40)}) == 1 for number in range(40))
    assert set(fold.tolist()) == {0, 1, 2, 3}
    with pytest.raises(UsageError, match="answers about 1 prompts for 4 members"):
        folds(("one",), members=4)


def test_the_same_answers_give_the_same_weights(tower: ClipTower, fitted: FacetsScorer) -> None:
    answers, pixels = world_answers(KEY.child("world"))
    torch.manual_seed(1)  # nothing of it may matter
    again = fit_facets(tower, answers, PixelPictures(pixels=pixels), key=KEY.child("fit"), config=SMALL)
    assert again.fingerprint == fitted.fingerprint
    assert again.card == fitted.card


def test_scores_are_masked_where_there_is_nothing_to_say(fitted: FacetsScorer) -> None:
    pixels = KEY.child("seen").uniform((4, 3, 64, 64))
    prompts = [Prompt(text="a red star")] * 4
    stills = fitted.score(Images(pixels=pixels), prompts)
    assert stills.names == ("facets", *FACETS, TEMPORAL)
    assert not stills.mask[:, stills.names.index("safety")].any()  # nobody rated it
    assert not stills.mask[:, 0].any()  # and without safety there is no blend
    assert not stills.mask[:, -1].any()
    clips = fitted.score(Images(pixels=pixels[:, None].repeat(1, 3, 1, 1, 1)), prompts)
    assert clips.mask[:, -1].all()
    # Three equal frames are as good as one in what a picture has.
    assert torch.allclose(clips.head("aesthetics"), stills.head("aesthetics"), atol=1e-5)
    assert fitted.uncertainty(Images(pixels=pixels), prompts)[:, 0].gt(0).all()


def test_a_clip_needs_three_frames(fitted: FacetsScorer) -> None:
    with pytest.raises(UsageError, match="a clip of 2 frames"):
        fitted.score(Images(pixels=torch.zeros(1, 2, 3, 64, 64)), [Prompt(text="a red star")])


def test_a_steady_clip_is_shorter_than_the_same_frames_shuffled(tower: ClipTower) -> None:
    way = torch.linspace(0, 1, 5)[:, None, None, None]
    frames = picture_features(
        tower, (1 - way) * KEY.child("a").normal((3, 64, 64)) + way * KEY.child("b").normal((3, 64, 64)), views=1
    )
    steady, shuffled = (
        clip_features(frames, count=5),
        clip_features(frames.take(torch.tensor([2, 0, 4, 1, 3])), count=5),
    )
    assert torch.allclose(steady[:, 1::4], shuffled[:, 1::4], atol=1e-5)  # the frames are the same
    assert (steady[:, 0::4] < shuffled[:, 0::4] - 0.2).all()


def rated(fitted: FacetsScorer) -> FacetsScorer:
    """The same model as if people had rated safety too, so that there is a blend."""
    card = fitted.card.model_copy(update={"rated": (True,) * len(fitted.card.rated)})
    fitted.model.rated = torch.tensor(card.rated)
    return FacetsScorer(fitted.model, card=card)


def test_it_is_saved_and_opened_again(tmp_path: Path, tower: ClipTower, fitted: FacetsScorer) -> None:
    fitted.save(tmp_path)
    again = open_facets(tmp_path, tower=tower)
    assert again.fingerprint == fitted.fingerprint
    assert json.loads((tmp_path / "card.json").read_text())["kind"] == "facets"
    clips = Images(pixels=KEY.child("clips").uniform((2, 3, 3, 64, 64)))
    prompts = [Prompt(text="a red star"), Prompt(text="a blue moon")]
    first, second = fitted.score(clips, prompts), again.score(clips, prompts)
    assert torch.equal(first.values[first.mask], second.values[second.mask])
    content = bytearray((tmp_path / "facets.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "facets.safetensors").write_bytes(content)
    with pytest.raises(DamagedError, match="the files are damaged or of two fits"):
        open_facets(tmp_path, tower=tower)
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(DamagedError, match=r"card.json is not a card of facets"):
        open_facets(tmp_path, tower=tower)
    (tmp_path / "card.json").unlink()
    with pytest.raises(UsageError, match=r"has no card.json"):
        open_facets(tmp_path, tower=tower)


def test_it_is_a_scorer(fitted: FacetsScorer) -> None:
    """On clips, for on stills the seventh facet is masked."""
    check_scorer(rated(fitted), images=Images(pixels=KEY.child("clips").uniform((len(PROMPTS), 3, 3, 64, 64))))


def test_the_blend_has_a_gradient_and_an_unsafe_picture_is_never_bought_back(fitted: FacetsScorer) -> None:
    scorer = rated(fitted)
    pixels = KEY.child("pixels").uniform((2, 3, 64, 64)).requires_grad_(True)
    scorer.score_pixels(pixels, [Prompt(text="a red star")] * 2).sum().backward()
    assert pixels.grad is not None
    assert pixels.grad.abs().sum() > 0
    worst, best = torch.zeros(1, 7), torch.ones(1, 7)
    worst[:, 5], best[:, 5] = 0.5, 0.0
    assert scorer._blend(best) < scorer._blend(worst)


def test_caution_takes_the_ensembles_spread_off(fitted: FacetsScorer) -> None:
    scorer = rated(fitted)
    careful = FacetsScorer(scorer.model, card=scorer.card, config=FacetsConfig(caution=1.0))
    images, prompts = Images(pixels=KEY.child("x").uniform((3, 3, 64, 64))), [Prompt(text="a red star")] * 3
    difference = scorer.score(images, prompts).head("coherence") - careful.score(images, prompts).head("coherence")
    assert torch.allclose(difference, scorer.uncertainty(images, prompts)[:, 3], atol=1e-6)
    assert careful.fingerprint != scorer.fingerprint


def test_a_facet_of_equal_answers_says_the_same_of_every_picture(tower: ClipTower) -> None:
    """Every slider of coherence at 7 and of safety at 10: no R², a warning on the page, and no noise in the blend."""
    answers, pixels = world_answers(KEY.child("world"))
    values, mask = answers.values.clone(), answers.mask.clone()
    values[:, 3], values[:, 5], mask[:, 5] = 0.7, 1.0, True
    alike = replace(answers, values=values, mask=mask)
    config = SMALL.model_copy(update={"shrink": False})
    made = fit_facets(tower, alike, PixelPictures(pixels=pixels), key=KEY.child("alike"), config=config)
    assert made.card.constant == ("coherence", "safety")
    assert "coherence/r2" not in made.card.metrics
    assert made.card.metrics["semantics/r2"] > -10
    assert made.card.standards["coherence"].std < 1e-6
    page = facet_page(made.card.model_dump(mode="json"))
    assert "All answers of coherence, safety are the same" in page
    images = Images(pixels=KEY.child("x").uniform((6, 3, 64, 64)))
    scores = made.score(images, [Prompt(text="a red star")] * 6)
    assert scores.head("coherence").tolist() == pytest.approx([0.7] * 6, abs=1e-6)
    only = FacetsScorer(made.model, card=made.card, config=FacetsConfig(weights={"coherence": 1.0}))
    assert only.score(images, [Prompt(text="a red star")] * 6).head("facets").abs().max() < 1e-3


@pytest.mark.parametrize(("last", "told"), [(0.7, False), (0.8, True)])
def test_rounding_is_no_variance_to_explain(last: float, told: bool) -> None:
    answered = torch.full((30,), 0.7)
    answered[-1] = last
    assert ("r2" in _column_metrics(torch.full((30,), 0.71), answered)) == told


def test_wrong_options_answers_and_clips_are_refused(fitted: FacetsScorer, tower: ClipTower) -> None:
    with pytest.raises(ConfigError, match="safety is a constraint"):
        FacetsScorer(fitted.model, card=fitted.card, config=FacetsConfig(weights={"safety": 1.0}))
    other = fitted.card.model_copy(update={"clip": "0" * 16})
    with pytest.raises(UsageError, match="was fitted on the CLIP 0000000000000000"):
        FacetsScorer(fitted.model, card=other)
    answers, pixels = world_answers(KEY.child("world"))
    with pytest.raises(UsageError, match="make them with the facets of the configuration"):
        fit_facets(tower, answers, PixelPictures(pixels=pixels), key=KEY, config=FacetFitConfig())


def test_the_card_is_drawn_as_one_page(fitted: FacetsScorer) -> None:
    page = facet_page(fitted.card.model_dump(mode="json"), title="Ours <1>")
    assert "Ours &lt;1&gt;" in page
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page.replace("http-equiv", "")
    assert all(name in page for name in (*FACETS, TEMPORAL))
    with pytest.raises(UsageError, match="no card of facets"):
        facet_page({"kind": "preference"})


def test_a_network_of_a_finer_grid_averages_its_maps() -> None:
    features = PictureFeatures(
        maps=torch.zeros(2, 5, 8, 8),
        pooled=torch.zeros(2, 4),
        state=torch.zeros(2, 6),
        energies=torch.zeros(2, 3),
        concepts=torch.zeros(2, 0),
    )
    network = network_like(features, facets=6, width=4, key=KEY)
    assert network(features, torch.zeros(2, 4)).shape == (2, 6)


def test_the_state_is_heard_along_its_principal_axes_however_small() -> None:
    """A direction with a hundredth of the largest deviation counts as much; one that is constant stays finite."""
    drawn = KEY.child("state").normal((400, 3)) * torch.tensor([10.0, 0.5, 0.0])
    turn = torch.linalg.qr(KEY.child("turn").normal((3, 3)))[0]
    features = PictureFeatures(
        maps=torch.zeros(400, 5, 8, 8),
        pooled=torch.zeros(400, 4),
        state=drawn @ turn,
        energies=torch.zeros(400, 3),
        concepts=torch.zeros(400, 0),
    )
    network = network_like(features, facets=6, width=4, key=KEY)
    network.standardise(features, torch.zeros(400, 4))
    heard = features.state @ network.get_buffer("state_axes")
    assert torch.isfinite(heard).all()
    assert heard.var(0).tolist() == pytest.approx([0, 0.5**2 / (0.5**2 + 10**2 * 1e-4), 1], abs=0.05)
    assert torch.corrcoef(heard[:, 1:].T)[0, 1].abs() < 0.01
