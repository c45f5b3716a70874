"""`redraft evaluate`: what its options mean. One model is examined in `examine`, several are ranked in `ranking`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redraft.cli import options
from redraft.cli.examine import Examination, examine
from redraft.cli.options import DEFAULT_WORKSPACE, print_json
from redraft.core import plugins
from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redraft.cli.contestants import Sampling
    from redraft.cli.ranking import Wanted
    from redraft.loop.config import RunConfig

Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL]...",
        help="champion, challenger, previous, base, a checkpoint id, a base model, BASE@ALIAS, a folder of pictures.",
    ),
]
Suite = Annotated[str | None, typer.Option("--suite", "-s", help="Benchmark: rank the models and write a page.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder with the benchmark's prompts and judges.")]
Judge = Annotated[str | None, typer.Option("--judge", help="Scorer that judges, where the suite lets one choose.")]
Images = Annotated[int | None, typer.Option("--images-per-prompt", min=1, help="Pictures of each prompt.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Option of the suite, NAME=VALUE; repeatable.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder of the page and of the judged pictures.")]
SelfTest = Annotated[bool, typer.Option("--self-test", help="Test judges and arithmetic on known inputs, then stop.")]
Duels = Annotated[
    float | None, typer.Option("--duels-needed", help="How many duels find this share of wins (0.55), then stop.")
]
Ties = Annotated[float | None, typer.Option("--ties", help="With --duels-needed: expected share of ties (0).")]
Votes = Annotated[int | None, typer.Option("--votes-per-person", help="With --duels-needed: votes of each person (1).")]
Alike = Annotated[
    float | None, typer.Option("--correlation", help="With --duels-needed: of the votes of one person (0).")
]


def evaluate(
    models: Models = None,
    suite: Suite = None,
    data: Data = None,
    judge: Judge = None,
    images_per_prompt: Images = None,
    set_: Set = None,
    output: Output = Path("redraft-evaluation"),
    self_test: SelfTest = False,
    duels_needed: Duels = None,
    ties: Ties = None,
    votes_per_person: Votes = None,
    correlation: Alike = None,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    model: options.Model = None,
    prompts: options.Prompts = None,
    exam_prompts: Examination = None,
    steps: options.Steps = None,
    guidance: options.Guidance = None,
    seed: options.Seed = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Examine one model on held-out prompts, or rank several on a benchmark (--suite): every number with an interval.

    `--config` gives options of scorers, and model, sampling, seed and device where the command line does not.

    Examples: redraft evaluate base --model builtin:sd

    redraft evaluate --suite world builtin:sd builtin:sd3 champion
    """
    names = list(models or [])
    of_suites = {"--data": data, "--judge": judge, "--images-per-prompt": images_per_prompt, "--set": set_}
    if duels_needed is not None:
        _refuse_beside_duels({"MODEL": names, "--suite": suite, **of_suites})
        _show_plan(duels_needed, ties=ties, votes=votes_per_person, correlation=correlation, seed=seed, as_json=as_json)
        return
    _refuse({"--ties": ties, "--votes-per-person": votes_per_person, "--correlation": correlation}, "--duels-needed")
    file = options.read_config(config)
    given = {"model": model, "seed": seed, "sampling": {"steps": steps, "guidance_scale": guidance}}
    if not (self_test or suite or len(names) > 1):
        _refuse(of_suites, "--suite")
        name, base = _one_model(names, model)
        examine(name, workspace, prompts, exam_prompts, file=file, given={**given, "model": base}, quiet=as_json)
        return
    if exam_prompts is not None:
        raise UsageError("--exam-prompts with a suite: its options are given by --set, as in --set prompts=64")
    run = options.plain_config(file, given=given)
    wanted = _wanted(suite, run, data=data, judge=judge, images=images_per_prompt, settings=set_, prompts=prompts)
    from redraft.cli.ranking import rank_models, self_tests

    if self_test:
        _refuse({} if suite else {**of_suites, "--data": None}, "--suite")  # suites have unlike options
        self_tests([suite] if suite else plugins.names("suite"), wanted, as_json=as_json)
        return
    _refuse_beside_folders(names, {"--steps": steps, "--guidance": guidance})
    rank_models(
        names or ["champion"], wanted, base=run.model, workspace=workspace, output=output, sampling=_sampling(run),
        command=shlex.join(["redraft", *sys.argv[1:]]), as_json=as_json,
    )  # fmt: skip


def _sampling(run: RunConfig) -> Sampling:
    from redraft.cli.contestants import Sampling

    return Sampling(
        steps=run.sampling.steps, guidance_scale=run.sampling.guidance_scale, seed=run.seed, device=run.device
    )


def _one_model(names: list[str], model: str | None) -> tuple[str, str | None]:
    """Checkpoint and base of a single MODEL; a base model stands for itself as it was delivered.

    Raises UsageError when it names a base beside another --model, or a folder of pictures, which needs a suite.
    """
    from redraft.cli.contestants import is_base

    name = names[0] if names else "champion"
    base, at, which = name.rpartition("@")
    if at and is_base(base):
        name = base
    elif Path(name).is_dir() and not is_base(name):
        raise UsageError(f"{name!r} is a folder of pictures: name the benchmark that they were made for with --suite")
    if not is_base(name):
        return name, model
    if model is not None and model != name:
        raise UsageError(f"MODEL {name} with --model {model}: both name a base model; give one")
    return (which if at else "base"), name


_WITHOUT_DATA = ("world", "prompts", "diversity")
_BELONGS = {
    "--suite": "a benchmark; add --suite, for example --suite world",
    "--duels-needed": "a plan of duels; add --duels-needed, for example --duels-needed 0.55",
}


def _refuse(given: Mapping[str, Any], without: str) -> None:
    """Raise UsageError for the first option that was given and would not be heard."""
    for name, value in given.items():
        if value is not None and value != []:
            raise UsageError(f"{name} without {without}: it belongs to {_BELONGS[without]}")


def _refuse_beside_duels(given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if value is not None and value != []:
            raise UsageError(f"{name} beside --duels-needed: a plan of duels looks at nothing; leave one of them out")


def _refuse_beside_folders(names: Sequence[str], given: Mapping[str, Any]) -> None:
    """Raise UsageError for an option of sampling where every MODEL is a folder of pictures."""
    from redraft.cli.contestants import is_base

    if names and all(Path(name).is_dir() and not is_base(name) for name in names):
        for option, value in given.items():
            if value is not None:
                raise UsageError(f"{option} beside folders of pictures alone: nothing is painted; leave it out")


def _wanted(
    suite: str | None,
    run: RunConfig,
    *,
    data: Path | None,
    judge: str | None,
    images: int | None,
    settings: list[str] | None,
    prompts: Path | None,
) -> Wanted:
    from redraft.cli.ranking import Wanted
    from redraft.prompts.corpora import read_prompts

    values: dict[str, Any] = {}
    for text in settings or []:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or name.strip() in values:
            raise UsageError(f"--set {text}: write NAME=VALUE, each name once, for example --set prompts=64")
        values[name.strip()] = _value(value.strip())
    for option, name, short in (("--judge", "judge", judge), ("--images-per-prompt", "images_per_prompt", images)):
        if short is not None and name in values:
            raise UsageError(f"{option} {short} beside --set {name}={values[name]}: both say the same; give one")
        values |= {name: short} if short is not None else {}
    if data is not None and suite in _WITHOUT_DATA:
        raise UsageError(f"--data with the suite {suite!r}: it reads no data; leave it out")
    texts = () if prompts is None else read_prompts(prompts, repeats=False)
    name = suite or ("prompts" if texts else "world")
    return Wanted(
        suite=name, options=values, data="" if data is None else str(data), prompts=texts, seed=run.seed,
        scorers=run.scorers, device=run.device,
    )  # fmt: skip


def _value(text: str) -> Any:
    """A number, list or truth value as JSON writes it; any other text stands for itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _show_plan(
    share: float, *, ties: float | None, votes: int | None, correlation: float | None, seed: int | None, as_json: bool
) -> None:
    from redraft.core.keys import Key
    from redraft.evaluation.power import plan

    found = plan(
        share, key=Key(seed=seed or 0), ties=ties or 0.0, votes_per_person=1 if votes is None else votes,
        correlation=correlation or 0.0,
    )  # fmt: skip
    if as_json:
        print_json(vars(found))
        return
    typer.echo(
        f"To find a model that wins {100 * found.share:.1f} % of the decided duels ({100 * found.ties:.0f} % ties), "
        f"with {100 * found.power:.0f} % power:"
    )
    wrong = f"{100 * (1 - found.level):.0f} %"
    typer.echo(f"  looked at once, at the end: {found.fixed:,} duels by {found.people:,} people")
    if found.anytime is None:
        typer.echo("  watched as they come:       more than 4,000 people, one duel each")
    else:
        typer.echo(
            f"  watched as they come:       {found.anytime:,} people, one duel each (half of such studies end by "
            f"{found.median:,})"
        )
    typer.echo(
        f"Of equal models the first calls either one better in {50 * (1 - found.level):.3g} % of studies "
        f"({wrong} two-sided),\nthe second the candidate in at most {wrong} (one-sided, all looks together)"
    )
