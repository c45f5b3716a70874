"""The serving engine: a process of its own that paints, with all of torch in it, and its client in the web process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redraft.studio.context import Studio
    from redraft.studio.engine.client import Engine


def start_engine(studio: Studio) -> Engine:
    """Start the engine of a studio and return at once; it loads its model by itself. Needs a running event loop."""
    from redraft.studio.engine.client import Engine
    from redraft.studio.engine.gauges import watch_engine
    from redraft.studio.engine.messages import EngineSpec
    from redraft.studio.recording import Recorder

    spec = EngineSpec(
        settings=studio.settings.engine,
        workspace=str(studio.workspace.folder),
        database_url=studio.settings.database_url,
    )
    engine = Engine(spec, aliases=studio.workspace.aliases, recorder=Recorder(studio), now=studio.now)
    engine.start()
    watch_engine(engine, studio.metrics.registry)
    return engine
