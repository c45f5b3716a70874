"""From names to things: backbones, scorers and methods, through the plug-in door. Picklable, so that other processes
build the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from redraft.core import plugins
from redraft.core.config import build
from redraft.core.errors import unknown_name
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
        """The scorer called `name`, or the one at the folder `name` (a CLIPModel folder, or a fitted reward)."""
        if name in BUILTIN_SCORERS:
            plugin, part = BUILTIN_SCORERS[name]
            return self._scorer(plugin, name, folder=_packaged(part))
        if name in plugins.names("scorer"):
            return self._scorer(name, name, folder="")
        if Path(name).is_dir():
            plugin = "fitted" if (Path(name) / "card.json").is_file() else "clip"
            return self._scorer(plugin, name, folder=name)
        raise unknown_name("scorer", name, {*plugins.names("scorer"), *BUILTIN_SCORERS})

    def _scorer(self, plugin: str, name: str, *, folder: str) -> Scorer:
        chosen = plugins.load("scorer", plugin)
        values: dict[str, Any] = {"name": name} if "name" in chosen.Config.model_fields else {}
        if plugin == "fitted":
            values["clip"] = _packaged("clip")
        config = build(chosen.Config, {**values, **self.scorers.get(name, {})}, source=f"[scorers.{name}]")
        scorer: Scorer = chosen.build(config, ModelContext(folder=folder, device=self.device))
        return scorer

    def method(self, name: str, *, context: MethodContext) -> Method:
        """The method or preset called `name`, with the options of its table."""
        plugin, values = self._resolved(name)
        chosen = plugins.load("method", plugin)
        options = {**values, **self.methods.get(plugin, {}), **self.methods.get(name, {})}
        method: Method = chosen.build(build(chosen.Config, options, source=f"[methods.{name}]"), context)
        return method

    def method_needs(self, name: str) -> str:
        """What the method trains on: "prompts", "scored" or "logged"."""
        plugin, _ = self._resolved(name)
        return str(plugins.load("method", plugin).needs)

    def _resolved(self, name: str) -> tuple[str, Mapping[str, Any]]:
        from redraft.methods.presets import PRESETS

        if name in PRESETS:
            return PRESETS[name]
        if name in plugins.names("method"):
            return name, {}
        raise unknown_name("method", name, {*plugins.names("method"), *PRESETS})


def _packaged(part: str) -> str:
    """The folder of a part that ships with the package."""
    return str(Path(str(files("redraft"))) / "builtin" / part)
