"""What Prometheus reads of the engine. Measures nothing itself: the engine keeps these numbers anyway."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from redraft.studio.engine.client import Engine


def watch_engine(engine: Engine, registry: CollectorRegistry) -> None:
    """Enter the engine's gauges; they are read when Prometheus asks."""
    ready = Gauge("redraft_engine_ready", "Whether pictures are painted now.", registry=registry)
    waiting = Gauge("redraft_engine_waiting", "Pictures that wait.", registry=registry)
    pictures = Gauge("redraft_engine_pictures", "Pictures painted since the start.", registry=registry)
    seconds = Gauge("redraft_engine_seconds", "Seconds spent on painting since the start.", registry=registry)
    ready.set_function(lambda: float(engine.ready()))
    waiting.set_function(lambda: engine.status().waiting)
    pictures.set_function(lambda: engine.status().pictures)
    seconds.set_function(lambda: engine.status().seconds)
