"""A reproduction's results as a Markdown page. Draws no picture and runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from redraft.loop.reproductions.plan import Effect, Reproduction, Row

SHARES = ("oracle", "diversity")
"""Metrics that are shares, shown in percent."""


def markdown(reproduction: Reproduction, rows: Mapping[str, Row], *, command: str, hardware: str) -> str:
    """The page: question, table with intervals, what was claimed and what we saw. Arms not run yet are named."""
    done = [rows[arm.name] for arm in reproduction.arms if arm.name in rows]
    missing = [arm.name for arm in reproduction.arms if arm.name not in rows]
    parts = [
        f"# {reproduction.title}",
        reproduction.question,
        f"Made by `{command}` on {hardware}. Differences are paired (same prompts, same noise), with 95 % intervals.",
        _table(reproduction, done),
    ]
    if done:
        parts.append(f"![gain of each arm]({reproduction.name}.png)")
    if missing:
        parts.append(f"Not run yet: {', '.join(missing)}.")
    if reproduction.claims:
        parts.append("## What was claimed, and what we saw")
        parts.append(_claims(reproduction, rows))
    return "\n\n".join(parts) + "\n"


def _table(reproduction: Reproduction, rows: Sequence[Row]) -> str:
    heads = ["arm", *(title for _, title in reproduction.metrics), "verdict", "seconds", "samples", "peak memory"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        cells = [row.arm.title, *(_cell(row.effect(name), name) for name, _ in reproduction.metrics)]
        stopped = row.summary.get("stopped_by")
        cells += [
            row.summary["verdict"] + (f" (stopped: {stopped})" if stopped else ""), f"{row.seconds:.0f}",
            f"{row.samples:,}", f"{row.peak_memory / 2**20:.0f} MB",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(effect: Effect | None, name: str) -> str:
    if effect is None:
        return "not measured"
    share = name.split("/")[0] in SHARES
    scale, digits = (100, 1) if share else (1, 3)
    before, after, difference, low, high = (
        f"{value * scale:{sign}.{digits}f}"
        for value, sign in (
            (effect.before, ""), (effect.after, ""), (effect.difference, "+"), (effect.low, "+"), (effect.high, "+")
        )
    )  # fmt: skip
    return f"{before} → {after} ({difference}, {low} to {high})"


def _claims(reproduction: Reproduction, rows: Mapping[str, Row]) -> str:
    lines = ["| claim | source | here | what we saw |", "|---|---|---|---|"]
    for claim in reproduction.claims:
        finding = claim.finding(rows)
        verdict, text = ("not run", "") if finding is None else (finding.agreement, finding.text)
        lines.append(f"| {claim.text} | {claim.source} | {verdict} | {text} |")
    return "\n".join(lines)
