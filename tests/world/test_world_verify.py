"""Verification is strict where it must be (near misses, mirrors, counts), tolerant where GenEval is (extra objects)."""

from dataclasses import replace

import numpy as np
import pytest

from redraft.core.errors import UsageError
from redraft.world import (
    corrupt_request,
    draw_request,
    parse,
    read,
    render,
    text_of,
    verify,
    verify_batch,
    verify_reading,
)
from redraft.world.requests import OPPOSITE

from .conftest import Sample


def test_pictures_of_a_changed_request_are_refused(sample: Sample, rng: np.random.Generator) -> None:
    accepted = 0
    for request, _ in sample:
        changed = corrupt_request(request, rng)
        assert changed != request
        assert parse(text_of(changed)) == changed
        accepted += verify(render(changed, rng), request).correct
    assert accepted < 0.01 * len(sample)


def test_a_mirror_swaps_left_and_right_and_turning_over_swaps_above_and_below(rng: np.random.Generator) -> None:
    for _ in range(60):
        request = draw_request(rng, task="position", weights="uniform")
        (relation,) = request.relations
        opposite = replace(request, relations=(replace(relation, kind=OPPOSITE[relation.kind]),))
        picture = render(request, rng)
        across = relation.kind in ("left of", "right of")
        mirrored = picture[:, ::-1] if across else picture[::-1]
        kept = picture[::-1] if across else picture[:, ::-1]
        # Turned over, a shape may look like another one; the place must follow whenever all objects are still seen.
        for image, right, wrong in ((mirrored, opposite, request), (kept, request, opposite)):
            verdict = verify(image, right)
            if all(holds for name, holds in verdict.clauses if name.startswith("object")):
                assert verdict.correct
            assert not verify(image, wrong).correct


def test_extra_objects_matter_only_when_counting(rng: np.random.Generator) -> None:
    picture = render(parse("a red star left of a blue circle, with a green heart below"), rng)
    for text in ("a star", "a red star", "a heart and a circle", "one star", "a green heart below a circle"):
        assert verify(picture, parse(text)).correct, text
    for text in ("two stars", "a blue star", "a red star and a green circle", "a star right of a circle", "a ring"):
        assert not verify(picture, parse(text)).correct, text


def test_one_object_cannot_stand_for_two(rng: np.random.Generator) -> None:
    assert not verify(render(parse("a red star"), rng), parse("a star and a star")).correct
    assert verify(render(parse("two stars"), rng), parse("a star and a star")).correct


def test_style_and_label_must_be_exact(rng: np.random.Generator) -> None:
    plain, carved = render(parse("a red star"), rng), render(parse("a red star, woodcut style"), rng)
    labelled = render(parse('a red star labelled "TEA"'), rng)
    for picture, text in (
        (plain, "a red star"),
        (carved, "a red star, woodcut style"),
        (labelled, 'a red star labelled "TEA"'),
    ):
        assert verify(picture, parse(text)).correct
    assert not verify(carved, parse("a red star")).correct
    assert not verify(carved, parse("a red star, stipple style")).correct
    assert not verify(plain, parse("a red star, woodcut style")).correct
    assert not verify(labelled, parse('a red star labelled "OIL"')).correct
    assert not verify(labelled, parse("a red star")).correct


def test_clauses_name_what_failed(rng: np.random.Generator) -> None:
    verdict = verify(render(parse("a red star"), rng), parse("a blue star"))
    assert verdict.clauses == (("object star", True), ("color blue star", False))


def test_batches_agree_with_single_calls(sample: Sample) -> None:
    requests, pictures = zip(*sample[:20], strict=True)
    assert verify_batch(pictures, requests) == tuple(
        verify_reading(read(picture), request) for request, picture in sample[:20]
    )
    with pytest.raises(UsageError, match="one request per picture"):
        verify_batch(pictures, requests[:5])
