"""The benchmarks of the store run on a small amount and give the figures that docs/storage.md names. No timings."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from benchmarks import durable_answers, gallery_pages
from benchmarks.subject import QUICK
from redraft.store.workspace import Workspace


def test_durable_answers_are_counted_on_every_database_there_is() -> None:
    section = durable_answers.measure(amount=replace(QUICK, answers=100))
    names = [figure.name for figure in section.figures]
    assert names[:2] == ["SQLite, single requests", "SQLite, bulk requests of 100"]
    assert "PostgreSQL" in section.note or names[2:] == [name.replace("SQLite", "PostgreSQL") for name in names[:2]]
    assert all(figure.value > 0 for figure in section.figures)


def test_the_rows_that_are_written_past_the_store_are_what_the_store_reads(folder: Path) -> None:
    Workspace.open(folder).close()
    with sqlite3.connect(folder / "redraft.db") as raw:
        before = set(raw.execute("SELECT name, sql FROM sqlite_master"))
        gallery_pages.fill(raw, 200)
        assert set(raw.execute("SELECT name, sql FROM sqlite_master")) == before
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    raw.close()
    with Workspace.open(folder) as space:
        assert len(space.answers.about("u3 3")) == 10
        assert len(space.answers.evidence(limit=10_000)) == 200 + gallery_pages.MINE
        page = space.gallery.page("me", limit=50)
        assert [len(exhibit.answers) for exhibit in page.exhibits] == [1] * 50
        assert space.gallery.page("u3").exhibits[0].painting.id == "u3 3"
        assert gallery_pages.read_pages({200: space}, 5)[200] > 0
