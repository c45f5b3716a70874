"""The engine process: takes orders from the web process, paints them one batch after another, reports. The only place
of the studio where torch is loaded; this file loads it inside `main`, which no other process calls.

Models are loaded by a thread of their own, so that painting goes on beside it. When the web process is gone, this one
ends at once.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redraft.core.errors import RedraftError
from redraft.studio.engine.messages import (
    BatchDone,
    Broken,
    Cancel,
    Drop,
    EngineSpec,
    Failed,
    Load,
    Loaded,
    ModelFacts,
    NotLoaded,
    Order,
    Paint,
    Ready,
    Report,
    Stop,
)

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from redraft.models.backbone import PipelineBackbone
    from redraft.store.workspace import Workspace
    from redraft.studio.engine.painter import Painter

REMEMBERED = 10_000
"""Cancelled pictures that are remembered."""


def main(spec: EngineSpec, pipe: Connection) -> None:
    """Serve until told to stop, or until the web process is gone. Runs in a process of its own."""
    # Ctrl-C reaches every process of the terminal; the web process ends this one in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wire = _Wire(pipe)
    threading.Thread(target=wire.listen, name="orders", daemon=True).start()
    began = time.perf_counter()
    try:
        engine = _Engine.open(spec, wire)
    except RedraftError as error:
        wire.tell(Broken(message=str(error)))
        return
    seconds = time.perf_counter() - began
    wire.tell(
        Ready(facts=engine.facts, checkpoint=engine.first, calibrated=engine.painter.judge.calibrated, seconds=seconds)
    )
    engine.serve()


@dataclass(frozen=True)
class _Wire:
    """The pipe to the web process. unwanted: numbers of cancelled pictures."""

    pipe: Connection
    orders: queue.SimpleQueue[Order] = field(default_factory=queue.SimpleQueue)
    unwanted: set[int] = field(default_factory=set)
    _sending: threading.Lock = field(default_factory=threading.Lock)

    def listen(self) -> None:
        """Read orders; cancellations take effect at once."""
        while True:
            try:
                order = self.pipe.recv()
            except (EOFError, OSError):
                os._exit(0)  # the web process is gone: nobody is left to paint for
            if isinstance(order, Cancel):
                if len(self.unwanted) > REMEMBERED:
                    self.unwanted.clear()
                self.unwanted.update(order.numbers)
            else:
                self.orders.put(order)

    def tell(self, report: Report) -> None:
        """Send a report."""
        with self._sending:
            self.pipe.send(report)


@dataclass(kw_only=True)
class _Model:
    """A model with the weights of one checkpoint, merged for as long as it is served."""

    backbone: PipelineBackbone
    merged: ExitStack


class _Engine:
    def __init__(self, spec: EngineSpec, wire: _Wire, workspace: Workspace, painter: Painter) -> None:
        self._spec, self._wire, self._workspace, self.painter = spec, wire, workspace, painter
        self._models: dict[str, _Model] = {}
        self.first = ""
        self.facts: ModelFacts

    @classmethod
    def open(cls, spec: EngineSpec, wire: _Wire) -> _Engine:
        """Load the model that the live pointer names, and the judges."""
        import torch

        from redraft.models.folder import is_hub_id, locate
        from redraft.store.workspace import Workspace
        from redraft.studio.engine.judge import Judge
        from redraft.studio.engine.painter import Painter

        if spec.settings.threads:
            torch.set_num_threads(spec.settings.threads)
        workspace = Workspace.open(spec.workspace, database_url=spec.database_url)
        backbone = _backbone(spec)
        place = workspace.folder / "calibrations" / f"{_file_name(backbone.base)}.safetensors"
        shipped = (
            None if is_hub_id(spec.settings.model) else Path(locate(spec.settings.model)) / "calibration.safetensors"
        )
        painter = Painter(
            judge=Judge(spec.settings, place=place, shipped=shipped),
            tell=wire.tell,
            unwanted=wire.unwanted,
            preview_every=spec.settings.preview_every,
            preview_edge=spec.settings.preview_edge,
            unsafe_limit=spec.settings.unsafe_limit,
        )
        engine = cls(spec, wire, workspace, painter)
        live = workspace.aliases.current(backbone.base)
        engine.first = "" if live is None else live.checkpoint
        engine._keep(engine.first, backbone)
        recipe = backbone.default_recipe()
        engine.facts = ModelFacts(
            base=backbone.base, size=backbone.size, steps=recipe.steps, guidance=recipe.guidance_scale
        )
        return engine

    def serve(self) -> None:
        """Work on orders until told to stop."""
        while True:
            order = self._wire.orders.get()
            if isinstance(order, Stop):
                return
            if isinstance(order, Load):
                threading.Thread(target=self._load, args=(order.checkpoint,), name="load", daemon=True).start()
            elif isinstance(order, Drop):
                self._models.pop(order.checkpoint, None)
            elif isinstance(order, Paint):
                self._paint(order)

    def _paint(self, order: Paint) -> None:
        import torch

        from redraft.studio.engine.painter import NobodyWantsItError

        numbers = tuple(item.number for item in order.items)
        began = time.perf_counter()
        model = self._models.get(order.group.checkpoint)
        try:
            if model is None:
                message = f"checkpoint {order.group.checkpoint[:12]!r} is no longer loaded: send the request again"
                self._wire.tell(Failed(numbers=numbers, message=message))
            else:
                self.painter.paint(order, model.backbone)
        except NobodyWantsItError:
            pass
        except RedraftError as error:
            self._wire.tell(Failed(numbers=numbers, message=str(error)))
        except torch.AcceleratorError:
            raise  # the device is lost for this process: only a new one can paint
        except (RuntimeError, ValueError) as error:
            # One bad batch must not end the process; what torch says of it is all that is known.
            self._wire.tell(Failed(numbers=numbers, message=f"the model failed ({type(error).__name__}: {error})"))
        self._wire.tell(BatchDone(pictures=len(numbers), seconds=time.perf_counter() - began))

    def _load(self, checkpoint: str) -> None:
        try:
            if checkpoint not in self._models:
                self._keep(checkpoint, _backbone(self._spec))
        except (RedraftError, RuntimeError, ValueError, OSError) as error:
            self._wire.tell(NotLoaded(checkpoint=checkpoint, message=str(error)))
        else:
            self._wire.tell(Loaded(checkpoint=checkpoint))

    def _keep(self, checkpoint: str, backbone: PipelineBackbone) -> None:
        merged = ExitStack()
        if checkpoint:
            from redraft.models.checkpoints import decode

            backbone.load_weights(decode(self._workspace.checkpoints.read(checkpoint)))
            merged.enter_context(backbone.merged())
        self._models[checkpoint] = _Model(backbone=backbone, merged=merged)


def _backbone(spec: EngineSpec) -> Any:
    from redraft.models.load import open_backbone

    return open_backbone(spec.settings.model, device=spec.settings.device, dtype=spec.settings.dtype)


def _file_name(base: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in base)
