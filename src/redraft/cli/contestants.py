"""From what stands on the command line to models that paint: aliases, checkpoints, bases, folders of pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from redraft.core.keys import Key
    from redraft.evaluation.benchmarks.benchmark import Benchmark
    from redraft.evaluation.benchmarks.runner import Painter

ALIASES = ("champion", "challenger", "previous", "base")


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One MODEL of the command line: `pictures` is a folder of pictures, else `base` with the weights of `which`."""

    name: str
    base: str = ""
    which: str = "base"
    pictures: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How all contestants that paint are sampled; None: as the model wants it."""

    steps: int | None
    guidance_scale: float | None
    seed: int
    device: str = "cpu"


def contestants(names: Sequence[str], *, base: str, workspace: Path) -> tuple[Contestant, ...]:
    """What each MODEL means.

    champion, challenger, previous, base: of the base model `base`. BASE@WHICH: of another base. A folder with
    model_index.json, builtin:NAME or ORGANISATION/NAME: a base model as delivered. A folder of pictures: these, under
    the folder's own name, or the way to it where several are called alike. Anything else: a checkpoint id of the
    workspace, with its own base.

    Raises:
        UsageError: when a model is named twice, or an empty one.
        UnknownNameError: for a checkpoint that the workspace does not have.
    """
    found = [_contestant(name, base=base, workspace=workspace) for name in names]
    named = Counter(one.name for one in found)
    found = [replace(one, name=str(one.pictures)) if one.pictures and named[one.name] > 1 else one for one in found]
    if len({one.name for one in found}) < len(found) or len(set(names)) < len(names):
        raise UsageError(f"models {' '.join(names)}: each at most once")
    return tuple(found)


def is_base(name: str) -> bool:
    """Whether a MODEL names a base model: builtin:NAME, a pipeline folder or a hub id."""
    return name.startswith("builtin:") or (Path(name) / "model_index.json").is_file() or _is_hub_id(name)


def open_painter(
    contestant: Contestant, benchmark: Benchmark, *, sampling: Sampling, workspace: Path, key: Key
) -> tuple[Painter, dict[str, Any]]:
    """Who paints, and what to write of it into the journal's header. Raises as opening a model or folder does."""
    if contestant.pictures is not None:
        from redraft.evaluation.benchmarks.pictures import PictureFolder

        folder = PictureFolder(contestant.pictures, benchmark)
        if folder.unread:
            typer.echo(
                f"warning: {len(folder.unread):,} of the pictures in {str(contestant.pictures)!r} will not be judged, "
                f"{str(folder.unread[0])!r} is the first: their names give no place or text of a prompt that is "
                f"judged, or it has its {benchmark.images_per_prompt} pictures without them",
                err=True,
            )
        return folder, {"pictures": str(contestant.pictures)}
    from redraft.cli.generate import open_model
    from redraft.loop.benchmarking import ModelPainter, made_by
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        backbone, checkpoint = open_model(space, contestant.base, checkpoint=contestant.which, device=sampling.device)
    recipe = backbone.default_recipe(steps=sampling.steps, guidance_scale=sampling.guidance_scale)
    made = made_by(backbone, recipe=recipe, checkpoint=checkpoint, seed=sampling.seed)
    return ModelPainter(backbone, recipe=recipe, key=key), made


def _contestant(name: str, *, base: str, workspace: Path) -> Contestant:
    if not name.strip():
        raise UsageError("an empty MODEL: name an alias, a checkpoint id, a base model or a folder")
    if name in ALIASES:
        return Contestant(name=name, base=base, which=name)
    before, at, after = name.rpartition("@")
    if at and is_base(before):
        return Contestant(name=name, base=before, which=after)
    if is_base(name):
        return Contestant(name=name, base=name)
    if Path(name).is_dir():
        return Contestant(name=Path(name).resolve().name, pictures=Path(name))
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        record = space.checkpoints.get(name)
    return Contestant(name=name, base=record.lineage.base, which=record.id)


def _is_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not Path(name).exists() and not name.startswith((".", "/", "~"))
