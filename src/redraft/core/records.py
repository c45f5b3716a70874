"""The light words of the house: frozen records without tensors. Not the place for records that one room alone uses.

Records that hold tensors live in `core.tensors`, so that the store and the web layer never import torch.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from redraft.core.errors import ConfigError, UsageError

FACETS = ("semantics", "subject_detail", "background_detail", "coherence", "aesthetics", "safety")

Prediction = Literal["epsilon", "v", "flow"]
KernelName = Literal["deterministic", "ddim_eta", "coefficients_preserving", "few_step", "flow_sde"]
Role = Literal["trained", "unseen", "oracle", "diversity", "distance"]
Decision = Literal["promote", "hold", "reject"]


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One text to paint, with where it comes from. Raises UsageError for a text that is no Unicode."""

    text: str
    negative_text: str = ""
    tags: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        for text in (self.text, self.negative_text):
            require_unicode(text)

    @property
    def id(self) -> str:
        """Hash of the text (and of the negative text, if any): 16 hexadecimal digits."""
        content = self.text if not self.negative_text else f"{self.text}\0{self.negative_text}"
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def tag(self, name: str) -> str | None:
        """The value of the tag `name:value`, or None."""
        prefix = f"{name}:"
        return next((tag[len(prefix) :] for tag in self.tags if tag.startswith(prefix)), None)


def require_unicode(text: str) -> None:
    """Raise UsageError for a prompt with half a surrogate pair, as bytes that are no UTF-8 leave it behind."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"the prompt {text[:60]!r} holds {text[error.start]!r}, which is no character: give it in UTF-8"
        ) from error


def require_prompt(text: str) -> None:
    """Raise UsageError unless the text can be a prompt that pictures are judged by: Unicode, and not blank."""
    require_unicode(text)
    if not text.strip():
        raise UsageError(f"the prompt {text[:60]!r} is empty: say what the picture was to show")


@dataclass(frozen=True, kw_only=True)
class NoiseLevel:
    """A point of the noise path: x_t = alpha * x0 + sigma * noise; `timestep` is what the network is told."""

    alpha: float
    sigma: float
    timestep: float


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """Which step is taken between two noise levels. `strength` is eta, the noise level of the SDE, or unused.

    `deterministic` (DDIM = Euler) and `few_step` (predict x0, noise it again) have no strength.
    """

    name: KernelName = "deterministic"
    strength: float = 0.0

    def __post_init__(self) -> None:
        needs_strength = self.name in ("ddim_eta", "coefficients_preserving", "flow_sde")
        if needs_strength and not self.strength > 0:
            raise ConfigError(
                f"kernel {self.name} with strength {self.strength}: a stochastic kernel needs strength > 0; "
                "set it, or use the kernel 'deterministic'"
            )
        if not needs_strength and self.strength != 0:
            raise ConfigError(f"kernel {self.name} with strength {self.strength}: this kernel has none; leave it at 0")

    @property
    def stochastic(self) -> bool:
        """Whether a step draws noise, hence has a log-probability."""
        return self.name != "deterministic"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How pictures are sampled. Travels inside every rollout, so that a replay cannot differ.

    `levels` runs from the noisiest to the last level, whose sigma is 0: len(levels) - 1 network calls.
    `window`: (first, end) of the steps that take the kernel; all others are deterministic. None: all steps take it.
    """

    levels: tuple[NoiseLevel, ...]
    kernel: Kernel = field(default_factory=Kernel)
    guidance_scale: float = 1.0
    dtype: Literal["float32", "bfloat16", "float16", "float64"] = "float32"
    window: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if len(self.levels) < 2 or self.levels[-1].sigma != 0:
            raise ConfigError(
                f"a recipe with {len(self.levels)} noise levels: it needs at least two and must end at sigma 0; "
                "build it with redraft.diffusion.levels"
            )
        if not math.isfinite(self.guidance_scale):
            raise ConfigError(f"guidance_scale={self.guidance_scale}: must be finite; 1 means no guidance")
        if self.window is not None and not 0 <= self.window[0] < self.window[1] < self.steps:
            raise ConfigError(
                f"window={self.window} of a recipe with {self.steps} steps: it must be (first, end) with 0 <= first < "
                f"end <= {self.steps - 1}, for the last step never draws noise; make it smaller, or sample more steps"
            )

    def kernel_at(self, index: int) -> Kernel:
        """The kernel of the step with this index (0 is the noisiest)."""
        inside = self.window is None or self.window[0] <= index < self.window[1]
        return self.kernel if inside else Kernel()

    @property
    def steps(self) -> int:
        """Number of denoising steps."""
        return len(self.levels) - 1


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Where a checkpoint comes from. `config` is the whole resolved configuration as JSON text."""

    parent: str
    base: str
    method: str
    config: str
    data_hash: str
    reward_fingerprints: tuple[str, ...]
    code_version: str
    seed: int
    run: str


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Weights in the store: `id` is the hash of their bytes and of the lineage."""

    id: str
    kind: Literal["lora", "full", "head", "tokens"]
    lineage: Lineage
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One row of a report: a metric of incumbent and candidate with a 95 % interval of the paired difference.

    `good` is +1 when higher is better, -1 when lower is. `scale` is the incumbent's standard deviation over
    pictures (0 where it makes no sense), the unit of non-inferiority rules. `independent` is False for a scorer that
    sees pictures by the same network as the trained reward: a loss there counts, a gain proves nothing.
    """

    name: str
    role: Role
    unit: str
    incumbent: float
    candidate: float
    difference: float
    low: float
    high: float
    count: int
    good: Literal[1, -1] = 1
    scale: float = 0.0
    note: str = ""
    independent: bool = True


@dataclass(frozen=True, kw_only=True)
class Report:
    """The evidence of one examination: candidate against incumbent on the same prompts and the same noise."""

    suite: str
    incumbent: str
    candidate: str
    prompts: int
    scored: int
    measures: tuple[Measure, ...]
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def measure(self, name: str) -> Measure | None:
        """The row called `name`, or None."""
        return next((row for row in self.measures if row.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate decided, and why, in plain words."""

    decision: Decision
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Live:
    """One entry of an alias's append-only history: the pointer that serving follows."""

    alias: str
    base: str
    checkpoint: str
    reason: str
    at: float
