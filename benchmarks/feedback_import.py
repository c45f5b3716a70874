"""Import of preference rows: how many a second on one core, and how much memory, which must not grow with the file.

Each size is imported in a process of its own, because a process's peak never falls. `python -m
benchmarks.feedback_import FILE --into FOLDER` is that process; it prints one JSON object. Two kinds of rows: bare ones,
and rows that carry where they came from, as a former import writes them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.table import Figure, Section

if TYPE_CHECKING:  # it loads torch, which would be measured too
    from benchmarks.subject import Amount


def measure(*, amount: Amount) -> Section:
    """Rows per second of CPU time, and the peak of the whole process, for `amount.import_rows` rows and a tenth."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, origin in (("bare", False), ("with origin", True)):
            peaks: list[float] = []
            for rows in (amount.import_rows // 10, amount.import_rows):
                file = folder / f"{title}-{rows}.jsonl"
                write_rows(file, rows=rows, origin=origin)
                found = _in_new_process(file, folder)
                file.unlink()
                peaks.append(found["peak"])
                what, speed = f"{rows:,} rows {title}", rows / found["seconds"]
                figures.append(Figure(name=f"{what}: speed", value=speed, unit="rows/s", aim="above 50,000"))
                figures.append(Figure(name=f"{what}: peak", value=found["peak"], unit="MB", aim="below 300"))
            growth = peaks[1] / peaks[0]
            figures.append(Figure(name=f"{title}: peak / peak of a tenth", value=growth, unit="x", aim="aim 1.0"))
    return Section(
        title="Import of JSONL preference rows into a file of rows, on one core",
        figures=tuple(figures),
        note="CPU seconds of reading, checking, counting and writing; the peak is that of the whole process",
    )


def write_rows(path: Path, *, rows: int, origin: bool) -> None:
    """A file of pairs, every third a tie, as long as real ones: some 180 bytes a row, 330 with their origin."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            value: dict[str, Any] = {
                "prompt": f"a portrait of a red fox in a snowy forest, soft evening light, number {number}",
                "pictures": [f"images/{number:010x}a.png", f"images/{number:010x}b.png"], "kind": "pair",
                "answer": [0.5, 0.5] if number % 3 == 0 else [1, 0] if number % 2 else [0, 1],
                "rater": f"rater-{number % 997}",
            }  # fmt: skip
            if origin:
                value["origin"] = {
                    "format": "pick-a-pic", "models": ["sd-1.5", "sdxl"],
                    "details": {"ranking_id": number, "are_different": True, "num_example_per_prompt": 4},
                }  # fmt: skip
            file.write(json.dumps(value) + "\n")


def import_file(path: Path, folder: Path) -> dict[str, float]:
    """Import one file as the command does, in this process. CPU seconds, and the peak of the process in MB."""
    from redraft.cli.feedback import import_into_file
    from redraft.feedback.exchange.formats import Reading
    from redraft.feedback.exchange.registry import format_named

    began = time.process_time()
    target = folder / f"{path.stem}.out.jsonl"
    import_into_file(path, target, format=format_named("jsonl"), reading=Reading(), pairs=False)
    seconds = time.process_time() - began
    target.unlink()
    return {"seconds": seconds, "peak": _peak()}


def _peak() -> float:
    """The largest resident size of this process so far, MB. That of `getrusage` would be that of who started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _in_new_process(file: Path, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.feedback_import", str(file), "--into", str(folder)]
    root = Path(__file__).parents[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--into", type=Path, required=True)
    given = parser.parse_args()
    print(json.dumps(import_file(given.file, given.into)))
