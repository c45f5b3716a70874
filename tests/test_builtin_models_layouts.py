"""What the tiny CLIP is taught of layouts: targets in closed form, wear that keeps pictures and layouts together."""

from __future__ import annotations

import math

import numpy as np
import torch

from redraft.world import COLORS, SHAPES, parse, read
from redraft.world.lettering import WORDS, plate_of
from redraft.world.render import render, render_with_layout
from redraft.world.shapes import PALETTE, shape_mask
from redraft.world.templates import NAMES
from scripts.builtin_models.clip_layout import _worn, caption_loss
from scripts.builtin_models.layout import PATCHES, layout_targets
from scripts.builtin_models.recognised import recognised
from scripts.builtin_models.scenes import KINDS, THINGS, rendered_scenes
from scripts.builtin_models.wearing import bent, lumped, moved, still_whole
from scripts.builtin_models.whole import whole_targets


def one_box() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A red square over columns 16 to 31 and rows 8 to 23, a stroke at the lower right, and a plate at the bottom."""
    things = np.zeros((1, 64, 64), dtype=np.uint8)
    things[0, 8:24, 16:32], things[0, 40:42, 60:64], things[0, 52:60, 20:44] = 1, THINGS, 2
    kinds, colors = np.full((1, THINGS), -1, dtype=np.int8), np.full((1, THINGS), -1, dtype=np.int8)
    kinds[0, [0, 1, THINGS - 1]] = SHAPES.index("square"), KINDS.index("plate"), KINDS.index("stray")
    colors[0, 0] = COLORS.index("red")
    return things, kinds, colors


def test_patches_are_asked_for_what_covers_them_and_how_far_it_reaches() -> None:
    targets = layout_targets(*one_box(), wear=torch.zeros(1, 2), bent=torch.zeros(1, PATCHES))
    inside, stroke, ground = 1 * 8 + 2, 5 * 8 + 7, 0  # patches by row and column
    assert targets.cover[0, [inside, stroke, ground]].tolist() == [[1.0, 0.0], [0.0, 8 / 64], [0.0, 0.0]]
    assert targets.known[0].sum() == 4 + 1 + 2 * 4  # the square, the stroke, and the plate in two rows of four patches
    assert targets.kind[0, inside] == SHAPES.index("square")
    assert targets.kind[0, stroke] == KINDS.index("stray")
    assert targets.color[0, [inside, stroke]].tolist() == [COLORS.index("red"), -1]
    # The middle of this patch is (20, 12): the box from 16, 8 to 32, 24, in units of 16 pixels.
    assert targets.edges[0, inside].tolist() == [-4 / 16, -4 / 16, 12 / 16, 12 / 16]


def drawn() -> torch.Tensor:
    """A red square over columns 16 to 31 and rows 8 to 23, a blue line that is no shape, a label; 1,3,64,64."""
    picture = torch.full((1, 3, 64, 64), 0.8)
    for name, rows, columns in (("red", slice(8, 24), slice(16, 32)), ("blue", slice(28, 32), slice(40, 62))):
        picture[0, :, rows, columns] = torch.tensor(PALETTE[name]).view(3, 1, 1) / 255
    label = torch.from_numpy(plate_of(WORDS[0]).copy()).float() / 255
    picture[0, :, 48 : 48 + label.shape[0], 20 : 20 + label.shape[1]] = label
    return picture


def test_blobs_are_known_as_shapes_lines_and_plates() -> None:
    found = recognised(drawn())
    # The largest first: a square of 16 by 16, a label without some ground inside, a line of 4 by 22.
    assert found.there[0].tolist() == [True] * 3 + [False] * 5
    assert found.plate[0, :3].tolist() == [False, True, False]
    assert found.whole[0].nonzero().flatten().tolist() == [0]
    assert found.unclear[0].nonzero().flatten().tolist() == [2]
    assert NAMES[found.kind[0, 0]] == "square"
    assert COLORS[found.color[0, 0]] == "red"
    assert found.likeness[0, 0] > 0.95
    assert found.likeness[0, 2] < 0.7


def test_the_whole_is_told_by_what_is_recognised_alone() -> None:
    found = recognised(drawn())
    targets = whole_targets(found, wear=torch.zeros(0, 3))
    # Room 16, 8, 32, 40; centroid at columns and rows 23.5, 15.5; area 256 of 400; all in units of 8 pixels.
    assert torch.allclose(targets.place[0], torch.tensor([2, 1, 4, 5, -8.5 / 8, -16.5 / 8, 256 / 400]))
    assert (targets.count.tolist(), targets.unclear.tolist()) == ([1], [1])
    assert targets.flags[0].tolist() == [0.0, 1.0, 1.0]  # nothing is cut, one thing is unclear, there is a plate
    assert targets.kinds.nonzero().tolist() == [[0, SHAPES.index("square")]]
    assert targets.colors.nonzero().tolist() == [[0, COLORS.index("red")]]
    # The plate is neither like nor unlike a shape.
    square, _, line = found.likeness[0, :3]
    assert torch.allclose(targets.likeness[0], torch.stack([square, (square + line) / 2, line]))


def test_shapes_are_recognised_in_any_size_paint_and_turn_and_halves_are_not() -> None:
    rng = np.random.default_rng(5)
    for number, name in enumerate(NAMES):
        for paint in ("yellow", "black"):
            mask = shape_mask(name, float(rng.uniform(14, 28)), float(rng.uniform(-6, 6)))
            height, width = mask.shape
            picture = torch.full((1, 3, 64, 64), 0.95)
            color = torch.tensor(PALETTE[paint]).view(3, 1, 1) / 255
            cover = torch.from_numpy(mask.copy())
            place = picture[0, :, 20 : 20 + height, 24 : 24 + width]
            place[:] = place * (1 - cover) + color * cover
            found = recognised(picture)
            assert (found.kind[0, 0], found.there[0].sum()) == (number, 1), name
            assert found.likeness[0, 0] > 0.9, name
            assert COLORS[found.color[0, 0]] == paint
            half = picture.clone()
            half[0, :, :, 24 + width // 2 :] = 0.95  # its left half alone
            cut = recognised(half)
            assert not (cut.whole & (cut.kind == number)).any(), name


def test_a_layout_is_what_the_oracle_reads_in_the_render() -> None:
    """Boxes of the layout within 2 pixels of those that were read: half covered pixels are in one and not the other."""
    request = parse("a red square left of a blue circle")
    for seed in range(5):
        picture, layout = render_with_layout(request, np.random.default_rng(seed))
        assert (picture == render(request, np.random.default_rng(seed))).all()
        seen = {thing.shape: thing for thing in read(picture).objects}
        for number, (shape, color) in enumerate(zip(layout.shapes, layout.colors, strict=True), start=1):
            rows, columns = np.nonzero(layout.things == number)
            box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            assert np.abs(np.subtract(box, seen[shape].box)).max() <= 2
            assert color == seen[shape].color


def test_moved_scenes_keep_their_layout_and_know_what_was_cut() -> None:
    scenes = rendered_scenes(40, seed=3)
    pixels, things, whole = moved(scenes.pixels, scenes.things, np.random.default_rng(0))
    for row in range(40):
        ground = scenes.pixels[row, 0, 0]
        # A render's ground is one colour but for its noise of draw; what the layout calls ground is ground.
        plain = (scenes.pixels[row] == ground).all(-1) & (scenes.things[row] == 0)
        assert (pixels[row][things[row] == 0] == ground).all(-1).mean() >= plain.mean() - 0.1
        kept = [(things[row] == n).sum() >= 0.6 * (scenes.things[row] == n).sum() for n in range(1, THINGS)]
        assert whole[row] == all(kept)
    assert 0.5 < whole.mean() < 1
    assert (still_whole(things, things)).all()


def test_bending_by_nothing_changes_nothing_and_tells_how_far_it_bent() -> None:
    scenes = rendered_scenes(30, seed=4)
    inputs = torch.from_numpy(scenes.pixels).permute(0, 3, 1, 2).float() / 255
    generator = torch.Generator().manual_seed(0)
    pixels, things, aside, strength = bent(inputs, scenes.things, generator)
    straight = strength == 0
    assert 0.3 < straight.float().mean() < 0.9
    assert torch.equal(pixels[straight], inputs[straight])
    assert (things[straight.numpy()] == scenes.things[straight.numpy()]).all()
    assert (aside[straight] == 0).all()
    # Normal steps of both axes: their length is Rayleigh's, sqrt(pi / 2) = 1.25 on average, less between the knots.
    assert 0.6 < (aside[~straight].mean(1) / strength[~straight]).mean() < 1.4
    lumpy, layer = lumped(inputs, scenes.things, generator)
    changed = (layer == THINGS) & (scenes.things != THINGS)
    assert changed.any()
    assert ((lumpy - inputs).abs().amax(1)[torch.from_numpy(changed)] > 0.02).float().mean() > 0.8


def test_captions_lose_nothing_when_they_are_certain_and_cut_pictures_do_not_count() -> None:
    true, wrong = ["a", "b"], ["c", "d", "e", "f"]
    logits = torch.full((2, 6), -50.0)
    logits[0, 0] = logits[1, 1] = 50.0
    assert caption_loss(logits, true, wrong, torch.ones(2)) < 1e-6
    # All alike: one of six texts, one of two pictures, and log 2 against each wrong caption.
    alike = caption_loss(torch.zeros(2, 6), true, wrong, torch.ones(2))
    assert math.isclose(alike.item(), (math.log(6) + math.log(2)) / 2 + math.log(2), rel_tol=1e-6)
    logits[1] = torch.tensor([0.0, -9.0, 9.0, 9.0, 9.0, 9.0])
    assert caption_loss(logits, true, wrong, torch.tensor([1.0, 0.0])) < 1e-4


def test_only_pictures_that_nobody_tells_of_are_mirrored() -> None:
    scenes = rendered_scenes(40, seed=6)
    seen = _worn(
        scenes.pixels, scenes.things, rendered=10, free=30, rng=np.random.default_rng(1),
        generator=torch.Generator().manual_seed(2),
    )  # fmt: skip
    same = _worn(
        scenes.pixels, scenes.things, rendered=10, free=0, rng=np.random.default_rng(1),
        generator=torch.Generator().manual_seed(2),
    )  # fmt: skip
    turned = [torch.equal(one, other.flip(-1)) for one, other in zip(seen.pixels, same.pixels, strict=True)]
    kept = [torch.equal(one, other) for one, other in zip(seen.pixels, same.pixels, strict=True)]
    assert all(kept[:10])
    assert all(one or other for one, other in zip(turned, kept, strict=True))
    assert 5 <= sum(turned[10:]) <= 25
    assert (seen.things == same.things).all()
