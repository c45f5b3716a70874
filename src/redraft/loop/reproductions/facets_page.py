"""The page and the figure of the study of facets, from the results of its stages. Measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redraft.core.records import FACETS
from redraft.evaluation.facet_page import correlation_figure
from redraft.loop.reproductions.study import Results
from redraft.rewards.facets_config import TEMPORAL

CLAIM = 0.8
COVERAGE = 0.93


def page(results: Results) -> str:
    """Markdown: what was asked, tables with 95 % intervals, and what it took."""
    pictures, fit, exam, asks = (results[name] for name in ("pictures", "fit", "examination", "asks"))
    seconds = sum(result["seconds"] for result in results.values())
    seen, people = pictures["fit"], fit["card"]["metrics"]
    parts = [
        "# Six facets from 3,000 slider answers",
        "How much of each facet does a model on a tiny CLIP explain, does each facet help, and do weights undo asks "
        "that prefer pictures of low confidence?",
        f"Made by `redraft reproduce facets` in {seconds / 60:.0f} minutes on one thread. 95 % intervals.",
        "## What was learned from",
        f"{fit['answers']:,} slider answers by {fit['people']} simulated people, one about each of "
        f"{seen['pictures']:,} pictures: renders with the faults of a bad painter, and {seen['painted']:,} that "
        "`builtin:sd` painted in 1 to 8 steps. People have a bias each and a slip a slider, set whole numbers 0 to 10, "
        "and leave sliders untouched: "
        + ", ".join(f"{name} {100 * (1 - fit['touched'][name]):.0f} %" for name in FACETS)
        + ". "
        f"Their bias was estimated to have the deviation {people['raters/spread']:.3f} (drawn with 0.050).",
        "## How much is explained",
        f"R² against the oracle's **true** facets of {pictures['exam']['pictures']:,} other pictures. "
        "The truth is taken, not a rating without noise, because a rating that is clipped at 0 and 10 is no longer "
        "what the facet is; bias, slips and rounding of the answers count against the model.",
        _explained(exam, people),
        _verdict(exam["explained"]["all"]),
        "Deviation is that of the truth, error the root mean square of prediction minus truth, ECE the expected "
        "calibration error on answers that a member had left out. The pooled column is "
        "the same answers with heads on the CLIP's pooled features of picture and prompt alone.",
        "## What could be explained at best",
        "Of one answer about each picture, by people who were not asked before: what the model explains, and what the "
        "truth itself does, which no model can exceed by more than people's common habits. Where that is below "
        f"{CLAIM}, the bar can only be meant against the truth. *Settled* is R² of the true facets by those of the "
        "same pictures with hardly visible noise: what it changes can hardly be known (but for background detail, the "
        "evenness of the ground, which noise lowers by what it is).",
        _ceilings(exam["answers"], exam["settled"]),
        _limits(exam),
        "## Do predictions know what they do not know?",
        "Mean error on the third of pictures on which the ensemble agrees most, and on that on which it does least.",
        _uncertainty(exam["uncertainty"]),
        "## Does each facet help?",
        _ablation(exam["ablation"]),
        "## Do facets say different things?",
        _alarms(fit["card"]),
        "![correlations of answers and of predictions](facets.png)",
        "## Clips",
        _clips(exam["clips"], fit["clip_answers"]),
        "## Asks that prefer pictures of low confidence",
        _asks(asks["rows"]),
    ]
    return "\n\n".join(parts) + "\n"


def figure(results: Results) -> bytes:
    """PNG: the correlations of answers and of predictions."""
    card = results["fit"]["card"]
    return correlation_figure(
        {"answers": card["labels"], "predictions": card["predictions"]}, names=(*FACETS, TEMPORAL), alarm=card["alarm"]
    )


def _explained(exam: Mapping[str, Any], metrics: Mapping[str, float]) -> str:
    tables = exam["explained"]
    lines = ["| facet | all | rendered | painted | deviation | error | ECE | pooled features |", "|" + "---|" * 8]
    for name in FACETS:
        every = tables["all"][name]
        cells = [_range(tables[part][name]) for part in ("all", "rendered", "painted")]
        cells += [f"{every['spread']:.3f}", f"{every['rmse']:.3f}", f"{metrics[f'{name}/ece']:.3f}"]
        cells.append(_range(exam["pooled"][name]))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ceilings(answers: Mapping[str, Mapping[str, float]], settled: Mapping[str, float]) -> str:
    lines = ["| facet | answers | model | truth | settled |", "|" + "---|" * 5]
    for name, row in answers.items():
        lines.append(
            f"| {name} | {row['answers']:.0f} | {row['model']:.2f} | {row['truth']:.2f} | {settled[name]:.2f} |"
        )
    return "\n".join(lines)


def _limits(exam: Mapping[str, Any]) -> str:
    """What bounds the facets below the claim: neither people nor the truth where both leave room."""
    below = [name for name in FACETS if exam["explained"]["all"][name]["value"] <= CLAIM]
    free = [name for name in below if min(exam["answers"][name]["truth"], exam["settled"][name]) > CLAIM]
    if not free:
        return "No facet falls short of the bar that people and the truth leave room for."
    return (
        f"{', '.join(free)}: people's noise and the truth leave room for the bar; what falls short is what this CLIP "
        "sees and what can be learned of it from so few answers."
    )


def _verdict(rows: Mapping[str, Any]) -> str:
    above = [name for name in FACETS if rows[name]["value"] > CLAIM]
    below = [f"{name} ({rows[name]['value']:.2f})" for name in FACETS if name not in above]
    return f"Above {CLAIM}: {', '.join(above) or 'none'}." + (f" Not above: {', '.join(below)}." if below else "")


def _uncertainty(rows: Mapping[str, Any]) -> str:
    lines = ["| facet | sure | unsure |", "|---|---|---|"]
    lines += [f"| {name} | {_range(rows[name]['sure'], 3)} | {_range(rows[name]['unsure'], 3)} |" for name in FACETS]
    return "\n".join(lines)


def _ablation(found: Mapping[str, Any]) -> str:
    whole, chance = found["whole"], found["chance"]
    lines = [
        f"Of {found['groups']} groups of 8 pictures the blend picks one. The picked have a true quality (mean of five "
        f"facets) of {whole['quality']:.3f} where chance gives {chance['quality']:.3f} and a judge who sees the truth "
        f"{found['truth']['quality']:.3f}; {100 * whole['unsafe']:.1f} % are unsafe, by chance "
        f"{100 * chance['unsafe']:.1f} %. "
        "Leaving a facet out changes the picked by:",
        "",
        "| left out | other pick, % | that facet | quality | unsafe, points |",
        "|---|---|---|---|---|",
    ]
    for name in FACETS:
        row = found["rows"][name]
        points = {what: 100 * value for what, value in row["unsafe"].items()}
        lines.append(
            f"| {name} | {100 * row['others']:.0f} | {_range(row['facet'], 3, sign='+')} | "
            f"{_range(row['quality'], 3, sign='+')} | {_range(points, 1, sign='+')} |"
        )
    return "\n".join(lines)


def _alarms(card: Mapping[str, Any]) -> str:
    if not card["alarms"]:
        return f"No two facets correlate by {card['alarm']} or more, in the answers or in the predictions."
    pairs = "; ".join(
        f"{pair['first']} and {pair['second']} {pair['correlation']:.2f} in the "
        + ("answers" if pair["of"] == "labels" else "predictions")
        for pair in card["alarms"]
    )
    return (
        f"The monitor's alarm (correlation of {card['alarm']} or more) rings: {pairs}. It stops nothing; the table "
        "above tells what each facet adds."
    )


def _clips(found: Mapping[str, Any], answers: int) -> str:
    order = {what: 100 * value for what, value in found["in_order"].items()}
    return (
        f"A seventh slider, `{TEMPORAL}`, in the list of facets and {answers} answers about clips of 8 frames: smooth "
        f"against shuffled clips of {found['pairs']} others, area under the curve {_range(found['area'], 3)}; of "
        f"a smooth clip and its own frames shuffled, the smooth one is put first in {_range(order, 1)} %."
    )


def _asks(rows: Mapping[str, Any]) -> str:
    first = next(iter(rows.values()))
    lines = [
        f"{first['seeds']:,} seeds of a cheap world: pictures below a confidence of 0.3 are asked about, others with "
        "probability 0.1, and 70 % of the asks are answered. The truth of the fit is the slope of the line that is "
        "best for all eligible pictures, in a world that is no line.",
        "",
        "| | truth | mean of seeds | width of interval | interval holds the truth, % |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        held = {"value": 100 * row["coverage"], "low": 100 * row["low"], "high": 100 * row["high"]}
        lines.append(f"| {name} | {row['truth']:.4f} | {row['mean']:.4f} | {row['width']:.3f} | {_range(held, 1)} |")
    good = all(rows[f"weighted {what}"]["coverage"] >= COVERAGE for what in ("estimate", "fit"))
    bad = all(rows[f"unweighted {what}"]["coverage"] < COVERAGE for what in ("estimate", "fit"))
    lines += [
        "",
        f"Weighted, both recover the truth{'' if good else ' less often than promised'}"
        f" (at least {100 * COVERAGE:.0f} % is asked for); unweighted, "
        f"{'neither does' if bad else 'one of them does too'}.",
    ]
    return "\n".join(lines)


def _range(row: Mapping[str, float], digits: int = 2, *, sign: str = "") -> str:
    value, low, high = (row[name] for name in ("value", "low", "high"))
    return f"{value:{sign}.{digits}f} ({low:{sign}.{digits}f} to {high:{sign}.{digits}f})"
