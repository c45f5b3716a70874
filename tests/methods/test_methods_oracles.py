"""The table of oracles in the documentation is true: each has its tests, and they name it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "methods" / "oracles.md").read_text(encoding="utf-8")
ROWS = {
    oracle: re.findall(r"`(tests/[\w/]+\.py)`", row)
    for oracle, row in re.findall(r"^\| (C\d+) \|(.*)$", PAGE, flags=re.MULTILINE)
}
OURS = [f"C{number}" for number in (*range(1, 10), *range(13, 18), 19)]


def test_no_oracle_of_the_methods_is_missing() -> None:
    assert list(ROWS) == OURS


@pytest.mark.parametrize("oracle", OURS)
def test_the_files_name_their_oracle(oracle: str) -> None:
    assert ROWS[oracle]
    for file in ROWS[oracle]:
        text = (ROOT / file).read_text(encoding="utf-8")
        # "C13 to C15" names the one between, too.
        spans = [range(int(low), int(high) + 1) for low, high in re.findall(r"C(\d+) to C(\d+)", text)]
        named = re.search(rf"\b{oracle}\b", text, flags=re.IGNORECASE) is not None
        assert named or any(int(oracle[1:]) in span for span in spans), f"{file} does not name {oracle}"
