"""Concepts of a CLIP: what they compute, how they are kept, and how facets are told by them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from redraft.core.errors import DamagedError, UsageError
from redraft.core.keys import Key
from redraft.core.records import FACETS, Prompt
from redraft.core.tensors import Images
from redraft.rewards.clip_tower import open_tower
from redraft.rewards.concepts import CONCEPTS, ConceptGroup, Concepts, read_concepts, write_concepts
from redraft.rewards.facets import open_facets
from redraft.rewards.facets_answers import SliderAnswer, facet_answers
from redraft.rewards.facets_config import MOST_VIEWS, FacetFitConfig
from redraft.rewards.facets_features import VIEWS, PictureFeatures, moved, picture_features
from redraft.rewards.facets_fit import fit_facets
from redraft.rewards.facets_member import stacking_share
from redraft.rewards.facets_training import Examples, fit_members
from redraft.rewards.preference_pictures import PixelPictures

KEY = Key(seed=0)
GROUPS = (
    ConceptGroup(name="place", size=2, kind="number"),
    ConceptGroup(name="count", size=3, kind="one_of"),
    ConceptGroup(name="plate", size=1, kind="yes"),
)
WIDTH, UNITS = 4, 3


def concepts(width: int = WIDTH) -> Concepts:
    return Concepts(
        groups=GROUPS, weight=KEY.child("w").normal((6, width + UNITS)), bias=KEY.child("b").normal((6,)),
        units_weight=KEY.child("u").normal((UNITS, width)), units_bias=KEY.child("v").normal((UNITS,)),
    )  # fmt: skip


def test_numbers_stay_probabilities_are_alone_or_share_one() -> None:
    told, state = concepts(), KEY.child("state").normal((5, WIDTH))
    units = state @ told.units_weight.T + told.units_bias
    units = units / 2 * (1 + torch.erf(units / 2**0.5))
    found, plain = told(state), state @ told.weight[:, :WIDTH].T + units @ told.weight[:, WIDTH:].T + told.bias
    assert torch.allclose(found[:, :2], plain[:, :2], atol=1e-5)
    assert torch.allclose(found[:, 2:5].sum(1), torch.ones(5))
    assert torch.allclose(found[:, 2:5].log().diff(dim=1), plain[:, 2:5].diff(dim=1), atol=1e-5)
    assert torch.allclose(found[:, 5], 1 / (1 + torch.exp(-plain[:, 5])))
    assert len(told) == 6


def test_a_folder_keeps_them_and_most_folders_have_none(tmp_path: Path) -> None:
    assert read_concepts(tmp_path, clip="a", width=WIDTH) is None
    write_concepts(concepts(), folder=tmp_path, clip="a")
    again = read_concepts(tmp_path, clip="a", width=WIDTH)
    assert again is not None
    assert again.groups == GROUPS
    assert torch.equal(again.weight, concepts().weight)
    assert again.identity == concepts().identity != replace(concepts(), bias=torch.zeros(6)).identity


def test_what_does_not_belong_to_the_clip_is_refused(tmp_path: Path) -> None:
    write_concepts(concepts(), folder=tmp_path, clip="a")
    with pytest.raises(DamagedError, match=r"tells of the CLIP a, its folder '.*' holds b: fetch both again"):
        read_concepts(tmp_path, clip="b", width=WIDTH)
    with pytest.raises(
        DamagedError, match=r"weight \(6, 7\) where 6 concepts of a state of 9 by 3 units have \(6, 12\)"
    ):
        read_concepts(tmp_path, clip="a", width=9)
    save_file(
        concepts().tensors, tmp_path / CONCEPTS,
        metadata={"clip": "a", "groups": '[["mood", 1, "colour"]]'},
    )  # fmt: skip
    with pytest.raises(DamagedError, match="a concept of kind 'colour': it must be one of number, yes, one_of"):
        read_concepts(tmp_path, clip="a", width=WIDTH)
    (tmp_path / CONCEPTS).write_bytes(b"nothing")
    with pytest.raises(DamagedError, match=r"cannot be read .*: fetch it again, or delete it to go without"):
        read_concepts(tmp_path, clip="a", width=WIDTH)


def test_a_view_is_the_picture_moved_and_its_border_repeated() -> None:
    picture = torch.arange(9.0).reshape(1, 1, 3, 3).expand(1, 3, 3, 3)
    found = moved(picture, down=1, right=-1)
    assert found[0, 0].tolist() == [[1, 2, 2], [1, 2, 2], [4, 5, 5]]
    assert torch.equal(moved(picture, down=0, right=0), picture)


def test_concepts_are_means_over_views(clip_folder: Path, tmp_path: Path) -> None:
    """The first view is the picture; of a plain picture all are alike; the rest does not depend on them."""
    folder = tmp_path / "clip"
    shutil.copytree(clip_folder, folder)
    width = open_tower(folder).model.config.vision_config.hidden_size
    write_concepts(concepts(width), folder=folder, clip=open_tower(folder).identity)
    tower, inputs = open_tower(folder), KEY.child("inputs").normal((2, 3, 64, 64))
    inputs[1] = 0.3
    assert tower.concepts is not None
    with torch.no_grad():
        one, all_views = (picture_features(tower, inputs, views=views) for views in (1, len(VIEWS)))
        each = [
            tower.concepts(picture_features(tower, moved(inputs, down=down, right=right), views=1).state)
            for down, right in VIEWS
        ]
    assert len(set(VIEWS)) == len(VIEWS) == MOST_VIEWS
    assert torch.equal(one.concepts, tower.concepts(one.state))
    assert torch.allclose(all_views.concepts, torch.stack(each).mean(0), atol=1e-5)
    assert torch.allclose(all_views.concepts[1], one.concepts[1], atol=1e-5)
    assert not torch.allclose(all_views.concepts[0], one.concepts[0], atol=1e-3)
    assert torch.equal(all_views.state, one.state)


def test_the_share_is_that_of_the_least_cross_entropy() -> None:
    """Where one of two predictions is the truth it has all; of two that err to both sides each has half."""
    truth = KEY.child("truth").normal((4000, 4))
    targets = torch.sigmoid(truth)
    noise = KEY.child("noise").normal((4000, 2))
    seen = torch.stack([truth[:, 0], noise[:, 0], truth[:, 2] + 1, noise[:, 1]], 1)
    told = torch.stack([noise[:, 0], truth[:, 1], truth[:, 2] - 1, noise[:, 1]], 1)
    weight = torch.ones(4000, 4)
    weight[:, 3] = 0  # nobody answered
    assert stacking_share(seen, told, targets, weight=weight).tolist() == pytest.approx([0, 1, 0.5, 0])


def planted(count: int = 1600) -> Examples:
    """Concepts tell the first three of six facets, the pooled features the others; the maps tell nothing."""
    pooled, told = KEY.child("pooled").normal((count, 8)), KEY.child("told").normal((count, 6))
    first = torch.sin(2 * told[:, :3]) * told[:, 3:]  # hard to find for whoever does not know the six directions
    logits = torch.cat([2 * first, pooled[:, :3]], 1)
    targets = torch.sigmoid(logits)
    features = PictureFeatures(
        maps=KEY.child("maps").normal((count, 12, 4, 4)), pooled=pooled,
        # The concepts are in the state, but along no axis of its own, and among much else.
        state=torch.cat([told, 3 * KEY.child("else").normal((count, 24))], 1)
        @ torch.linalg.qr(KEY.child("turn").normal((30, 30)))[0],
        energies=torch.zeros(count, 1), concepts=told,
    )  # fmt: skip
    return Examples(
        features=features, mirrored=None, picture=torch.arange(count), text=KEY.child("text").normal((count, 8)),
        targets=targets, mask=KEY.child("mask").uniform(targets.shape) > 0.2, weight=torch.ones(count),
        fold=torch.arange(count) % 2, facets=FACETS,
    )  # fmt: skip


def test_each_facet_is_told_by_what_knows_it() -> None:
    """Without concepts the first three are found worse; with them none is found worse."""
    examples = planted()
    config = FacetFitConfig(members=2, passes=10, width=4, dropout=0.0, decay=0.01, learning_rate=4e-3)
    found = {
        passes: fit_members(examples, key=KEY, config=config.model_copy(update={"concept_passes": passes}))
        for passes in (0, 40)
    }
    error = {
        passes: ((torch.sigmoid(fitted.left_out) - examples.targets).square().mean(0) / examples.targets.var(0))
        for passes, fitted in found.items()
    }
    assert (found[0].share == 0).all()
    assert (found[40].share[:3] > 0.7).all()
    assert (found[40].share[3:] < 0.3).all()
    assert (error[40][:3] < 0.6 * error[0][:3]).all()
    assert (error[40][3:] < error[0][3:] + 0.02).all()


def test_facets_keep_to_the_concepts_they_were_fitted_with(tmp_path: Path, clip_folder: Path) -> None:
    folder = tmp_path / "clip"
    shutil.copytree(clip_folder, folder)
    plain = open_tower(folder)
    assert plain.concepts is None
    write_concepts(concepts(plain.model.config.vision_config.hidden_size), folder=folder, clip=plain.identity)
    tower = open_tower(folder)
    assert tower.concepts is not None
    assert tower.replaced({}).concepts is None
    pixels = KEY.child("pixels").uniform((40, 3, 64, 64))
    answers = [
        SliderAnswer(
            prompt=f"a red star {row}", pictures=(f"{row}",), sliders=dict.fromkeys(FACETS, row % 11), rater="ann"
        )
        for row in range(40)
    ]
    scorer = fit_facets(
        tower, facet_answers(answers, facets=FACETS, pictures={f"{row}": row for row in range(40)}),
        PixelPictures(pixels=pixels), key=KEY, clip_folder=str(folder),
        config=FacetFitConfig(members=2, passes=1, concept_passes=2, width=8),
    )  # fmt: skip
    assert scorer.card.concepts == tower.concepts.identity
    assert len(scorer.card.shares) == len(FACETS)
    assert scorer.card.views == scorer.model.views == len(VIEWS)
    scorer.save(tmp_path / "facets")
    again = open_facets(tmp_path / "facets")
    assert again.model.views == len(VIEWS)
    assert again.fingerprint == scorer.fingerprint
    images, prompts = Images(pixels=pixels[:2]), [Prompt(text="a red star")] * 2
    assert torch.equal(again.score(images, prompts).values, scorer.score(images, prompts).values)
    (folder / CONCEPTS).unlink()
    with pytest.raises(UsageError, match="of its CLIP, this one has none: use the CLIP folder with the concepts"):
        open_facets(tmp_path / "facets")
