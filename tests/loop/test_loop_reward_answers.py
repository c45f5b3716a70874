"""Rewards learn from a workspace's own people: which answers, with which weights, and what an erasure names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from stored_answers import ANNA, PROMPT, painted, sliders, thumb, workspace_with_people

from redraft.cli.reward_answers import Source, opened_preferences, opened_sliders
from redraft.core.errors import UsageError
from redraft.core.records import FACETS
from redraft.loop.answered import slider_answers_in
from redraft.store.schema_feedback import TrainingPersonRow
from redraft.store.workspace import Workspace


def source(folder: Path, *, kind: str = "facets") -> Source:
    return Source(file=None, workspace=folder, question="", kind=kind, out=folder / "reward")


def test_sliders_of_people_with_what_a_fair_fit_needs(tmp_path: Path) -> None:
    with workspace_with_people(tmp_path) as space:
        red, blue = painted(space, "red"), painted(space, "blue")
        sliders(space, red, {"semantics": 7, "safety": 10, "text": "fine"}, probability=0.25)
        sliders(space, blue, {"beauty": 3})
        thumb(space, blue, 1.0)
        (found,) = slider_answers_in(space, facets=FACETS)
        assert (found.prompt, found.pictures, found.rater) == (PROMPT, (red.picture,), ANNA)
        assert found.sliders == {"semantics": 7, "safety": 10}
        assert (found.probability, found.weight) == (0.25, 1.0)
        (own,) = slider_answers_in(space, facets=("beauty",))
        assert (own.sliders, own.probability) == ({"beauty": 3}, 1.0)


def test_sliders_of_people_who_do_not_consent_are_not_learned_from(tmp_path: Path) -> None:
    with workspace_with_people(tmp_path, consent=False) as space:
        sliders(space, painted(space, "red"), {"semantics": 7})
        assert slider_answers_in(space, facets=FACETS) == ()
    with (
        pytest.raises(UsageError, match="holds no answer that a reward of kind 'facets' may learn from"),
        opened_sliders(source(tmp_path), facets=FACETS),
    ):
        pass


def test_a_fit_is_a_run_that_an_erasure_can_name(tmp_path: Path) -> None:
    with workspace_with_people(tmp_path) as space:
        sliders(space, painted(space, "red"), {"semantics": 7})
    with opened_sliders(source(tmp_path), facets=FACETS) as (answers, pictures):
        assert len(answers) == 1
        assert pictures.picture(0)[:, 0, 0].tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(RuntimeError), opened_sliders(source(tmp_path), facets=FACETS):
        raise RuntimeError("the fit failed")
    with Workspace.open(tmp_path) as space:
        done, failed = space.runs.list()
        assert (done.kind, done.status, failed.status) == ("reward", "finished", "failed")
        assert json.loads(done.config) == {"kind": "facets", "folder": str((tmp_path / "reward").resolve())}
        with space.database.reading() as connection:
            rows = connection.execute(sa.select(TrainingPersonRow.run, TrainingPersonRow.user)).all()
        assert sorted(map(tuple, rows)) == [(done.name, ANNA), (failed.name, ANNA)]


def test_choices_and_marks_of_people_for_a_taste(tmp_path: Path) -> None:
    with workspace_with_people(tmp_path) as space:
        thumb(space, painted(space, "red"), 1.0)
        thumb(space, painted(space, "blue"), 0.0)
    with opened_preferences(source(tmp_path, kind="preference")) as (data, pictures):
        assert (len(data.pairs), len(data.points), len(pictures)) == (1, 2, 2)
        assert data.outcome.tolist() == [[1, 0, 0]]
