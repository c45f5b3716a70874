"""Features of pictures as a judgement: what distances between sets of pictures are made of. It measures no distance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Judgement
from redraft.evaluation.benchmarks.pictures import picture_files, read_picture
from redraft.evaluation.statistics import FloatArray
from redraft.evaluation.suites import SuiteContext

if TYPE_CHECKING:
    import torch

    from redraft.core.tensors import Images

INCEPTION = "inception"
_INCEPTION_FILE = "inception-2015-12-05.pt"


class Extractor(Protocol):
    """A frozen network that gives features of pictures."""

    fingerprint: str

    def image_features(self, images: Images) -> torch.Tensor:
        """B,D."""
        ...


def open_extractor(name: str, context: SuiteContext) -> Extractor:
    """The extractor called `name`: "inception" (a file in the context's folder), or any scorer that has features.

    Raises UsageError when the file is missing, or the scorer gives no features.
    """
    if name == INCEPTION:
        return InceptionFeatures(Path(context.folder) / _INCEPTION_FILE)
    scorer: Any = context.require_scorer(name)
    if not hasattr(scorer, "image_features"):
        raise UsageError(f"features = {name!r}: this scorer gives no features; name a CLIP scorer, or 'inception'")
    extractor: Extractor = scorer
    return extractor


class InceptionFeatures:
    """The network of the published FID: its TorchScript file takes 8-bit pictures B,3,H,W and resizes them itself.

    Raises:
        UsageError: when the file is not there or is no TorchScript.
    """

    def __init__(self, path: Path) -> None:
        import hashlib

        import torch

        try:
            self.fingerprint = f"inception-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
            self._network: Any = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
        except (OSError, RuntimeError) as error:
            raise UsageError(
                f"{path} cannot be read as TorchScript ({type(error).__name__}): FID needs that file of the StyleGAN "
                "authors in the folder given by --data; without it use the suite clip-fd, whose network is here"
            ) from error

    def image_features(self, images: Images) -> torch.Tensor:
        """B,2048 of the last pooling layer."""
        import torch

        with torch.no_grad():
            pixels = (images.pixels * 255).round().clamp(0, 255).to(torch.uint8)
            features: torch.Tensor = self._network(pixels, return_features=True)
        return features


def judgement_of(extractor: Extractor, images: Images) -> Judgement:
    """Features as scores, one head a dimension; a picture whose features are not finite is an error later."""
    import torch

    from redraft.core.tensors import Scores

    with torch.no_grad():
        values = extractor.image_features(images).float().cpu()
    return Judgement(
        scores=Scores(
            values=values,
            names=tuple(f"feature {index}" for index in range(values.shape[1])),
            fingerprints=(extractor.fingerprint,) * values.shape[1],
            mask=torch.ones_like(values, dtype=torch.bool),
        )
    )


def features_of_folder(extractor: Extractor, folder: Path) -> FloatArray:
    """Features N,D of every picture below a folder. Raises UsageError when there is none or one cannot be read."""
    from redraft.core.tensors import Images

    parts = [
        extractor.image_features(Images(pixels=read_picture(path)[None])).float().cpu().numpy()
        for path in picture_files(folder)
    ]
    return np.concatenate(parts).astype(np.float64)


def features_of_renders(extractor: Extractor, prompts: Sequence[Prompt], *, count: int, seed: int) -> FloatArray:
    """Features of `count` true renders of prompts of the picture world, in turn.

    Raises UsageError for a prompt that is not of the world.
    """
    import torch

    from redraft.core.tensors import Images
    from redraft.world import parse, render

    requests = [parse(prompt.text) for prompt in prompts]
    rng = np.random.default_rng(seed)
    pictures = np.stack([render(requests[number % len(requests)], rng) for number in range(count)])
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        parts = [extractor.image_features(Images(pixels=part)) for part in torch.split(pixels, 128)]
    return torch.cat(parts).double().cpu().numpy()
