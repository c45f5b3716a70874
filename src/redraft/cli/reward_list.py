"""`redraft reward list`: the names that --reward takes, what each is, and what it needs. It opens no scorer."""

from __future__ import annotations

import inspect

import typer

from redraft.cli import options
from redraft.cli.factory import BUILTIN_SCORERS
from redraft.cli.options import print_json
from redraft.core import plugins

NOTHING = "nothing"
KNOWN: dict[str, tuple[str, str]] = {
    "oracle": ("the rules of the picture world: accuracy and six facets", NOTHING),
    "clip": ("CLIP similarity of picture and prompt", NOTHING),
    "clip-heldout": ("the same by the CLIP that no training sees, for examinations", NOTHING),
    "heads": ("aesthetics and safety, heads on CLIP features", NOTHING),
    "safety": ("the probability that a picture is safe", NOTHING),
    "object-present": ("that the picture shows a named thing", NOTHING),
    "object-removed": ("that the picture does not show a named thing", NOTHING),
    "classifier-target": ("the probability of a named thing among others", NOTHING),
    "jpeg-compressibility": ("a toy: small files", NOTHING),
    "jpeg-incompressibility": ("a toy: large files", NOTHING),
    "rotational-anti-correlation": ("a toy: pictures unlike themselves turned by 90 degrees", NOTHING),
    "fitted": ("heads fitted to ratings", "the folder that `redraft reward fit --kind head` wrote"),
    "preference": ("a CLIP tuned to people's choices", "the folder that `redraft reward fit` wrote"),
    "profile": (
        "one person's taste on a preference model",
        "the folder that `redraft reward fit --kind profile` wrote",
    ),
    "facets": ("six facets learned from sliders", "the folder that `redraft reward fit --kind facets` wrote"),
    "aesthetic-v1": ("LAION's first aesthetic layer", "the folder of a CLIPModel and LAION's weights"),
    "aesthetic-v2": (
        "LAION's improved aesthetic predictor",
        "a folder with OpenAI's ViT-L/14 and the released weights",
    ),
    "hps": ("HPS v1, v2 or v2.1, people's preferences", "a folder with the released checkpoint and CLIP's vocabulary"),
    "pickscore": ("PickScore, people's preferences", "the released folder with CLIP's vocabulary"),
    "image-reward": ("ImageReward, people's preferences", "a folder with ImageReward.pt and BERT's vocabulary"),
    "safety-laion": ("LAION's detector of sexual content", "a folder with a CLIPModel and the released detector"),
    "vision-reward": ("VisionReward's checklist", "a folder with the checklist and a file of answers"),
}
"""Name -> (what it is, what it needs)."""


def list_scorers(as_json: options.Json = False) -> None:
    """Name the scorers that are installed, what each is and what it needs.

    Example: redraft reward list
    """
    found = {name: _told(name) for name in sorted({*plugins.names("scorer"), *BUILTIN_SCORERS})}
    if as_json:
        print_json({name: {"what": what, "needs": needs} for name, (what, needs) in found.items()})
        return
    for name, (what, needs) in found.items():
        typer.echo(f"{name:28} {what}; needs {needs}")
    typer.echo(
        "A folder with released weights, a CLIPModel or a fitted reward is a name too; docs/rewards.md tells more."
    )


def _told(name: str) -> tuple[str, str]:
    """Of a plug-in of another package: the first line of its class."""
    if name in KNOWN:
        return KNOWN[name]
    lines = (inspect.getdoc(plugins.load("scorer", name)) or "no description").splitlines()
    return lines[0], "what its package says"
