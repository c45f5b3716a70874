"""From names to things: backbones, scorers and methods, through the plug-in door. Picklable, so that other processes
build the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from redraft.core import plugins
from redraft.core.config import Config, build
from redraft.core.errors import DamagedError, NumericsError, UnknownNameError, UsageError, unknown_name
from redraft.core.protocols import Method, MethodContext, ModelContext, Scorer, TrainableBackbone

BUILTIN_SCORERS = {
    "clip": ("clip", "clip"),
    "clip-heldout": ("clip", "clip-heldout"),
    "heads": ("heads", "clip"),
    "safety": ("safety", "clip"),
    "object-present": ("object-present", "clip"),
    "object-removed": ("object-removed", "clip"),
    "classifier-target": ("classifier-target", "clip"),
}
"""Scorer name -> (plug-in, folder under redraft/builtin): what ships with the package."""


class Place(Config):
    """What every table [scorers.NAME] may say beside the scorer's own options."""

    plugin: str = ""
    folder: str = ""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


@dataclass(frozen=True, kw_only=True)
class PluginFactory:
    """Builds by name. `methods` and `scorers` hold the options of the TOML's [methods.NAME] and [scorers.NAME]."""

    device: str = "cpu"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scorers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def backbone(self, name: str) -> TrainableBackbone:
        """The backbone of a built-in name, pipeline folder or hub id."""
        from redraft.models.load import open_backbone

        return open_backbone(name, device=self.device, dtype=self.dtype)

    def scorer(self, name: str) -> Scorer:
        """The scorer called `name`, or the one at the folder `name` (released weights, a CLIPModel, a fitted reward).

        In any table [scorers.NAME], `folder` says where the weights are, `plugin` which scorer NAME is, and `dtype`
        in which number format it computes. Raises UsageError for files that cannot be used: whoever named them can
        mend them.
        """
        with given_files():
            return self._opened(name)

    def _opened(self, name: str) -> Scorer:
        place = self._place(name)
        if place.plugin or place.folder:
            usual = BUILTIN_SCORERS.get(name, (name, ""))[0]
            return self._scorer(place.plugin or usual, name, folder=place.folder)
        if name in BUILTIN_SCORERS:
            plugin, part = BUILTIN_SCORERS[name]
            return self._scorer(plugin, name, folder=_packaged(part))
        if name in plugins.names("scorer"):
            return self._scorer(name, name, folder="")
        if Path(name).is_dir():
            return self._scorer(_plugin_of(Path(name)), name, folder=name)
        error = unknown_name("scorer", name, {*plugins.names("scorer"), *BUILTIN_SCORERS})
        also = "it is a file, no folder" if Path(name).is_file() else "there is no folder of that name either"
        raise UnknownNameError(f"{error}; {also}")

    def _scorer(self, plugin: str, name: str, *, folder: str) -> Scorer:
        chosen = plugins.load("scorer", plugin)
        values: dict[str, Any] = {"name": name} if "name" in chosen.Config.model_fields else {}
        options = {key: value for key, value in self.scorers.get(name, {}).items() if key not in Place.model_fields}
        config = build(chosen.Config, {**values, **options}, source=f"[scorers.{name}]")
        context = ModelContext(folder=folder, device=self.device, dtype=self._place(name).dtype)
        scorer: Scorer = chosen.build(config, context)
        return scorer

    def _place(self, name: str) -> Place:
        table = {key: value for key, value in self.scorers.get(name, {}).items() if key in Place.model_fields}
        return build(Place, table, source=f"[scorers.{name}]")

    def method(self, name: str, *, context: MethodContext) -> Method:
        """The method or preset called `name`, with the options of its table."""
        plugin, values = self._resolved(name)
        chosen = plugins.load("method", plugin)
        options = {**values, **self.methods.get(plugin, {}), **self.methods.get(name, {})}
        method: Method = chosen.build(build(chosen.Config, options, source=f"[methods.{name}]"), context)
        return method

    def method_needs(self, name: str) -> str:
        """What the method trains on: "prompts", "scored" or "logged"."""
        return str(self.method_plugin(name).needs)

    def method_plugin(self, name: str) -> Any:
        """The class of the method or preset called `name`."""
        plugin, _ = self._resolved(name)
        return plugins.load("method", plugin)

    def _resolved(self, name: str) -> tuple[str, Mapping[str, Any]]:
        from redraft.methods.presets import PRESETS

        if name in PRESETS:
            return PRESETS[name]
        if name in plugins.names("method"):
            return name, {}
        raise unknown_name("method", name, {*plugins.names("method"), *PRESETS})


@contextmanager
def given_files() -> Iterator[None]:
    """Files of a reward that the caller named: when they are damaged or hold NaN, that is wrong usage, a UsageError."""
    try:
        yield
    except (DamagedError, NumericsError) as error:
        raise UsageError(str(error)) from error


def _plugin_of(folder: Path) -> str:
    """Which scorer reads a folder that was given as a reward."""
    from redraft.rewards.released_files import recognise

    return recognise(folder) or (_kind_of(folder / "card.json") if (folder / "card.json").is_file() else "clip")


def _kind_of(card: Path) -> str:
    """Which of our own rewards wrote a card; those of heads name no kind."""
    try:
        kind = json.loads(card.read_text(encoding="utf-8")).get("kind", "fitted")
    except (ValueError, AttributeError) as error:
        raise DamagedError(f"{str(card)!r} is not a JSON object ({error}): fit the reward again") from error
    if kind not in plugins.names("scorer"):
        raise DamagedError(
            f"{str(card)!r} names the kind {kind!r}, which is no scorer: was it written by a newer version?"
        )
    return str(kind)


def _packaged(part: str) -> str:
    """The folder of a part that ships with the package."""
    return str(Path(str(files("redraft"))) / "builtin" / part)
