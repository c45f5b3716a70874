"""Where the answers of `redraft reward fit` come from: a file of rows, or the people of a workspace. Fits nothing."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from redraft.core.feedback import Preference
    from redraft.rewards.facets_answers import FacetAnswers, SliderAnswer
    from redraft.rewards.preference_data import PreferenceData
    from redraft.rewards.preference_pictures import NamedPictures, OpenedPictures
    from redraft.store.workspace import Workspace

    Said = TypeVar("Said", Preference, SliderAnswer)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file or a workspace. question: of ratings in a file. kind, out: of the reward, for the list of runs.

    Raises UsageError unless one of file and workspace is given.
    """

    file: Path | None
    workspace: Path | None
    question: str
    kind: str
    out: Path

    def __post_init__(self) -> None:
        if (self.file is None) == (self.workspace is None):
            raise UsageError(
                "nothing says what to learn from: give a file of answers or --workspace FOLDER, one of them"
            )
        if self.question and (self.workspace is not None or self.kind == "facets"):
            raise UsageError(
                f"--question {self.question} chooses among the numbers of ratings in a file, for a taste: leave it out "
                "with --workspace and with --kind facets"
            )

    @property
    def name(self) -> str:
        """For messages."""
        return str(self.file or self.workspace)


@contextlib.contextmanager
def opened_preferences(source: Source, *, rater: str | None = None) -> Iterator[tuple[PreferenceData, OpenedPictures]]:
    """Everybody's choices, stars and thumbs; rater: whose alone are learned from. Raises UsageError without any."""
    from redraft.loop.answered import preferences_in
    from redraft.rewards.preference_data import preference_data
    from redraft.rewards.preference_rows import read_preferences

    with _opened(
        source, read=lambda path: read_preferences(path, question=source.question), found=preferences_in, rater=rater
    ) as (answers, pictures, rows):
        yield preference_data(answers, pictures=rows), pictures


@contextlib.contextmanager
def opened_sliders(source: Source, *, facets: tuple[str, ...]) -> Iterator[tuple[FacetAnswers, OpenedPictures]]:
    """Answers to the sliders of `facets`. Raises UsageError without any, and for another slider in a file."""
    from redraft.loop.answered import slider_answers_in
    from redraft.rewards.facets_answers import facet_answers
    from redraft.rewards.facets_rows import read_slider_answers

    with _opened(
        source,
        read=lambda path: read_slider_answers(path, facets=facets),
        found=lambda space: slider_answers_in(space, facets=facets),
        rater=None,
    ) as (answers, pictures, rows):
        yield facet_answers(answers, facets=facets, pictures=rows), pictures


@contextlib.contextmanager
def _opened(
    source: Source, *, read: Callable[[Path], Sequence[Said]], found: Callable[[Workspace], Sequence[Said]],
    rater: str | None,
) -> Iterator[tuple[Sequence[Said], OpenedPictures, dict[str, int]]]:  # fmt: skip
    """Answers, their pictures, and the row of each picture's name; pictures of a workspace can be read in the block."""
    from redraft.rewards.answer_lines import picture_files

    if source.file is not None:
        answers = read(source.file)
        files, rows = picture_files(answers, folder=source.file.parent)
        yield answers, files, rows
        return
    assert source.workspace is not None  # one of them is
    if not source.workspace.is_dir():
        raise UsageError(f"{str(source.workspace)!r} is no workspace: give its folder")
    from redraft.store.workspace import Workspace

    with Workspace.open(source.workspace) as space:
        answers = found(space)
        if not answers:
            raise UsageError(
                f"the workspace {source.name!r} holds no answer that a reward of kind {source.kind!r} may learn from "
                "(people must consent): collect some in the studio, or give a file of answers"
            )
        with _noted(space, source, people={rater} if rater else {answer.rater for answer in answers}):
            stored = _stored(space, answers)
            yield answers, stored, {name: row for row, name in enumerate(stored.names)}


@contextlib.contextmanager
def _noted(space: Workspace, source: Source, *, people: set[str]) -> Iterator[None]:
    from redraft.loop.lifecycle import learning_run

    config = {"kind": source.kind, "folder": str(source.out.resolve())}
    with learning_run(space, people=people, config=config, clock=time.time) as finished:
        yield
        finished(json.dumps({"folder": config["folder"]}))


def _stored(space: Workspace, answers: Sequence[Said]) -> NamedPictures:
    from redraft.loop.answered import picture_reader
    from redraft.rewards.preference_pictures import NamedPictures

    names = dict.fromkeys(name for answer in answers for name in answer.pictures)
    return NamedPictures(names=tuple(names), read=picture_reader(space))
