"""The studio under SIGKILL: what it acknowledged is there, nothing twice. The benchmark kills 50 times."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.killed_studio import kill_under_load
from tests.conftest import missing_input
from tests.postgresql_cluster import missing_part, running_cluster

KILLS = 3
SENDERS = 8


@pytest.mark.slow
def test_killed_under_load_on_sqlite(tmp_path: Path) -> None:
    check(tmp_path, url=None)


@pytest.mark.slow
@pytest.mark.postgres
def test_killed_under_load_on_postgresql(tmp_path: Path) -> None:
    lacking = missing_part()
    if lacking:
        missing_input(lacking)
    with running_cluster() as cluster:
        check(tmp_path, url=cluster.empty())


def check(folder: Path, *, url: str | None) -> None:
    tally = kill_under_load(folder, url=url, kills=KILLS, senders=SENDERS)
    assert tally.kills == KILLS
    assert tally.refused == []
    assert tally.acknowledged >= KILLS * 2 * SENDERS
    assert tally.resent > 0, "no kill fell into an answer that was under way: this tested nothing"
    assert tally.lost == []
    assert tally.doubled == []
    # What is there and was not acknowledged: at most the answers that were under way at the last moment, all of which
    # were sent again and acknowledged then.
    assert tally.kept == tally.acknowledged
