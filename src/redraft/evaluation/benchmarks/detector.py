"""A Mask2Former folder as a detector: boxes and masks of named objects. It judges nothing (see `detections`).

What mmdetection does with the same network (Cheng et al. 2022, arXiv 2112.01527, appendix): the best pairs of query and
class, masks enlarged bilinearly to the picture before they are cut at 0, score = probability of the class times the
mean probability within the mask. Preprocessing is transformers' with Pillow, by the folder's own settings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.evaluation.benchmarks.benchmark import Check, fingerprint_of
from redraft.evaluation.benchmarks.detections import Detection, Detector
from redraft.evaluation.benchmarks.pictures import ENDINGS, read_picture

if TYPE_CHECKING:
    import torch

    from redraft.core.tensors import Images

NAMES_FILE = "object_names.txt"
KNOWN = "known"
"""Folder of pictures that the detector must not fail on: NAME.jpg shows a NAME."""
_SETTINGS = "preprocessor_config.json"


class Mask2FormerDetector:
    """A Mask2FormerForUniversalSegmentation with its image processor; class k is called names[k].

    Raises:
        UsageError: when there are not as many names as the network has classes, or a name twice.
    """

    def __init__(self, model: Any, processor: Any, *, names: Sequence[str]) -> None:
        classes = int(model.config.num_labels)
        if len(names) != classes or len(set(names)) < len(names):
            raise UsageError(
                f"{len(names)} object names, {len(set(names))} different ones, for a detector of {classes} classes: "
                f"{NAMES_FILE} must name each class once, in the order of the network"
            )
        self.model, self._processor, self.names = model.eval().requires_grad_(False), processor, tuple(names)
        settings = sorted(processor.to_dict().items())
        self.fingerprint = fingerprint_of("mask2former", _weights(model), settings, *self.names)

    def detect(self, images: Images, *, above: float) -> tuple[tuple[Detection, ...], ...]:
        """For each of B pictures the detections with a score > `above`, the surest first.

        Raises NumericsError when the network gives NaN or infinity.
        """
        import torch

        found = []
        levels = (images.pixels * 255).round().clamp(0, 255).to(torch.uint8).cpu()
        for picture in levels:
            inputs = self._processor(images=picture.permute(1, 2, 0).numpy(), return_tensors="pt")["pixel_values"]
            with torch.no_grad():
                output = self.model(pixel_values=inputs.to(self.model.device))
            classes, masks = output.class_queries_logits[0].float(), output.masks_queries_logits[0].float()
            if not (bool(torch.isfinite(classes).all()) and bool(torch.isfinite(masks).all())):
                raise NumericsError(
                    "the detector gave NaN or infinity: its weights or the device are broken; try float32"
                )
            size = (int(picture.shape[1]), int(picture.shape[2]))
            found.append(self._detections(classes, masks, inputs=inputs.shape[-2:], size=size, above=above))
        return tuple(found)

    def _detections(
        self, classes: torch.Tensor, masks: torch.Tensor, *, inputs: Sequence[int], size: tuple[int, int], above: float
    ) -> tuple[Detection, ...]:
        """Q,classes+1 and Q,h,w logits to detections of a picture of `size`."""
        import torch

        probabilities = classes.softmax(-1)[:, :-1]
        best, place = probabilities.flatten().topk(min(len(classes), probabilities.numel()))
        found = []
        for probability, index in zip(best.tolist(), place.tolist(), strict=True):
            if probability <= above:  # the score can only be lower, so no mask is needed
                break
            query, label = divmod(index, probabilities.shape[1])
            logits = torch.nn.functional.interpolate(masks[query][None, None], tuple(inputs), mode="bilinear")
            logits = torch.nn.functional.interpolate(logits, size, mode="bilinear")[0, 0]
            mask = logits > 0
            inside = int(mask.sum())
            score = probability * float(logits.sigmoid()[mask].sum()) / (inside + 1e-6)
            if inside and score > above:
                rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
                box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
                found.append(Detection(name=self.names[label], score=score, box=box, mask=mask.cpu().numpy()))
        return tuple(sorted(found, key=lambda item: -item.score))


def open_detector(
    folder: str | Path, *, names: Sequence[str] | None = None, device: str = "cpu"
) -> Mask2FormerDetector:
    """Open a Mask2Former folder as save_pretrained writes it. Never goes to the network.

    names: of the classes, in order; None: as the folder's own configuration calls them.

    Raises:
        UsageError: for a folder that is none or holds another model, and as Mask2FormerDetector does.
        DamagedError: for files that cannot be read or lack weights.
    """
    path = Path(folder)
    _require_mask2former(path)
    from transformers import Mask2FormerForUniversalSegmentation
    from transformers.models.mask2former.image_processing_pil_mask2former import Mask2FormerImageProcessorPil

    try:
        model, found = Mask2FormerForUniversalSegmentation.from_pretrained(
            path, local_files_only=True, output_loading_info=True
        )
        processor = Mask2FormerImageProcessorPil.from_pretrained(path, local_files_only=True)
    except Exception as error:  # damaged weights and settings raise whatever their readers do
        raise DamagedError(
            f"the detector in {str(path)!r} cannot be read ({type(error).__name__}: {str(error).strip()[:200]}): a "
            "file is missing or damaged; fetch or save it again"
        ) from error
    # transformers fills weights that are not there with random numbers and only logs it.
    lacking = sorted(str(name) for name in (*found["missing_keys"], *found["mismatched_keys"]))
    if lacking:
        raise DamagedError(
            f"the detector in {str(path)!r} lacks {len(lacking)} weights or has them in another shape, {lacking[0]} "
            "first: fetch or save it again"
        )
    own = tuple(str(model.config.id2label[index]) for index in range(model.config.num_labels))
    return Mask2FormerDetector(model.to(device), processor, names=own if names is None else names)


def read_names(path: Path) -> tuple[str, ...]:
    """The names of a file, one a line. Raises UsageError when it cannot be read or is empty."""
    try:
        names = tuple(line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}): it must name the detector's classes, one a line") from error
    if not names:
        raise UsageError(f"{path} is empty: it must name the detector's classes, one a line")
    return names


def detector_of(folder: Path, *, detector: str, device: str = "cpu") -> Mask2FormerDetector:
    """The detector at `detector`, or in the subfolder `detector` of a benchmark's data, named by its object_names.txt.

    Without that file the classes have the names of the network's configuration. Raises as `open_detector`.
    """
    file = folder / NAMES_FILE
    names = read_names(file) if file.is_file() else None
    return open_detector(detector or folder / "detector", names=names, device=device)


def detector_checks(detector: Detector, *, known: Path | None, above: float) -> tuple[Check, ...]:
    """Whether the same picture gives the same detections, and whether every known picture's object is found.

    A detector with the wrong settings still gives boxes; only pictures whose content is known tell (`known`: a folder
    with NAME.jpg). Raises UsageError for a picture that cannot be read or is called by a name that is none.
    """
    import torch

    from redraft.core.tensors import Images

    ramp = torch.linspace(0, 1, 96).expand(96, 96)
    images = Images(pixels=torch.stack([ramp, ramp.T, 1 - ramp])[None])
    same = detector.detect(images, above=above) == detector.detect(images, above=above)
    checks = [
        Check(
            name="detector: the same picture twice", expected="equal", found="equal" if same else "other", passed=same
        )
    ]
    for path in sorted(known.iterdir()) if known is not None and known.is_dir() else ():
        if path.suffix.lower() not in ENDINGS:
            continue
        if path.stem not in detector.names:
            raise UsageError(
                f"{path}: the detector has no class {path.stem!r}; name the picture by the object it shows"
            )
        seen = detector.detect(Images(pixels=read_picture(path)[None]), above=above)[0]
        names = sorted({item.name for item in seen})
        checks.append(
            Check(
                name=f"detector: {path.name}", expected=path.stem, found=", ".join(names) or "nothing",
                passed=path.stem in names,
            )
        )  # fmt: skip
    return tuple(checks)


def _require_mask2former(folder: Path) -> None:
    wanted = "give a folder with a Mask2Former for instances of objects, as save_pretrained writes it"
    for name in ("config.json", _SETTINGS):
        if not (folder / name).is_file():
            raise UsageError(f"detector folder {str(folder)!r} has no {name}: {wanted}")
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise DamagedError(f"config.json of the detector {folder.name!r} is not a JSON object: {error}") from error
    if kind != "mask2former":
        raise UsageError(f"folder {str(folder)!r} holds a model of type {kind!r}, not 'mask2former': {wanted}")


def _weights(model: Any) -> str:
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
