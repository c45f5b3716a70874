"""A reproduction's results as a Markdown page. Draws no picture and runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from redraft.core.errors import UsageError
from redraft.loop.reproductions.effects import Effect, is_share
from redraft.loop.reproductions.plan import Finding, Reproduction, Row, Section

_BEGIN, _END = "<!-- redraft reproduce {name}: begin -->", "<!-- redraft reproduce {name}: end -->"
FACTS: Mapping[str, str] = {
    "parameters": "{:,.0f}", "time_ratio": "{:.2f} x", "seconds_a_picture": "{:.3f} s", "network_calls": "{:.0f}",
    "backward_calls": "{:.0f}",
}  # fmt: skip
"""How a fact is written."""


def markdown(
    reproduction: Reproduction,
    rows: Mapping[str, Row],
    *,
    command: str,
    hardware: str,
    file: str = "",
    charts: Sequence[str] = (),
) -> str:
    """The page: question, tables with intervals, figures, what was claimed, what we saw, where we disagree.

    Arms not run yet are named. file: the beginning of the figures' names, by default the reproduction's; charts: the
    names of those that were drawn.
    """
    file = file or reproduction.name
    missing = [arm.name for arm in reproduction.arms if arm.name not in rows]
    parts = [
        f"# {reproduction.title}",
        reproduction.question,
        f"Made by `{command}` on {hardware}. Differences are paired (same prompts, same noise), with 95 % intervals.",
        *_tables(reproduction, rows),
    ]
    if rows:
        parts.append(f"![gain of each arm]({file}.png)")
    titles = {chart.name: chart.title for chart in reproduction.charts}
    parts += [f"![{titles[name]}]({file}-{name}.png)" for name in charts]
    if missing:
        parts.append(f"Not run yet: {', '.join(missing)}.")
    if reproduction.claims:
        parts.append("## What was claimed, and what we saw")
        findings = [claim.finding(rows) for claim in reproduction.claims]
        parts += [_claims(reproduction, findings), "## Where we disagree", _disagreements(reproduction, findings)]
    return "\n\n".join(parts) + "\n"


def shown_in(text: str, reproduction: Reproduction, rows: Mapping[str, Row]) -> str:
    """The page `text` with the reproduction's tables as they are now, between its two marks.

    Raises UsageError where the page lacks the marks.
    """
    begin, end = (mark.format(name=reproduction.name) for mark in (_BEGIN, _END))
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise UsageError(
            f"{reproduction.shown_in} has no lines '{begin}' and '{end}': add them where the tables belong"
        )
    return before + "\n\n".join([begin, *_tables(reproduction, rows), end]) + after


def _tables(reproduction: Reproduction, rows: Mapping[str, Row]) -> list[str]:
    if not reproduction.sections:
        everything = tuple(arm.name for arm in reproduction.arms)
        whole = Section(title="", text="", arms=everything, metrics=reproduction.metrics)
        return [_table(whole, rows, verdict=reproduction.measures is None), *_outdated(rows)]
    parts = []
    for section in reproduction.sections:
        if any(name in rows for name in section.arms):
            parts += [f"## {section.title}", section.text, _table(section, rows, verdict=False)]
    return [*parts, *_outdated(rows)]


def _outdated(rows: Mapping[str, Row]) -> list[str]:
    """Which rows were measured with networks that have other weights now, and what of them still holds."""
    networks: dict[tuple[str, ...], list[str]] = {}
    for name, row in rows.items():
        if row.outdated:
            networks.setdefault(row.outdated, []).append(name)
    return [
        f"Measured with earlier weights of {', '.join(f'`{part}`' for part in parts)}: {', '.join(names)}. What these "
        "networks train, score and gate would differ today; the oracle's figures are of the pictures as they were."
        for parts, names in networks.items()
    ]


def _table(section: Section, rows: Mapping[str, Row], *, verdict: bool) -> str:
    heads = ["arm", *(title for _, title in section.metrics), *(title for _, title in section.facts)]
    heads += [*(["verdict"] if verdict else []), "seconds", "samples", "peak memory"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in (rows[name] for name in section.arms if name in rows):
        stopped = f" (stopped: {row.summary['stopped_by']})" if row.summary.get("stopped_by") else ""
        cells = [row.arm.title + ("" if verdict else stopped)]
        cells += [_cell(row.effect(name), name) for name, _ in section.metrics]
        cells += [FACTS[name].format(row.facts[name]) if name in row.facts else "" for name, _ in section.facts]
        if verdict:
            cells.append(row.summary["verdict"] + stopped)
        trained = bool(row.summary)
        cells += [
            f"{row.seconds:.0f}" if trained else "no training", f"{row.samples:,}" if trained else "",
            f"{row.peak_memory / 2**20:.0f} MB" if trained else "",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(effect: Effect | None, name: str) -> str:
    if effect is None:
        return "not measured"
    scale, digits = (100, 1) if is_share(effect, name) else (1, 3)
    before, after, difference, low, high = (
        f"{value * scale:{sign}.{digits}f}"
        for value, sign in (
            (effect.before, ""), (effect.after, ""), (effect.difference, "+"), (effect.low, "+"), (effect.high, "+")
        )
    )  # fmt: skip
    return f"{before} → {after} ({difference}, {low} to {high})"


def _claims(reproduction: Reproduction, findings: Sequence[Finding | None]) -> str:
    lines = ["| claim | source | here | what we saw |", "|---|---|---|---|"]
    for claim, finding in zip(reproduction.claims, findings, strict=True):
        verdict, text = ("not run", "") if finding is None else (finding.agreement, finding.text)
        lines.append(f"| {claim.text} | {claim.source} | {verdict} | {text} |")
    return "\n".join(lines)


def _disagreements(reproduction: Reproduction, findings: Sequence[Finding | None]) -> str:
    """The claims that the rows contradict, and how many are open."""
    pairs = list(zip(reproduction.claims, findings, strict=True))
    against = [
        f"- {claim.text} We saw: {found.text}."
        for claim, found in pairs
        if found is not None and found.agreement == "disagrees"
    ]
    judged = sum(found is not None for _, found in pairs)
    for_it, open_ = (sum(_is(found, kind) for _, found in pairs) for kind in ("agrees", "undecided"))
    tally = (
        f"Of {len(pairs)} claims {judged} were tested: {for_it} hold here, {len(against)} do not, {open_} are "
        "undecided at this size (their intervals hold both answers)."
    )
    return "\n".join([tally, "", *against]).strip()


def _is(finding: Finding | None, agreement: str) -> bool:
    return finding is not None and finding.agreement == agreement
