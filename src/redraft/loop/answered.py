"""The workspace's answers as what rewards learn from: duels, thumbs, stars and sliders of people who consent.

No rule is made here. Weights are those of the store: what the rater is worth, over the probability that this was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from redraft.core.errors import UnknownNameError
from redraft.core.feedback import Preference

if TYPE_CHECKING:
    import torch

    from redraft.rewards.facets_answers import SliderAnswer
    from redraft.store.answers import Evidence
    from redraft.store.gallery import Painting
    from redraft.store.workspace import Workspace

LARGEST_WEIGHT = 20.0
"""Of an inverse propensity: a rare question must not outweigh all others."""
SLIDERS = "sliders"
"""The form whose payload has a whole number 0..10 for each facet that was set."""
_PAGE = 1000
_SHARES: Mapping[str, tuple[float, float]] = {
    "left": (1.0, 0.0), "right": (0.0, 1.0), "tie": (0.5, 0.5), "both_bad": (0.5, 0.5),
}  # fmt: skip
"""What a duel's answer says of the pictures on the left and on the right."""


def preferences_in(workspace: Workspace) -> tuple[Preference, ...]:
    """Every answer that counts and compares pictures; pictures by their hash in the store.

    Left out: the pairs by which a challenger is decided about (what decides must not be trained on), duels and ratings
    whose pictures or prompt were erased, forgotten or withheld, answers of raters whose weight is 0, and forms that
    compare nothing.
    """
    found = []
    for evidence in _pages(workspace):
        if evidence.weight <= 0:
            continue
        record = _duel(workspace, evidence) if evidence.answer.kind == "duel" else _rating(workspace, evidence)
        if record is not None:
            found.append(record)
    return tuple(found)


def slider_answers_in(workspace: Workspace, *, facets: Sequence[str]) -> tuple[SliderAnswer, ...]:
    """Every answer to the sliders of `facets` that counts; pictures by their hash in the store.

    Each with the probability that it was asked for, 1 where it was volunteered, and the rater's weight. Left out: as in
    `preferences_in`, answers without any of these sliders, and sliders about motion, which a picture has none of.
    """
    from redraft.rewards.facets_answers import SliderAnswer
    from redraft.rewards.facets_config import CLIP_FACETS

    found, facets = [], [name for name in facets if name not in CLIP_FACETS]
    for evidence in _pages(workspace, forms=(SLIDERS,)):
        sliders = {name: evidence.answer.payload[name] for name in facets if name in evidence.answer.payload}
        shown = _about(workspace, evidence) if sliders and evidence.weight > 0 else None
        if shown is not None:
            prompt, picture = shown
            share = 1.0 if evidence.probability is None else evidence.probability
            found.append(
                SliderAnswer(
                    prompt=prompt, pictures=(picture,), sliders=sliders, rater=evidence.answer.user, probability=share,
                    weight=evidence.weight,
                )
            )  # fmt: skip
    return tuple(found)


def picture_reader(workspace: Workspace) -> Callable[[str], torch.Tensor]:
    """What opens a picture of the store by its hash, as 3,H,W in 0..1; errors as the store's and `read_picture`'s."""
    from redraft.rewards.picture_files import read_picture

    return lambda picture: read_picture(workspace.pictures.read(picture), name=picture)


def _pages(workspace: Workspace, *, forms: Sequence[str] = ()) -> Iterator[Evidence]:
    after = 0
    while page := workspace.answers.evidence(after=after, limit=_PAGE, forms=forms):
        yield from page
        after = page[-1].answer.number


def _duel(workspace: Workspace, evidence: Evidence) -> Preference | None:
    from redraft.store.duels import Duels
    from redraft.store.trials import is_trial

    answer = evidence.answer
    shares = _SHARES.get(str(answer.payload.get("choice")))
    try:
        duel = Duels(workspace.database).get(answer.subject, user=answer.user)
    except UnknownNameError:
        return None
    if shares is None or duel.prompt is None or duel.first is None or duel.second is None:
        return None
    if is_trial(duel.experiment):
        return None
    sides = (duel.second, duel.first) if duel.swapped else (duel.first, duel.second)
    shown = _shown(workspace, sides)
    if len(shown) < 2:
        return None
    return Preference(
        prompt=duel.prompt, pictures=tuple(shown[id].picture for id in sides), kind="pair", answer=shares,
        rater=answer.user, weight=_weight(evidence),
    )  # fmt: skip


def _rating(workspace: Workspace, evidence: Evidence) -> Preference | None:
    """A thumb or stars. A picture alone compares nothing, but two of one prompt by one person do."""
    answer = evidence.answer
    if answer.form not in ("thumbs", "stars") or answer.mark is None:
        return None
    shown = _about(workspace, evidence)
    if shown is None:
        return None
    prompt, picture = shown
    return Preference(
        prompt=prompt, pictures=(picture,), kind="thumbs" if answer.form == "thumbs" else "stars",
        answer=(answer.mark,), rater=answer.user, weight=_weight(evidence),
    )  # fmt: skip


def _about(workspace: Workspace, evidence: Evidence) -> tuple[str, str] | None:
    """Prompt and picture's hash of an answer about one picture; None when it may not be shown, or is forgotten."""
    from redraft.store.requests import Requests

    answer = evidence.answer
    painting = _shown(workspace, (answer.subject,)).get(answer.subject) if answer.kind == "picture" else None
    if painting is None:
        return None
    request = Requests(workspace.database).get(painting.request, owner=painting.owner)
    return None if request.prompt is None else (request.prompt, painting.picture)


def _shown(workspace: Workspace, ids: Sequence[str]) -> dict[str, Painting]:
    """The paintings among `ids` that may be shown, by id."""
    from redraft.store.gallery import Gallery

    found = Gallery(workspace.database).find(ids)
    return {painting.id: painting for painting in found if painting.safety in ("ok", "blurred")}


def _weight(evidence: Evidence) -> float:
    # Volunteered answers were not drawn.
    share = 1.0 if evidence.probability is None else evidence.probability
    return evidence.weight * (LARGEST_WEIGHT if share * LARGEST_WEIGHT <= 1 else 1 / share)
