"""`python -m benchmarks`: measures and prints a table. Ratios within one run count; seconds depend on the machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from benchmarks import (
    against_trl,
    ask_decisions,
    draft_steps,
    durable_answers,
    feedback_import,
    gallery_pages,
    killed_studio,
    memory,
    method_steps,
    rollouts,
    scorers,
    serving,
)
from benchmarks.subject import FULL, MODELS, QUICK, Amount
from benchmarks.table import Section, as_json, as_text

PARTS: dict[str, Callable[[Amount], Section]] = {
    "rollouts": lambda amount: rollouts.measure(MODELS, amount=amount),
    "draft-steps": lambda amount: draft_steps.measure(MODELS, amount=amount),
    "method-steps": lambda amount: method_steps.measure(MODELS[0], amount=amount),
    "memory": lambda amount: memory.measure(MODELS[0], amount=amount),
    "scorers": lambda amount: scorers.measure(amount=amount),
    "feedback-import": lambda amount: feedback_import.measure(amount=amount),
    "durable-answers": lambda amount: durable_answers.measure(amount=amount),
    "ask-decisions": lambda amount: ask_decisions.measure(amount=amount),
    "gallery-pages": lambda amount: gallery_pages.measure(amount=amount),
    "killed-studio": lambda amount: killed_studio.measure(amount=amount),
    "serving": lambda amount: serving.measure(amount=amount),
    "against-trl": lambda amount: against_trl.measure(MODELS[0], amount=amount),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen parts and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quick", action="store_true", help="tiny batches, one repeat: does it run? Not for figures")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part only; may be given several times")
    given = parser.parse_args(arguments)
    amount = QUICK if given.quick else FULL
    sections = []
    for part in given.only or PARTS:
        print(f"measuring {part} ...", file=sys.stderr)
        sections.append(PARTS[part](amount))
    print(as_json(sections) if given.json else as_text(sections))


if __name__ == "__main__":
    main()
