"""The oracle of the picture world: reads a picture back into objects, style, label and ground.

It knows the world's shapes and paints, not how a picture was made, so it reads any 64x64 picture, good or bad.
It judges nothing: `verify` holds a reading against a request, `facets` grades it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from redraft.core.errors import UsageError
from redraft.world.lettering import PLATE_HEIGHT, PLATE_WIDTH, WORDS
from redraft.world.requests import STYLES
from redraft.world.shapes import PALETTE, SIDE, BoolArray, FloatArray
from redraft.world.templates import NAMES, shape_agreement, word_agreement

SHAPE_MINIMUM = 0.85
"""Least correlation with a template for a blob to count as a shape."""
WORD_MINIMUM = 0.7
"""Least correlation with a word for a plate to count as that label."""

_WORD_LEAD = 0.06  # by which the best word must lead the second
_FOREGROUND = 44.0  # RGB distance from the ground; noise of sigma 8 stays below, the palest paint lies above
_NEARBY = 7  # pixels; window in which the strongest pixel sets the threshold
_EDGE = 0.36  # share of that strongest distance that counts as covered
_SOLID = 0.36  # share of an object's own distance below which a pixel is rather ground than texture
_CORE = 16  # pixels; a smaller core says too little about paint and texture
_STYLE_CORE = 60  # pixels; a smaller core shows no texture for certain
_MIXING = 60.0  # cost of assuming that a paint is mixed with the ground, in RGB steps
_SPECK = 9  # pixels; smaller blobs are noise, not objects
_LEAST_SIDE = 8  # pixels; no object of the world is smaller
_LARGEST_SIDE = 46
_DARK = 60.0  # mean of a ground below which the picture is neon
_TEXTURE = 0.02  # least strength of texture at the styles' period of 4 pixels, see _style_of
_LINE_RATIO = 0.45
_SQUARE_RATIO = 0.6  # dots repeat along rows and columns, hatching along one of them only

_COLOR_NAMES = tuple(PALETTE)
_PAINTS = np.array(list(PALETTE.values()), dtype=np.float32)
_BORDER: BoolArray = np.ones((SIDE, SIDE), dtype=bool)
_BORDER[2:-2, 2:-2] = False
_TOUCHING = np.ones((3, 3), dtype=bool)
_CROSS = ndimage.generate_binary_structure(2, 1)
_WAVE: NDArray[np.complex64] = np.exp(-0.5j * np.pi * np.arange(SIDE)).astype(np.complex64)


@dataclass(frozen=True, kw_only=True)
class SeenObject:
    """One object that was recognised.

    `center` is (x, y) in pixels, the middle of `box`; `box` is (left, top, right, bottom), right and bottom excluded;
    `area` is the number of covered pixels; `shape_confidence` (-1..1) the correlation with the best template;
    `unsafe_likeness` (-1..1) that with the unsafe shape.
    """

    shape: str
    color: str
    center: tuple[float, float]
    box: tuple[int, int, int, int]
    area: int
    shape_confidence: float
    unsafe_likeness: float


@dataclass(frozen=True, kw_only=True)
class Blob:
    """One connected piece of what leaves the ground, before it is called an object or not.

    `box` is (left, top, right, bottom), right and bottom excluded; `mask` (H,W of the box) what belongs to it; `plate`
    says that it has the size and the look of a label; `agreement` is its correlation (-1..1) with every shape of
    `templates.NAMES`, None for plates and for what has no object's size; `area` is the number of covered pixels.
    """

    box: tuple[int, int, int, int]
    mask: BoolArray
    plate: bool
    agreement: FloatArray | None
    area: int


@dataclass(frozen=True, kw_only=True)
class Reading:
    """All that the oracle sees.

    `unclear` counts blobs (and plates) that were seen but not recognised; `style` is None for flat pictures;
    `background` is the RGB ground, 0..255; `label_box` is the box of the plate, readable or not.
    """

    objects: tuple[SeenObject, ...]
    unclear: int
    style: str | None
    label: str | None
    background: tuple[float, float, float]
    label_box: tuple[int, int, int, int] | None = None


def pixels_of(image: ArrayLike) -> FloatArray:
    """Turn a picture into 64,64,3 float32 in 0..255.

    Args:
        image: 64,64,3, uint8 in 0..255 or floating in 0..1. Values out of range are clipped, NaN becomes 0.

    Raises:
        UsageError: for another shape or kind of number.
    """
    array = np.asarray(image)
    if array.shape != (SIDE, SIDE, 3):
        raise UsageError(
            f"picture of shape {array.shape}: the oracle reads {SIDE},{SIDE},3 (height, width, RGB); resize it"
        )
    if array.dtype == np.uint8:
        return array.astype(np.float32)
    if not np.issubdtype(array.dtype, np.floating):
        raise UsageError(f"picture of {array.dtype}: the oracle reads uint8 in 0..255 or floats in 0..1; convert it")
    return np.nan_to_num(array.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1) * 255


def read(image: ArrayLike) -> Reading:
    """Read one picture.

    Args:
        image: 64,64,3, uint8 in 0..255 or floating in 0..1.

    Raises:
        UsageError: for another shape or kind of number; never because of what the picture shows.
    """
    pixels = pixels_of(image)
    background = background_of(pixels)
    distance = distance_from(pixels, background)
    objects: list[SeenObject] = []
    textures: list[tuple[int, str | None]] = []
    label, label_box, unclear = None, None, 0
    for blob in blobs_of(pixels, distance):
        rows, columns = slice(blob.box[1], blob.box[3]), slice(blob.box[0], blob.box[2])
        if blob.plate:
            label, label_box = _word_on(pixels, blob.box), blob.box
            unclear += label is None
        elif blob.agreement is None or blob.agreement.max() < SHAPE_MINIMUM:
            unclear += 1
        else:
            patch, apart = pixels[rows, columns], distance[rows, columns]
            objects.append(_object_of(blob, blob.agreement, color=color_of(blob.mask, patch, apart, background)))
            textures.append((blob.area, _style_of(blob.mask, patch, apart)))
    red, green, blue = (float(value) for value in background)
    return Reading(
        objects=tuple(objects),
        unclear=unclear,
        style=_style_of_all(textures, background),
        label=label,
        background=(red, green, blue),
        label_box=label_box,
    )


def read_batch(images: Iterable[ArrayLike]) -> tuple[Reading, ...]:
    """Read many pictures, as `read` does each."""
    return tuple(read(image) for image in images)


def background_of(pixels: FloatArray) -> FloatArray:
    """The ground of a picture (64,64,3 in 0..255): the median of its 2-pixel border, RGB."""
    return np.asarray(np.median(pixels[_BORDER], axis=0), dtype=np.float32)


def distance_from(pixels: FloatArray, background: FloatArray) -> FloatArray:
    """Euclidean RGB distance of every pixel (...,3) from the ground, 0..442."""
    difference = pixels - background
    return np.asarray(np.sqrt(np.einsum("...c,...c->...", difference, difference)), dtype=np.float32)


def foreground_of(distance: FloatArray) -> BoolArray:
    """Pixels (64,64) that belong to something drawn, given every pixel's distance from the ground.

    A blurred edge of a dark object may be further from the ground than the middle of a pale one, so that the threshold
    follows the strongest pixel nearby. Then holes of up to 2 pixels (dots, noise) are closed.
    """
    nearby = ndimage.maximum_filter(distance, size=_NEARBY)
    return np.asarray(
        ndimage.binary_closing(distance > np.maximum(_FOREGROUND, _EDGE * nearby), _CROSS), dtype=np.bool_
    )


def blobs_of(pixels: FloatArray, distance: FloatArray) -> Iterator[Blob]:
    """All blobs of a picture (64,64,3 in 0..255), from the top, given every pixel's distance from the ground.

    Specks are left out, and what lies inside the label.
    """
    labelled, _ = ndimage.label(foreground_of(distance), _TOUCHING)
    label_box: tuple[int, int, int, int] | None = None
    for number, (rows, columns) in enumerate(ndimage.find_objects(labelled), start=1):
        mask = labelled[rows, columns] == number
        box = (columns.start, rows.start, columns.stop, rows.stop)
        # The border of a plate comes before its letters, for it is higher up; letters are no objects.
        if mask.sum() < _SPECK or (label_box is not None and _inside(box, label_box)):
            continue
        if label_box is None and _is_plate(mask, pixels[rows, columns], box):
            label_box = box
            yield Blob(box=box, mask=mask, plate=True, agreement=None, area=int(mask.sum()))
        elif not _LEAST_SIDE <= max(mask.shape) <= _LARGEST_SIDE or min(mask.shape) < _LEAST_SIDE // 2:
            yield Blob(box=box, mask=mask, plate=False, agreement=None, area=int(mask.sum()))
        else:
            coverage = _coverage(mask, distance[rows, columns])
            agreement = np.asarray(shape_agreement(coverage), dtype=np.float32)
            yield Blob(box=box, mask=mask, plate=False, agreement=agreement, area=int((coverage > 0.5).sum()))


def _coverage(blob: BoolArray, distance: FloatArray) -> FloatArray:
    """Soft at the rim, full inside whatever the texture, open where closing filled a hole."""
    core = _core(blob)
    full = max(float(np.median(distance[core])), _FOREGROUND)
    rim = np.clip(distance / full, 0, 1) * ndimage.binary_dilation(blob, _TOUCHING)
    return np.asarray(np.where(core & (distance > _EDGE * full), 1, rim), dtype=np.float32)


def color_of(mask: BoolArray, patch: FloatArray, distance: FloatArray, background: FloatArray) -> str:
    """The colour nearest to the median paint of a blob away from the rim.

    A thin blob is all rim: its pixels least mixed with the ground are compared with paints mixed with it as well.

    Args:
        mask, patch, distance: H,W, H,W,3 and H,W of the blob's box: what belongs to it, its pixels in 0..255, their
            distance from the ground.
        background: the ground, RGB.
    """
    core: BoolArray = ndimage.binary_erosion(mask, _CROSS)
    shares: tuple[float, ...] = (1.0,)
    if core.sum() < _CORE:
        core, shares = mask & (distance >= np.quantile(distance[mask], 0.7)), (1.0, 0.85, 0.7)
    paint = np.median(patch[core], axis=0)
    gaps = [
        np.abs(background + share * (_PAINTS - background) - paint).sum(axis=1) + _MIXING * (1 - share)
        for share in shares
    ]
    return _COLOR_NAMES[int(np.min(gaps, axis=0).argmin())]


def _object_of(blob: Blob, agreement: FloatArray, *, color: str) -> SeenObject:
    best = int(agreement.argmax())
    left, top, right, bottom = blob.box
    return SeenObject(
        shape=NAMES[best],
        color=color,
        center=((left + right) / 2, (top + bottom) / 2),
        box=blob.box,
        area=blob.area,
        shape_confidence=float(agreement[best]),
        unsafe_likeness=float(agreement[-1]),
    )


def _core(blob: BoolArray) -> BoolArray:
    """The blob without its blurred rim, or the whole blob when too little else is left."""
    inner: BoolArray = ndimage.binary_erosion(blob, _CROSS)
    return inner if inner.sum() >= _CORE else blob


def _style_of(blob: BoolArray, patch: FloatArray, distance: FloatArray) -> str | None:
    """Texture inside one object: its strength at a period of 4 pixels along columns (hatching), along rows too (dots).

    All three channels count: dots on yellow hardly show but in blue.
    """
    # Closing may have filled a notch with ground, which would look like texture; dots keep about half the distance.
    core: BoolArray = ndimage.binary_erosion(blob & (distance > _SOLID * np.median(distance[blob])), _CROSS)
    if core.sum() < _STYLE_CORE:
        return None
    values = np.where(core[:, :, None], patch - patch[core].mean(axis=0), 0) / (255 * core.sum())
    height, width = blob.shape
    down = float(np.linalg.norm(_WAVE[:height] @ values.sum(axis=1)))
    across = float(np.linalg.norm(_WAVE[:width] @ values.sum(axis=0)))
    if max(down, across) < _TEXTURE:
        return None
    if min(down, across) > _SQUARE_RATIO * max(down, across):
        return "stipple"
    return "woodcut" if across < _LINE_RATIO * down else None


def _style_of_all(textures: list[tuple[int, str | None]], background: FloatArray) -> str | None:
    """The style of a picture: neon by its ground, else the texture of more than half of all covered area."""
    if float(background.mean()) < _DARK:
        return "neon"
    area = sum(size for size, _ in textures)
    for style in STYLES:
        if sum(size for size, texture in textures if texture == style) * 2 > area:
            return style
    return None


def _is_plate(blob: BoolArray, patch: FloatArray, box: tuple[int, int, int, int]) -> bool:
    """Whether a blob is a label: a box of the plate's size in the lower half, nearly all grey, black and white."""
    left, top, right, bottom = box
    if abs(right - left - PLATE_WIDTH) > 4 or abs(bottom - top - PLATE_HEIGHT) > 4 or top < SIDE // 2:
        return False
    filled = ndimage.binary_fill_holes(blob)
    grey = patch.mean(axis=2)
    colorful = np.ptp(patch, axis=2).mean()
    return bool(filled.mean() > 0.85 and colorful < 60 and (grey > 180).mean() > 0.15 and (grey < 150).mean() > 0.15)


def _inside(box: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return box[0] >= other[0] and box[1] >= other[1] and box[2] <= other[2] and box[3] <= other[3]


def _word_on(pixels: FloatArray, box: tuple[int, int, int, int]) -> str | None:
    left, top, right, bottom = box
    agreement = word_agreement(pixels.mean(axis=2), ((top + bottom) // 2, (left + right) // 2))
    best = int(agreement.argmax())
    lead = agreement[best] - np.delete(agreement, best).max()
    return WORDS[best] if agreement[best] >= WORD_MINIMUM and lead >= _WORD_LEAD else None
