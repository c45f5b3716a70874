"""`redraft study`: blind forced-choice studies of two systems' pictures: make one, invite people, read the table."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redraft.cli import options
from redraft.cli.options import DEFAULT_WORKSPACE, print_json
from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from redraft.store.studies import Study
    from redraft.store.workspace import Workspace
    from redraft.studio.studying import NewPair, StudyReport

app = typer.Typer(help="Blind studies: which of two pictures is better, which fits the text.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="Id of the study, as `redraft study list` shows it.")]
Title = Annotated[str, typer.Option("--title", "-t", help="What participants read above the pairs.")]
Run = Annotated[str | None, typer.Option("--run", help="Pairs from this run's examination: live model and candidate.")]
PairsFile = Annotated[
    Path | None,
    typer.Option("--pairs", help="JSONL of {prompt, first, second[, first_system, second_system]}; paths beside it."),
]
Count = Annotated[int, typer.Option("--count", min=1, help="With --run: how many pairs to draw.")]
Each = Annotated[int, typer.Option("--each", min=1, help="Pairs that each participant judges.")]
Repeats = Annotated[int, typer.Option("--repeats", min=0, help="Pairs that come twice, to see who answers steadily.")]
Invited = Annotated[bool, typer.Option("--invited-only", help="Not for everybody with an account: by links only.")]
Introduction = Annotated[str, typer.Option("--introduction", help="What participants read before they begin.")]


@app.command("create")
def create(
    title: Title,
    run: Run = None,
    pairs: PairsFile = None,
    count: Count = 60,
    each: Each = 20,
    repeats: Repeats = 3,
    invited_only: Invited = False,
    introduction: Introduction = "",
    seed: options.Seed = None,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Make a study of a run's pictures, or of your own. Example: redraft study create -t Cats --run improve-0001"""
    from redraft.store.workspace import Workspace
    from redraft.studio.studying import StudyPlan, create_study

    if (run is None) == (pairs is None):
        raise UsageError("a study needs pictures: give --run NAME, or --pairs FILE, one of them")
    plan = StudyPlan(each=each, repeats=repeats, accounts=not invited_only, introduction=introduction)
    with Workspace.open(workspace) as space:
        found = list(_of_run(space, run, count=count, seed=seed or 0) if run is not None else _of_file(pairs))
        study = create_study(space, found, title=title, plan=plan, owner=None, at=time.time())
    if as_json:
        print_json(_facts(study))
        return
    typer.echo(f"study {study.id}: {len(found)} pairs, {min(each, len(found))} for each participant")
    typer.echo(f"invite people: redraft study invite {study.id} --count 20")


@app.command("invite")
def invite_people(
    study: Id,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="Links, each for one participant.")] = 1,
    days: Annotated[int, typer.Option("--days", min=1, help="How long they open the study.")] = 30,
    url: Annotated[str, typer.Option("--url", help="How browsers reach the studio.")] = "http://127.0.0.1:8188",
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Print links for people without an account. Example: redraft study invite 3f2a --count 20 --url https://example.org"""
    from redraft.store.workspace import Workspace
    from redraft.studio.identity.signing import SigningKeys
    from redraft.studio.study_invitations import invite, link_of

    with Workspace.open(workspace) as space:
        keys = SigningKeys.load(space.folder)
        texts, expires_at = invite(space, keys, _id(space, study), count=count, days=days, at=time.time())
    links = [link_of(url.rstrip("/"), text) for text in texts]
    if as_json:
        print_json({"links": links, "expires_at": expires_at})
        return
    for link in links:
        typer.echo(link)


@app.command("list")
def list_studies(workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """All studies, the newest first. Example: redraft study list"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        rows = [_progress(space, study) for study in space.studies.list()]
    if as_json:
        print_json({"studies": rows})
        return
    for row in rows:
        typer.echo(_line(row))
    if not rows:
        typer.echo("no study yet: redraft study create makes one")


@app.command("show")
def show(study: Id, workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """One study: settings, and how far its participants are. Example: redraft study show 3f2a"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        found = space.studies.get(_id(space, study))
        row = _progress(space, found)
        systems = sorted({(pair.first_system, pair.second_system) for pair in space.studies.pairs(found.id)})
        parts = [asdict(part) for part in space.studies.taken_part(study=found.id)]
    if as_json:
        print_json({**row, "settings": dict(found.settings), "systems": systems, "taken_part": parts})
        return
    typer.echo(_line(row))
    for first, second in systems:
        typer.echo(f"  {first} against {second}")
    for part in parts:
        typer.echo(f"  {part['user'][:12]}  {part['answered']} of {part['given']} pairs")


@app.command("close")
def close(study: Id, workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """End a study: no answer is taken any more. Example: redraft study close 3f2a"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        id = _id(space, study)
        space.studies.close(id, at=time.time())
        row = _progress(space, space.studies.get(id))
    if as_json:
        print_json(row)
    else:
        typer.echo(_line(row))


@app.command("report")
def report_study(
    study: Id,
    steady: Annotated[
        float | None, typer.Option("--steady", help="Leave out who answered repeated pairs less steadily: 0.6.")
    ] = None,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """The preference table with intervals clustered by person. Example: redraft study report 3f2a"""
    from redraft.store.workspace import Workspace
    from redraft.studio.studying import report

    with Workspace.open(workspace) as space:
        found = report(space, _id(space, study), least_steadiness=steady)
        row = _progress(space, found.study)
    if as_json:
        checks = asdict(found.checks) | {"agreement": {name: asdict(value) for name, value in found.checks.agreement}}
        rows = [asdict(line) for line in found.rows]
        print_json({"study": row, "left_out": found.left_out, "comparisons": rows, "checks": checks})
        return
    _print(found)


def _print(found: StudyReport) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{found.study.title}: {found.participants} participants, {found.finished} finished")
    for name in ("question", "preferred", "to", "share", "95 % by person", "people", "answers"):
        table.add_column(name, justify="left" if name in ("question", "preferred", "to") else "right")
    for row in found.rows:
        interval = "one person only" if row.low is None else f"{100 * row.low:.1f} to {100 * (row.high or 0.0):.1f} %"
        colour = {"first": "green", "second": "red", "unclear": ""}[row.winner]
        share = f"{100 * row.preferred:.1f} %"
        table.add_row(
            row.question, row.first, row.second, share, interval, str(row.people), str(row.answers), style=colour
        )
    console = Console()
    console.print(table)
    lines = [f"left out for unsteady answers: {found.left_out} people"] if found.left_out else []
    for name, value in (("answered alike twice", found.checks.steady), ("chose the left one", found.checks.left)):
        if value is not None:
            lines.append(f"{name}: {100 * value.value:.0f} % ({100 * value.low:.0f} to {100 * value.high:.0f} %)")
    lines += [f"agreement about {name}: alpha {value.value:.2f}" for name, value in found.checks.agreement]
    for line in lines or ["no answers yet"]:
        console.print(line, highlight=False)


def _of_run(space: Workspace, run: str, *, count: int, seed: int) -> Iterator[NewPair]:
    from redraft.cli.results import png_of
    from redraft.loop.examined_pairs import examined_pairs
    from redraft.studio.studying import NewPair

    found = examined_pairs(space, run, count=count, seed=seed)
    for pair in found.pairs:
        yield NewPair(
            prompt=pair.prompt, first=png_of(pair.candidate), second=png_of(pair.incumbent),
            first_system=found.candidate, second_system=found.incumbent,
        )  # fmt: skip


def _of_file(path: Path | None) -> Iterator[NewPair]:
    """The pairs of a JSONL file. Raises UsageError naming file, line and rule."""
    from redraft.studio.studying import NewPair

    assert path is not None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--pairs {str(path)!r} cannot be read ({error}): give a UTF-8 file of JSON lines") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            values = json.loads(line)
            prompt, first, second = (str(values[name]) for name in ("prompt", "first", "second"))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f'{where} ({error!r}): each line must be {{"prompt": ..., "first": FILE, "second": FILE}}'
            ) from error
        yield NewPair(
            prompt=prompt, first=_bytes(path.parent / first, where), second=_bytes(path.parent / second, where),
            first_system=str(values.get("first_system", "first")),
            second_system=str(values.get("second_system", "second")),
        )  # fmt: skip


def _bytes(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{where}: the picture {str(path)!r} cannot be read ({error.strerror})") from error


def _id(space: Workspace, text: str) -> str:
    """The id of a study by its beginning. Raises UnknownNameError as `Studies.get` does."""
    found = [study.id for study in space.studies.list() if study.id.startswith(text)]
    return found[0] if len(found) == 1 else space.studies.get(text).id


def _progress(space: Workspace, study: Study) -> dict[str, Any]:
    parts = space.studies.taken_part(study=study.id)
    return _facts(study) | {
        "participants": len(parts),
        "finished": sum(part.answered == part.given for part in parts),
        "answered": sum(part.answered for part in parts),
    }


def _facts(study: Study) -> dict[str, Any]:
    return {"id": study.id, "title": study.title, "state": study.state, "pairs": study.settings["pairs"]}


def _line(row: dict[str, Any]) -> str:
    people = f"{row['participants']} participants, {row['finished']} finished, {row['answered']} pairs judged"
    return f"{row['id']}  {row['state']:6}  {row['pairs']} pairs  {people}  {row['title']}"
