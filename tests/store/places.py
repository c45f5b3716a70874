"""Where a test's workspace is: its folder and its database, in a form that goes into other processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from redraft.store.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Place:
    """A workspace's folder and the URL of its database."""

    folder: Path
    url: str | None

    def open(self) -> Workspace:
        return Workspace.open(self.folder, database_url=self.url)
