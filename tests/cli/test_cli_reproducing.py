"""Whole reproductions on a tiny model: every kind of arm, rows that are not made twice, a process that is killed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from answers import Call
from processes import PATIENCE, finish, marks, start

from redraft.cli.measuring import main, measured
from redraft.cli.reproducing import Ended, Reproducing
from redraft.core.errors import RedraftError, UsageError
from redraft.loop.reproductions.catalogue import reproduction
from redraft.store.workspace import Workspace

pytestmark = pytest.mark.slow

SCALE = 0.02
EXAMPLES = {
    "draft": ("lv", "rough-lv", "mix-0.5-0.5", "last-0.5"),
    "rsidiff": ("no-prompts",),
    "agsm": ("agsm", "agsm-cfg-2"),
    "grpo": ("draft",),
    "dpo": ("pairs-16",),
    "safety": ("full", "scale-0.5"),
}
"""One arm of each kind."""


@pytest.fixture
def values(model: Path) -> dict[str, Any]:
    """Below those of all arms."""
    return {
        "model": str(model), "seed": 0, "sampling": {"steps": 3, "guidance_scale": 1.0},
        "adapter": {"rank": 2, "alpha": 2.0},
    }  # fmt: skip


def quiet(text: str) -> None:
    """Says nothing."""


class Here:
    """Runs children in this process, which has imported everything already; remembers which."""

    def __init__(self, call: Call) -> None:
        self.call, self.modules = call, list[str]()

    def __call__(self, arguments: Sequence[str]) -> Ended:
        self.modules.append(arguments[0])
        if arguments[0] == "redraft.cli.measuring":
            answer = json.loads(json.dumps(measured(Path(arguments[1]), Path(arguments[2]))))
        else:
            done = self.call(*arguments[1:])
            if done.code:
                raise RedraftError(done.err)
            answer = json.loads(done.out)
        return Ended(answer=answer, seconds=1.0, peak_memory=1)


def reproducing(name: str, folder: Path, values: dict[str, Any], launch: Here, **changes: Any) -> Reproducing:
    options: dict[str, Any] = {"scale": SCALE, "preset": None, "again": False, **changes}
    return Reproducing(plan=reproduction(name), folder=folder, common=values, launch=launch, say=quiet, **options)


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_a_reproduction_leaves_rows_page_and_figures_and_runs_nothing_twice(
    name: str, call: Call, values: dict[str, Any], tmp_path: Path
) -> None:
    launch, arms = Here(call), EXAMPLES[name]
    each = reproducing(name, tmp_path, values, launch)
    each.run(arms)
    rows = each.write(f"redraft reproduce {name}")
    assert set(rows) == set(arms)
    for row in rows.values():
        effect = row.require(each.plan.metrics[0][0])
        assert effect.low <= effect.difference <= effect.high
    asked = {path.name for path in (tmp_path / name / "work").glob("*.measure.json")}
    assert asked == {f"{arm}.measure.json" for arm in arms}  # none in another's, so that arms may run side by side
    page = (tmp_path / f"{name}.md").read_text()
    assert f"Made by `redraft reproduce {name}`" in page
    assert "Not run yet:" in page
    for figure in [line for line in page.splitlines() if line.startswith("![")]:
        file = figure.partition("](")[2].removesuffix(")")
        assert (tmp_path / file).read_bytes().startswith(b"\x89PNG"), file
    launch.modules.clear()
    reproducing(name, tmp_path, values, launch).run(arms)
    assert launch.modules == []


def test_other_values_are_another_row_and_half_a_row_is_completed(
    call: Call, values: dict[str, Any], tmp_path: Path
) -> None:
    launch = Here(call)
    reproducing("dpo", tmp_path, values, launch).run(("pairs-16",))
    path = tmp_path / "dpo" / "pairs-16.json"
    whole = json.loads(path.read_text())
    half = {name: value for name, value in whole.items() if name not in ("asked", "measured")}
    path.write_text(json.dumps(half))  # as a kill between training and measuring leaves it
    launch.modules.clear()
    reproducing("dpo", tmp_path, values, launch).run(("pairs-16",))
    assert launch.modules == ["redraft.cli.measuring"]
    assert json.loads(path.read_text()) == whole
    launch.modules.clear()
    reproducing("dpo", tmp_path, {**values, "seed": 1}, launch).run(("pairs-16",))
    assert launch.modules == ["redraft.cli.main", "redraft.cli.measuring"]
    assert json.loads(path.read_text())["summary"]["checkpoint"] != whole["summary"]["checkpoint"]


def test_the_page_says_which_rows_are_older_than_a_network_that_ships(
    call: Call, values: dict[str, Any], tmp_path: Path
) -> None:
    each = reproducing("dpo", tmp_path, values, Here(call))
    each.run(("pairs-16",))
    each.write("redraft reproduce dpo")
    page, path = tmp_path / "dpo.md", tmp_path / "dpo" / "pairs-16.json"
    assert "earlier weights" not in page.read_text()
    row = json.loads(path.read_text())
    assert set(row["weights"]) == {"clip", "clip-heldout", "sd", "sd3"}
    path.write_text(json.dumps({**row, "weights": {**row["weights"], "sd3": "0" * 16}}))
    each.write("redraft reproduce dpo")
    assert "Measured with earlier weights of `sd3`: pairs-16." in page.read_text()
    del row["weights"]
    path.write_text(json.dumps(row))
    each.write("redraft reproduce dpo")
    assert "Measured with earlier weights of `clip`: pairs-16." in page.read_text()


def test_a_row_holds_in_another_folder_tells_of_no_disk_and_needs_no_weights(
    call: Call, values: dict[str, Any], tmp_path: Path
) -> None:
    launch, here, there = Here(call), tmp_path / "here", tmp_path / "there"
    reproducing("dpo", here, values, launch).run(("pairs-16",))
    row = here / "dpo" / "pairs-16.json"
    assert str(here) not in row.read_text()
    (there / "dpo").mkdir(parents=True)
    (there / "dpo" / row.name).write_bytes(row.read_bytes())
    launch.modules.clear()
    reproducing("dpo", there, values, launch).run(("pairs-16",))
    assert launch.modules == []
    incomplete = {**json.loads(row.read_text()), "asked": {}}
    (there / "dpo" / row.name).write_text(json.dumps(incomplete))
    with pytest.raises(UsageError, match="run that arm again first: --arms pairs-16 --again"):
        reproducing("dpo", there, values, launch).run(("pairs-16",))


def test_a_reproduction_that_was_killed_begins_the_arm_anew(model: Path, tmp_path: Path) -> None:
    config, folder = tmp_path / "small.toml", tmp_path / "out"
    config.write_text(f'model = "{model}"\n[sampling]\nsteps = 2\n[adapter]\nrank = 2\nalpha = 2.0\n')
    command = ("reproduce", "dpo", "--arms", "pairs-16", "--scale", SCALE, "--folder", folder, "--config", config)
    first = start(command, tmp_path / "first")
    row, workspace = folder / "dpo" / "pairs-16.json", folder / "dpo" / "work" / "pairs-16"
    deadline = time.monotonic() + PATIENCE
    while not marks(workspace, "train-0001"):
        assert first.exitcode is None, (tmp_path / "first.err").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.kill()
    first.join()
    assert not row.is_file()
    code = finish(start([*command, "--json"], tmp_path / "again"))
    assert code == 0, (tmp_path / "again.err").read_text()
    assert json.loads((tmp_path / "again.out").read_text())["rows"] == ["pairs-16"]
    assert {"summary", "measured"} <= set(json.loads(row.read_text()))
    with Workspace.open(workspace) as space:  # not gone on with in a half-trained workspace
        assert [run.status for run in space.runs.list()] == ["finished"]


def test_a_workspace_that_somebody_trains_in_is_left_alone(call: Call, values: dict[str, Any], tmp_path: Path) -> None:
    workspace = tmp_path / "dpo" / "work" / "pairs-16"
    with Workspace.open(workspace) as space:
        space.lease.acquire(run="train-0001", at=time.time())
        with pytest.raises(RedraftError, match="run 'train-0001' is training in this workspace"):
            reproducing("dpo", tmp_path, values, Here(call)).run(("pairs-16",))
    assert (workspace / "redraft.db").is_file()


def test_the_measuring_process_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"run": {}, "contestant": {"share": 2}}))
    assert main([str(request), str(tmp_path)]) == 2
    assert "contestant.share = 2: Input should be less than or equal to 1" in capsys.readouterr().err
    assert main([]) == 2
    assert "0 arguments: give the request and the folder" in capsys.readouterr().err


def test_options_of_the_command_are_checked_before_anything_runs(call: Call, tmp_path: Path) -> None:
    for arguments, message in (
        (("--scale", "-1"), "--scale -1: give a factor above 0"),
        (("--preset", "published"), "published-small"),
        (("--arms", "zzz"), "has no arm 'zzz'"),
    ):
        answer = call("reproduce", "draft", "--folder", tmp_path / "out", *arguments)
        assert answer.code == 2
        assert message in answer.err
    assert not (tmp_path / "out").exists()
