"""Who paints in a measurement, and how: the base, or weights of finished runs at some scale, mixed, in some steps.

Nothing is judged here (see `measuring`). Every contestant gets the same noise, picture by picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Factory, Scorer
from redraft.core.records import Prompt, Recipe
from redraft.loop.adapting import AdaptedSteps, mixed
from redraft.loop.journal import Clock, Journal, Packed, digest_of
from redraft.loop.painting import Painted, paint
from redraft.models.checkpoints import decode
from redraft.store.files import write_file
from redraft.store.workspace import Workspace

if TYPE_CHECKING:
    from redraft.models.backbone import PipelineBackbone
    from redraft.models.weights import DenoiserWeights


class Part(Config):
    """Weights of a finished run: its checkpoint, or those after a round (from 1). `scale` of a LoRA's change."""

    workspace: str
    run: str
    checkpoint: str
    round: int | None = Field(default=None, ge=1)
    scale: float = 1.0


class Contestant(Config):
    """No parts: the base. `share`: of the sampling steps, the last or first ones, in which the weights act."""

    parts: tuple[Part, ...] = ()
    share: float | None = Field(default=None, ge=0, le=1, description="None: all steps, merged")
    side: Literal["last", "first"] = "last"
    guidance_scale: float | None = None
    enhance: str = Field(default="", description="a method at inference; it goes by the reward")
    options: dict[str, Any] = Field(default_factory=dict, description="of that method")


@contextmanager
def journal_of(part: Part) -> Iterator[Journal]:
    """The journal of a part's run, for reading. Raises UnknownNameError for a run that is not there."""
    clock: Clock = lambda: 0.0  # noqa: E731  # nothing is entered
    with Workspace.open(part.workspace) as space:
        yield Journal(workspace=space, run=space.runs.get(part.run).name, seed=0, clock=clock)


def weights_of(part: Part) -> DenoiserWeights:
    """The weights that a part names. Raises UsageError for a round that has not finished, and as the store does."""
    with journal_of(part) as journal:
        weights = decode(journal.workspace.checkpoints.read(part.checkpoint))
        if part.round is None:
            return weights
        tensors = journal.recall(f"round-{part.round - 1}-train").tensors
    chosen = {name.removeprefix("chosen/"): value for name, value in tensors.items() if name.startswith("chosen/")}
    return replace(weights, parameters=chosen)


@dataclass(frozen=True, kw_only=True)
class Painter:
    """A contestant ready to paint. `costs`: of the last call with a method at inference, network calls of a picture."""

    backbone: PipelineBackbone
    recipe: Recipe
    key: Key
    batch: int
    contestant: Contestant
    weights: DenoiserWeights | None = None
    reward: Scorer | None = None
    costs: dict[str, float] = field(default_factory=dict)

    def paint(self, prompts: Sequence[Prompt]) -> Painted:
        """One picture for each prompt, picture i from the noise of `key` and i."""
        if self.contestant.enhance:
            return self._enhanced(prompts)
        return paint(
            self.backbone, prompts, recipe=self.recipe, key=self.key, batch=self.batch, adapted=self._adapted()
        )

    def _adapted(self) -> AdaptedSteps | None:
        share, steps = self.contestant.share, self.recipe.steps
        return None if share is None else AdaptedSteps(count=round(share * steps), side=self.contestant.side)

    def _enhanced(self, prompts: Sequence[Prompt]) -> Painted:
        from redraft.loop.enhancing import enhancer, paint_enhanced

        name = self.contestant.enhance
        if self.reward is None:
            raise UsageError(f"{name} without a reward of one scorer: nothing says what is better; name one")
        method = enhancer(name, reward=self.reward, options=self.contestant.options, source=f"options of {name}")
        made = paint_enhanced(self.backbone, prompts, method=method, recipe=self.recipe, key=self.key, batch=self.batch)
        self.costs["network_calls"] = float(made.network_calls.double().mean())
        self.costs["backward_calls"] = float(made.backward_calls.double().mean())
        return made.painted


@dataclass(frozen=True, kw_only=True)
class Painters:
    """Makes painters of one model, with one recipe, seed and batch."""

    model: str
    factory: Factory
    key: Key
    batch: int
    steps: int | None
    guidance_scale: float | None
    reward: Scorer | None

    def painter(self, contestant: Contestant) -> Painter:
        """Open the model anew and put the contestant's weights into it.

        Raises UsageError for weights of another base, or that cannot be scaled or mixed.
        """
        backbone: PipelineBackbone = self.factory.backbone(self.model)  # type: ignore[assignment]
        weights = None
        if contestant.parts:
            weights = mixed([(weights_of(part), part.scale) for part in contestant.parts])
            backbone.load_weights(weights)
        guidance = self.guidance_scale if contestant.guidance_scale is None else contestant.guidance_scale
        recipe = backbone.default_recipe(steps=self.steps, guidance_scale=guidance)
        return Painter(
            backbone=backbone, recipe=recipe, key=self.key, batch=self.batch, contestant=contestant, weights=weights,
            reward=self.reward,
        )  # fmt: skip


def kept(painter: Painter, prompts: Sequence[Prompt], *, folder: Path) -> Painted:
    """What a painter of the base paints, kept in `folder` by all that decides it, so that it is painted once."""
    marks = [
        painter.backbone.base_fingerprint, asdict(painter.recipe), painter.key.entropy,
        [[prompt.text, prompt.negative_text] for prompt in prompts],
    ]  # fmt: skip
    path = folder / f"{digest_of(marks)[:32]}.safetensors"
    if path.is_file():
        packed = Packed.from_bytes(path.read_bytes())
        return Painted(prompts=tuple(prompts), latents=packed.tensors["latents"], pixels=packed.tensors["pixels"])
    painted = painter.paint(prompts)
    tensors = {"latents": painted.latents, "pixels": painted.pixels}
    write_file(path, Packed(tensors=tensors, facts={}).to_bytes())
    return painted


def seconds_of_pictures(
    painters: Sequence[Painter], prompts: Sequence[Prompt], *, repeats: int, stopwatch: Callable[[], float]
) -> tuple[list[float], ...]:
    """For each painter, seconds a picture of `repeats` paintings, taken in turn after one that does not count."""
    taken: tuple[list[float], ...] = tuple([] for _ in painters)
    for repeat in range(repeats + 1):
        for painter, seconds in zip(painters, taken, strict=True):
            began = stopwatch()
            painter.paint(prompts)
            if repeat:
                seconds.append((stopwatch() - began) / len(prompts))
    return taken
