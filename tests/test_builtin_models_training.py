"""The training script's own arithmetic: Muon in single precision is torch's; what pixels alone tell of a picture."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from redraft.rewards.concepts import Concepts
from redraft.world.lettering import WORDS, plate_of
from redraft.world.templates import NAMES
from scripts.builtin_models.clip import build
from scripts.builtin_models.clip_layout import DEEP, LockedTexts, Taught, deepen, go_on
from scripts.builtin_models.layout import PATCHES
from scripts.builtin_models.muon import SingleMuon, orthogonal
from scripts.builtin_models.readouts import Seen, settled
from scripts.builtin_models.recognised import recognised
from scripts.builtin_models.segments import SegmentTargets, segment_targets
from scripts.builtin_models.whole import WholeTargets, concepts_of

SHAPES = ((24, 24), (48, 24), (24, 48), (24, 48))


def matrices() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(3)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def test_single_precision_muon_goes_where_torchs_goes() -> None:
    """torch's own rounds to bfloat16 (8 bits) in every product: the ways differ by about a hundredth."""
    ours, theirs, begin = matrices(), matrices(), matrices()
    single = SingleMuon(ours, lr=1e-2, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    rounded = torch.optim.Muon(theirs, lr=1e-2, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    generator = torch.Generator().manual_seed(4)
    for _ in range(6):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        single.step()
        rounded.step()
    for one, other, first in zip(ours, theirs, begin, strict=True):
        assert (one - other).norm() < 0.03 * (other - first).norm()
        # The RMS of one step is 0.2 times the rate, were every singular value 1 (2502.16982, section 2.2).
        assert 0 < (one - first).square().mean().sqrt() < 6 * 0.2 * 1e-2 * 1.3
    assert [list(single.state[each]) for each in ours] == [list(rounded.state[each]) for each in theirs]
    with pytest.raises(ValueError, match="without a closure"):
        single.step(lambda: 1.0)  # type: ignore[arg-type]


def test_newton_schulz_brings_singular_values_near_one() -> None:
    found = orthogonal(
        torch.stack([each.detach() for each in matrices()[2:]]), coefficients=(3.4445, -4.775, 2.0315), steps=5
    )
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6
    assert values.max() < 1.25


def one_square() -> torch.Tensor:
    """A dark square over columns 16 to 31 and rows 8 to 23 on light ground, and a bar cut by the right border."""
    pixels = torch.full((1, 3, 64, 64), 0.9)
    pixels[:, :, 8:24, 16:32] = 0.2
    pixels[:, :, 40:48, 56:64] = 0.1
    return pixels


def test_segments_are_numbered_by_size_and_ground_is_none() -> None:
    found = recognised(one_square()).named
    assert found[0, 16, 20] == 1
    assert found[0, 44, 60] == 2
    assert found[0, 60, 5] == 0
    speck = one_square()
    speck[:, :, 60, 5] = 0.0
    assert (recognised(speck).named == found).all()  # a lone pixel is no segment


def targets_of(pixels: torch.Tensor) -> SegmentTargets:
    return segment_targets(pixels, recognised(pixels))


def test_patches_are_told_of_segments_by_pixels_alone() -> None:
    pixels = one_square()
    label = torch.from_numpy(plate_of(WORDS[0]).copy()).float() / 255
    pixels[:, :, 40 : 40 + label.shape[0], 20 : 20 + label.shape[1]] = label
    targets = targets_of(pixels)
    inside, plate, bar, ground = 1 * 8 + 2, 5 * 8 + 4, 5 * 8 + 7, 7 * 8
    assert targets.cover[0, [inside, bar, ground]].tolist() == [1.0, 7 / 8, 0.0]  # no blob lies on the border
    assert 0.5 < targets.cover[0, plate] < 1
    assert targets.known.shape == (1, PATCHES)
    assert targets.known[0, [inside, plate, bar, ground]].tolist() == [True, True, True, False]
    # The middle of this patch is (20, 12); the box from 16, 8 to 32, 24; in units of 16 pixels.
    assert targets.edges[0, inside].tolist() == [-4 / 16, -4 / 16, 12 / 16, 12 / 16]
    square = NAMES.index("square")
    assert targets.kind[0, [inside, plate, bar]].tolist() == [square, -1, square]  # what is cut may be a square still
    assert targets.alike[0, [inside, bar]].min() > 0.9
    assert math.isnan(targets.alike[0, plate])
    assert targets.sharp[0, ground].tolist() == [0.0, 0.0]
    # The next patch ends with the square: 8 steps of 0.7 among 64 pixels, the mean eightfold.
    assert targets.sharp[0, inside + 1].tolist() == pytest.approx([8 * 8 * 0.7 / 64, 2 * 0.7])


def test_a_softer_picture_has_smaller_steps() -> None:
    sharp = one_square()
    soft = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(sharp, (2,) * 4, mode="replicate"), 5, stride=1)
    steps = [targets_of(pixels).sharp[0, :, 1].max() for pixels in (sharp, soft)]
    assert steps[1] < 0.5 * steps[0]


def test_a_deeper_tower_begins_where_the_shallower_ended_and_learns_from_there() -> None:
    shallow, deep = build(held_out=False).eval(), build(held_out=False, depth=DEEP).eval()
    deepen(deep, shallow.state_dict())
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    before, after = (each.get_image_features(pixels).pooler_output for each in (shallow, deep))
    assert torch.equal(before, after)
    after.square().sum().backward()
    assert all(layer.mlp.fc2.weight.grad.abs().sum() > 0 for layer in deep.vision_model.encoder.layers)


def test_locked_texts_are_those_of_the_tower_and_it_learns_no_more() -> None:
    taught = Taught(build(held_out=False, depth=DEEP)).eval()
    asked = ["a red square", "two blue stars", "a red square"]
    expected = taught.texts(asked)
    locked = LockedTexts(taught)
    assert torch.allclose(locked(asked), expected, atol=1e-6)
    before = locked(asked[1:])
    with torch.no_grad():
        for parameter in taught.clip.text_model.parameters():
            parameter.zero_()
    assert torch.equal(locked(asked[1:]), before)  # known already
    assert not before.requires_grad
    learning = {name.split(".")[1] for name, value in taught.named_parameters() if value.requires_grad}
    assert not learning & {"text_model", "text_projection"}
    assert "vision_model" in learning


def test_going_on_needs_the_same_clip_and_only_heads_may_begin_afresh(tmp_path: Path) -> None:
    taught = Taught(build(held_out=False, depth=DEEP))
    weights = {name: value.contiguous() + 1 for name, value in taught.state_dict().items() if value.is_floating_point()}
    path = tmp_path / "taught.safetensors"
    weights["view.frame.weight"] = torch.ones(6, 96)  # of an earlier run that asked for something else
    few = {name: value for name, value in weights.items() if not name.startswith("whole.likeness")}
    save_file(few, path, metadata={"steps": "31"})
    fresh = taught.whole.likeness.weight.detach().clone()
    assert go_on(taught, path) == 31
    assert torch.equal(taught.whole.likeness.weight, fresh)
    assert torch.equal(taught.whole.wear.weight, weights["whole.wear.weight"])
    narrow = weights["whole.wear.weight"][:, :96].contiguous()  # as left by a run whose heads read the state alone
    save_file({**weights, "whole.wear.weight": narrow}, path)
    go_on(taught, path)
    state = torch.randn(3, 96, generator=torch.Generator().manual_seed(0))
    told = taught.whole.wear(taught.whole.read(state))
    assert torch.allclose(told, state @ narrow.T + weights["whole.wear.bias"], atol=1e-5)
    save_file({f"other.{name}": value for name, value in weights.items()}, path)
    with pytest.raises(SystemExit, match="is not of this CLIP"):
        go_on(taught, path)


def test_readouts_settle_on_what_a_state_tells_and_pass_over_what_nobody_knows() -> None:
    """The count is the sign pattern of two numbers of the state, which no linear head could read."""
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(8192, 12, generator=generator)
    known = torch.zeros(8192, 3)
    known[4096:] = torch.nan  # painted ones: nobody knows how they were worn
    count = (states[:, 0] * states[:, 1] > 0).long()
    none = {name: torch.zeros(8192, size) for name, size in (("kinds", len(NAMES)), ("colors", 8), ("flags", 3))}
    targets = WholeTargets(
        place=torch.zeros(8192, 7), seen=count > 0, count=count, unclear=1 - count, likeness=torch.zeros(8192, 3),
        wear=known, **none,
    )  # fmt: skip
    heads = settled(Seen(states=states, targets=targets), passes=25)
    told = heads.count(heads.read(states)).argmax(1)
    assert (told == count).float().mean() > 0.95
    assert all(bool(value.isfinite().all()) for value in heads.state_dict().values())
    concepts = concepts_of(heads.state_dict())
    place = next(start for start, name in _starts(concepts) if name == "count")
    assert torch.allclose(concepts(states)[:, place : place + 5], heads.count(heads.read(states)).softmax(1), atol=1e-5)


def _starts(concepts: Concepts) -> list[tuple[int, str]]:
    sizes = [group.size for group in concepts.groups]
    return [(sum(sizes[:number]), group.name) for number, group in enumerate(concepts.groups)]
