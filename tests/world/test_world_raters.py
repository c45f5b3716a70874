"""Simulated people: better pictures please them more, people differ, and equal seeds answer alike."""

import numpy as np
import pytest
from scipy import ndimage

from redraft.core.errors import UsageError
from redraft.core.records import FACETS
from redraft.world import Rater, corrupt_request, facets, render

from .conftest import Sample

GOOD = dict.fromkeys(FACETS, 0.95)
BAD = dict.fromkeys(FACETS, 0.35)
EVEN = dict.fromkeys(FACETS, 1.0)


def test_better_pictures_get_better_answers(rng: np.random.Generator) -> None:
    people = [Rater.draw(rng) for _ in range(200)]
    assert np.mean([person.thumbs(GOOD, rng) for person in people]) > 0.8
    assert np.mean([person.thumbs(BAD, rng) for person in people]) < 0.2
    assert np.mean([person.stars(GOOD, rng) for person in people]) > np.mean(
        [person.stars(BAD, rng) for person in people]
    )
    assert all(person.choose(GOOD, BAD, rng=rng) == 0 for person in people)
    assert all(person.choose(BAD, GOOD, rng=rng) == 1 for person in people)
    ties = [person.choose(GOOD, GOOD, rng=rng) for person in people]
    assert {0, 1, "tie"} == set(ties)


def test_average_pictures_get_about_two_thirds_thumbs_up(sample: Sample, rng: np.random.Generator) -> None:
    """Average: the mild blur and noise of a small model, and a little more than half of the pictures right."""
    likes = []
    for index, (request, right) in enumerate(sample[:300]):
        picture = right if index % 20 < 11 else render(corrupt_request(request, rng), rng)
        spoilt = ndimage.gaussian_filter(picture.astype(float), (0.6, 0.6, 0)) + rng.normal(0, 6, picture.shape)
        seen = facets(np.clip(spoilt, 0, 255).astype(np.uint8), request)
        likes += [Rater.draw(rng).thumbs(seen, rng) for _ in range(3)]
    assert 0.57 < np.mean(likes) < 0.73


def test_answers_have_their_ranges(rng: np.random.Generator) -> None:
    for _ in range(200):
        person = Rater.draw(rng)
        seen = dict(zip(FACETS, rng.random(6), strict=True))
        assert 1 <= person.stars(seen, rng) <= 5
        sliders = person.sliders(seen, rng)
        assert tuple(sliders) == FACETS
        assert all(0 <= value <= 10 for value in sliders.values())


def test_a_calm_unbiased_person_moves_sliders_truly(rng: np.random.Generator) -> None:
    person = Rater(bias=0.0, noise=0.0, weights=EVEN)
    seen = dict(zip(FACETS, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), strict=True))
    assert list(person.sliders(seen, rng).values()) == [0, 2, 4, 6, 8, 10]
    assert person.quality(seen) == pytest.approx(0.5)
    assert person.choose(GOOD, GOOD, rng=rng) == "tie"


def test_equal_seeds_give_equal_people_and_answers() -> None:
    answers = []
    for _ in range(2):
        rng = np.random.default_rng(5)
        person = Rater.draw(rng)
        answers.append((person, [person.thumbs(GOOD, rng) for _ in range(20)], person.sliders(BAD, rng)))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "change", [{"noise": -1.0}, {"weights": {"semantics": 1.0}}, {"weights": dict.fromkeys(FACETS, 0.0)}]
)
def test_impossible_people_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Rater(**{"bias": 0.0, "noise": 0.1, "weights": EVEN, **change})  # type: ignore[arg-type]


def test_missing_facets_are_named(rng: np.random.Generator) -> None:
    with pytest.raises(UsageError, match="safety"):
        Rater.draw(rng).thumbs(dict.fromkeys(FACETS[:-1], 0.5), rng)
