"""The second part of CLIP's training: several wrong captions a picture, painted pictures, and layouts for its patches.

    loss = CLIP's own, both ways + softplus(wrong - true) over wrong captions + those of `layout`, `whole`, `segments`

The first part is `clip`, the last `readouts`. Its held-out sister `clip-heldout` has only the first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from scripts.builtin_models.clip import MEAN, STD, accuracy, build, save
from scripts.builtin_models.layout import PATCHES, LayoutHeads, layout_loss, layout_targets
from scripts.builtin_models.recognised import recognised
from scripts.builtin_models.scenes import WRONG, Scenes, painted_anew, painted_over, rendered_scenes
from scripts.builtin_models.segments import SegmentHeads, segment_loss, segment_targets
from scripts.builtin_models.ship import TARGET
from scripts.builtin_models.tokenizer import build as build_tokenizer
from scripts.builtin_models.training import BEFORE, Trainer
from scripts.builtin_models.wearing import bent, blurred, brightened, lumped, moved, still_whole
from scripts.builtin_models.whole import WholeHeads, whole_loss, whole_targets

RENDERED, LITTLE, ALTOGETHER, ANEW = 48_000, 5_120, 6_144, 24_576
"""Scenes: rendered, painted over a little, painted over altogether, painted from noise."""
SHARES = (28, 8, 8, 20)
"""Pictures of each kind in a step."""
CAPTIONS = 3
RATE = 1.5e-3
DEEP = 8
"""Layers of the vision tower from here on: each of the first part's is followed by new ones that begin by adding
nothing, so that the deeper tower begins where the other ended (Net2Net, 1511.05641).
"""
LAYERS, WEIGHTS = (6, 8), (1 / 3, 1 / 3, 2 / 3)
"""Layers whose patches learn layouts, and the weights of their losses; the last is of patches in the space of texts."""
_LENGTH = 8.0  # of patches in the space of texts, so that the heads need no large weights
_MOST_BENT = 1.8  # pixels, for the caption still to be true
WEAR = torch.tensor([1.0, 20.0, 0.5])  # brings blur, noise and bending to one size


class Taught(nn.Module):
    """The CLIP and the heads of its patches, trained and averaged together."""

    def __init__(self, clip: Any) -> None:
        super().__init__()
        self.clip, self.tokenizer = clip, build_tokenizer()
        width, shared = clip.config.vision_config.hidden_size, clip.config.projection_dim
        self.heads = nn.ModuleList([LayoutHeads(size) for size in (*[width] * len(LAYERS), shared)])
        self.whole = WholeHeads(width)
        self.segments = nn.ModuleList([SegmentHeads(size) for size in (*[width] * len(LAYERS), shared)])

    def pictures(self, pixels: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]:
        """Of pixels N,3,64,64 in 0..1: features N,D of length 1, patches N,P,width for the heads, the pooled state."""
        vision = self.clip.vision_model
        output = vision(pixel_values=(pixels - MEAN) / STD, output_hidden_states=True)
        places = [functional.layer_norm(output.hidden_states[layer][:, 1:], (output.hidden_states[layer].shape[-1],))
                  for layer in LAYERS]  # fmt: skip
        shared = self.clip.visual_projection(vision.post_layernorm(output.last_hidden_state[:, 1:]))
        pooled = self.clip.visual_projection(output.pooler_output)
        patches = [*places, functional.normalize(shared, dim=-1) * _LENGTH]
        return functional.normalize(pooled, dim=-1), patches, output.pooler_output

    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Features N,D of length 1."""
        tokens = self.tokenizer(list(texts), padding="longest", truncation=True, return_tensors="pt")
        output = self.clip.get_text_features(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
        return functional.normalize(output.pooler_output, dim=-1)


class LockedTexts:
    """Features of texts that are computed once, for the text tower learns no more (LiT, 2111.07991)."""

    def __init__(self, taught: Taught) -> None:
        taught.clip.text_model.requires_grad_(False)
        taught.clip.text_projection.requires_grad_(False)
        self._taught = taught
        self._known: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """Features N,D of length 1."""
        unknown = sorted({text for text in texts if text not in self._known})
        if unknown:
            self._known.update(zip(unknown, self._taught.texts(unknown), strict=True))
        return torch.stack([self._known[text] for text in texts])


def train(
    work: Path, *, steps: int, from_shipped: bool, begin: Path | None = None, lock_texts: bool = False,
    rate: float = RATE,
) -> None:  # fmt: skip
    """Go on from the stage `clip` of `work` (or from what ships), and save the CLIPModel folder anew.

    begin: safetensors of all that is taught, left by an earlier run; heads it lacks begin afresh. lock_texts: only what
    sees learns. rate: of learning, at its highest.
    """
    torch.manual_seed(7)
    clip = build(held_out=False, depth=DEEP)
    deepen(clip, _start(work, from_shipped=from_shipped))
    taught, folder = Taught(clip), work / "clip-layout"
    tokenizer = taught.tokenizer
    before = 0 if begin is None else go_on(taught, begin)
    texts = LockedTexts(taught) if lock_texts else taught.texts
    trainer = Trainer(taught, folder=folder, steps=steps, learning_rate=rate, muon_rate=rate, ema=0.998)
    (folder / BEFORE).write_text(json.dumps(before))
    scenes = all_scenes(folder)

    def loss_of(step: int) -> torch.Tensor:
        return _loss(taught, texts, drawn(scenes, step))

    trainer.run(
        loss_of, measure=lambda: accuracy(clip, tokenizer, _of_clip(trainer.ema)), measure_every=500,
    )  # fmt: skip
    save_file(
        {name: value.half() for name, value in trainer.ema.items()}, folder / "taught.safetensors",
        metadata={"steps": str(before + trainer.step)},
    )  # fmt: skip
    save(work, "clip", _of_clip(trainer.ema), held_out=False, depth=DEEP)


def deepen(clip: Any, weights: dict[str, torch.Tensor]) -> None:
    """Load weights of an equal or a shallower vision tower; layers it lacks begin by adding nothing to their input."""
    prefix, layers = "vision_model.encoder.layers.", clip.vision_model.encoder.layers
    places = sorted({int(name.removeprefix(prefix).split(".")[0]) for name in weights if name.startswith(prefix)})
    repeat = len(layers) // len(places)
    for layer in layers:
        for last in (layer.self_attn.out_proj, layer.mlp.fc2):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
    full = clip.state_dict()
    for name, value in weights.items():
        place, _, rest = name.removeprefix(prefix).partition(".")
        full[f"{prefix}{int(place) * repeat}.{rest}" if name.startswith(prefix) else name] = value
    clip.load_state_dict(full)


def go_on(taught: Taught, begin: Path) -> int:
    """Load what earlier runs left, and say how many steps they took together; what heads read since adds nothing yet.

    Raises SystemExit when it is not of this CLIP: only heads may be missing or no longer asked for.
    """
    now = taught.state_dict()
    weights = {name: _widened(value.float(), now.get(name)) for name, value in load_file(begin).items()}
    found = taught.load_state_dict(weights, strict=False)
    wrong = [name for name in (*found.unexpected_keys, *found.missing_keys) if name.startswith("clip.")]
    if wrong:
        raise SystemExit(f"{begin} is not of this CLIP ({wrong[0]} and {len(wrong) - 1} more): leave --begin out")
    with safe_open(begin, framework="pt") as file:  # type: ignore[no-untyped-call]
        return int((file.metadata() or {}).get("steps", 0))


def _widened(value: torch.Tensor, now: torch.Tensor | None) -> torch.Tensor:
    """With columns of zeros for what a head reads since."""
    more = 0 if now is None or value.ndim < 2 else now.shape[-1] - value.shape[-1]
    return functional.pad(value, (0, more)) if more > 0 else value


def _of_clip(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix("clip."): value for name, value in weights.items() if name.startswith("clip.")}


def _start(work: Path, *, from_shipped: bool) -> dict[str, torch.Tensor]:
    from transformers import CLIPModel

    if not from_shipped:
        found: dict[str, torch.Tensor] = torch.load(work / "clip" / "state.pt", weights_only=True)["ema"]
        return found
    weights: dict[str, torch.Tensor] = (
        CLIPModel.from_pretrained(TARGET / "clip", local_files_only=True).float().state_dict()
    )
    return weights


def all_scenes(folder: Path) -> tuple[Scenes, ...]:
    """The four kinds, drawn again or read from `folder` (painting takes minutes)."""
    kinds = [rendered_scenes(RENDERED, seed=11)]
    little, altogether = (partial(painted_over, altogether=whole) for whole in (False, True))
    for name, count, seed, paint, known in (
        ("little", LITTLE, 12, little, {}),
        ("altogether", ALTOGETHER, 13, altogether, {"laid": False}),
        ("anew", ANEW, 14, painted_anew, {"laid": False, "told": False}),
    ):
        scenes, kept = rendered_scenes(count, seed=seed), folder / f"{name}.npy"
        if not kept.exists():
            unfinished = folder / f"{name}.partial.npy"
            np.save(unfinished, paint(scenes, seed=seed))
            unfinished.replace(kept)
        kinds.append(replace(scenes, pixels=np.load(kept), **known))
    return tuple(kinds)


def drawn(scenes: tuple[Scenes, ...], step: int) -> Drawn:
    """The pictures of a step, worn and moved."""
    rng, generator = np.random.default_rng((91, step)), torch.Generator().manual_seed(step)
    chosen = [rng.choice(len(each), share, replace=False) for each, share in zip(scenes, SHARES, strict=True)]
    pixels, things = (
        np.concatenate([getattr(each, name)[rows] for each, rows in zip(scenes, chosen, strict=True)])
        for name in ("pixels", "things")
    )
    free = sum(len(rows) for each, rows in zip(scenes, chosen, strict=True) if not each.told)
    seen = _worn(pixels, things, rendered=len(chosen[0]), free=free, rng=rng, generator=generator)
    return Drawn(scenes=scenes, chosen=chosen, seen=seen, rng=rng)


def _loss(taught: Taught, texts_of: Callable[[Sequence[str]], torch.Tensor], each_of: Drawn) -> torch.Tensor:
    seen = each_of.seen
    pooled, patches, state = taught.pictures(seen.pixels)
    true, wrong = _captions(each_of.scenes, each_of.chosen, each_of.rng)
    logits = taught.clip.logit_scale.exp().clamp(max=100) * pooled @ texts_of([*true, *wrong]).T
    loss = caption_loss(logits, true, wrong, seen.whole * each_of.of_each("told"))
    laid = int(each_of.of_each("laid").sum())  # those not laid come last
    kinds, colors = (
        np.concatenate([getattr(one, name)[rows] for one, rows in zip(each_of.scenes, each_of.chosen, strict=True)])
        for name in ("kinds", "colors")
    )
    blur = torch.cat([seen.wear[:, :2], torch.zeros(laid - len(seen.wear), 2)])
    bending = torch.cat([seen.aside, torch.full((laid - len(seen.aside), PATCHES), torch.nan)])
    targets = layout_targets(seen.things[:laid], kinds[:laid], colors[:laid], wear=blur, bent=bending)
    for heads, each, weight in zip(taught.heads, patches, WEIGHTS, strict=True):
        loss = loss + weight * layout_loss(heads, each[:laid], targets)  # type: ignore[arg-type]
    found = recognised(seen.pixels)
    pieces = segment_targets(seen.pixels, found)
    for heads, each, weight in zip(taught.segments, patches, WEIGHTS, strict=True):
        loss = loss + weight * segment_loss(heads, each, pieces)  # type: ignore[arg-type]
    return loss + whole_loss(taught.whole, state, whole_targets(found, wear=seen.wear * WEAR))


@dataclass(frozen=True, kw_only=True)
class _Worn:
    """pixels N,3,64,64 in 0..1, things N,64,64; whole N: the caption is still true. Of the renders, which come first:
    wear R,3 (blur, noise, bending) and aside R,P.
    """

    pixels: torch.Tensor
    things: NDArray[np.uint8]
    whole: torch.Tensor
    wear: torch.Tensor
    aside: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Rows `chosen` of each kind of scene, as they are `seen`; rng draws the captions."""

    scenes: tuple[Scenes, ...]
    chosen: list[NDArray[np.int64]]
    seen: _Worn
    rng: np.random.Generator

    def of_each(self, name: Literal["told", "laid"]) -> torch.Tensor:
        """N: 1 for pictures of scenes of which `name` is true."""
        return torch.cat([
            torch.full((len(rows),), float(getattr(each, name)))
            for each, rows in zip(self.scenes, self.chosen, strict=True)
        ])  # fmt: skip


def _worn(
    pixels: NDArray[np.uint8], things: NDArray[np.uint8], *, rendered: int, free: int, rng: np.random.Generator,
    generator: torch.Generator,
) -> _Worn:  # fmt: skip
    """All moved and brightened; the first `rendered` bent, lumped and blurred too: painted ones have faults enough.
    Half of the last `free`, of which nobody tells what lies where, are mirrored.
    """
    pixels, things, whole = moved(pixels, things, rng)
    inputs = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    renders, worn, aside, strength = bent(inputs[:rendered], things[:rendered], generator)
    renders, worn = lumped(renders, worn, generator)
    renders, wear = blurred(renders, generator)
    whole[:rendered] &= still_whole(things[:rendered], worn) & (strength.numpy() < _MOST_BENT)
    seen = torch.cat([renders, inputs[rendered:]])
    mirrored = torch.rand(len(seen), generator=generator) < 0.5
    mirrored[: len(seen) - free] = False
    seen[mirrored] = seen[mirrored].flip(-1)
    return _Worn(
        pixels=brightened(seen, generator),
        things=np.concatenate([worn, things[rendered:]]), whole=torch.from_numpy(whole).float(),
        wear=torch.cat([wear, strength[:, None]], 1), aside=aside,
    )  # fmt: skip


def _captions(
    scenes: tuple[Scenes, ...], chosen: list[NDArray[np.int64]], rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """The true caption of each chosen picture, and CAPTIONS wrong ones of each."""
    picked = [(each, row) for each, rows in zip(scenes, chosen, strict=True) for row in rows]
    wrong = [each.wrong[row][place] for each, row in picked for place in rng.permutation(WRONG)[:CAPTIONS]]
    return [each.true[row] for each, row in picked], wrong


def caption_loss(logits: torch.Tensor, true: list[str], wrong: list[str], whole: torch.Tensor) -> torch.Tensor:
    """A scalar of logits N,N+N*CAPTIONS: true captions, then the wrong ones of each picture. whole N: it counts."""
    count = len(true)
    # Equal captions in a batch are all right answers: share the probability among them.
    same = torch.tensor([[one == other for other in (*true, *wrong)] for one in true]).float()
    square, same_square = logits[:, :count].T, same[:, :count]
    to_text = -(same / same.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1)
    to_picture = -(same_square / same_square.sum(1, keepdim=True) * square.log_softmax(1)).sum(1)
    own = logits[:, count:].reshape(count, count, -1).diagonal(dim1=0, dim2=1).T
    hard = functional.softplus(own - logits.diagonal()[:, None]).mean(1)
    weight = whole / whole.sum()
    return (weight * ((to_text + to_picture) / 2 + hard)).sum()
