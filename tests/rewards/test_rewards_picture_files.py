"""The door for picture files: what is read, what is refused and with which words; no fault takes others along."""

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards import picture_files
from redraft.rewards.jpeg import JpegCompressibilityScorer
from redraft.rewards.oracle import OracleScorer
from redraft.rewards.picture_files import read_picture, score_files


def noise(height: int = 24, width: int = 40) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


def as_array(pixels: torch.Tensor) -> np.ndarray[Any, Any]:
    return (pixels.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header speaks of that size: a bomb of a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A PNG with a compressed text of 80 MB."""
    plain = encoded(Image.fromarray(noise()))
    content = b"k\0\0" + zlib.compress(b"a" * 80_000_000)
    chunk = struct.pack(">I", len(content)) + b"zTXt" + content + struct.pack(">I", zlib.crc32(b"zTXt" + content))
    return plain[:33] + chunk + plain[33:]


def animation(kind: str) -> bytes:
    frames = [Image.fromarray(noise()), Image.fromarray(255 - noise())]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF"])
def test_lossless_formats_come_back_exactly(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = read_picture(encoded(Image.fromarray(noise()), kind, **options))
    assert pixels.dtype == torch.float32
    assert np.array_equal(as_array(pixels), noise())


def test_grey_palette_and_opaque_alpha_become_rgb() -> None:
    grey = Image.fromarray(noise()[..., 0])
    assert np.array_equal(as_array(read_picture(encoded(grey))), np.repeat(noise()[..., :1], 3, axis=2))
    few = Image.fromarray(noise()).quantize(16)
    assert np.array_equal(as_array(read_picture(encoded(few, "GIF"))), np.asarray(few.convert("RGB")))
    opaque = Image.fromarray(noise()).convert("RGBA")
    assert np.array_equal(as_array(read_picture(encoded(opaque))), noise())
    bilevel = Image.fromarray(noise()[..., 0]).convert("1")
    assert set(np.unique(as_array(read_picture(encoded(bilevel))))) == {0, 255}


def test_exif_orientation_is_followed() -> None:
    turned = Image.fromarray(noise())
    exif = turned.getexif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    pixels = read_picture(encoded(turned, "PNG", exif=exif))
    assert np.array_equal(as_array(pixels), np.rot90(noise(), k=-1))


def translucent() -> bytes:
    picture = Image.fromarray(noise()).convert("RGBA")
    picture.putpixel((0, 0), (1, 2, 3, 100))
    return encoded(picture)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", r"is empty \(0 bytes\)"),
    "a web page": (lambda: b"<!DOCTYPE html><p>404", r"is no picture in PNG, JPEG.*begins with b'<!DOCTYPE html>"),
    "text in another encoding": (lambda: "Bild: größe".encode("utf-16"), r"is no picture .* begins with b'\\xff\\xfe"),
    "a format that is not on the list": (lambda: encoded(Image.fromarray(noise()), "PPM"), r"is no picture in PNG"),
    "huge": (lambda: png_of_size(30_000, 2_000), r"has 30000 x 2000 pixels, at most 33554432 are decoded"),
    "a bomb for Pillow": (lambda: png_of_size(60_000, 60_000), r"decompression bomb: at most 33554432 pixels"),
    "a picture that Pillow warns of": (lambda: png_of_size(10_000, 10_000), r"has 10000 x 10000 pixels, at most"),
    "a bomb of text": (text_bomb, r"is damaged or cut off \(ValueError: Decompressed data too large"),
    "one pixel": (lambda: encoded(Image.fromarray(noise(1, 1))), r"has 1 x 1 pixels: sides must have at least 8"),
    "a sliver": (lambda: encoded(Image.fromarray(noise(8, 400))), r"has 400 x 8 pixels: .* factor of 20"),
    "CMYK": (lambda: encoded(Image.fromarray(noise()).convert("CMYK"), "JPEG"), r"has the colours 'CMYK'.*convert it"),
    "16 bits": (
        lambda: encoded(Image.fromarray(noise()[..., 0].astype(np.uint16) * 257)),
        r"has the colours 'I;16': RGB, grey or a palette of 8 bits is read",
    ),
    "LAB": (lambda: encoded(Image.new("LAB", (32, 32)), "TIFF"), r"has the colours 'LAB'"),
    "translucent": (translucent, r"is transparent in places"),
    "a translucent palette": (
        lambda: encoded(Image.fromarray(noise()).quantize(8), "PNG", transparency=0), r"is transparent in places"
    ),
    "an animated GIF": (lambda: animation("GIF"), r"has 2 frames: scorers read one still picture"),
    "an animated PNG": (lambda: animation("PNG"), r"has 2 frames"),
    "an animated WEBP": (lambda: animation("WEBP"), r"has 2 frames"),
    "a TIFF of two pages": (lambda: animation("TIFF"), r"has 2 frames"),
    "a cut PNG": (lambda: encoded(Image.fromarray(noise()))[:1500], r"is damaged or cut off"),
    "a cut JPEG": (lambda: encoded(Image.fromarray(noise()), "JPEG")[:700], r"is damaged or cut off"),
    "a cut WEBP": (lambda: encoded(Image.fromarray(noise()), "WEBP")[:300], r"is damaged|is no picture"),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_plain_still_picture_is_refused_with_the_reason(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(UsageError, match=message) as caught:
        read_picture(make(), name="x.png")
    assert "picture 'x.png'" in str(caught.value)
    assert caught.value.exit_code == 2


def test_large_files_and_wrong_paths_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"none.png' is no file: give the path"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(UsageError, match=r"is a folder: give the path"):
        read_picture(tmp_path)
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(noise())))
    monkeypatch.setattr(picture_files, "LARGEST_FILE", 100)
    with pytest.raises(UsageError, match=r"has \d+ bytes, at most 100 are read"):
        read_picture(tmp_path / "a.png")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_flipped_bytes_give_a_picture_or_a_clear_error(kind: str) -> None:
    """150 damaged copies of each format: nothing but UsageError comes out, and never a number that is not in 0..1."""
    rng, plain = np.random.default_rng(1), encoded(Image.fromarray(noise()), kind)
    refused = 0
    for _ in range(150):
        content = bytearray(plain)
        for place in rng.integers(0, min(len(content), 400), 6):
            content[place] = rng.integers(0, 256)
        content = content[: rng.integers(len(content) // 2, len(content) + 1)]
        try:
            pixels = read_picture(bytes(content))
        except UsageError:
            refused += 1
        else:
            assert pixels.min() >= 0
            assert pixels.max() <= 1
    assert refused > 20  # else the damage was none


def test_a_file_that_fails_loses_its_own_score_only(tmp_path: Path) -> None:
    scorer = JpegCompressibilityScorer()
    files = []
    for index, size in enumerate([(24, 40), (24, 40), (32, 32), (24, 40), (16, 16), (24, 40)]):
        files.append(tmp_path / f"{index}.png")
        files[-1].write_bytes(encoded(Image.fromarray(noise(*size))))
    files[1].write_bytes(b"no picture")
    prompts = [Prompt(text=str(index)) for index in range(6)]
    found = score_files(scorer, files, prompts, batch=2)
    assert found.scores.mask.all(1).tolist() == [True, False, True, True, True, True]
    ((index, message),) = found.failures
    assert index == 1
    assert "is no picture" in message
    alone = [score_files(scorer, [files[n]], [prompts[n]]).scores.values[0] for n in (0, 2, 3, 4, 5)]
    assert torch.allclose(found.scores.values[[0, 2, 3, 4, 5]], torch.stack(alone), atol=1e-5)
    with pytest.raises(
        UsageError, match=r"none of 1 picture files could be scored; the first: picture .* is no picture"
    ):
        score_files(scorer, files[1:2], prompts[:1])
    with pytest.raises(UsageError, match=r"6 picture files for 5 prompts"):
        score_files(scorer, files, prompts[:5])


def test_a_picture_that_the_scorer_refuses_loses_its_own_score_only(tmp_path: Path) -> None:
    files = [tmp_path / f"{index}.png" for index in range(4)]
    for file, size in zip(files, (64, 32, 64, 64), strict=True):
        file.write_bytes(encoded(Image.fromarray(noise(size, size))))
    prompts = [Prompt(text=text) for text in ("a red star", "a red star", "hello there", "a blue circle")]
    found = score_files(OracleScorer(), files, prompts)
    assert found.scores.mask.all(1).tolist() == [True, False, False, True]
    ((index, message),) = found.failures
    assert index == 1
    assert message.startswith(f"picture {str(files[1])!r}: picture of shape (32, 32, 3): the oracle reads 64,64,3")
    apart = score_files(OracleScorer(), files, prompts, batch=1)  # a group of prompts that the oracle does not know
    assert [index for index, _ in apart.failures] == [1, 2]
    assert "1 of 1 prompts cannot be verified by the oracle" in apart.failures[1][1]
    with pytest.raises(
        UsageError, match=r"none of 1 picture files could be scored; the first: picture '.*1\.png': pict"
    ):
        score_files(OracleScorer(), files[1:2], prompts[1:2])


def test_clips_go_to_the_scorer_as_clips(tmp_path: Path) -> None:
    """A clip whose frames differ in size loses its own score only."""

    class Clips:
        name, fingerprint, differentiable, heads = "clips", "c1", False, ("frames",)

        def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
            count = float(images.pixels.shape[1]) if images.pixels.ndim == 5 else 1.0
            values = torch.full((len(prompts), 1), count)
            return Scores(values=values, names=self.heads, fingerprints=("c1",), mask=torch.ones_like(values) > 0)

    files = [tmp_path / f"{index}.png" for index in range(4)]
    for file, size in zip(files, (64, 64, 64, 32), strict=True):
        file.write_bytes(encoded(Image.fromarray(noise(size, size))))
    shown = [files[0], tuple(files[:3]), tuple(files[1:]), (*files[:3], files[0])]
    found = score_files(Clips(), shown, [Prompt(text="a red star")] * 4)  # type: ignore[arg-type]
    assert found.scores.mask[:, 0].tolist() == [True, True, False, True]
    assert found.scores.values[[0, 1, 3], 0].tolist() == [1, 3, 4]
    ((index, message),) = found.failures
    assert index == 2
    assert message.startswith(f"clip {str(files[1])!r} to {str(files[3])!r}: {str(files[3])!r} is of another size")
