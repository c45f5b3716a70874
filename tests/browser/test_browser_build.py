"""What lies in the package is what `npm ci && npm run build` gives, byte for byte, in whatever folder it is run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import missing_input

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src/redraft/studio/static"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_committed_page_is_what_the_sources_give(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        missing_input("no npm is installed: install Node 20 or newer with npm to build the page")
    web = tmp_path / "elsewhere" / "web"
    shutil.copytree(ROOT / "web", web, ignore=shutil.ignore_patterns("node_modules"))
    for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"], ["run", "check"]):
        done = subprocess.run([npm, *command], cwd=web, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    built = files(tmp_path / "elsewhere/src/redraft/studio/static")
    committed = files(STATIC)
    assert sorted(built) == sorted(committed)
    assert [name for name in built if built[name] != committed[name]] == []
