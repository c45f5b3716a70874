"""`redraft generate`: pictures of prompts by the champion, a checkpoint or the base, as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from redraft.cli import options
from redraft.cli.options import DEFAULT_WORKSPACE, print_json
from redraft.core.errors import UsageError
from redraft.models.builtin import DEFAULT

if TYPE_CHECKING:
    from redraft.models.backbone import PipelineBackbone
    from redraft.store.aliases import Alias
    from redraft.store.workspace import Workspace

Checkpoint = Annotated[
    str | None, typer.Option("--checkpoint", help="champion (default), base, previous, or a checkpoint id.")
]


def generate(
    texts: Annotated[list[str] | None, typer.Argument(help="Prompts, each in quotes.")] = None,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    model: options.Model = None,
    checkpoint: Checkpoint = None,
    prompts: options.Prompts = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path("pictures"),
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Pictures of each prompt.")] = 1,
    steps: options.Steps = None,
    guidance: options.Guidance = None,
    seed: options.Seed = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, ...")] = "cpu",
    as_json: options.Json = False,
) -> None:
    """Paint pictures of prompts.

    Example: redraft generate "a red star left of a circle" -n 4
    """
    from redraft.core.keys import Key
    from redraft.core.records import Prompt
    from redraft.loop.painting import paint, repeated
    from redraft.prompts.corpora import read_prompts
    from redraft.store.files import write_file
    from redraft.store.workspace import Workspace

    wanted = [Prompt(text=text.strip()) for text in texts or [] if text.strip()]
    if prompts is not None:
        wanted += read_prompts(prompts)
    if not wanted:
        raise UsageError(
            'no prompt was given: write one in quotes, as in redraft generate "a red star", or --prompts FILE'
        )
    with Workspace.open(workspace) as space:
        backbone, name = open_model(space, model or DEFAULT, checkpoint=checkpoint, device=device)
        painted = paint(
            backbone,
            repeated(wanted, count),
            recipe=backbone.default_recipe(steps=steps, guidance_scale=guidance),
            key=Key(seed=seed or 0).child("generate"),
            batch=64,
        )
    files = []
    for number, (prompt, pixels) in enumerate(zip(painted.prompts, painted.pixels, strict=True)):
        path = out / f"{number:04d}-{prompt.id}.png"
        write_file(path, png_of(pixels))
        files.append({"prompt": prompt.text, "file": str(path)})
    if as_json:
        print_json({"model": model or DEFAULT, "checkpoint": name, "pictures": files})
    else:
        typer.echo(f"{len(files)} pictures by {name} in {out}")


def open_model(
    workspace: Workspace, model: str, *, checkpoint: str | None, device: str = "cpu"
) -> tuple[PipelineBackbone, str]:
    """The backbone of `model` with the weights of an alias or checkpoint; also what to call it.

    Raises UnknownNameError for a checkpoint that does not exist, UsageError for one of another base.
    """
    from redraft.cli.factory import PluginFactory
    from redraft.models.checkpoints import decode

    backbone: Any = PluginFactory(device=device).backbone(model)
    wanted = checkpoint or "champion"
    if wanted == "base":
        return backbone, backbone.base
    if wanted in ("champion", "challenger", "previous"):
        live = workspace.aliases.current(backbone.base, cast("Alias", wanted))
        if live is None or not live.checkpoint:
            if checkpoint in ("challenger", "previous"):
                raise UsageError(f"{backbone.base} has no {checkpoint} in this workspace: see `redraft models list`")
            return backbone, backbone.base
        wanted = live.checkpoint
    record = workspace.checkpoints.get(wanted)
    backbone.load_weights(decode(workspace.checkpoints.read(record.id)))
    return backbone, record.id[:12]


def png_of(pixels: Any) -> bytes:
    """A picture, uint8 3,H,W, as PNG bytes."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(buffer, format="PNG")
    return buffer.getvalue()
