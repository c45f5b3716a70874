"""Studios whose gallery holds pictures of the built-in world: rendered, not painted, so that no model is loaded."""

from __future__ import annotations

import contextlib
import io
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from redraft.store.answer_records import Answer
from redraft.store.workspace import Workspace
from redraft.studio.context import Studio
from redraft.world.draws import draw_request
from redraft.world.render import render
from tests.studio.painted import paint
from tests.studio.running_studio import RunningStudio, start_studio, studio_app

PROMPTS = ("a red star left of a blue circle", "three green triangles", "a yellow ring above a purple square")


@dataclass(frozen=True, kw_only=True)
class Hung:
    """A running studio, the folder of its workspace, and the settings it was started with."""

    folder: Path
    running: RunningStudio
    settings: dict[str, Any]

    @property
    def url(self) -> str:
        """Where the page is."""
        return self.running.url

    def answers(self, user: str = "local", limit: int = 100) -> tuple[Answer, ...]:
        """A person's answers as the database holds them, all revisions, the oldest first."""
        with Workspace.open(self.folder / "workspace") as space:
            return tuple(reversed(space.answers.of_person(user, limit=limit)))


def hang(studio: Studio, owner: str, prompts: Sequence[str] = PROMPTS, *, each: int = 4) -> None:
    """Put `each` pictures of every prompt into a person's gallery."""
    rng = np.random.default_rng(5)
    for prompt in prompts:
        made = [studio.workspace.pictures.put(painted_png(rng), at=studio.now()) for _ in range(each)]
        for picture in made:
            paint(studio, owner, prompt=prompt, picture=picture)


def hang_group(studio: Studio, owner: str, prompt: str, *, count: int) -> None:
    """One request of several pictures: what duels and rankings are drawn from."""
    picture = studio.workspace.pictures.put(painted_png(np.random.default_rng(7)), at=studio.now())
    paint(studio, owner, count=count, prompt=prompt, picture=picture)


def painted_png(rng: np.random.Generator) -> bytes:
    """A picture of the built-in world, as PNG."""
    data = io.BytesIO()
    Image.fromarray(render(draw_request(rng), rng)).save(data, "PNG")
    return data.getvalue()


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def hung_studio(folder: Path, **settings: Any) -> Iterator[Hung]:
    """An open studio without an engine; its port stays the same when it is started again in this folder."""
    chosen = {"port": free_port(), **settings}
    with studio_app(folder, **settings) as made:
        hang(made.studio, "local")
        hang_group(made.studio, "local", "two blue stars", count=4)
    with again(folder, chosen) as hung:
        yield hung


@contextlib.contextmanager
def again(folder: Path, settings: dict[str, Any]) -> Iterator[Hung]:
    """Start the studio of this folder (once more)."""
    with start_studio(folder, paint=False, **settings) as running:
        assert httpx.get(running.url + "/").status_code == 200
        yield Hung(folder=folder, running=running, settings=settings)
