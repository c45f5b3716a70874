"""Mask2Former as a detector: a tiny one with random weights in the released layout. Shapes, thresholds and faults."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from detector_examples import GivenDetector, save_tiny_mask2former, seen

from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.core.tensors import Images
from redraft.evaluation.benchmarks.detector import (
    Mask2FormerDetector,
    detector_checks,
    detector_of,
    open_detector,
    read_names,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_mask2former(tmp_path_factory.mktemp("detector"), classes=5)


@pytest.fixture(scope="module")
def detector(folder: Path) -> Mask2FormerDetector:
    return open_detector(folder)


def picture(height: int = 80, width: int = 120) -> torch.Tensor:
    rng = np.random.default_rng(4)
    return torch.from_numpy(rng.random((3, height, width), dtype=np.float32))


def test_detections_are_sorted_boxes_of_their_masks(detector: Mask2FormerDetector) -> None:
    images = Images(pixels=torch.stack([picture(), 1 - picture()]))
    found = detector.detect(images, above=0.0)
    assert len(found) == 2
    assert len(found[0]) > 1
    for detections in found:
        scores = [item.score for item in detections]
        assert scores == sorted(scores, reverse=True)
        for item in detections:
            assert item.name in detector.names
            assert 0 < item.score < 1
            assert item.mask is not None
            assert item.mask.shape == (80, 120)
            rows, columns = np.nonzero(item.mask)
            assert item.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert detector.detect(Images(pixels=images.pixels[1:]), above=0.0)[0] == found[1]  # alone as among others


def test_scores_and_classes_are_those_of_transformers(folder: Path, detector: Mask2FormerDetector) -> None:
    from transformers.models.mask2former.image_processing_pil_mask2former import Mask2FormerImageProcessorPil

    processor = Mask2FormerImageProcessorPil.from_pretrained(folder)
    pixels = picture(64, 64)
    inputs = processor(images=(pixels * 255).round().byte().permute(1, 2, 0).numpy(), return_tensors="pt")
    with torch.no_grad():
        output = detector.model(pixel_values=inputs["pixel_values"])
    theirs = processor.post_process_instance_segmentation(output, threshold=0.0, target_sizes=[(64, 64)])[0]
    ours = detector.detect(Images(pixels=pixels[None]), above=0.0)[0]
    expected = sorted((f"class {part['label_id']}", part["score"]) for part in theirs["segments_info"])
    found = sorted((item.name, item.score) for item in ours)
    assert [name for name, _ in found] == [name for name, _ in expected]
    # They measure the mean probability within the mask at 384 x 384, mmdetection and we at the picture's own size.
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=0.01)


def test_the_threshold_is_strict(detector: Mask2FormerDetector) -> None:
    images = Images(pixels=picture()[None])
    every = detector.detect(images, above=0.0)[0]
    middle = every[len(every) // 2].score
    assert detector.detect(images, above=middle)[0] == tuple(item for item in every if item.score > middle)
    assert detector.detect(images, above=0.999)[0] == ()


def test_the_fingerprint_follows_weights_names_and_preprocessing(
    folder: Path, detector: Mask2FormerDetector, tmp_path: Path
) -> None:
    assert open_detector(folder).fingerprint == detector.fingerprint
    assert open_detector(folder, names="abcde").fingerprint != detector.fingerprint
    other = shutil.copytree(folder, tmp_path / "other")
    settings = json.loads((other / "preprocessor_config.json").read_text())
    settings["size"] = {"height": 96, "width": 96}
    (other / "preprocessor_config.json").write_text(json.dumps(settings))
    assert open_detector(other).fingerprint != detector.fingerprint


def test_folders_that_are_no_detector(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no config\.json: give a folder with a Mask2Former"):
        open_detector(tmp_path)
    other = shutil.copytree(folder, tmp_path / "other")
    (other / "preprocessor_config.json").unlink()
    with pytest.raises(UsageError, match=r"has no preprocessor_config\.json"):
        open_detector(other)
    (other / "preprocessor_config.json").write_text("{}")
    (other / "config.json").write_text('{"model_type": "detr"}')
    with pytest.raises(UsageError, match="holds a model of type 'detr', not 'mask2former'"):
        open_detector(other)
    (other / "config.json").write_text("[")
    with pytest.raises(DamagedError, match=r"config\.json of the detector 'other' is not a JSON object"):
        open_detector(other)
    with pytest.raises(UsageError, match="3 object names, 3 different ones, for a detector of 5 classes"):
        open_detector(folder, names="abc")


def test_lacking_and_broken_weights(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    other = shutil.copytree(folder, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("class_predictor")}
    save_file(kept, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DamagedError, match=r"lacks 2 weights or has them in another shape, class_predictor\.bias"):
        open_detector(other)
    weights["class_predictor.bias"][:] = torch.nan
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(NumericsError, match="the detector gave NaN or infinity"):
        open_detector(other).detect(Images(pixels=picture()[None]), above=0.3)
    (other / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(DamagedError, match="cannot be read"):
        open_detector(other)


def test_names_of_the_data_folder(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "detector")
    assert detector_of(tmp_path, detector="").names == tuple(f"class {number}" for number in range(5))
    (tmp_path / "object_names.txt").write_text("cup\ndog\ncat\nbus\ntraffic light\n")
    assert detector_of(tmp_path, detector="").names[4] == "traffic light"
    assert detector_of(tmp_path, detector=str(folder)).names[0] == "cup"
    (tmp_path / "object_names.txt").write_text("\n")
    with pytest.raises(UsageError, match=r"object_names\.txt is empty"):
        read_names(tmp_path / "object_names.txt")


def test_known_pictures_are_the_detectors_examination(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8), (0, 1, 0)).save(tmp_path / "cup.png")
    Image.new("RGB", (8, 8), (0, 2, 0)).save(tmp_path / "dog.png")
    (tmp_path / "README").write_text("where they come from")
    box = (0.0, 0.0, 5.0, 5.0)
    detector = GivenDetector(("cup", "dog"), {1: [seen("cup", box)], 2: [seen("cup", box)]})
    checks = detector_checks(detector, known=tmp_path, above=0.3)
    assert [(check.expected, check.found, check.passed) for check in checks] == [
        ("equal", "equal", True),
        ("cup", "cup", True),
        ("dog", "cup", False),
    ]
    assert len(detector_checks(detector, known=tmp_path / "nothing", above=0.3)) == 1
    Image.new("RGB", (8, 8)).save(tmp_path / "fish.png")
    with pytest.raises(UsageError, match="the detector has no class 'fish'"):
        detector_checks(detector, known=tmp_path, above=0.3)
