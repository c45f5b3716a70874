"""Studies of blind pairs: made, taken part in, reported. What a participant sees names no system and no file.

Every pair has a second row for those who are shown it again, so that a pair can be given to a person twice: the row
with the number `settings["pairs"] + n` is pair n again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from redraft.core.errors import UnknownNameError, UsageError
from redraft.core.keys import Key
from redraft.evaluation.studies import Checks, Choice, Preference, checks, preferences, steady_only
from redraft.feedback.studies import QUESTIONS, choose_pairs
from redraft.store.people import Account
from redraft.store.studies import Participation, Studies, Study, StudyAssignment, StudyPair
from redraft.store.workspace import Workspace
from redraft.studio.context import Studio
from redraft.studio.identity.people import Person
from redraft.studio.picture_bytes import rendered

INVITED = "study:"
"""Before the external name of an account that an invitation made: it takes part in that study only."""
_SEED = 20_260


@dataclass(frozen=True, kw_only=True)
class NewPair:
    """Two systems' pictures (encoded) of one prompt."""

    prompt: str
    first: bytes
    second: bytes
    first_system: str
    second_system: str


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """each: pairs of a participant. repeats: of these, shown again. accounts: whoever has an account may take part."""

    each: int = 20
    repeats: int = 3
    accounts: bool = True
    introduction: str = ""


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """The table of a study. finished: participants who answered all they were given. left_out: for unsteady answers."""

    study: Study
    participants: int
    finished: int
    left_out: int
    rows: tuple[Preference, ...]
    checks: Checks


def create_study(
    workspace: Workspace,
    pairs: Sequence[NewPair],
    *,
    title: str,
    plan: StudyPlan,
    owner: str | None,
    at: float,
    new_id: Callable[[], str] = lambda: secrets.token_hex(16),
) -> Study:
    """Enter a study. Pictures are written anew without anything beside their pixels, which could tell where they are
    from.

    Raises UsageError for no pairs, numbers that cannot be, a title that is empty, or a pair of equal pictures or of one
    system; DamagedError for bytes that are no picture.
    """
    if not title.strip():
        raise UsageError("the study has no title: participants must know what they take part in")
    # Raises for numbers that cannot be, before anything is written.
    choose_pairs({str(n): 0 for n in range(len(pairs))}, wanted=plan.each, repeats=plan.repeats, draw=lambda _: 0)
    files = [rendered(data, form="png") for pair in pairs for data in (pair.first, pair.second)]
    _check_pairs(pairs, files)
    ids = workspace.pictures.put_all(files, at=at)
    settings = {"pairs": len(pairs), **asdict(plan)}
    study = Study(
        id=new_id()[:12], owner=owner, title=title.strip(), questions=tuple(QUESTIONS), settings=settings, created_at=at
    )
    oriented: set[tuple[str, str]] = set()
    rows = [
        _row(pair, new_id(), study=study.id, number=number, files=(ids[2 * number], ids[2 * number + 1]), seen=oriented)
        for number, pair in enumerate(pairs)
    ]
    again = [replace(row, id=new_id(), number=row.number + len(pairs)) for row in rows] if plan.repeats else []
    workspace.studies.create(study, [*rows, *again])
    return study


def may_take_part(workspace: Workspace, study: Study, account: Account) -> Participation | None:
    """How far a person is in a study, zero pairs given for one who may begin; None when it is not for them."""
    mine = workspace.studies.taken_part(user=account.id, study=study.id)
    if mine:
        return mine[0]
    invited = (account.external or "").startswith(INVITED)
    if study.state == "open" and study.settings.get("accounts", True) and not invited:
        return Participation(study=study.id, user=account.id, given=0, answered=0)
    return None


def studies_of(workspace: Workspace, account: Account) -> list[tuple[Study, Participation]]:
    """The studies that a person takes part in or may, the newest first."""
    found = ((study, may_take_part(workspace, study, account)) for study in workspace.studies.list())
    return [(study, part) for study, part in found if part is not None]


def begin(studio: Studio, study: Study, user: str) -> None:
    """Give a participant their pairs, if they have none. Raises UsageError when the study is closed."""
    store, count = studio.workspace.studies, int(study.settings["pairs"])
    by_number = {pair.number: pair.id for pair in store.pairs(study.id)}
    numbers = {id: number for number, id in by_number.items()}

    def choose(counts: Mapping[str, int], place: int) -> list[StudyAssignment]:
        if place:
            # Another tab of the same person was faster.
            return []
        given = choose_pairs(
            {id: times for id, times in counts.items() if numbers[id] < count},
            wanted=int(study.settings["each"]),
            repeats=int(study.settings["repeats"]),
            draw=secrets.randbelow,
        )
        return [
            StudyAssignment(
                id=studio.new_id(), study=study.id, user=user, place=number, swapped=item.swapped,
                pair=by_number[numbers[item.pair] + count] if item.again else item.pair, assigned_at=studio.now(),
            )
            for number, item in enumerate(given)
        ]  # fmt: skip

    store.assign(study.id, user, choose)


def report(workspace: Workspace, id: str, *, least_steadiness: float | None = None) -> StudyReport:
    """The table of a study so far. least_steadiness: leave out who answered repeated pairs less steadily than that.

    Raises UnknownNameError, and UsageError for a share outside 0..1.
    """
    study = workspace.studies.get(id)
    everything = choices_of(workspace.studies, study)
    kept = everything if least_steadiness is None else steady_only(everything, least=least_steadiness)
    parts = workspace.studies.taken_part(study=id)
    key = Key(seed=_SEED, path=("study", id))
    return StudyReport(
        study=study,
        participants=len(parts),
        finished=sum(part.answered == part.given for part in parts),
        left_out=len({choice.person for choice in everything} - {choice.person for choice in kept}),
        rows=preferences(kept, key=key),
        checks=checks(kept, key=key),
    )


def choices_of(store: Studies, study: Study) -> tuple[Choice, ...]:
    """All answers of a study as evaluation takes them; people are numbered, not named."""
    count = int(study.settings["pairs"])
    results = store.results(study.id)
    people: dict[str, str] = {}
    return tuple(
        Choice(
            person=people.setdefault(result.user, f"participant {len(people) + 1}"),
            pair=result.pair.number % count,
            first=result.pair.first_system,
            second=result.pair.second_system,
            question=result.question,
            chose_first=result.chose_first,
            chose_left=result.chose_first != result.swapped,
            again=result.pair.number >= count,
        )
        for result in results
    )


def person_in(studio: Studio, id: str, who: Person) -> tuple[Study, Participation]:
    """A study that is for this person, and how far they are. Raises UnknownNameError, the same for those that are not
    theirs."""
    part = None
    try:
        study = studio.workspace.studies.get(id)
        part = may_take_part(studio.workspace, study, who.account)
    except UnknownNameError:
        pass
    if part is None:
        raise UnknownNameError(f"study {id!r} is not among those you may take part in")
    return study, part


def _row(
    pair: NewPair, id: str, *, study: str, number: int, files: tuple[str, str], seen: set[tuple[str, str]]
) -> StudyPair:
    """A pair's row; the same two systems always stand in the order in which they came first."""
    first, second = files
    systems = (pair.first_system, pair.second_system)
    if systems[::-1] in seen:
        systems, first, second = systems[::-1], second, first
    seen.add(systems)
    return StudyPair(
        id=id, study=study, number=number, prompt=pair.prompt, first=first, second=second, first_system=systems[0],
        second_system=systems[1],
    )  # fmt: skip


def _check_pairs(pairs: Sequence[NewPair], files: Sequence[bytes]) -> None:
    for number, pair in enumerate(pairs):
        if pair.first_system == pair.second_system:
            raise UsageError(f"pair {number + 1} compares {pair.first_system!r} with itself: name two systems")
        if files[2 * number] == files[2 * number + 1]:
            raise UsageError(
                f"pair {number + 1} ({pair.prompt[:60]!r}) is the same picture twice: there is nothing to choose"
            )
