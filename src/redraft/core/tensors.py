"""The records that hold tensors. Frozen at the surface: nobody writes into a tensor that a record holds.

Shape letters: B images  T logged transitions  S steps  C latent channels  H W  K heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from redraft.core.errors import NumericsError
from redraft.core.records import Prompt, Recipe

Parameters = Mapping[str, torch.Tensor]
"""Named weights of a denoiser, for a call with other weights than its own."""

POSITIVE_BANK = "soft_tokens.positive"
"""Name in Parameters of the soft tokens that a prediction uses; all zeros means none, exactly as without them."""

NEGATIVE_BANK = "soft_tokens.negative"
"""Name of the second bank, for false captions; a prediction uses it when it stands under POSITIVE_BANK's name."""


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """Encoded prompts, opaque to the methods. Every tensor has B first; `negative` is there when guidance is wanted."""

    positive: Mapping[str, torch.Tensor]
    negative: Mapping[str, torch.Tensor]

    def __len__(self) -> int:
        return int(next(iter(self.positive.values())).shape[0])

    def take(self, indices: Sequence[int] | torch.Tensor) -> Conditioning:
        """The rows `indices`, in that order (repeats allowed)."""
        index = torch.as_tensor(indices, dtype=torch.long)
        return Conditioning(
            positive={name: value[index.to(value.device)] for name, value in self.positive.items()},
            negative={name: value[index.to(value.device)] for name, value in self.negative.items()},
        )

    def repeat(self, count: int) -> Conditioning:
        """Every row `count` times in a row: the order of groups."""
        return self.take(torch.arange(len(self)).repeat_interleave(count))


@dataclass(frozen=True, kw_only=True)
class Images:
    """Pictures: float32 B,3,H,W in 0..1."""

    pixels: torch.Tensor

    def __len__(self) -> int:
        return int(self.pixels.shape[0])

    def take(self, indices: Sequence[int] | torch.Tensor) -> Images:
        """The rows `indices`."""
        return Images(pixels=self.pixels[torch.as_tensor(indices, dtype=torch.long)])


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """Clean latents B,C,H,W at the end of sampling, and the recipe that made them."""

    latents: torch.Tensor
    recipe: Recipe


@dataclass(frozen=True, kw_only=True)
class LoggedRollout:
    """A rollout with every stochastic transition. Only a stochastic kernel makes one; sigma 0 is never a transition.

    before, after: T,B,C,H,W. log_probabilities: T,B, summed over C,H,W, of `after` given `before`.
    steps: the T indices into `recipe.levels` of `before`.
    """

    latents: torch.Tensor
    before: torch.Tensor
    after: torch.Tensor
    log_probabilities: torch.Tensor
    steps: tuple[int, ...]
    recipe: Recipe

    def __len__(self) -> int:
        return int(self.latents.shape[0])

    def take(self, indices: Sequence[int] | torch.Tensor) -> LoggedRollout:
        """The pictures `indices` with all their transitions."""
        index = torch.as_tensor(indices, dtype=torch.long).to(self.latents.device)
        return LoggedRollout(
            latents=self.latents[index],
            before=self.before[:, index],
            after=self.after[:, index],
            log_probabilities=self.log_probabilities[:, index],
            steps=self.steps,
            recipe=self.recipe,
        )


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of pictures: values B,K float32, one name and one fingerprint a head; mask B,K is True where scored."""

    values: torch.Tensor
    names: tuple[str, ...]
    fingerprints: tuple[str, ...]
    mask: torch.Tensor

    def head(self, name: str) -> torch.Tensor:
        """The B values of the head `name`. Raises KeyError for a head that is not there."""
        if name not in self.names:
            raise KeyError(f"scores have the heads {self.names}, not {name!r}")
        return self.values[:, self.names.index(name)]

    def require_finite(self) -> Scores:
        """Return self, or raise NumericsError naming the head and the first picture whose score is not finite."""
        bad = ~torch.isfinite(self.values) & self.mask
        if bool(bad.any()):
            row, column = (int(index) for index in bad.nonzero()[0])
            raise NumericsError(
                f"scorer {self.names[column]!r} gave {self.values[row, column].item()} for picture {row}: a score must "
                "be finite; the step was stopped before it changed any weight. Check the scorer on that picture"
            )
        return self


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Pictures of one collection with their reward. `group` B tells which pictures share a prompt.

    `scores` are the single scores, B,K, that `reward` was made of, for methods that weigh several rewards themselves.
    `origin`: clean latents N,C,H,W that the model painted in the first round, for methods that weigh pictures by their
    distance to those; None in the first round, whose own pictures they are.
    """

    prompts: tuple[Prompt, ...]
    conditioning: Conditioning
    rollout: Rollout | LoggedRollout
    reward: torch.Tensor
    group: torch.Tensor
    scores: Scores | None = None
    origin: torch.Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class PromptBatch:
    """Prompts to sample from, for methods that make their own pictures (reward gradients).

    `pictures`: clean latents B,C,H,W of one picture that each prompt describes, for methods that go on pre-training
    beside their reward; None where there are none.
    """

    prompts: tuple[Prompt, ...]
    conditioning: Conditioning
    pictures: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.prompts)

    def take(self, indices: Sequence[int]) -> PromptBatch:
        """The rows `indices`."""
        pictures = self.pictures
        return PromptBatch(
            prompts=tuple(self.prompts[index] for index in indices),
            conditioning=self.conditioning.take(indices),
            pictures=None if pictures is None else pictures[torch.as_tensor(indices, dtype=torch.long)],
        )


@dataclass(frozen=True, kw_only=True)
class Advantages:
    """Clean latents B,C,H,W with an advantage B each (normalised within its group)."""

    latents: torch.Tensor
    conditioning: Conditioning
    advantage: torch.Tensor

    def __len__(self) -> int:
        return int(self.latents.shape[0])

    def take(self, indices: Sequence[int]) -> Advantages:
        """The rows `indices`."""
        index = torch.as_tensor(indices, dtype=torch.long)
        return Advantages(
            latents=self.latents[index], conditioning=self.conditioning.take(index), advantage=self.advantage[index]
        )


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Clean latents B,C,H,W with a non-negative training weight B each."""

    latents: torch.Tensor
    conditioning: Conditioning
    weight: torch.Tensor

    def __len__(self) -> int:
        return int(self.latents.shape[0])

    def take(self, indices: Sequence[int]) -> Weights:
        """The rows `indices`."""
        index = torch.as_tensor(indices, dtype=torch.long)
        return Weights(
            latents=self.latents[index], conditioning=self.conditioning.take(index), weight=self.weight[index]
        )


@dataclass(frozen=True, kw_only=True)
class Transitions:
    """Logged rollouts of B pictures with an advantage B each: what policy gradients train on."""

    rollout: LoggedRollout
    conditioning: Conditioning
    advantage: torch.Tensor

    def __len__(self) -> int:
        return len(self.rollout)

    def take(self, indices: Sequence[int]) -> Transitions:
        """The rows `indices`."""
        index = torch.as_tensor(indices, dtype=torch.long)
        return Transitions(
            rollout=self.rollout.take(index),
            conditioning=self.conditioning.take(index),
            advantage=self.advantage[index],
        )


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Clean latents B,C,H,W of two pictures of one prompt, and how likely `preferred` is the better one.

    probability B in 0.5..1: 1 for a clear choice, 0.5 for a tie.
    weight B above 0: how much each pair counts, such as an inverse propensity; None: all alike.
    """

    preferred: torch.Tensor
    rejected: torch.Tensor
    conditioning: Conditioning
    probability: torch.Tensor
    weight: torch.Tensor | None = None

    def __len__(self) -> int:
        return int(self.preferred.shape[0])

    def take(self, indices: Sequence[int]) -> Pairs:
        """The rows `indices`."""
        index = torch.as_tensor(indices, dtype=torch.long)
        return Pairs(
            preferred=self.preferred[index],
            rejected=self.rejected[index],
            conditioning=self.conditioning.take(index),
            probability=self.probability[index],
            weight=None if self.weight is None else self.weight[index],
        )


@dataclass(frozen=True, kw_only=True)
class TransitionPairs:
    """Pairs of logged rollouts of one prompt, B of each; `probability` as in Pairs."""

    preferred: LoggedRollout
    rejected: LoggedRollout
    conditioning: Conditioning
    probability: torch.Tensor

    def __len__(self) -> int:
        return len(self.preferred)

    def take(self, indices: Sequence[int]) -> TransitionPairs:
        """The rows `indices`."""
        index = torch.as_tensor(indices, dtype=torch.long)
        return TransitionPairs(
            preferred=self.preferred.take(index),
            rejected=self.rejected.take(index),
            conditioning=self.conditioning.take(index),
            probability=self.probability[index],
        )


@dataclass(frozen=True, kw_only=True)
class Captioned:
    """Clean latents B,C,H,W of pictures with true captions, and M false captions each (`negatives`: B * M rows, those
    of picture 0 first; None for M = 0)."""

    latents: torch.Tensor
    conditioning: Conditioning
    negatives: Conditioning | None = None

    def __len__(self) -> int:
        return int(self.latents.shape[0])

    def take(self, indices: Sequence[int]) -> Captioned:
        """The rows `indices`, each with its own false captions."""
        index = torch.as_tensor(indices, dtype=torch.long)
        negatives = self.negatives
        if negatives is not None:
            count = len(negatives) // len(self)
            negatives = negatives.take((index[:, None] * count + torch.arange(count)).flatten())
        return Captioned(latents=self.latents[index], conditioning=self.conditioning.take(index), negatives=negatives)


Examples = PromptBatch | Advantages | Weights | Transitions | Pairs | TransitionPairs | Captioned
"""What a method's `prepare` hands to its `loss`: one of these types, never one array with three meanings."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A scalar to descend, with named numbers for the log (floats, not tensors)."""

    value: torch.Tensor
    parts: Mapping[str, float]
