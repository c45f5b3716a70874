"""What people chose between pictures of one prompt, read for training: a JSONL file, a folder of pairs, or the answers.

Reads and orders; nothing is painted, encoded or trained here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from redraft.core.errors import UsageError
from redraft.core.feedback import Preference
from redraft.core.records import Prompt
from redraft.methods.pairing import decided_rows

if TYPE_CHECKING:
    from redraft.store.workspace import Workspace

ANSWERS = "answers"
"""What --pairs says for the answers of the workspace."""

PREFERRED, REJECTED = "preferred", "rejected"
"""The two subfolders of a folder of picture pairs."""

_LAYOUT = (
    f"a folder of picture pairs holds {PREFERRED}/NAME.png, {REJECTED}/NAME.png and the prompt in {PREFERRED}/NAME.txt"
)
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """P choices between two pictures of one prompt; those that were ties are counted in `ties` and left out.

    preferred, rejected: names of pictures, which `read` opens as 3,H,W in 0..1. probability P in (0.5, 1]: how sure the
    choice is. weight P, mean 1: how much it counts. people: who chose, in the workspace's answers; empty for files.
    """

    prompts: tuple[Prompt, ...]
    preferred: tuple[str, ...]
    rejected: tuple[str, ...]
    probability: torch.Tensor
    weight: torch.Tensor
    ties: int
    read: Callable[[str], torch.Tensor]
    people: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.prompts)


def read_choices(source: str, *, workspace: Workspace | None) -> Choices:
    """The choices in a JSONL file of answers, in a folder of picture pairs, or ("answers") in the workspace.

    Answers that rank or rate several pictures give a pair for any two that differ. Raises UsageError when there is no
    choice or ties only, and for a file, folder or picture that cannot be read.
    """
    if source == ANSWERS:
        return _from_answers(workspace)
    path = Path(source)
    if path.is_dir():
        return _from_files(_picture_pairs(path), folder=path, source=source)
    from redraft.rewards.preference_rows import read_preferences

    return _from_files(read_preferences(path), folder=path.parent, source=source)


def choices_of(
    records: Sequence[Preference], *, read: Callable[[str], torch.Tensor], source: str, people: Sequence[str] = ()
) -> Choices:
    """Answers as choices, the more likely picture first. Raises UsageError, naming `source`, without any."""
    from redraft.rewards.preference_data import preference_data

    names = list(dict.fromkeys(name for record in records for name in record.pictures))
    data = preference_data(records, pictures={name: row for row, name in enumerate(names)})
    # A tie says that either picture may be the better one.
    share = data.outcome[:, 0].double() + data.outcome[:, 2].double() / 2
    try:
        rows = decided_rows(torch.maximum(share, 1 - share))
    except UsageError as error:
        raise UsageError(f"--pairs {source}: {error}") from error
    first, second = ([names[row] for row in data.entry_picture[data.pairs[:, side]].tolist()] for side in (0, 1))
    turned = (share < 0.5).tolist()
    weight = data.pair_weight[rows].double()
    return Choices(
        prompts=tuple(data.prompts[data.pair_prompt[row]] for row in rows),
        preferred=tuple(second[row] if turned[row] else first[row] for row in rows),
        rejected=tuple(first[row] if turned[row] else second[row] for row in rows),
        probability=torch.maximum(share, 1 - share)[rows],
        weight=weight / weight.mean(),
        ties=len(share) - len(rows),
        read=read,
        people=tuple(people),
    )


def _from_files(records: Sequence[Preference], *, folder: Path, source: str) -> Choices:
    from redraft.rewards.answer_lines import picture_files
    from redraft.rewards.picture_files import read_picture

    picture_files(records, folder=folder)  # one that is missing is told before anything is trained
    return choices_of(records, read=lambda name: read_picture(folder / name), source=source)


def _from_answers(workspace: Workspace | None) -> Choices:
    if workspace is None:
        raise UsageError("--pairs answers without a workspace: name the one whose answers are meant with --workspace")
    from redraft.loop.answered import picture_reader, preferences_in

    records = preferences_in(workspace)
    if not records:
        raise UsageError(
            f"--pairs answers: the workspace {str(workspace.folder)!r} holds no duel, thumb or star that may be "
            "trained on (people must consent); collect some in the studio, or give a file or folder of pairs"
        )

    people = sorted({record.rater for record in records})
    return choices_of(records, read=picture_reader(workspace), source=ANSWERS, people=people)


def _picture_pairs(folder: Path) -> tuple[Preference, ...]:
    """One choice for each picture of `preferred/`, by name. Raises UsageError for one without partner or prompt."""
    preferred, rejected = (_pictures_of(folder / name) for name in (PREFERRED, REJECTED))
    if not preferred:
        raise UsageError(f"folder {str(folder)!r} holds no picture pair: {_LAYOUT}")
    alone = sorted(preferred.keys() ^ rejected.keys())
    if alone:
        raise UsageError(f"folder {str(folder)!r}: {alone[0]!r} has no partner ({len(alone)} such pictures); {_LAYOUT}")
    return tuple(
        Preference(
            prompt=_prompt_of(folder / PREFERRED / f"{name}.txt"),
            pictures=(f"{PREFERRED}/{preferred[name]}", f"{REJECTED}/{rejected[name]}"),
            kind="pair",
            answer=(1.0, 0.0),
        )
        for name in sorted(preferred)
    )


def _pictures_of(folder: Path) -> dict[str, str]:
    """File names by their stems. Raises UsageError for two pictures of one stem."""
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() in _SUFFIXES:
            if path.stem in found:
                raise UsageError(f"{str(folder)!r} holds {found[path.stem]!r} and {path.name!r}: keep one of them")
            found[path.stem] = path.name
    return found


def _prompt_of(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the prompt {str(path)!r} cannot be read ({error}): {_LAYOUT}") from error
    if not text:
        raise UsageError(f"the prompt {str(path)!r} is empty: write the text that both pictures were painted for")
    return text
