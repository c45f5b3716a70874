"""Options that several commands share, and how a run's configuration is put together. Runs nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redraft.core.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from redraft.loop.config import RunConfig

Workspace = Annotated[Path, typer.Option("--workspace", "-w", help="Folder that holds runs, checkpoints and aliases.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of everything random.")]
Model = Annotated[
    str | None, typer.Option("--model", "-m", help="builtin:sd, builtin:sd3, a pipeline folder or hub id.")
]
Config = Annotated[Path | None, typer.Option("--config", "-c", help="TOML (or JSON) file of the run.")]
Prompts = Annotated[Path | None, typer.Option("--prompts", help="Your prompts: txt, jsonl or PartiPrompts tsv.")]
Steps = Annotated[int | None, typer.Option("--steps", help="Sampling steps (default: the model's own).")]
Guidance = Annotated[float | None, typer.Option("--guidance", help="Guidance scale; 1 means none.")]

DEFAULT_WORKSPACE = Path("redraft-workspace")


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    typer.echo(json.dumps(value, indent=2))


def read_config(path: Path | None) -> dict[str, Any]:
    """The tables of a TOML file, or of a JSON file as --print-config gives it; empty for None.

    Raises UsageError when it cannot be read, ConfigError for bad TOML or JSON.
    """
    if path is None:
        return {}
    from redraft.core.config import read_toml

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"configuration {str(path)!r} cannot be read ({error}): give a UTF-8 TOML or JSON file"
        ) from error
    return _read_json(text, source=str(path)) if path.suffix == ".json" else read_toml(text, source=str(path))


def _read_json(text: str, *, source: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{source}: no JSON ({error}): give what --print-config prints, or a TOML file") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{source}: a JSON {type(values).__name__}, but options are an object: {{...}}")
    return values


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merged key by key, later layers winning; a value None leaves the earlier one."""
    result: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            if isinstance(value, Mapping):
                # A reward is a choice of scorers, not options to be completed.
                result[name] = dict(value) if name == "reward" else merged(result.get(name, {}), value)
            elif value is not None:
                result[name] = value
    return result


def run_config(file: Mapping[str, Any], *, given: Mapping[str, Any], source: str) -> RunConfig:
    """The resolved configuration: the house's recipe or a preset's published loop, the file, the command line, in this
    order.
    """
    from redraft.core.config import build
    from redraft.loop.config import RunConfig
    from redraft.loop.published import PUBLISHED
    from redraft.loop.recipes import recipe_for

    chosen = merged(file, given)
    defaults = RunConfig()
    model, method = chosen.get("model", defaults.model), chosen.get("method", defaults.method)
    if not isinstance(model, str) or not isinstance(method, str):
        raise ConfigError(f"{source}: model = {model!r}, method = {method!r}: both must be text")
    loop = dict(PUBLISHED.get(method) or recipe_for(model, method))
    if chosen.get("facets") or chosen.get("prompts"):
        loop.pop("reward", None)  # another reward was chosen, or the texts may be ones that the recipe's cannot read
    return build(RunConfig, merged(loop, chosen), source=source)


def plain_config(file: Mapping[str, Any], *, given: Mapping[str, Any]) -> RunConfig:
    """What a command that trains nothing needs of a run's configuration: the file, and over it the command line.

    No recipe of the house below it: the model samples as it wants to. Raises ConfigError.
    """
    from redraft.core.config import build
    from redraft.loop.config import RunConfig

    return build(RunConfig, merged(file, given), source="the configuration")


def parse_rewards(texts: Sequence[str] | None) -> dict[str, float] | None:
    """`NAME[=WEIGHT]` options as a mapping; None when there are none. Raises UsageError for a bad one or a repeat."""
    if not texts:
        return None
    from redraft.rewards.blend import parse_reward

    rewards: dict[str, float] = {}
    for text in texts:
        name, weight = parse_reward(text)
        if name in rewards:
            raise UsageError(f"--reward {name} was given twice: name each reward once")
        rewards[name] = weight
    return rewards
