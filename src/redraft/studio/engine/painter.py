"""Paints batches in the engine process: each picture by its own seed, whatever shares its batch. Loads no model.

Picture and seed are those of `redraft generate --seed`: the same base, checkpoint, steps and guidance give the same
picture there as its first one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as functional

from redraft.core.keys import Key
from redraft.core.records import NoiseLevel, Prompt, Recipe
from redraft.core.tensors import Images, PromptBatch
from redraft.diffusion.sample import initial_noise, sample
from redraft.methods.self_critique import SelfCritique, SelfCritiqueConfig
from redraft.prompts.rewriting import rewritten
from redraft.studio.engine.judge import Judge
from redraft.studio.engine.messages import Failed, Item, Paint, Painted, Pixels, Preview, Progress, Report

if TYPE_CHECKING:
    from redraft.models.backbone import PipelineBackbone

Tell = Callable[[Report], None]
ATTEMPTS = 2
"""Pictures of the second pass of self-critique."""
BLURRED_EDGE = 6
"""Pixels of an edge that are left of a blurred preview."""


@dataclass(frozen=True, kw_only=True)
class SeedKeys(Key):
    """Keys of pictures with seeds of their own, in place of one key for a batch: picture i draws by seeds[i] alone."""

    seeds: tuple[int, ...]

    def child(self, *names: str | int) -> SeedKeys:
        """The same below `names`, for every picture."""
        return replace(self, path=(*self.path, *names))

    def normal_each(self, indices: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
        """B,*shape: what each picture's own key draws for its first picture."""
        keys = [Key(seed=self.seeds[index], path=self.path) for index in indices]
        return torch.cat([key.normal_each([0], shape) for key in keys])


def keys_of(items: Sequence[Item]) -> SeedKeys:
    """The keys of a batch; `redraft generate` uses the same path."""
    return SeedKeys(seed=0, path=("generate",), seeds=tuple(item.seed for item in items))


class NobodyWantsItError(Exception):
    """Every picture of the batch was cancelled."""


@dataclass(frozen=True, kw_only=True)
class Painter:
    """Paints with any model that it is handed. unwanted: numbers of cancelled pictures, filled by another thread.

    preview_every, preview_edge: steps between previews (0: none), and their edge in pixels at most. unsafe_limit: from
    this probability on a preview is blurred.
    """

    judge: Judge
    tell: Tell
    unwanted: set[int]
    preview_every: int
    preview_edge: int
    unsafe_limit: float

    def paint(self, order: Paint, backbone: PipelineBackbone) -> None:
        """Paint an order and tell of every picture, painted or failed; half of it at a time when memory is short.

        Raises NobodyWantsItError when all of it was cancelled.
        """
        try:
            self._paint(order, backbone)
        except torch.OutOfMemoryError:
            if len(order.items) == 1:
                raise
            middle = len(order.items) // 2
            for part in (order.items[:middle], order.items[middle:]):
                self.paint(replace(order, items=part), backbone)

    def _paint(self, order: Paint, backbone: PipelineBackbone) -> None:
        prompts = tuple(Prompt(text=item.prompt, negative_text=item.negative_prompt) for item in order.items)
        recipe = backbone.default_recipe(steps=order.group.steps, guidance_scale=order.group.guidance)
        key, first = keys_of(order.items), None
        if order.group.critique:
            pixels, first = self._criticised(backbone, prompts, recipe=recipe, key=key)
        else:
            watch = _Watch(self, order.items, backbone, recipe=recipe, key=key)
            latents = sample(backbone, backbone.encode(prompts), recipe=recipe, key=key, on_step=watch).latents
            with torch.no_grad():
                pixels = backbone.decode(latents).pixels
        self._hand_over(order.items, prompts, pixels.float().cpu(), first=first)

    def _criticised(
        self, backbone: PipelineBackbone, prompts: tuple[Prompt, ...], *, recipe: Recipe, key: Key
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels B,3,H,W after a second pass where the first was not sure, and the confidences B of the first.

        The second pass is told in words what was wrong, and judged by the words that were asked for.
        """
        config = SelfCritiqueConfig(attempts=ATTEMPTS)
        method = SelfCritique(config=config, judge=self.judge.terms, rewrite=rewritten)
        batch = PromptBatch(prompts=prompts, conditioning=backbone.encode(prompts))
        made = method.enhance(backbone, batch, recipe=recipe, key=key)
        return made.images.pixels, made.before

    def _hand_over(
        self, items: Sequence[Item], prompts: Sequence[Prompt], pixels: torch.Tensor, *, first: torch.Tensor | None
    ) -> None:
        sound = torch.isfinite(pixels).flatten(1).all(dim=1)
        broken = tuple(item.number for item, good in zip(items, sound.tolist(), strict=True) if not good)
        if broken:
            message = "the model gave numbers that are no picture: use less guidance, more steps or another seed"
            self.tell(Failed(numbers=broken, message=message))
        rows = sound.nonzero().flatten().tolist()
        if not rows:
            return
        whole = (pixels[rows] * 255).round().to(torch.uint8)
        # Judged is what people see: the rounded picture.
        judgements = self.judge.judge(Images(pixels=whole.float() / 255), [prompts[row] for row in rows])
        for row, picture, judgement in zip(rows, whole, judgements, strict=True):
            before = None if first is None or judgement.confidence is None else float(first[row])
            self.tell(
                Painted(
                    number=items[row].number,
                    pixels=_pixels(picture),
                    judgement=judgement,
                    first_confidence=before,
                )
            )


class _Watch:
    """Told after each step of a batch: reports progress, decodes previews, and stops a batch that nobody wants."""

    def __init__(
        self, painter: Painter, items: Sequence[Item], backbone: PipelineBackbone, *, recipe: Recipe, key: Key
    ) -> None:
        self._painter, self._items, self._backbone, self._recipe = painter, items, backbone, recipe
        self._rows = [row for row, item in enumerate(items) if item.preview] if painter.preview_every else []
        self._before: torch.Tensor | None = None
        if self._rows:
            self._before = initial_noise(key, indices=self._rows, shape=backbone.latent_shape)

    def __call__(self, index: int, latents: torch.Tensor) -> None:
        painter, recipe = self._painter, self._recipe
        numbers = tuple(item.number for item in self._items if item.number not in painter.unwanted)
        if not numbers:
            raise NobodyWantsItError
        step = index + 1
        painter.tell(Progress(numbers=numbers, step=step, steps=recipe.steps))
        if self._before is None or step == recipe.steps:
            return
        after = latents[self._rows]
        if step % painter.preview_every == 0:
            clean = clean_estimate(
                self._before.to(after), after, level=recipe.levels[index], next_level=recipe.levels[step]
            )
            for row, picture in zip(self._rows, self._shown(clean), strict=True):
                number = self._items[row].number
                if number not in painter.unwanted:
                    painter.tell(Preview(number=number, step=step, steps=recipe.steps, pixels=_pixels(picture)))
        self._before = after

    def _shown(self, clean: torch.Tensor) -> torch.Tensor:
        """Previews of clean latents, uint8 B,3,edge,edge; what leans unsafe already is not shown on its way."""
        pixels = self._backbone.decode(clean).pixels.float().nan_to_num(0.5).cpu()
        edge = min(pixels.shape[-1], self._painter.preview_edge)
        small = functional.interpolate(pixels, size=(edge, edge), mode="area")
        prompts = [Prompt(text=self._items[row].prompt) for row in self._rows]
        unsafe = self._painter.judge.unsafe(Images(pixels=pixels), prompts) >= self._painter.unsafe_limit
        if bool(unsafe.any()):
            coarse = functional.interpolate(small[unsafe], size=(BLURRED_EDGE, BLURRED_EDGE), mode="area")
            small[unsafe] = functional.interpolate(coarse, size=(edge, edge), mode="bicubic").clamp(0, 1)
        return (small * 255).round().to(torch.uint8)


def clean_estimate(
    before: torch.Tensor, after: torch.Tensor, *, level: NoiseLevel, next_level: NoiseLevel
) -> torch.Tensor:
    """x0_hat B,C,H,W of a deterministic step from its two ends, without another call of the network.

    before = alpha * x0_hat + sigma * noise_hat and after = alpha' * x0_hat + sigma' * noise_hat: two equations.
    """
    determinant = next_level.alpha * level.sigma - level.alpha * next_level.sigma
    return (level.sigma * after - next_level.sigma * before) / determinant


def _pixels(picture: torch.Tensor) -> Pixels:
    """A picture, uint8 3,H,W."""
    _, height, width = picture.shape
    return Pixels(width=width, height=height, data=picture.permute(1, 2, 0).contiguous().numpy().tobytes())
