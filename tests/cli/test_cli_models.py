"""The champion by hand: promote, paint with it, roll back; export for plain diffusers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from answers import Call

from redraft.feedback.answer_ids import answer_id
from redraft.store.answer_records import Answer
from redraft.store.duels import Duel
from redraft.store.people import Consent
from redraft.store.trials import trial_name
from redraft.store.workspace import Workspace


@pytest.fixture
def own(workspace: Path, tmp_path: Path) -> Path:
    shutil.copytree(workspace, tmp_path / "workspace")
    return tmp_path / "workspace"


def test_promote_paint_and_roll_back(call: Call, own: Path, model: Path, tmp_path: Path) -> None:
    (row,) = call("models", "list", "-w", own, "--json").json()["checkpoints"]
    base = row["base"]

    def paint(folder: str) -> tuple[str, bytes]:
        answer = call(
            "generate", "a red star", "-w", own, "-m", model, "--steps", 4, "--seed", 3, "-o", tmp_path / folder,
            "--json",
        )  # fmt: skip
        assert answer.code == 0, answer.err
        result = answer.json()
        return result["checkpoint"], Path(result["pictures"][0]["file"]).read_bytes()

    first_name, first = paint("base")
    assert first_name == base
    promoted = call("models", "promote", "challenger", "-w", own, "-m", base, "--reason", "I like it", "--json").json()
    assert (promoted["alias"], promoted["checkpoint"], promoted["reason"]) == ("champion", row["id"], "I like it")
    second_name, second = paint("champion")
    assert second_name == row["id"][:12]
    # Trained weights paint another picture, from the same noise.
    assert second != first
    rolled = call("models", "rollback", "-w", own, "-m", base, "--json").json()
    assert (rolled["alias"], rolled["checkpoint"]) == ("champion", "")
    assert paint("again") == (first_name, first)
    answer = call("models", "rollback", "-w", own, "-m", base)
    assert answer.code == 2
    assert "nothing to roll back to" in answer.err
    history = call("models", "show", row["id"][:12], "-w", own, "--json").json()["history"]
    assert [live["alias"] for live in history] == ["challenger", "champion", "previous", "champion", "previous"]


def test_what_people_say_of_the_challenger_and_the_move_that_waits_for_them(call: Call, own: Path) -> None:
    (row,) = call("models", "list", "-w", own, "--json").json()["checkpoints"]
    base = row["base"]
    answer = call("models", "duels", "-w", own, "-m", base, "--json")
    assert answer.code == 0, answer.err
    found = answer.json()
    assert (found["challenger"], found["champion"], found["trial"]) == (row["id"], "", 1)
    assert (found["people"], found["evidence"], found["decision"], found["promoted"]) == (0, 1.0, "hold", False)
    with Workspace.open(own) as space:
        for number in range(10):
            user = f"person {number}"
            space.people.create(user, name=user, at=1.0)
            space.people.set_consent(user, Consent(improve=True), at=1.0)
            space.duels.issue(
                Duel(
                    id=f"d{number}",
                    user=user,
                    experiment=trial_name("", row["id"]),
                    prompt_hash="0",
                    prompt="a cat",
                    first=None,
                    second=None,
                    first_checkpoint="",
                    second_checkpoint=row["id"],
                    swapped=False,
                    probability=0.05,
                    issued_at=1.0,
                    expires_at=9.0,
                )
            )
            made = Answer(
                id=answer_id(at=2.0, entropy=number), user=user, kind="duel", subject=f"d{number}", form="duel",
                payload={"choice": "right"}, day="2026-11-02", created_at=2.0, received_at=2.0,
            )  # fmt: skip
            assert space.answers.ingest([made])[0].status == "stored"
    few = call("models", "duels", "-w", own, "-m", base, "--promote")
    assert few.code == 0
    assert "hold: only 10 people have voted, 50 are needed" in few.out
    assert call("models", "duels", "-w", own, "-m", base, "--json").json()["promoted"] is False
    # All ten for it: an evidence of about 63, and trial 1 needs 32.9.
    done = call("models", "duels", "-w", own, "-m", base, "--promote", "--least-people", 10)
    assert "promote: better: 10 people prefer the challenger in 100.0 %" in done.out
    assert f"champion of {base} is now {row['id'][:12]}" in done.out
    history = call("models", "show", row["id"][:12], "-w", own, "--json").json()["history"]
    assert [(live["alias"], live["reason"][:18]) for live in history][-2][1] == "by people: better:"
    # Tried again after a rollback it has the votes that it had.
    call("models", "rollback", "-w", own, "-m", base)
    tried = call("models", "try", row["id"][:6], "-w", own, "--json").json()
    assert (tried["alias"], tried["checkpoint"]) == ("challenger", row["id"])
    assert call("models", "duels", "-w", own, "-m", base, "--json").json()["people"] == 10
    call("models", "promote", row["id"][:6], "-w", own)
    # There is nothing to compare any more.
    over = call("models", "duels", "-w", own, "-m", base)
    assert over.code == 2
    assert "has no challenger in this workspace" in over.err


def test_export_writes_a_lora_file_or_a_pipeline(call: Call, own: Path, model: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    (row,) = call("models", "list", "-w", own, "--json").json()["checkpoints"]
    answer = call("models", "export", row["id"][:12], "-w", own, "-o", tmp_path / "lora", "--json")
    assert answer.code == 0, answer.err
    written = answer.json()
    assert written["checkpoint"].startswith(row["id"][:12])
    files = list((tmp_path / "lora").glob("*.safetensors"))
    assert len(files) == 1
    assert any("lora" in name for name in load_file(files[0]))
    assert call("models", "export", row["id"][:12], "-w", own, "-o", tmp_path / "whole", "--pipeline").code == 0
    assert (tmp_path / "whole" / "model_index.json").is_file()
    # Painted by the exported pipeline as a base of its own: what the champion paints.
    assert call("generate", "a red star", "-w", tmp_path / "new", "-m", tmp_path / "whole", "--steps", 2,
                "-o", tmp_path / "pictures").code == 0  # fmt: skip


def test_nothing_is_there_yet(call: Call, tmp_path: Path) -> None:
    assert "no checkpoint yet" in call("models", "list", "-w", tmp_path).out
    assert "no run yet" in call("runs", "list", "-w", tmp_path).out
    answer = call("models", "promote", "challenger", "-w", tmp_path)
    assert answer.code == 2
    assert "has no challenger" in answer.err
