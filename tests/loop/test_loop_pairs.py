"""People's choices: read from files, folders and the store, oriented, encoded, and trained on by dpo end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import torch
from PIL import Image
from small_cycles import config_for, improve
from stored_answers import ANNA, duel, painted, thumb, workspace_with_people

from redraft.core.errors import UsageError
from redraft.core.feedback import Preference
from redraft.core.protocols import MethodContext
from redraft.core.records import Prompt, Recipe
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.diffusion.levels import flow_levels
from redraft.loop.answered import LARGEST_WEIGHT, preferences_in
from redraft.loop.choices import choices_of, read_choices
from redraft.loop.pairs import encoded, fitted, require_takes_pairs
from redraft.methods.dpo import Dpo, DpoConfig
from redraft.methods.nft import Nft
from redraft.store.schema_feedback import TrainingPersonRow
from redraft.store.workspace import Workspace


def picture(path: Path, colour: str, size: tuple[int, int] = (64, 64)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def answers(folder: Path, *rows: dict[str, Any]) -> Path:
    for name in ("a", "b", "c"):
        picture(folder / f"{name}.png", {"a": "red", "b": "blue", "c": "green"}[name])
    path = folder / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pair(share: list[float], **more: Any) -> dict[str, Any]:
    return {"prompt": "a red star", "pictures": ["a.png", "b.png"], "kind": "pair", "answer": share, **more}


def read_nothing(name: str) -> torch.Tensor:
    raise AssertionError(f"{name} was opened")


def test_the_likelier_picture_is_the_preferred_one_and_ties_are_counted(tmp_path: Path) -> None:
    ranks = {"prompt": "two circles", "pictures": ["a.png", "b.png", "c.png"], "kind": "ranks", "answer": [2, 1, 2]}
    found = read_choices(str(answers(tmp_path, pair([0.2, 0.8]), pair([0.5, 0.5]), ranks)), workspace=None)
    assert [prompt.text for prompt in found.prompts] == ["a red star", "two circles", "two circles"]
    assert found.preferred == ("b.png", "b.png", "b.png")
    assert found.rejected == ("a.png", "a.png", "c.png")
    assert found.probability.tolist() == pytest.approx([0.8, 1.0, 1.0])
    assert found.ties == 2  # the pair, and a with c among the ranks
    assert found.read("b.png")[:, 0, 0].tolist() == [0.0, 0.0, 1.0]


def test_weights_have_mean_one() -> None:
    records = [
        Preference(prompt="p", pictures=("a", "b"), kind="pair", answer=(1.0, 0.0), weight=weight)
        for weight in (1.0, 1.0, 4.0)
    ]
    found = choices_of(records, read=read_nothing, source="test")
    assert found.weight.tolist() == pytest.approx([0.5, 0.5, 2.0])


def test_stars_and_thumbs_of_one_person_are_pairs_of_what_was_rated_unlike() -> None:
    def stars(rater: str, picture: str, value: float) -> Preference:
        return Preference(prompt="p", pictures=(picture,), kind="stars", answer=(value,), rater=rater)

    records = [stars("anna", "a", 2), stars("anna", "b", 5), stars("anna", "c", 5), stars("ben", "d", 1)]
    found = choices_of(records, read=read_nothing, source="test")
    assert sorted(zip(found.preferred, found.rejected, strict=True)) == [("b", "a"), ("c", "a")]


def test_a_folder_of_picture_pairs(tmp_path: Path) -> None:
    for name, text in (("one", "a red star"), ("two", "two circles\n")):
        picture(tmp_path / "preferred" / f"{name}.png", "red")
        picture(tmp_path / "rejected" / f"{name}.webp", "blue")
        (tmp_path / "preferred" / f"{name}.txt").write_text(text)
    found = read_choices(str(tmp_path), workspace=None)
    assert [prompt.text for prompt in found.prompts] == ["a red star", "two circles"]
    assert found.preferred == ("preferred/one.png", "preferred/two.png")
    assert found.rejected == ("rejected/one.webp", "rejected/two.webp")
    assert found.probability.tolist() == [1.0, 1.0]
    (tmp_path / "preferred" / "two.txt").write_text(" ")
    with pytest.raises(UsageError, match=r"two\.txt' is empty: write the text that both pictures"):
        read_choices(str(tmp_path), workspace=None)
    (tmp_path / "rejected" / "two.webp").unlink()
    with pytest.raises(UsageError, match=r"'two' has no partner \(1 such pictures\); a folder of picture pairs holds"):
        read_choices(str(tmp_path), workspace=None)
    picture(tmp_path / "rejected" / "one.png", "blue")
    with pytest.raises(UsageError, match=r"holds 'one.png' and 'one.webp': keep one of them"):
        read_choices(str(tmp_path), workspace=None)


def test_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    ties = answers(tmp_path, pair([0.5, 0.5]), pair([0.5, 0.5]))
    with pytest.raises(UsageError, match=r"--pairs .*answers\.jsonl: there are 2 pairs and none .*ties only.*collect"):
        read_choices(str(ties), workspace=None)
    thumbs = {"prompt": "p", "pictures": ["a.png"], "kind": "thumbs", "answer": [1]}
    with pytest.raises(UsageError, match=r"there are 0 pairs and none with a preferred picture \(no pairs, or ties"):
        read_choices(str(answers(tmp_path, thumbs)), workspace=None)
    ties.write_text("")
    with pytest.raises(UsageError, match=r"holds no answer: give one JSON object a line"):
        read_choices(str(ties), workspace=None)
    with pytest.raises(UsageError, match=r"answers\.jsonl' cannot be read .*No such file"):
        read_choices(str(tmp_path / "none" / "answers.jsonl"), workspace=None)
    with pytest.raises(UsageError, match=r"1 of 2 pictures are missing, .*gone\.png"):
        read_choices(str(answers(tmp_path, {**pair([1, 0]), "pictures": ["a.png", "gone.png"]})), workspace=None)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match=r"holds no picture pair: a folder of picture pairs holds preferred/NAME"):
        read_choices(str(empty), workspace=None)
    with pytest.raises(UsageError, match=r"--pairs answers without a workspace"):
        read_choices("answers", workspace=None)


def test_pictures_of_any_size_are_fitted_to_the_models() -> None:
    """A gradient from left to right: resizing keeps it, the cut takes the middle."""
    wide = torch.linspace(0, 1, 96).expand(3, 32, 96)
    made = fitted(wide, edge=16)
    assert made.shape == (3, 16, 16)
    # The middle third of 0..1, up to half of a pixel of the resized picture at either side.
    assert made[0, 8, 0].item() == pytest.approx(1 / 3, abs=0.02)
    assert made[0, 8, -1].item() == pytest.approx(2 / 3, abs=0.02)
    same = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(fitted(same, edge=16), same)
    assert fitted(torch.ones(3, 8, 9), edge=16).shape == (3, 16, 16)


def test_each_picture_is_opened_once_and_stands_on_its_side() -> None:
    class Sized(ExactBackbone):
        size = 4

    backbone = Sized(Mixture(), latent_shape=(1, 4, 4), dtype=torch.float32)
    shades, opened = {"a": 0.2, "b": 0.5, "c": 0.9}, []

    def read(name: str) -> torch.Tensor:
        opened.append(name)
        return torch.full((3, 4, 4), shades[name])

    records = [
        Preference(prompt="p", pictures=("a", "b"), kind="pair", answer=(1.0, 0.0)),
        Preference(prompt="p", pictures=("a", "c"), kind="pair", answer=(0.0, 1.0)),
    ]
    preferred, rejected = encoded(choices_of(records, read=read, source="test"), backbone=backbone)
    assert sorted(opened) == ["a", "b", "c"]
    assert torch.sigmoid(preferred[:, 0, 0, 0]).tolist() == pytest.approx([0.2, 0.9])
    assert torch.sigmoid(rejected[:, 0, 0, 0]).tolist() == pytest.approx([0.5, 0.2])


def test_only_methods_that_take_pairs_are_given_them() -> None:
    context = MethodContext(recipe=Recipe(levels=flow_levels(4)), reward=None)
    require_takes_pairs(Dpo.build(DpoConfig(), context), name="dpo")
    with pytest.raises(UsageError, match=r"--pairs with nft: it does not train on finished pairs .* use dpo, or leave"):
        require_takes_pairs(Nft, name="nft")


# --- the store's answers --------------------------------------------------------------------------------------------


def test_duels_thumbs_and_stars_of_the_store_become_preferences(tmp_path: Path) -> None:
    with workspace_with_people(tmp_path) as space:
        red, blue, green = (painted(space, colour) for colour in ("red", "blue", "green"))
        duel(space, first=red, second=blue, swapped=True, choice="left")
        duel(space, first=red, second=green, swapped=False, choice="both_bad")
        thumb(space, red, 1.0)
        thumb(space, green, 0.0, probability=0.01)
        first, second, up, down = preferences_in(space)
        # The second one stood on the left and was chosen.
        assert (first.kind, first.pictures, first.answer) == ("pair", (blue.picture, red.picture), (1.0, 0.0))
        assert second.answer == (0.5, 0.5)
        assert (up.kind, up.pictures, up.answer, up.weight, up.rater) == ("thumbs", (red.picture,), (1.0,), 1.0, ANNA)
        assert down.weight == LARGEST_WEIGHT  # 1 / 0.01 would let one answer outweigh a hundred
        found = read_choices("answers", workspace=space)
        pairs = set(zip(found.preferred, found.rejected, strict=True))
        assert pairs == {(blue.picture, red.picture), (red.picture, green.picture)}
        assert (found.ties, found.people) == (1, (ANNA,))
        assert found.read(blue.picture)[:, 0, 0].tolist() == [0.0, 0.0, 1.0]


def test_without_consent_nothing_is_learnt(tmp_path: Path) -> None:
    with workspace_with_people(tmp_path, consent=False) as space:
        duel(space, first=painted(space, "red"), second=painted(space, "blue"), swapped=False, choice="left")
        assert preferences_in(space) == ()
        with pytest.raises(UsageError, match=r"--pairs answers: the workspace .* holds no duel.*people must consent"):
            read_choices("answers", workspace=space)


# --- through the loop -----------------------------------------------------------------------------------------------


def test_dpo_trains_on_peoples_pairs_and_needs_no_reward(model: Path, tmp_path: Path) -> None:
    rows = [pair([1, 0], weight=3.0), pair([0.5, 0.5]), {**pair([0.1, 0.9]), "prompt": "a blue circle"}]
    source = answers(tmp_path / "people", *rows, {**pair([1, 0]), "pictures": ["c.png", "a.png"]})
    config = config_for(
        model, method="dpo", rounds=2, pairs=str(source), fit={"batch_size": 2}, tripwires={"most_drift": 100.0}
    )
    outcome = improve(tmp_path / "space", config)
    assert outcome.reward == "pairs"
    assert "trained" not in {row.role for row in outcome.report.measures}
    assert outcome.checkpoint.lineage.reward_fingerprints == ()
    assert [done.samples for done in outcome.rounds] == [0, 0]
    log = outcome.rounds[0].log
    assert log[0]["loss"] == pytest.approx(0.693, abs=0.3)  # log 2 times the weights of the two pairs drawn
    assert log[0]["margin"] == 0.0
    with Workspace.open(tmp_path / "space") as space:
        made = [entry.stage for entry in space.ledger.entries(outcome.run) if entry.status == "finished"]
    assert made.count("pairs") == 1  # once for both rounds
    assert not any(name.endswith("collect") for name in made)


def test_the_stores_answers_are_trained_on_and_the_run_names_the_people(model: Path, tmp_path: Path) -> None:
    with workspace_with_people(tmp_path) as space:
        red, blue, green = (painted(space, colour) for colour in ("red", "blue", "green"))
        duel(space, first=red, second=blue, swapped=False, choice="left")
        duel(space, first=green, second=blue, swapped=False, choice="right")
    prompts = [Prompt(text=f"harbour number {number} in the evening") for number in range(40)]
    config = config_for(model, method="dpo", pairs="answers", fit={"batch_size": 2}, tripwires={"most_drift": 100.0})
    # Free prompts, and no reward: the held-out scorer watches.
    outcome = improve(tmp_path, config, prompts=prompts)
    assert outcome.reward == "pairs"
    assert outcome.report.measure("clip-heldout") is not None
    with Workspace.open(tmp_path) as space, space.database.reading() as connection:
        rows = connection.execute(sa.select(TrainingPersonRow.run, TrainingPersonRow.user)).all()
    assert [tuple(row) for row in rows] == [(outcome.run, ANNA)]


def test_pairs_for_another_method_are_refused_by_the_loop(model: Path, tmp_path: Path) -> None:
    source = answers(tmp_path / "people", pair([1, 0]))
    with pytest.raises(UsageError, match=r"--pairs with nft"):
        improve(tmp_path / "space", config_for(model, method="nft", pairs=str(source)))
