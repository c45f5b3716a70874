"""Figures of reproductions: real PNGs of the size that their contents ask for, the same bytes for the same values."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from redraft.evaluation.figures import Column, Gain, Line, Panel, Point, gains_figure, grid_figure, lines_figure


def size(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


def panel(*names: str) -> Panel:
    points = tuple(Point(x=x, value=x / 2, low=x / 2 - 0.1, high=x / 2 + 0.1) for x in (1.0, 2.0, 3.0))
    return Panel(heading="gain", axis="x", lines=tuple(Line(name=name, points=points) for name in names))


def test_lines_are_drawn_in_one_panel_each_and_are_the_same_twice() -> None:
    one, two = lines_figure([panel("a")], title="t"), lines_figure([panel("a", "b"), panel("b")], title="t")
    assert size(two)[0] > 1.5 * size(one)[0]
    assert size(two)[1] == size(one)[1]
    assert lines_figure([panel("a")], title="t") == one
    assert lines_figure([panel("b")], title="t") != one


def gain(name: str, value: float, unit: str = "") -> Gain:
    return Gain(name=name, difference=value, low=0.9 * value, high=1.1 * value, unit=unit)


def coloured(png: bytes) -> int:
    """Pixels of intervals above zero."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    return int((pixels == (0x1B, 0x7F, 0x5C)).all(axis=1).sum())


def test_gains_in_another_unit_have_an_axis_of_their_own() -> None:
    """Beside gains of 100 those of 1 would be dots: on their own axis their intervals are as long."""
    small, large = [gain(name, 1.0) for name in "abc"], [gain(name, 100.0) for name in "def"]
    together = gains_figure([*small, *large], title="t", unit="gain")
    apart = gains_figure(
        [*small, *(gain(each.name, each.difference, "points") for each in large)], title="t", unit="gain"
    )
    assert size(apart)[0] == size(together)[0]
    assert size(apart)[1] > size(together)[1]
    assert coloured(apart) > 1.3 * coloured(together)
    assert size(gains_figure([], title="t", unit="gain"))[0] == size(together)[0]


def test_a_grid_shows_its_pictures() -> None:
    red, blue = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = blue[..., 2] = 255
    png = grid_figure([Column(name="base", pictures=(red, red)), Column(name="new", pictures=(blue, blue))], title="t")
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    reds, blues = ((pixels == colour).all(axis=1).sum() for colour in ((255, 0, 0), (0, 0, 255)))
    assert reds > 10_000
    assert abs(int(reds) - int(blues)) < 0.05 * reds
