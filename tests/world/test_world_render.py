"""Pictures have the right form, repeat for equal seeds, fill open colours only with allowed pairs, and keep margins."""

import numpy as np

from redraft.world import parse, read, render, split_combinations

from .conftest import Sample


def test_pictures_are_small_rgb_bytes_with_a_clean_border(sample: Sample) -> None:
    for _, picture in sample[:200]:
        assert picture.shape == (64, 64, 3)
        assert picture.dtype == np.uint8
        border = np.concatenate([picture[:2].reshape(-1, 3), picture[-2:].reshape(-1, 3)])
        assert (border == border[0]).all()


def test_equal_seeds_give_equal_pictures_and_other_seeds_others() -> None:
    request = parse("three stars")
    first, again, other = (render(request, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_open_colours_keep_to_the_pairs_allowed(rng: np.random.Generator) -> None:
    seen, _ = split_combinations(0)
    for _ in range(100):
        reading = read(render(parse("four hearts"), rng, combinations=seen))
        assert all((thing.shape, thing.color) in seen for thing in reading.objects)


def test_objects_and_plate_keep_apart_and_off_the_border(sample: Sample) -> None:
    for request, picture in sample[:270]:
        reading = read(picture)
        boxes = [thing.box for thing in reading.objects] + ([reading.label_box] if reading.label_box else [])
        assert len(reading.objects) == len(request.items) * request.count
        for left, top, right, bottom in boxes:
            assert min(left, top, 64 - right, 64 - bottom) >= 2
