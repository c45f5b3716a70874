"""Prints the OpenAPI of the studio as JSON, with sorted keys: what the page's types are made from. Starts no server."""

import json
import sys
import tempfile
from pathlib import Path

from redraft.core.config import build
from redraft.studio.app import create_app
from redraft.studio.settings import StudioSettings

with tempfile.TemporaryDirectory() as folder:
    settings = build(StudioSettings, {"workspace": Path(folder) / "workspace"}, source="openapi")
    json.dump(create_app(settings, paint=False).openapi(), sys.stdout, sort_keys=True)
