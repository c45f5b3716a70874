"""The server process of `running_studio.start_studio`: listens on a free port and writes its address to a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from redraft.core.config import build
from redraft.studio.server import serve
from redraft.studio.settings import StudioSettings


def main() -> None:
    settings = build(StudioSettings, json.loads(sys.argv[1]), source="test")
    announced = Path(sys.argv[2])

    def announce(url: str) -> None:
        partial = announced.with_suffix(".partial")
        partial.write_text(url)
        partial.replace(announced)

    serve(settings, paint=sys.argv[3] == "1", announce=announce)


if __name__ == "__main__":
    main()
