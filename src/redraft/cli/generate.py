"""`redraft generate`: pictures of prompts by the champion, a checkpoint or the base, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from redraft.cli import adapting, options
from redraft.cli.options import DEFAULT_WORKSPACE, print_json
from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from redraft.cli.adapting import AdapterUse
    from redraft.core.keys import Key
    from redraft.core.records import Prompt, Recipe
    from redraft.loop.config import RunConfig
    from redraft.loop.enhancing import EnhancedPictures
    from redraft.loop.painting import Painted
    from redraft.methods.inference import Enhancer
    from redraft.models.backbone import PipelineBackbone
    from redraft.store.aliases import Alias
    from redraft.store.workspace import Workspace

Checkpoint = Annotated[
    str | None, typer.Option("--checkpoint", help="champion (default), base, previous, or a checkpoint id.")
]
Enhance = Annotated[
    str | None,
    typer.Option("--enhance", help="best_of_n, self_critique, noise_search or reward_guidance; needs --reward."),
]
Reward = Annotated[str | None, typer.Option("--reward", help="Scorer that --enhance goes by: a name or a folder.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, an option of --enhance; repeatable.")]

BATCH = 64
"""Pictures at once."""


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
    lora_scale: adapting.Scale = 1.0,
    mix: adapting.Mix = None,
    lora_start: adapting.Start = None,
    lora_stop: adapting.Stop = None,
    enhance: Enhance = None,
    reward: Reward = None,
    settings: Settings = None,
    device: Annotated[str | None, typer.Option("--device", help="cpu (default), cuda, cuda:1, ...")] = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Paint pictures of prompts.

    `--config` gives options of scorers, and model, sampling, seed and device where the command line does not.

    Example: redraft generate "a red star left of a circle" -n 4 --enhance best_of_n --reward clip --set count=8
    """
    from redraft.core.keys import Key
    from redraft.loop.painting import paint, repeated
    from redraft.store.workspace import Workspace

    every = repeated(_wanted(texts, prompts), count)
    use = adapting.adapter_use(scale=lora_scale, mix=mix or [], start=lora_start, stop=lora_stop, enhance=enhance)
    given = {"model": model, "device": device, "sampling": {"steps": steps, "guidance_scale": guidance}}
    run = options.plain_config(options.read_config(config), given={**given, "seed": seed})
    enhancement = _enhancement(enhance, reward=reward, settings=settings or [], run=run)
    made = None
    with Workspace.open(workspace) as space:
        backbone, name = open_model(space, run.model, checkpoint=checkpoint, device=run.device, use=use)
        recipe = backbone.default_recipe(steps=run.sampling.steps, guidance_scale=run.sampling.guidance_scale)
        key = Key(seed=run.seed).child("generate")
        if enhancement is None:
            painted = paint(backbone, every, recipe=recipe, key=key, batch=BATCH, adapted=use.steps)
        else:
            made = enhancement.paint(backbone, every, recipe=recipe, key=key, quiet=as_json)
            painted = made.painted
    files = _written(painted, made, folder=out)
    answer: dict[str, Any] = {"model": run.model, "checkpoint": name, "pictures": files}
    if enhancement is not None and made is not None:
        answer["enhancement"] = enhancement.facts() | _cost(made)
    if as_json:
        print_json(answer)
        return
    typer.echo(f"{len(files)} pictures by {name} in {out}")
    if "enhancement" in answer:
        _show(answer["enhancement"])


@dataclass(frozen=True, kw_only=True)
class Enhancement:
    """A method at inference that was asked for, by name and with its reward."""

    name: str
    method: Enhancer
    reward: str

    def paint(
        self, backbone: PipelineBackbone, prompts: Sequence[Prompt], *, recipe: Recipe, key: Key, quiet: bool
    ) -> EnhancedPictures:
        """Pictures by the method, with a progress bar on stderr unless `quiet`."""
        from redraft.cli.screen import Screen
        from redraft.loop.enhancing import paint_enhanced

        with Screen(quiet=quiet) as screen:
            screen.stage(self.name, f"{len(prompts)} pictures by {self.reward}")
            return paint_enhanced(
                backbone, prompts, method=self.method, recipe=recipe, key=key, batch=BATCH, on_batch=screen.progress
            )

    def facts(self) -> dict[str, Any]:
        """Name, reward and the method's options, resolved."""
        config: Any = self.method.config  # type: ignore[attr-defined]
        return {"name": self.name, "reward": self.reward, "options": config.model_dump(mode="json")}


def _written(painted: Painted, made: EnhancedPictures | None, *, folder: Path) -> list[dict[str, Any]]:
    """Write the pictures; returns what --json tells of each."""
    from redraft.store.files import write_file

    files: list[dict[str, Any]] = []
    for number, (prompt, pixels) in enumerate(zip(painted.prompts, painted.pixels, strict=True)):
        path = folder / f"{number:04d}-{prompt.id}.png"
        write_file(path, png_of(pixels))
        files.append({"prompt": prompt.text, "file": str(path)} | ({} if made is None else _row(made, number)))
    return files


def _wanted(texts: Sequence[str] | None, file: Path | None) -> list[Prompt]:
    """The prompts of the command line and of a file. Raises UsageError when there is none."""
    from redraft.core.records import Prompt
    from redraft.prompts.corpora import read_prompts

    wanted = [Prompt(text=text.strip()) for text in texts or [] if text.strip()]
    if file is not None:
        wanted += read_prompts(file)
    if not wanted:
        raise UsageError(
            'no prompt was given: write one in quotes, as in redraft generate "a red star", or --prompts FILE'
        )
    return wanted


def _enhancement(
    name: str | None, *, reward: str | None, settings: Sequence[str], run: RunConfig
) -> Enhancement | None:
    """What --enhance, --reward and --set ask for. Raises UsageError when they do not fit together."""
    if name is None:
        if reward is not None or settings:
            given = f"--reward {reward}" if reward is not None else f"--set {settings[0]}"
            raise UsageError(f"{given} without --enhance: plain pictures are not scored; add --enhance best_of_n")
        return None
    from redraft.cli.factory import PluginFactory
    from redraft.loop.enhancing import enhancer, require_known

    require_known(name)
    if reward is None:
        raise UsageError(f"--enhance {name} without --reward: nothing says what is better; add --reward clip")
    values: dict[str, str] = {}
    for option, value in map(_setting, settings):
        if option in values:
            raise UsageError(f"--set {option} was given twice: give each option once")
        values[option] = value
    method = enhancer(
        name, reward=PluginFactory(device=run.device, scorers=run.scorers).scorer(reward), options=values,
        source=f"--set of {name}",
    )  # fmt: skip
    return Enhancement(name=name, method=method, reward=reward)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set {text}: write NAME=VALUE, for example --set count=8")
    return name.strip(), value.strip()


def _row(made: EnhancedPictures, number: int) -> dict[str, Any]:
    return {
        "score_before": float(made.before[number]),
        "score_after": float(made.after[number]),
        "network_calls": int(made.network_calls[number]),
        "backward_calls": int(made.backward_calls[number]),
    }


def _cost(made: EnhancedPictures) -> dict[str, Any]:
    """Means over the pictures; calls are those of one picture."""
    return {
        "score_before": float(made.before.mean()),
        "score_after": float(made.after.mean()),
        "network_calls": float(made.network_calls.double().mean()),
        "backward_calls": float(made.backward_calls.double().mean()),
        "plain_network_calls": made.plain_calls,
    }


def _show(facts: dict[str, Any]) -> None:
    backward = f" and {facts['backward_calls']:g} backward" if facts["backward_calls"] else ""
    typer.echo(
        f"{facts['name']} by {facts['reward']}: mean score {facts['score_before']:.4f} before, "
        f"{facts['score_after']:.4f} after; {facts['network_calls']:g} network calls{backward} a picture, a plain one "
        f"takes {facts['plain_network_calls']}"
    )


def open_model(
    workspace: Workspace,
    model: str,
    *,
    checkpoint: str | None,
    device: str = "cpu",
    use: AdapterUse | None = None,
) -> tuple[PipelineBackbone, str]:
    """The backbone of `model` with the weights of an alias or checkpoint, used as `use` says; also what to call them.

    Raises UnknownNameError for a checkpoint that does not exist, UsageError for one of another base, or a `use` of
    trained weights where there are none.
    """
    from redraft.cli.factory import PluginFactory

    backbone: Any = PluginFactory(device=device).backbone(model)
    found = _checkpoint_id(workspace, backbone.base, checkpoint)
    if use is not None:
        return backbone, use.load(backbone, workspace, checkpoint=found)
    if not found:
        return backbone, backbone.base
    from redraft.models.checkpoints import decode

    backbone.load_weights(decode(workspace.checkpoints.read(found)))
    return backbone, found[:12]


def _checkpoint_id(workspace: Workspace, base: str, checkpoint: str | None) -> str:
    """The id that an alias or the beginning of an id stands for; "" for the base."""
    wanted = checkpoint or "champion"
    if wanted == "base":
        return ""
    if wanted in ("champion", "challenger", "previous"):
        live = workspace.aliases.current(base, cast("Alias", wanted))
        if live is None or not live.checkpoint:
            if checkpoint in ("challenger", "previous"):
                raise UsageError(f"{base} has no {checkpoint} in this workspace: see `redraft models list`")
            return ""
        wanted = live.checkpoint
    return workspace.checkpoints.get(wanted).id


def png_of(pixels: Any) -> bytes:
    """A picture, uint8 3,H,W, as PNG bytes."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(buffer, format="PNG")
    return buffer.getvalue()
