"""Simulated people who choose between two pictures of a prompt, and how often scores and others agree with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from redraft.core.feedback import Preference
from redraft.core.keys import Key
from redraft.core.records import FACETS
from redraft.evaluation.statistics import FloatArray
from redraft.loop.reproductions.hpsv2_pictures import Album
from redraft.world import Rater


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """C choices. prompt, first, second: C rows of an album and of its pictures. side: C, 1 first, -1 second, 0 a tie.

    rater: C, who chose. another: C, what somebody else of the same crowd said about the same two pictures.
    """

    prompt: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    side: torch.Tensor
    rater: torch.Tensor
    another: torch.Tensor

    def __len__(self) -> int:
        return len(self.prompt)

    @property
    def strict(self) -> torch.Tensor:
        """C: which are no ties."""
        return self.side != 0


def ask_people(album: Album, count: int, *, crowd: int, slip: float, key: Key) -> Chosen:
    """`count` choices by a crowd of simulated people, prompts in turn, pictures and people by chance.

    slip: the usual standard deviation of a slip of an answer, in units of quality.
    """
    rng = np.random.default_rng(key.entropy)
    people = [Rater.draw(rng, noise=slip) for _ in range(crowd)]
    facts = album.facets.numpy()
    rows = []
    for number in range(count):
        prompt = number % len(album.prompts)
        first, second = (int(each) for each in rng.choice(facts.shape[1], 2, replace=False))
        who, other = (int(each) for each in rng.choice(crowd, 2, replace=False))
        shown = [dict(zip(FACETS, facts[prompt, each].tolist(), strict=True)) for each in (first, second)]
        said = [_side(people[each], shown, rng) for each in (who, other)]
        rows.append((prompt, first, second, said[0], who, said[1]))
    return Chosen(**{
        name: torch.tensor(column)
        for name, column in zip(
            ("prompt", "first", "second", "side", "rater", "another"), zip(*rows, strict=True), strict=True
        )
    })  # fmt: skip


def _side(person: Rater, shown: Sequence[Mapping[str, float]], rng: np.random.Generator) -> int:
    answer = person.choose(shown[0], shown[1], rng=rng)
    return 0 if answer == "tie" else 1 - 2 * answer


def as_preferences(chosen: Chosen, album: Album) -> tuple[Preference, ...]:
    """The choices as records; a picture's name is PROMPT/PICTURE."""
    found = []
    for prompt, first, second, side, rater in zip(
        *(each.tolist() for each in (chosen.prompt, chosen.first, chosen.second, chosen.side, chosen.rater)),
        strict=True,
    ):
        share = (1 + side) / 2
        found.append(Preference(
            prompt=album.prompts[prompt].text, pictures=(f"{prompt}/{first}", f"{prompt}/{second}"), kind="pair",
            answer=(share, 1 - share), rater=f"person {rater}",
        ))  # fmt: skip
    return tuple(found)


def average_taste(album: Album, *, key: Key) -> torch.Tensor:
    """N,K: what people like on average, with the true facets at hand: no score can know more."""
    rng = np.random.default_rng(key.child("average").entropy)
    tastes = [Rater.draw(rng) for _ in range(2000)]
    weights = torch.tensor([[taste.weights[name] for name in FACETS] for taste in tastes])
    return album.facets @ weights.mean(0)


def agreements(scores: torch.Tensor, chosen: Chosen) -> torch.Tensor:
    """Of strict choices in order: 1 where scores N,K agree, 0 where they do not, 0.5 where they are equal."""
    margin = scores[chosen.prompt, chosen.first] - scores[chosen.prompt, chosen.second]
    return _agreed(margin, chosen)


def other_person(chosen: Chosen) -> torch.Tensor:
    """The same for what another person said of the pair; that person's tie is half right."""
    return _agreed(chosen.another.float(), chosen)


def _agreed(margin: torch.Tensor, chosen: Chosen) -> torch.Tensor:
    strict = chosen.strict
    return (1 + torch.sign(margin[strict]) * chosen.side[strict]) / 2


def per_prompt(agreed: torch.Tensor, chosen: Chosen) -> FloatArray:
    """Mean agreement of each prompt that has a strict choice: the unit of the intervals."""
    prompts, place = torch.unique(chosen.prompt[chosen.strict], return_inverse=True)
    total = torch.zeros(len(prompts), dtype=torch.float64).index_add_(0, place, agreed.double())
    found: FloatArray = (total / torch.bincount(place)).numpy()
    return found


def win_rates(chosen: Chosen, setting: torch.Tensor, *, count: int) -> torch.Tensor:
    """How often people chose each of `count` settings over another, ties counting half. setting: N,K."""
    share = (1 + chosen.side.double()) / 2
    one, two = setting[chosen.prompt, chosen.first], setting[chosen.prompt, chosen.second]
    won = torch.zeros(count, dtype=torch.float64).index_add_(0, one, share).index_add_(0, two, 1 - share)
    return won / (torch.bincount(one, minlength=count) + torch.bincount(two, minlength=count))


def setting_means(scores: torch.Tensor, chosen: Chosen, setting: torch.Tensor, *, count: int) -> torch.Tensor:
    """How much higher than the other picture of its duels each setting scored, on average, in the same duels."""
    margin = (scores[chosen.prompt, chosen.first] - scores[chosen.prompt, chosen.second]).double()
    one, two = setting[chosen.prompt, chosen.first], setting[chosen.prompt, chosen.second]
    total = torch.zeros(count, dtype=torch.float64).index_add_(0, one, margin).index_add_(0, two, -margin)
    return total / (torch.bincount(one, minlength=count) + torch.bincount(two, minlength=count))
