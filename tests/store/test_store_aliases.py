"""Aliases: moves, rollback against a model of it, append-only history, races."""

from __future__ import annotations

import dataclasses
import random
import sqlite3
from collections.abc import Callable
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from redraft.core.errors import BusyError, UnknownNameError, UsageError
from redraft.core.records import Lineage, Live
from redraft.store.workspace import Workspace

BASE = "builtin:sd"


@pytest.fixture
def ids(workspace: Workspace, lineage: Lineage) -> list[str]:
    """Four checkpoints of one base."""
    return [workspace.checkpoints.put(bytes([n]), kind="lora", lineage=lineage, at=float(n)).id for n in range(4)]


def where(workspace: Workspace, alias: str) -> str | None:
    live = workspace.aliases.current(BASE, alias)  # type: ignore[arg-type]
    return None if live is None else live.checkpoint


def test_moving_the_champion_enters_the_previous_one(workspace: Workspace, ids: list[str]) -> None:
    assert where(workspace, "champion") is None
    live = workspace.aliases.move(BASE, ids[0], reason="better by 12 points", at=5.0)
    assert live == Live(alias="champion", base=BASE, checkpoint=ids[0], reason="better by 12 points", at=5.0)
    assert workspace.aliases.current(BASE) == live
    assert where(workspace, "previous") == "", "before the first champion the base itself was served"
    workspace.aliases.move(BASE, ids[1], reason="again", at=6.0)
    assert (where(workspace, "champion"), where(workspace, "previous")) == (ids[1], ids[0])
    assert [(item.alias, item.checkpoint) for item in workspace.aliases.history(BASE)] == [
        ("champion", ids[0]),
        ("previous", ""),
        ("champion", ids[1]),
        ("previous", ids[0]),
    ]


def test_a_challenger_leaves_the_others_alone(workspace: Workspace, ids: list[str]) -> None:
    workspace.aliases.move(BASE, ids[0], reason="", at=1.0)
    workspace.aliases.move(BASE, ids[1], alias="challenger", reason="canary", at=2.0)
    workspace.aliases.move(BASE, ids[2], alias="challenger", reason="canary", at=3.0)
    assert [where(workspace, alias) for alias in ("champion", "challenger", "previous")] == [ids[0], ids[2], ""]
    assert {live.alias: live.checkpoint for live in workspace.aliases.list()} == {
        "champion": ids[0],
        "challenger": ids[2],
        "previous": "",
    }


def test_a_repeated_move_does_no_harm(workspace: Workspace, ids: list[str]) -> None:
    workspace.aliases.move(BASE, ids[0], reason="", at=1.0)
    first = workspace.aliases.move(BASE, ids[1], reason="promoted", at=2.0, expected=ids[0])
    # A run that was killed after the move and resumed moves once more, still expecting the old champion.
    assert workspace.aliases.move(BASE, ids[1], reason="promoted", at=9.0, expected=ids[0]) == first
    assert where(workspace, "previous") == ids[0]


def test_a_move_decided_against_another_champion_is_refused(workspace: Workspace, ids: list[str]) -> None:
    workspace.aliases.move(BASE, ids[0], reason="", at=1.0)
    before = workspace.aliases.history(BASE)
    with pytest.raises(BusyError, match=rf"champion of 'builtin:sd' is {ids[0][:12]}.*decided against the base itself"):
        workspace.aliases.move(BASE, ids[1], reason="", at=2.0, expected="")
    assert workspace.aliases.history(BASE) == before


def test_moves_that_make_no_sense(workspace: Workspace, ids: list[str], lineage: Lineage) -> None:
    foreign = workspace.checkpoints.put(
        b"x", kind="lora", lineage=dataclasses.replace(lineage, base="builtin:sd3"), at=1.0
    )
    with pytest.raises(UnknownNameError, match=r"checkpoint 'ffff' is unknown"):
        workspace.aliases.move(BASE, "ffff", reason="", at=1.0)
    with pytest.raises(UsageError, match=r"was trained from 'builtin:sd3': it cannot serve for 'builtin:sd'"):
        workspace.aliases.move(BASE, foreign.id, reason="", at=1.0)
    with pytest.raises(UsageError, match=r"'previous' follows the champion: move 'champion' or use rollback"):
        workspace.aliases.move(BASE, ids[0], alias="previous", reason="", at=1.0)
    with pytest.raises(UnknownNameError, match=r"alias 'champoin' is unknown: did you mean 'champion'\?"):
        workspace.aliases.move(BASE, ids[0], alias="champoin", reason="", at=1.0)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="there is nothing to roll back to"):
        workspace.aliases.rollback(BASE, reason="", at=1.0)
    assert workspace.aliases.history(BASE) == ()


def test_bases_have_aliases_of_their_own(workspace: Workspace, ids: list[str], lineage: Lineage) -> None:
    other = workspace.checkpoints.put(
        b"x", kind="lora", lineage=dataclasses.replace(lineage, base="builtin:sd3"), at=1.0
    )
    workspace.aliases.move(BASE, ids[0], reason="", at=1.0)
    workspace.aliases.move("builtin:sd3", other.id, reason="", at=2.0)
    workspace.aliases.rollback(BASE, reason="", at=3.0)
    champion = workspace.aliases.current("builtin:sd3")
    assert champion is not None
    assert champion.checkpoint == other.id


def test_rollback_goes_further_back_each_time(workspace: Workspace, ids: list[str]) -> None:
    for number, checkpoint in enumerate((ids[0], ids[1], ids[0])):
        workspace.aliases.move(BASE, checkpoint, reason="", at=float(number))
    served = [(workspace.aliases.rollback(BASE, reason="worse", at=9.0).checkpoint, where(workspace, "previous"))]
    served += [(workspace.aliases.rollback(BASE, reason="worse", at=9.0).checkpoint, where(workspace, "previous"))]
    served += [(workspace.aliases.rollback(BASE, reason="worse", at=9.0).checkpoint, where(workspace, "previous"))]
    assert served == [(ids[1], ids[0]), (ids[0], ""), ("", "")]
    with pytest.raises(UsageError, match="nothing to roll back to"):
        workspace.aliases.rollback(BASE, reason="worse", at=9.0)


def test_random_moves_agree_with_a_stack_and_only_add(workspace: Workspace, ids: list[str]) -> None:
    """The model is a plain list: a move pushes, a rollback pops; the base lies at its bottom."""
    draws = random.Random(5)
    stack = [""]
    history: tuple[Live, ...] = ()
    for step in range(120):
        if draws.random() < 0.5:
            chosen = draws.choice([*ids, ""])
            workspace.aliases.move(BASE, chosen, reason="move", at=float(step))
            if chosen != stack[-1]:
                stack.append(chosen)
        elif len(stack) > 1:
            workspace.aliases.rollback(BASE, reason="back", at=float(step))
            stack.pop()
        assert (where(workspace, "champion") or "") == stack[-1]
        if len(stack) > 1:
            assert where(workspace, "previous") == stack[-2]
        longer = workspace.aliases.history(BASE)
        assert longer[: len(history)] == history
        history = longer
    assert len(history) > 100


@pytest.mark.parametrize("statement", ["UPDATE aliases SET reason = 'forged'", "DELETE FROM aliases"])
def test_the_database_refuses_to_change_history(
    workspace: Workspace, ids: list[str], folder: Path, statement: str
) -> None:
    workspace.aliases.move(BASE, ids[0], reason="true", at=1.0)
    with (
        pytest.raises(sqlite3.IntegrityError, match="aliases is append-only"),
        sqlite3.connect(folder / "redraft.db") as raw,
    ):
        raw.execute(statement)
    assert workspace.aliases.history(BASE)[0].reason == "true"


def promote(folder: Path, checkpoint: str, barrier: object, outcomes: object) -> None:
    with Workspace.open(folder) as workspace:
        barrier.wait()  # type: ignore[attr-defined]
        try:
            workspace.aliases.move(BASE, checkpoint, reason="", at=1.0, expected="")
            outcomes.put("moved")  # type: ignore[attr-defined]
        except BusyError:
            outcomes.put("busy")  # type: ignore[attr-defined]


def test_of_racing_promotions_against_one_incumbent_one_wins(
    folder: Path, lineage: Lineage, start: Callable[..., BaseProcess], fork: ForkContext
) -> None:
    with Workspace.open(folder) as workspace:
        ids = [workspace.checkpoints.put(bytes([n]), kind="lora", lineage=lineage, at=1.0).id for n in range(4)]
    barrier, outcomes = fork.Barrier(4), fork.Queue()
    processes = [start(promote, folder, checkpoint, barrier, outcomes) for checkpoint in ids]
    found = sorted(outcomes.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert found == ["busy", "busy", "busy", "moved"]
    with Workspace.open(folder) as workspace:
        assert [live.alias for live in workspace.aliases.history(BASE)] == ["champion", "previous"]
