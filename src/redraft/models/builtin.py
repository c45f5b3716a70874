"""Names of the built-in models and the folders of their packaged weights. Not a loader: `models.load` opens them."""

from __future__ import annotations

import hashlib
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


def weights_that_ship() -> dict[str, str]:
    """For each built-in network, by the name of its folder, the beginning of a SHA-256 of all its weights.

    What was measured with other weights is not comparable: results keep these names to know themselves outdated. A
    calibration is not of the network: it says where a judge's scores lie, and changes with the judge.
    """
    found = {}
    for folder in sorted(path for path in _root().iterdir() if path.is_dir()):
        digest = hashlib.sha256()
        for path in sorted(set(folder.rglob("*.safetensors")) - {folder / "calibration.safetensors"}):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
        found[folder.name] = digest.hexdigest()[:16]
    return found
