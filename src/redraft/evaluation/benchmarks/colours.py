"""Which colour a detected object has, by a CLIP: zero-shot among ten colours on its cut-out. No detector here.

GenEval's step (Ghosh et al. 2023, arXiv 2310.11513, section 3): three texts for each colour, their features averaged;
the object's mask before grey, cut to its box.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Check, fingerprint_of
from redraft.evaluation.benchmarks.detections import Detection
from redraft.evaluation.suites import SuiteContext

if TYPE_CHECKING:
    import torch

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
TEMPLATES = ("a photo of a {colour} {name}", "a photo of a {colour}-colored {name}", "a photo of a {colour} object")
BACKGROUND = 0x99 / 255
"""Grey of what is not the object, in all three colours."""
_PLAIN = {
    "red": (1, 0, 0),
    "green": (0, 0.5, 0),
    "blue": (0, 0, 1),
    "yellow": (1, 1, 0),
    "black": (0,) * 3,
    "white": (1,) * 3,
}
_PLAIN_NEEDED = 4


class Tower(Protocol):
    """What a CLIP does here: features of length 1 of pictures B,3,H,W in 0..1 and of texts."""

    def image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        """B,D."""
        ...

    def text_features(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        """B,D."""
        ...


class ColourNamer:
    """Names the colours of detected objects; `fingerprint` is of the CLIP, the colours, the texts and the grey."""

    def __init__(self, tower: Tower, *, fingerprint: str) -> None:
        self._tower = tower
        self._texts: dict[str, torch.Tensor] = {}
        self.fingerprint = fingerprint_of("colours", fingerprint, COLOURS, TEMPLATES, BACKGROUND)

    def names(self, picture: torch.Tensor, detections: Sequence[Detection], *, name: str) -> tuple[str, ...]:
        """The colour of each detection in a picture 3,H,W in 0..1, read as a thing called `name`."""
        texts = self._text_features(name)
        chosen = []
        for detection in detections:
            features = self._tower.image_features(cut_out(picture, detection)[None])
            chosen.append(COLOURS[int((features @ texts.T)[0].argmax())])
        return tuple(chosen)

    def checks(self) -> tuple[Check, ...]:
        """Whether plain squares of six clear colours are named: at least four of them (by chance: 1 in 800 judges)."""
        import torch

        right = []
        for colour, values in _PLAIN.items():
            picture = torch.tensor(values, dtype=torch.float32)[:, None, None].expand(3, 64, 64)
            whole = Detection(name="object", score=1.0, box=(0, 0, 64, 64))
            if self.names(picture, [whole], name="object") == (colour,):
                right.append(colour)
        return (
            Check(
                name="colours: plain squares are named", expected=f"{_PLAIN_NEEDED} of {len(_PLAIN)} or more",
                found=f"{len(right)} ({', '.join(right) or 'none'})", passed=len(right) >= _PLAIN_NEEDED,
            ),
        )  # fmt: skip

    def _text_features(self, name: str) -> torch.Tensor:
        """Features of the ten colours of a `name`: 10,D of length 1, kept."""
        import torch

        if name not in self._texts:
            texts = [
                Prompt(text=template.format(colour=colour, name=name)) for colour in COLOURS for template in TEMPLATES
            ]
            features = torch.nn.functional.normalize(self._tower.text_features(texts), dim=-1)
            means = features.reshape(len(COLOURS), len(TEMPLATES), -1).mean(1)
            self._texts[name] = torch.nn.functional.normalize(means, dim=-1)
        return self._texts[name]


def cut_out(picture: torch.Tensor, detection: Detection) -> torch.Tensor:
    """The object before grey, cut to its box rounded to whole pixels (at least one): 3,h,w from a picture 3,H,W.

    Without a mask the surroundings stay. Raises UsageError when the mask has another size than the picture.
    """
    import torch

    height, width = int(picture.shape[-2]), int(picture.shape[-1])
    if detection.mask is not None:
        if detection.mask.shape != (height, width):
            raise UsageError(
                f"a mask of {detection.mask.shape} for a picture of {(height, width)}: the detector must give masks of "
                "the picture's size"
            )
        picture = torch.where(torch.from_numpy(detection.mask).to(picture.device), picture, BACKGROUND)
    left, top = min(max(round(detection.box[0]), 0), width - 1), min(max(round(detection.box[1]), 0), height - 1)
    right, bottom = min(round(detection.box[2]), width), min(round(detection.box[3]), height)
    return picture[:, top : max(bottom, top + 1), left : max(right, left + 1)]


def open_namer(name: str, context: SuiteContext) -> ColourNamer:
    """The colour namer of the CLIP scorer `name`. Raises UsageError when that scorer shows no CLIP."""
    scorer: Any = context.require_scorer(name)
    tower = getattr(scorer, "tower", None)
    if tower is None or not hasattr(tower, "text_features"):
        raise UsageError(f"judge = {name!r}: colours are named by a CLIP; give the folder of a CLIPModel (ViT-L/14)")
    return ColourNamer(tower, fingerprint=str(scorer.fingerprint))
