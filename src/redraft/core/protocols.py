"""The few contracts between rooms, as typing.Protocol. Not base classes: a class fits by having the members.

A method never sees a pipeline, a scorer never sees a method: they exchange records of core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel

from redraft.core.records import NoiseLevel, Prediction, Prompt, Recipe

Needs = Literal["prompts", "scored", "logged", "captioned"]
"""What a method trains on."""

if TYPE_CHECKING:
    import torch

    from redraft.core.keys import Key
    from redraft.core.tensors import Conditioning, Examples, Images, Loss, Parameters, Scored, Scores

    NoisePath = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    """(alpha, sigma), each B, at timesteps B in 0..1000."""


@runtime_checkable
class Backbone(Protocol):
    """A diffusion model as four functions. Latents are B,C,H,W, already scaled as the denoiser wants them."""

    prediction: Prediction
    latent_shape: tuple[int, int, int]

    def encode(self, prompts: Sequence[Prompt]) -> Conditioning:
        """Encode texts (and negative texts) into a conditioning of len(prompts) rows."""
        ...

    def predict(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        *,
        text: Mapping[str, torch.Tensor],
        parameters: Parameters | None = None,
    ) -> torch.Tensor:
        """The network's raw output (epsilon, v or flow velocity), B,C,H,W, at timesteps B.

        `text` is the positive or the negative half of a conditioning. `parameters` replaces trainable weights for
        this call only.
        """
        ...

    def decode(self, latents: torch.Tensor) -> Images:
        """Latents to pictures; differentiable."""
        ...

    def encode_images(self, images: Images) -> torch.Tensor:
        """Pictures to latents (the mean of the encoder's distribution)."""
        ...


class TrainableBackbone(Backbone, Protocol):
    """A backbone whose denoiser has weights to train (LoRA factors or all of them)."""

    def trainable(self) -> Mapping[str, torch.nn.Parameter]:
        """The parameters to train, by name."""
        ...

    def reference(self) -> Parameters:
        """Values for the trainable names that give the frozen reference model (the model when training began)."""
        ...

    def noise_level(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(alpha, sigma), each B, of the training noise path at real timesteps B in 0..1000."""
        ...

    def levels(self, steps: int) -> tuple[NoiseLevel, ...]:
        """The model's own sampling schedule: steps + 1 levels, noisiest first, the last at sigma 0."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """A reward: pictures and prompts to scores. `heads` names the columns of its Scores."""

    name: str
    heads: tuple[str, ...]
    fingerprint: str
    differentiable: bool

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """Scores without gradient, by the reference preprocessing. Higher is better in every head."""
        ...

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The main head, B, differentiable in pixels B,3,H,W. Raises UsageError when `differentiable` is False."""
        ...


@runtime_checkable
class PictureFeatures(Protocol):
    """A frozen network that sees pictures, for terms that compare pictures. A scorer may hold one as `tower`."""

    def image_features_differentiable(self, pixels: torch.Tensor) -> torch.Tensor:
        """B,D of length 1, differentiable in pixels B,3,H,W in 0..1."""
        ...

    def image_maps_differentiable(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The feature maps of each layer, B,D,height,width, differentiable in pixels B,3,H,W in 0..1."""
        ...


@dataclass(frozen=True, kw_only=True)
class LossContext:
    """What a method's loss may use besides its examples."""

    backbone: TrainableBackbone
    reference: Parameters
    old: Parameters
    step: int


class Method(Protocol):
    """A post-training algorithm: what it needs, how examples are made, and a loss. It never calls backward().

    `needs`: "prompts", it paints itself; "scored", painted and scored pictures; "logged", the same with every
    stochastic transition; "captioned", pictures with true captions, and no reward. Methods that need pairs make them
    of scored pictures; pairs that people chose are handed to `loss` without `prepare`.
    """

    needs: Needs

    def prepare(self, scored: Scored, *, key: Key) -> Examples:
        """Turn scored pictures into this method's examples (methods that need only prompts do not use it)."""
        ...

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """The loss of a batch."""
        ...


@dataclass(frozen=True, kw_only=True)
class MethodContext:
    """What a method's `build` receives: the sampling recipe and, where a reward is given, its scorer.

    noise_level: the backbone's, for methods that choose the levels to collect at (None where there is no backbone).
    """

    recipe: Recipe
    reward: Scorer | None
    noise_level: NoisePath | None = None


@dataclass(frozen=True, kw_only=True)
class ModelContext:
    """What a backbone's or scorer's `build` receives. `folder` is where its weights are (or a hub id); may be empty."""

    folder: str
    device: str = "cpu"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


class Plugin(Protocol):
    """What an entry point names: a class with a pydantic `Config` and a `build(config, context)`."""

    Config: ClassVar[type[BaseModel]]

    @classmethod
    def build(cls, config: Any, context: Any) -> Any:
        """Make the thing."""
        ...


class Factory(Protocol):
    """Builds concrete things from their names; picklable, so that other processes build the same ones."""

    def backbone(self, name: str) -> TrainableBackbone:
        """The backbone of a base model name, folder or hub id."""
        ...

    def scorer(self, name: str) -> Scorer:
        """The scorer called `name`, or at the folder `name`."""
        ...

    def method(self, name: str, *, context: MethodContext) -> Method:
        """The method or preset called `name`."""
        ...

    def method_needs(self, name: str) -> str:
        """What the method called `name` trains on: "prompts", "scored" or "logged"."""
        ...
