"""The page and the figure of the study of preference models, from the results of its stages. Measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redraft.evaluation.figures import Gain, gains_figure
from redraft.loop.reproductions.hpsv2_examine import CEILING, OURS, PERSON, START
from redraft.loop.reproductions.study import Results

CLAIM = 0.75


def page(results: Results) -> str:
    """Markdown: what was asked, three tables with 95 % intervals, and what it took."""
    exam, fit = results["examination"], results["fit"]
    metrics = fit["card"]["metrics"]
    seconds = sum(result["seconds"] for result in results.values())
    parts = [
        "# A preference model from 2,000 choices",
        "Does a CLIP tuned to people's choices foresee those of other people, on pictures of a model family that it "
        "never saw?",
        f"Made by `redraft reproduce hpsv2` in {seconds / 60:.0f} minutes on one thread. 95 % intervals; their unit is "
        "the prompt.",
        "## Choices foreseen",
        f"Learned from {fit['choices']:,} choices ({100 * fit['ties']:.0f} % ties) between two pictures of one prompt, "
        f"painted by `builtin:sd` in settings of unlike quality or rendered. Examined on {exam['strict']:,} strict "
        "choices of people who were not asked before, between pictures of `builtin:sd3`, for "
        f"{exam['prompts']} prompts not seen before either. On held-out prompts of its own family the accuracy is "
        f"{100 * metrics['held_out/pair_accuracy']:.1f} % ({metrics['held_out/pairs']:.0f} choices).",
        _accuracy_table(exam["rows"]),
        _verdict(exam["rows"]),
        "![gain over the CLIP it started from](hpsv2.png)",
        "## Generators ranked",
        "Rank correlation (Spearman) of the mean scores of the settings with how often people chose them.",
        _ranking_table(exam["ranking"]),
        "## Training steps",
        "A denoiser trained from random weights on 4,000 renders, painted with the same prompts and noise at each "
        f"checkpoint; the last column is the model that ships. The {CEILING} reads the true facets: so much do the "
        "pictures really improve.",
        _curve_table(exam["curve"]),
    ]
    return "\n\n".join(parts) + "\n"


def figure(results: Results) -> bytes:
    """PNG: accuracy over that of the CLIP it started from, in points."""
    rows = results["examination"]["rows"]
    gains = [
        Gain(name=name, **{
            "difference": 100 * row["gain"]["value"], "low": 100 * row["gain"]["low"], "high": 100 * row["gain"]["high"]
        })
        for name, row in rows.items()
        if name != START
    ]  # fmt: skip
    return gains_figure(gains, title="Choices foreseen on an unseen model family", unit=f"points above `{START}`")


def _accuracy_table(rows: Mapping[str, Any]) -> str:
    notes = {PERSON: " (single rater)", CEILING: " (noise ceiling: reads the true facets)", START: " (it started from)"}
    lines = [
        "| who foresees | accuracy, % | pooled, % | over the CLIP, points | preference model over it, points |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        gain = "" if name == START else _percent(row["gain"], sign="+")
        lead = "" if name == OURS else _percent(row["lead"], sign="+")
        lines.append(f"| {name}{notes.get(name, '')} | {_percent(row)} | {100 * row['pooled']:.1f} | {gain} | {lead} |")
    return "\n".join(lines)


def _verdict(rows: Mapping[str, Any]) -> str:
    ours = rows[OURS]
    rivals = {name: row for name, row in rows.items() if name not in (OURS, PERSON, CEILING)}
    beaten = [name for name, row in rivals.items() if row["lead"]["low"] > 0]
    others = [name for name in rivals if name not in beaten]
    above = "above" if ours["value"] > CLAIM else "below"
    told = [f"better than {_listed(beaten)}"] if beaten else []
    told += [f"not clearly better than {_listed(others)}"] if others else []
    return (
        f"The preference model is {', '.join(told)}, and {above} {100 * CLAIM:.0f} % where the ceiling of this noise "
        f"is {100 * rows[CEILING]['value']:.1f} % and one person foresees another with "
        f"{100 * rows[PERSON]['value']:.1f} %."
    )


def _listed(names: list[str]) -> str:
    """`the clip, the safety head and the JPEG size`."""
    *early, last = (f"the {name}" for name in names)
    return f"{', '.join(early)} and {last}" if early else last


def _ranking_table(ranking: Mapping[str, Any]) -> str:
    lines = ["| setting | chosen by people, % |", "|---|---|"]
    order = sorted(range(len(ranking["generators"])), key=lambda row: -ranking["win_rate"][row])
    lines += [f"| {ranking['generators'][row]} | {100 * ranking['win_rate'][row]:.0f} |" for row in order]
    lines += ["", "| score | rank correlation |", "|---|---|"]
    lines += [f"| {name} | {_number(row, 2)} |" for name, row in ranking["correlation"].items()]
    return "\n".join(lines)


def _curve_table(curve: Mapping[str, Any]) -> str:
    lines = [
        "| mean score | "
        + " | ".join(f"step {step:,}" for step in curve["steps"])
        + " | rank correlation with steps |",
        "|---" * (len(curve["steps"]) + 2) + "|",
    ]
    for name, row in curve["rows"].items():
        cells = [_number(mean, 2) for mean in row["means"]]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {_number(row['correlation'], 2)} |")
        gains = ["", *(_number(gain, 2, sign="+") for gain in row["gains"])]
        lines.append("| gain over the step before | " + " | ".join(gains) + " | |")
    return "\n".join(lines)


def _percent(row: Mapping[str, float], *, sign: str = "") -> str:
    value, low, high = (100 * row[name] for name in ("value", "low", "high"))
    return f"{value:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"


def _number(row: Mapping[str, float], digits: int, *, sign: str = "") -> str:
    return f"{row['value']:{sign}.{digits}f} ({row['low']:{sign}.{digits}f} to {row['high']:{sign}.{digits}f})"
