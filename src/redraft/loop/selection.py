"""The last word of a person in self-training: the page of a round's candidates, and the file of those that were kept.

Not the automatic filter before it, which is the method's. The file has one JSON object a line, as the page writes it:

    {"collection": "3f9a61c02b7d4e58", "picture": 17, "prompt": "a red star"}

`collection` tells which round of which run is meant, `picture` which of its pictures. Lines of other collections are
left alone, so one file may hold the choices of all rounds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.tensors import Scored
from redraft.evaluation.selection_page import Candidate, render_selection
from redraft.loop.journal import Journal, Packed, digest_of


def require_selectable(method: Any, *, name: str) -> None:
    """Raise UsageError naming the method `name` unless a person can choose between its selection and its weights."""
    if not (hasattr(method, "candidates") and hasattr(method, "weighted")):
        raise UsageError(
            f"--selection with {name}: its pictures are not chosen by hand; use rsi or a preset of it, or leave "
            "--selection out"
        )


def chosen_by_hand(
    method: Any,
    scored: Scored,
    *,
    pixels: torch.Tensor,
    source: str,
    number: int,
    journal: Journal,
    digests: Mapping[str, str],
    key: Key,
) -> tuple[tuple[int, ...], str]:
    """The rows that a person kept of round `number` (from 0), best candidate first, and the hash of that choice.

    Raises UsageError, after writing the page of candidates, while the file says nothing of this round; and for a file
    that cannot be read or names what is no candidate.
    """
    collection = digest_of(dict(digests))[:16]

    def choose() -> Packed:
        candidates = method.candidates(scored, key=key)
        kept = read_selection(Path(source), collection=collection, candidates=candidates)
        if not kept:
            name = f"selection-round-{number + 1}.html"
            page = _page(scored, candidates, pixels=pixels, collection=collection, file=Path(source).name)
            journal.workspace.stage_files.save(journal.run, name, page.encode())
            raise UsageError(
                f"round {number + 1} waits for your choice among {len(candidates)} pictures: open "
                f"{journal.workspace.stage_files.path(journal.run, name)}, choose, save the file as {source} and go on "
                f"with `redraft runs resume {journal.run}`"
            )
        return Packed(tensors={"rows": torch.tensor(kept)}, facts={"collection": collection})

    made, digest = journal.stage(f"round-{number}-select", choose, inputs=dict(digests))
    return tuple(made.tensors["rows"].tolist()), digest


def read_selection(path: Path, *, collection: str, candidates: Sequence[int]) -> tuple[int, ...]:
    """The pictures of a collection that a file keeps, in the order of the candidates; none if there is no file yet.

    Raises UsageError, naming file, line, rule and way out, for a line that is not of the format, a picture that is no
    candidate, or one that is named twice.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"selection {str(path)!r} cannot be read ({error}): give the file that the page saves"
        ) from error
    kept: dict[int, int] = {}
    known = set(candidates)
    for line, text in enumerate(lines, 1):
        picture = _picture(text, collection=collection, where=f"{path} line {line}")
        if picture is None:
            continue
        if picture not in known:
            raise UsageError(
                f"{path} line {line}: picture {picture} is none of the {len(known)} candidates of {collection}: choose "
                "on the page of this round"
            )
        if picture in kept:
            raise UsageError(f"{path} line {line}: picture {picture} stands in line {kept[picture]} too: name it once")
        kept[picture] = line
    return tuple(picture for picture in candidates if picture in kept)


def _picture(text: str, *, collection: str, where: str) -> int | None:
    """The picture that a line keeps; None for an empty line and one of another collection."""
    if not text.strip():
        return None
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where} is no JSON ({error}): give the file that the page saves") from error
    if not isinstance(row, dict) or not isinstance(row.get("collection"), str) or type(row.get("picture")) is not int:
        raise UsageError(f"{where}: a line must be an object with `collection`, a text, and `picture`, a whole number")
    return int(row["picture"]) if row["collection"] == collection else None


def _page(scored: Scored, candidates: Sequence[int], *, pixels: torch.Tensor, collection: str, file: str) -> str:
    names = () if scored.scores is None else scored.scores.names
    cards = [
        Candidate(
            picture=row,
            prompt=scored.prompts[row].text,
            pixels=pixels[row].permute(1, 2, 0).numpy(),
            scores={"reward": float(scored.reward[row])}
            | {name: float(scored.scores.values[row, column]) for column, name in enumerate(names) if scored.scores},
        )
        for row in candidates
    ]
    return render_selection(cards, collection=collection, file=file)
