"""The tiny bitmap font of the world's labels, and the plates that carry a word.

Every plate has the same size, so that the oracle can compare a found plate with all words pixel by pixel.
It is no general text drawing: only the letters of ``WORDS`` exist.
"""

from functools import lru_cache

import numpy as np

from redraft.world.shapes import FloatArray

WORDS = ("TEA", "JAM", "OIL", "RYE", "FIG", "NUT", "BOX", "SKY")

PLATE_HEIGHT, PLATE_WIDTH = 14, 30
LETTER_HEIGHT, LETTER_WIDTH, LETTER_GAP = 8, 6, 2
WHITE, INK = 253, 14

_GLYPHS: dict[str, str] = {
    "A": ".####. ##..## ##..## ##..## ###### ##..## ##..## ##..##",
    "B": "#####. ##..## ##..## #####. #####. ##..## ##..## #####.",
    "E": "###### ##.... ##.... #####. #####. ##.... ##.... ######",
    "F": "###### ##.... ##.... #####. #####. ##.... ##.... ##....",
    "G": ".####. ##..## ##.... ##.... ##.### ##..## ##..## .####.",
    "I": "###### ..##.. ..##.. ..##.. ..##.. ..##.. ..##.. ######",
    "J": "..#### ....## ....## ....## ....## ##..## ##..## .####.",
    "K": "##..## ##..## ##.##. ####.. ####.. ##.##. ##..## ##..##",
    "L": "##.... ##.... ##.... ##.... ##.... ##.... ##.... ######",
    "M": "##..## ###### ###### ##..## ##..## ##..## ##..## ##..##",
    "N": "##..## ###.## ###.## ###### ##.### ##.### ##..## ##..##",
    "O": ".####. ##..## ##..## ##..## ##..## ##..## ##..## .####.",
    "R": "#####. ##..## ##..## #####. ####.. ##.##. ##..## ##..##",
    "S": ".##### ##.... ##.... .####. ...### ....## ....## #####.",
    "T": "###### ###### ..##.. ..##.. ..##.. ..##.. ..##.. ..##..",
    "U": "##..## ##..## ##..## ##..## ##..## ##..## ###### .####.",
    "X": "##..## ##..## .####. ..##.. ..##.. .####. ##..## ##..##",
    "Y": "##..## ##..## ##..## .####. ..##.. ..##.. ..##.. ..##..",
}


@lru_cache(maxsize=len(WORDS))
def plate_of(word: str) -> FloatArray:
    """Grey values of the plate of one word: white ground, 1-pixel black border, black capitals.

    Args:
        word: one of ``WORDS``.

    Returns:
        Read-only 14,30 float32 in 0..255.

    Raises:
        KeyError: when a letter is not in the font (callers check against ``WORDS`` first).
    """
    plate = np.full((PLATE_HEIGHT, PLATE_WIDTH), WHITE, dtype=np.float32)
    plate[[0, -1], :] = INK
    plate[:, [0, -1]] = INK
    for index, letter in enumerate(word):
        rows = _GLYPHS[letter].split()
        inked = np.array([[mark == "#" for mark in row] for row in rows])
        left = 4 + index * (LETTER_WIDTH + LETTER_GAP)
        plate[3 : 3 + LETTER_HEIGHT, left : left + LETTER_WIDTH][inked] = INK
    plate.setflags(write=False)
    return plate
