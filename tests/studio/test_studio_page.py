"""The built page as it lies in the package: small, without inline code, and typed by the OpenAPI of the day."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src/redraft/studio/static"
WEB = ROOT / "web"
MOST_SCRIPT = 60_000
"""Bytes of all JavaScript together, gzipped."""


def test_all_scripts_together_fit_their_budget() -> None:
    scripts = sorted(STATIC.rglob("*.js"))
    assert len(scripts) >= 2
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in scripts}
    assert sum(sizes.values()) <= MOST_SCRIPT, sizes


def test_the_page_holds_no_inline_script_or_style() -> None:
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert "<style" not in page
    assert "style=" not in page
    assert "javascript:" not in page
    assert not re.search(r"\son\w+=", page)
    for path in STATIC.rglob("*.js"):
        # A template whose HTML carries a style attribute would be refused by the page's own policy.
        assert not re.search(r"<[a-z]+[^`<>]* style=", path.read_text()), path


def test_everything_that_the_page_names_is_there() -> None:
    page = (STATIC / "index.html").read_text()
    named = re.findall(r'(?:src|href)="\./([^"#]+)"', page)
    worker = (STATIC / "sw.js").read_text()
    named += json.loads(re.search(r"\[\"\./\"[^\]]*\]", worker)[0].replace("`", '"'))[1:]  # type: ignore[index]
    manifest = json.loads((STATIC / "manifest.webmanifest").read_text())
    named += [icon["src"] for icon in manifest["icons"]]
    assert len(named) >= 8
    assert [name for name in named if name != "docs" and not (STATIC / name).is_file()] == []


def test_the_lock_file_names_no_registry() -> None:
    lock = (WEB / "package-lock.json").read_text()
    found = re.findall(r'"resolved": "([^"]+)"', lock)
    assert [url for url in found if not url.startswith("https://registry.npmjs.org/")] == []
    assert lock.count('"integrity": "sha512-') > 50


@pytest.mark.slow
def test_the_types_of_the_page_are_made_from_the_interface_of_today() -> None:
    printed = subprocess.run(
        [sys.executable, WEB / "scripts/openapi.py"], capture_output=True, text=True, check=True, cwd=WEB
    ).stdout
    wanted = hashlib.sha256(printed.encode()).hexdigest()
    found = re.search(r"OpenAPI sha256 ([0-9a-f]{64})", (WEB / "src/api.d.ts").read_text())
    assert found is not None
    assert found[1] == wanted, "the interface changed: run `npm run types` in web/ and build"
