"""What JPEG does to a picture: block by block a cosine transform, quantised. Once by Pillow, once with a gradient.

Not a scorer. The tables are those of the standard (ITU-T T.81, annex K), scaled to a quality as libjpeg does; colours
are kept at full resolution (4:4:4), in both ways.
"""

from __future__ import annotations

import io
import math

import torch
import torch.nn.functional as functional

BLOCK = 8
KILOBYTE = 1000

_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
)
# ITU-T T.871 (JFIF): red, green, blue to luminance and two colour differences.
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def file_sizes(pixels: torch.Tensor, *, quality: int) -> torch.Tensor:
    """Bytes of each picture B,3,H,W in 0..1 as a JPEG file written by Pillow, header included: B, int64."""
    return torch.tensor([len(_encoded(picture, quality)) for picture in _eight_bit(pixels)], dtype=torch.long)


def pillow_round_trip(pixels: torch.Tensor, *, quality: int) -> torch.Tensor:
    """Pictures B,3,H,W in 0..1 written to JPEG by Pillow and read back: the real thing, in 8-bit steps, no gradient."""
    from PIL import Image

    pictures = []
    for picture in _eight_bit(pixels):
        read = Image.open(io.BytesIO(_encoded(picture, quality))).convert("RGB")
        values = torch.frombuffer(bytearray(read.tobytes()), dtype=torch.uint8)
        pictures.append(values.reshape(*picture.shape[1:], 3).permute(2, 0, 1))
    return torch.stack(pictures).float() / 255


def soft_round_trip(pixels: torch.Tensor, *, quality: int) -> torch.Tensor:
    """The same, differentiable in pixels B,3,H,W: quantised softly, and neither rounded to 8 bits nor clipped.

    Edges that are no multiple of 8 are filled up by repeating the last row or column.
    """
    height, width = pixels.shape[-2:]
    padding = (0, -width % BLOCK, 0, -height % BLOCK)
    levels = functional.pad(pixels * 255, padding, mode="replicate")
    to_ycc = pixels.new_tensor(_TO_YCC)
    planes = torch.einsum("kc,bchw->bkhw", to_ycc, levels) - pixels.new_tensor([128.0, 0.0, 0.0])[:, None, None]
    basis = _cosines(pixels)
    rows, columns = planes.shape[2] // BLOCK, planes.shape[3] // BLOCK
    blocks = planes.reshape(len(pixels), 3, rows, BLOCK, columns, BLOCK)
    coefficients = torch.einsum("ui,bkricj,vj->bkrucv", basis, blocks, basis)
    steps = quantisation(quality).to(pixels)[:, None, :, None, :]
    kept = soft_round(coefficients / steps) * steps
    restored = torch.einsum("ui,bkrucv,vj->bkricj", basis, kept, basis).flatten(4, 5).flatten(2, 3)
    restored = restored + pixels.new_tensor([128.0, 0.0, 0.0])[:, None, None]
    levels = torch.einsum("ck,bkhw->bchw", torch.linalg.inv(to_ycc), restored)
    return levels[..., :height, :width] / 255


def soft_round(value: torch.Tensor) -> torch.Tensor:
    """round(x) + (x - round(x))^3 (Shin and Song, JPEG-resistant Adversarial Images, 2017): its slope is not zero."""
    whole = value.detach().round()
    return whole + (value - whole) ** 3


def quantisation(quality: int) -> torch.Tensor:
    """The 3,8,8 steps of luminance and both colour differences at a quality in 1..100, as libjpeg scales them."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    tables = torch.tensor([_LUMINANCE, _CHROMINANCE, _CHROMINANCE])
    return ((tables * scale + 50) // 100).clamp(1, 255).float()


def _cosines(like: torch.Tensor) -> torch.Tensor:
    """The orthonormal DCT-II of 8 points: rows are frequencies."""
    frequency = torch.arange(BLOCK, dtype=torch.float64)[:, None]
    place = torch.arange(BLOCK, dtype=torch.float64)[None]
    basis = torch.cos(math.pi * (2 * place + 1) * frequency / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    return basis.to(like)


def _eight_bit(pixels: torch.Tensor) -> torch.Tensor:
    return (pixels.detach() * 255).round().clamp(0, 255).to(torch.uint8).cpu()


def _encoded(picture: torch.Tensor, quality: int) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(
        content, format="JPEG", quality=quality, subsampling=0
    )
    return content.getvalue()
