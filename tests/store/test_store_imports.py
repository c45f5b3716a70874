"""Imported preferences: each file once, interrupted imports go on, nothing is lost between pages; on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from studio_rows import person

from redraft.core.errors import UnknownNameError
from redraft.store.imports import Import, Preference
from redraft.store.workspace import Workspace


def begin(space: Workspace, id: str = "i1", *, sha256: str = "a" * 64) -> Import:
    return space.imports.begin(id, format="hpd-v2", source="train.json", sha256=sha256, licence="apache-2.0", at=1.0)


def preference(number: int, *, rater: str = "r1") -> Preference:
    return Preference(
        number=number, form="pair", prompt="naïve 猫", content='{"left": "x", "label": [1, 0.5]}', rater=rater
    )


def test_a_file_comes_in_once_and_whole(space: Workspace) -> None:
    entry = begin(space)
    assert (entry.state, entry.stored, entry.finished_at) == ("running", 0, None)
    given = [preference(number) for number in range(1, 26)]
    space.imports.add("i1", given[:10])
    assert begin(space, "another id") == entry, "interrupted here, and begun again"
    space.imports.add("i1", [replace(item, prompt="changed") for item in given[:10]])
    space.imports.add("i1", given[10:])
    space.imports.add("i1", [])
    done = space.imports.finish("i1", refused=3, at=9.0)
    assert done == replace(entry, state="finished", stored=25, refused=3, finished_at=9.0)
    assert begin(space, "another id") == done == space.imports.get("i1")
    found: list[Preference] = []
    while page := space.imports.preferences("i1", after=found[-1].number if found else 0, limit=7):
        found += page
    assert found == given


def test_files_are_apart_and_can_be_removed(space: Workspace) -> None:
    begin(space)
    begin(space, "i2", sha256="b" * 64)
    for id in ("i1", "i2"):
        space.imports.add(id, [preference(1), preference(2, rater="r2")])
    assert [entry.id for entry in space.imports.list()] == ["i1", "i2"]
    assert space.imports.remove_rater("r2") == 2
    space.imports.remove("i1")
    assert [entry.id for entry in space.imports.list()] == ["i2"]
    assert space.imports.preferences("i1") == ()
    assert space.imports.preferences("i2") == (preference(1),)
    assert begin(space, "i3").id == "i3", "a removed file may come in again"


def test_imports_that_were_never_begun(space: Workspace) -> None:
    for call in (
        lambda: space.imports.get("i9"),
        lambda: space.imports.add("i9", [preference(1)]),
        lambda: space.imports.finish("i9", refused=0, at=1.0),
        lambda: space.imports.remove("i9"),
    ):
        with pytest.raises(UnknownNameError, match="import 'i9' is unknown"):
            call()


def test_imported_raters_are_not_people(space: Workspace) -> None:
    person(space, "ann")
    begin(space)
    space.imports.add("i1", [preference(1, rater="ann")])
    space.imports.finish("i1", refused=0, at=2.0)
    assert space.answers.evidence() == ()
    assert next(iter(space.personal_data.rows("ann")))[0] == "users"
    space.erasure.person("ann", receipt="r", at=3.0)
    assert len(space.imports.preferences("i1")) == 1
