"""Opens a model by name: built-in, folder or hub id. The family is picked by the pipeline class in model_index.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from redraft.core import plugins
from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext
from redraft.models.folder import class_name

if TYPE_CHECKING:
    from redraft.models.backbone import PipelineBackbone


def open_backbone(
    name: str,
    *,
    device: str = "cpu",
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    gradient_checkpointing: bool = False,
) -> PipelineBackbone:
    """The backbone of `builtin:sd`, `builtin:sd3`, a diffusers pipeline folder or a hub id.

    The families are the installed backbone plug-ins; each names the `pipeline_class` that it reads. Raises UsageError
    for a missing folder, a folder without model_index.json, an id that cannot be fetched or a pipeline class that no
    family reads, DamagedError when the files cannot be read.
    """
    family = family_of(name)
    config = family.Config(gradient_checkpointing=gradient_checkpointing)
    return cast("PipelineBackbone", family.build(config, ModelContext(folder=name, device=device, dtype=dtype)))


def family_of(name: str) -> Any:
    """The backbone plug-in that reads the model `name`; no weight is read yet. Raises as `open_backbone`."""
    found = class_name(name)
    families = {family.pipeline_class: family for family in map(_family, plugins.names("backbone"))}
    if found not in families:
        raise UsageError(
            f"model {name!r} is a {found}: Redraft reads {', '.join(sorted(families))}; give a folder or hub id of one "
            "of these, or install a backbone plug-in (entry point redraft.backbones) that reads it"
        )
    return families[found]


def _family(name: str) -> Any:
    return plugins.load("backbone", name)
