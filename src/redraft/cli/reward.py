"""`redraft reward`: fit a reward to answers, score and rank pictures, calibrate. The rules stand in `rewards/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from redraft.cli import options, reward_list
from redraft.cli.options import print_json
from redraft.cli.warned import shown_warnings
from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from redraft.core.protocols import Scorer
    from redraft.core.records import Prompt
    from redraft.core.tensors import Scores
    from redraft.rewards.picture_files import File

app = typer.Typer(help="Rewards: fit them to answers, score and rank pictures, calibrate.", no_args_is_help=True)

app.command("list")(reward_list.list_scorers)

Kind = Literal["preference", "head", "profile", "facets"]
Which = Annotated[str, typer.Argument(help="A scorer's name, or the folder of a reward or of a CLIPModel.")]
Pictures = Annotated[list[Path] | None, typer.Argument(help="Picture files (PNG, JPEG, WebP).")]
Rows = Annotated[
    Path | None, typer.Option("--rows", help='JSONL: {"prompt": ..., "picture": ...} a line; clips: "frames".')
]
Text = Annotated[str | None, typer.Option("--prompt", help="The prompt of all pictures.")]


@app.command("fit")
def fit(
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder for the reward.")],
    answers: Annotated[
        Path | None, typer.Argument(help="JSONL of answers; docs/preference-model.md, facets.md.")
    ] = None,
    kind: Annotated[
        Kind,
        typer.Option(
            "--kind",
            help="preference: tune a CLIP; head: heads on it; profile: one person's taste; facets: from sliders.",
        ),
    ] = "preference",
    workspace: Annotated[
        Path | None, typer.Option("--workspace", "-w", help="Learn from its people who consent, not from a file.")
    ] = None,
    question: Annotated[str, typer.Option("--question", help="Of ratings with several numbers: which one.")] = "",
    clip: Annotated[Path | None, typer.Option("--clip", help="CLIPModel folder to begin with; default: ours.")] = None,
    base: Annotated[Path | None, typer.Option("--base", help="Of a profile: folder of the preference model.")] = None,
    rater: Annotated[str | None, typer.Option("--rater", help="Of a profile: the person, as in the answers.")] = None,
    config: options.Config = None,
    seed: options.Seed = None,
    as_json: options.Json = False,
) -> None:
    """Fit a reward to people's choices, ranks, stars, thumbs or sliders; `--reward FOLDER` then uses it.

    Example: redraft reward fit answers.jsonl --out my-taste
    """
    from redraft.cli.reward_answers import Source
    from redraft.cli.reward_fits import fit_kind
    from redraft.core.keys import Key

    _check_options(kind, out=out, base=base, rater=rater, clip=clip, config=config)
    source = Source(file=answers, workspace=workspace, question=question, kind=kind, out=out)
    values, key = options.read_config(config), Key(seed=seed or 0).child("reward")
    with shown_warnings() as told:
        card = fit_kind(source, clip=clip, base=base, rater=rater, values=values, key=key, quiet=as_json)
    if as_json:
        print_json({"folder": str(out), "kind": kind, "card": card, "warnings": told})
        return
    _show_fit(card, kind=kind, out=out, base=base)


def _check_options(
    kind: Kind, *, out: Path, base: Path | None, rater: str | None, clip: Path | None, config: Path | None
) -> None:
    """Raise UsageError for a folder that is in use, and for options that a reward of this kind has no use for."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"folder {str(out)!r} is not empty: give a new one with --out, or remove it first")
    if kind != "profile" and (base is not None or rater is not None):
        raise UsageError(f"--base and --rater belong to --kind profile, not to {kind!r}: leave them out")
    if kind == "profile" and (config is not None or clip is not None):
        given = "--clip" if config is None else "--config"
        raise UsageError(
            f"{given} with --kind profile: a profile has no options of its own and sees by the CLIP of its --base; "
            "leave it out"
        )


def _show_fit(card: dict[str, Any], *, kind: Kind, out: Path, base: Path | None) -> None:
    """Metrics of a card, and what to know before the reward is used."""
    for name, value in card["metrics"].items():
        typer.echo(f"  {name:32} {value:.4g}")
    for pair in card.get("alarms", ()):
        where = "answers" if pair["of"] == "labels" else "predictions"
        typer.echo(
            f"warning: {pair['first']} and {pair['second']} correlate by {pair['correlation']:.2f} in the {where}: "
            "they may be one facet with two names",
            err=True,
        )
    for name in card.get("constant", ()):
        typer.echo(
            f"warning: all answers of {name} are the same: the facet says that of every picture and tells none apart",
            err=True,
        )
    if card.get("strength", 1.0) is None:
        typer.echo(
            f"no taste of {card['rater']}'s own foresaw the answers better than {base}, so this profile scores as that "
            "does; more answers may tell them apart"
        )
    typer.echo(f"{kind} reward in {out}: use it with --reward {out}")


@app.command("score")
def score(
    which: Which,
    pictures: Pictures = None,
    prompt: Text = None,
    rows: Rows = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Score pictures, all heads of a scorer, with its fingerprint.

    Example: redraft reward score clip star.png --prompt "a red star"
    """
    names, prompts = _asked(pictures, prompt=prompt, rows=rows)
    scores, told = _scored(_scorer(which, config=config), names, prompts)
    found: list[dict[str, Any]] = [
        {**_shown(name), "prompt": text.text, "scores": {
            head: value if known else None
            for head, value, known in zip(scores.names, line.tolist(), mask.tolist(), strict=True)
        }}
        for name, text, line, mask in zip(names, prompts, scores.values, scores.mask, strict=True)
    ]  # fmt: skip
    if as_json:
        prints = dict(zip(scores.names, scores.fingerprints, strict=True))
        print_json({"scorer": which, "fingerprints": prints, "pictures": found, **told})
        return
    for row in found:
        line = "  ".join(
            f"{head} {'not scored' if v is None else format(v, '.5g')}" for head, v in row["scores"].items()
        )
        typer.echo(f"{row['picture'] if 'picture' in row else ' '.join(row['frames'])}  {line}")
    for fingerprint in dict.fromkeys(scores.fingerprints):
        heads = [head for head, own in zip(scores.names, scores.fingerprints, strict=True) if own == fingerprint]
        typer.echo(f"fingerprint {fingerprint} of {', '.join(heads)}")


@app.command("rank")
def rank(
    which: Which,
    pictures: Pictures = None,
    prompt: Text = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Order pictures of one prompt, the best first; a preference model says how sure it is of each step.

    Example: redraft reward rank my-taste a.png b.png c.png --prompt "a red star"
    """
    from redraft.rewards.profiles import rank_pictures

    names, prompts = _asked(pictures, prompt=prompt, rows=None)
    scorer = _scorer(which, config=config)
    scores, told = _scored(scorer, names, prompts)
    kept = scores.mask[:, 0].nonzero().flatten()
    if len(kept) < 2:
        raise UsageError(f"{len(kept)} of {len(names)} pictures have a score: give at least two that can be ranked")
    order = kept[rank_pictures(scores.values[kept, 0])]
    values = scores.values[order, 0]
    found = [
        {"picture": str(names[row]), "score": value, "beats_next": chance}
        for row, value, chance in zip(order.tolist(), values.tolist(), [*_chances(scorer, values), None], strict=True)
    ]
    if as_json:
        print_json({
            "scorer": which, "fingerprint": scorer.fingerprint, "prompt": prompts[0].text, "order": found, **told,
        })  # fmt: skip
        return
    for place, row in enumerate(found, 1):
        chance = f"  {100 * row['beats_next']:.0f} % against the next" if row["beats_next"] is not None else ""
        typer.echo(f"{place:3}. {row['picture']}  {row['score']:.5g}{chance}")


@app.command("calibrate")
def calibrate(
    which: Which,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, such as calibration.safetensors.")],
    pictures: Pictures = None,
    prompt: Text = None,
    rows: Rows = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Map a scorer's numbers to 0..1 by where they lie among those of the model's own pictures.

    Example: redraft reward calibrate clip --rows painted.jsonl --out calibration.safetensors
    """
    from redraft.rewards.calibrate import calibrate as calibrated
    from redraft.rewards.calibrate import save_calibrations

    if out.exists():
        what = "is a folder" if out.is_dir() else "exists"
        raise UsageError(f"{str(out)!r} {what}: name a new file with --out, or remove it first; nothing was scored")
    names, prompts = _asked(pictures, prompt=prompt, rows=rows)
    scores, told = _scored(_scorer(which, config=config), names, prompts)
    found = {
        head: calibrated(scores.values[:, column][scores.mask[:, column]], fingerprint=scores.fingerprints[column])
        for column, head in enumerate(scores.names)
    }
    save_calibrations(out, found)
    result = {
        head: {
            "kind": item.kind, "fingerprint": item.fingerprint, "low": item.points[0].item(),
            "middle": item.middle, "high": item.points[-1].item(),
        }
        for head, item in found.items()
    }  # fmt: skip
    if as_json:
        print_json({"file": str(out), "pictures": len(names), "heads": result, **told})
        return
    for head, row in result.items():
        typer.echo(f"  {head:20} {row['kind']}: {row['low']:.4g} to {row['high']:.4g}, middle {row['middle']:.4g}")
    typer.echo(f"calibration by {len(names) - len(told['failures'])} pictures in {out}")


def _asked(
    pictures: Sequence[Path] | None, *, prompt: str | None, rows: Path | None
) -> tuple[list[File], list[Prompt]]:
    """Pictures and clips with their prompts, from the arguments or from a file of rows."""
    from redraft.core.records import Prompt, require_prompt

    if rows is not None and (pictures or prompt is not None):
        raise UsageError("--rows names pictures and prompts: leave out the pictures and --prompt, or --rows")
    named: list[tuple[File, str]]
    if rows is not None:
        named = _read_rows(rows)
    elif pictures and prompt is not None:
        require_prompt(prompt)
        named = [(path, prompt) for path in pictures]
    else:
        raise UsageError("nothing to score: give pictures and --prompt TEXT, or --rows FILE")
    return [path for path, _ in named], [Prompt(text=text) for _, text in named]


def _scorer(which: str, *, config: Path | None) -> Scorer:
    """The scorer with its options in the file, if there is one."""
    from redraft.cli.factory import PluginFactory

    run = options.plain_config(options.read_config(config), given={})
    return PluginFactory(device=run.device, scorers=run.scorers).scorer(which)


def _scored(scorer: Scorer, names: Sequence[File], prompts: Sequence[Prompt]) -> tuple[Scores, dict[str, list[str]]]:
    """Scores of files, and what --json tells beside them, failures and warnings, which go to stderr too."""
    from redraft.rewards.facets import FacetsScorer
    from redraft.rewards.picture_files import score_files

    if any(isinstance(name, tuple) for name in names) and not isinstance(scorer, FacetsScorer):
        raise UsageError(
            f"frames for the scorer {scorer.name!r}: only facets judge clips (reward fit --kind facets); name one "
            "picture a row"
        )
    with shown_warnings() as told:
        found = score_files(scorer, names, prompts)
    failures = [message for _, message in found.failures]
    for message in failures:
        typer.echo(f"not scored: {message}", err=True)
    return found.scores, {"failures": failures, "warnings": told}


def _read_rows(path: Path) -> list[tuple[File, str]]:
    from redraft.rewards.answer_lines import read_answers

    rows = read_answers(path, _row, holds="prompt and picture, or prompt and frames")
    return [
        (path.parent / shown if isinstance(shown, str) else tuple(path.parent / frame for frame in shown), text)
        for shown, text in rows
    ]


def _row(value: Any) -> tuple[str | list[str], str]:
    """Picture or frames, and prompt, of a row."""
    from redraft.core.records import require_prompt
    from redraft.rewards.facets_clips import LEAST_FRAMES

    row = value if isinstance(value, dict) else {}
    picture, frames, text = row.get("picture"), row.get("frames"), row.get("prompt")
    if isinstance(frames, list) and (len(frames) < LEAST_FRAMES or not all(isinstance(name, str) for name in frames)):
        frames = None
    shown = picture if isinstance(picture, str) else frames if isinstance(frames, list) else None
    if shown is None or not isinstance(text, str) or ("picture" in row and "frames" in row):
        raise UsageError(
            "is no row: give an object with the texts picture and prompt, or with prompt and frames, a list of "
            f"{LEAST_FRAMES} texts or more"
        )
    require_prompt(text)
    return shown, text


def _shown(name: File) -> dict[str, Any]:
    """Of a picture or a clip, for --json."""
    return {"frames": [str(frame) for frame in name]} if isinstance(name, tuple) else {"picture": str(name)}


def _chances(scorer: Scorer, ordered: torch.Tensor) -> list[float | None]:
    """How likely people choose each picture over the next one; None where the scorer's numbers are no log-odds."""
    from redraft.rewards.preference import PreferenceScorer

    if not isinstance(scorer, PreferenceScorer):
        return [None] * (len(ordered) - 1)
    chances = scorer.probabilities(ordered[:-1], ordered[1:])
    return [float(value) for value in (chances[:, 0] + chances[:, 2] / 2)]
