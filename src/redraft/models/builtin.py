"""Names of the built-in models and the folders of their packaged weights. Not a loader: `models.load` opens them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from redraft.core.errors import EnvironmentFaultError, unknown_name

PREFIX = "builtin:"
NAMES = ("sd", "sd3")
DEFAULT = "builtin:sd"
"""The model of commands that name none."""


def _root() -> Path:
    return Path(str(files("redraft"))) / "builtin"


def builtin_folder(name: str) -> Path:
    """The folder of `builtin:sd` or `builtin:sd3`.

    Raises UnknownNameError for another name, EnvironmentFaultError when the weights are not in the package.
    """
    known = [PREFIX + short for short in NAMES]
    if name not in known:
        raise unknown_name("built-in model", name, known)
    folder = _root() / name.removeprefix(PREFIX)
    if not (folder / "model_index.json").is_file():
        raise EnvironmentFaultError(
            f"the built-in model {name!r} has no weights in this installation (there is no builtin/"
            f"{name.removeprefix(PREFIX)}/model_index.json in the redraft package): install the package again, or name "
            "a folder of another pipeline with --model DIR"
        )
    return folder


def builtin_name(folder: Path) -> str | None:
    """`builtin:sd` or `builtin:sd3` when `folder` is where its weights are, else None."""
    known = {(_root() / short).resolve(): PREFIX + short for short in NAMES}
    return known.get(folder.resolve())
