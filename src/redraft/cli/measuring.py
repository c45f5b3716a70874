"""The process that measures one arm of `redraft reproduce`: `python -m redraft.cli.measuring REQUEST FOLDER`.

REQUEST is a MeasureConfig as JSON; FOLDER keeps the base's pictures between calls. The result is one JSON object on
stdout, progress goes to stderr. Not a command for people.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from redraft.core.errors import RedraftError, UsageError


def measured(request: Path, folder: Path) -> dict[str, Any]:
    """Measure what the file asks for. Raises ConfigError for a request that cannot be, and what `measure` raises."""
    from redraft.cli.factory import PluginFactory
    from redraft.core.config import build
    from redraft.loop.measuring import MeasureConfig, measure

    config = build(MeasureConfig, json.loads(request.read_text(encoding="utf-8")), source=str(request))
    factory = PluginFactory(device=config.run.device, methods=config.run.methods, scorers=config.run.scorers)
    return measure(config, factory, folder=folder, note=lambda text: print(f"  {text}", file=sys.stderr))


def main(arguments: list[str]) -> int:
    """Exit code of the process."""
    try:
        if len(arguments) != 2:
            raise UsageError(f"{len(arguments)} arguments: give the request and the folder of the base's pictures")
        print(json.dumps(measured(Path(arguments[0]), Path(arguments[1]))))
    except RedraftError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
