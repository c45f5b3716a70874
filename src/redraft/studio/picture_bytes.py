"""Pictures as bytes: encoding what the engine painted, and other formats, sizes and the blurred version of kept ones.

Pillow only; no file and no database. Nothing is written into a picture unless the caller asks for it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Literal

from redraft.core.errors import DamagedError, UsageError
from redraft.studio.engine.messages import Pixels

Format = Literal["png", "jpeg", "webp"]
MEDIA_TYPES: Mapping[Format, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
USUAL_QUALITY = 90
MOST_PIXELS = 64_000_000
"""Pixels of a picture that is opened; more is no picture of ours."""


def png_of(pixels: Pixels) -> bytes:
    """PNG bytes, without loss."""
    return _saved(_image(pixels), "png", quality=USUAL_QUALITY, text={})


def preview_of(pixels: Pixels) -> bytes:
    """WebP bytes of a preview: small rather than exact."""
    return _saved(_image(pixels), "webp", quality=70, text={})


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of an encoded picture, from its first bytes."""
    return _opened(data).size  # type: ignore[no-any-return]


def rendered(
    data: bytes,
    *,
    form: Format,
    width: int | None = None,
    quality: int = USUAL_QUALITY,
    blurred: bool = False,
    text: Mapping[str, str] | None = None,
) -> bytes:
    """A kept picture in another format, at most `width` wide, blurred so that nothing can be made out.

    quality: 0..100, of JPEG and WebP. text: written into a PNG. Raises DamagedError when `data` is no picture.
    """
    from PIL import Image, ImageFilter

    image = _opened(data).convert("RGB")
    if width is not None and width < image.width:
        image = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
    if blurred:
        # What a few pixels of each edge cannot hold is gone, whatever is done to the blurred picture.
        small = image.resize((6, max(1, round(6 * image.height / image.width))), Image.Resampling.BOX)
        image = small.resize(image.size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(image.width / 24))
    return _saved(image, form, quality=quality, text=dict(text or {}))


def _image(pixels: Pixels) -> Any:
    from PIL import Image

    return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data)


def _opened(data: bytes) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise DamagedError(f"{len(data):,} bytes are no picture ({error}): put back a copy of the file") from error
    if image.width * image.height > MOST_PIXELS:
        raise UsageError(f"a picture of {image.width}x{image.height} pixels: at most {MOST_PIXELS:,} are opened")
    return image


def _saved(image: Any, form: Format, *, quality: int, text: Mapping[str, str]) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    buffer = io.BytesIO()
    if form == "png":
        facts = PngInfo()
        for name, value in text.items():
            facts.add_itxt(name, value)
        image.save(buffer, format="PNG", pnginfo=facts)
    elif form == "jpeg":
        image.save(buffer, format="JPEG", quality=max(1, min(quality, 95)))
    else:
        image.save(buffer, format="WEBP", quality=quality, method=2)
    return buffer.getvalue()
