"""What the web process and the engine process tell each other. Plain records that pickle; no torch, no database."""

from __future__ import annotations

from dataclasses import dataclass, field

from redraft.studio.engine.settings import EngineSettings


@dataclass(frozen=True, kw_only=True)
class EngineSpec:
    """What an engine process is started with. It opens the workspace itself: for checkpoints and the live pointer."""

    settings: EngineSettings
    workspace: str
    database_url: str | None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Pictures of one group may be painted in one batch. checkpoint: "" for the base itself."""

    checkpoint: str
    steps: int
    guidance: float
    critique: bool = False


@dataclass(frozen=True, kw_only=True)
class Item:
    """One picture to paint. number: its name between the two processes. preview: show it while it is painted."""

    number: int
    prompt: str
    negative_prompt: str
    seed: int
    preview: bool = False


# --- to the engine --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Paint:
    """Paint a batch."""

    group: Group
    items: tuple[Item, ...]


@dataclass(frozen=True, kw_only=True)
class Load:
    """Load a checkpoint beside those that are loaded, without stopping them."""

    checkpoint: str


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Forget a checkpoint."""

    checkpoint: str


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """These pictures are no longer wanted. A batch of which none is wanted is left at its next step."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Stop:
    """End the process."""


Order = Paint | Load | Drop | Cancel | Stop


# --- from the engine ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a request must know of the model. size: edge of its pictures in pixels."""

    base: str
    size: int
    steps: int
    guidance: float


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The process serves `checkpoint`, which the live pointer named. calibrated: pictures get a confidence."""

    facts: ModelFacts
    checkpoint: str
    calibrated: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Broken:
    """The process cannot serve and ends; starting it again would not help before somebody mends what is said."""

    message: str


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A checkpoint can be painted with."""

    checkpoint: str


@dataclass(frozen=True, kw_only=True)
class NotLoaded:
    """A checkpoint cannot be painted with; the others can."""

    checkpoint: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A batch has taken `step` of `steps` steps."""

    numbers: tuple[int, ...]
    step: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """An RGB picture as rows of bytes."""

    width: int
    height: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a picture looks like it will become, after `step` of `steps` steps; blurred where that leans unsafe."""

    number: int
    step: int
    steps: int
    pixels: Pixels


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the model's own judges say of a picture.

    confidence: the least of the calibrated `terms` (each 0..1, higher is better; "unsafe" is 1 - its probability), None
    with a `reason` where there is none. unsafe: the probability, None without a judge. embedding: float32, little
    endian, of length 1, by the network `fingerprints["embedding"]`.
    """

    confidence: float | None = None
    weakest: str = ""
    reason: str = ""
    terms: dict[str, float] = field(default_factory=dict)
    unsafe: float | None = None
    fingerprints: dict[str, str] = field(default_factory=dict)
    embedding: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Painted:
    """A picture that is ready. first_confidence: before self-critique painted it again; None where it did not."""

    number: int
    pixels: Pixels
    judgement: Judgement
    first_confidence: float | None = None


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Pictures that could not be painted, and why."""

    numbers: tuple[int, ...]
    message: str


@dataclass(frozen=True, kw_only=True)
class BatchDone:
    """A batch is over, whatever became of it. seconds: what the engine spent on it."""

    pictures: int
    seconds: float


Report = Ready | Broken | Loaded | NotLoaded | Progress | Preview | Painted | Failed | BatchDone
