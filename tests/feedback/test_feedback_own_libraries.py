"""Exported files in the hands of those they are for: datasets, pandas, Argilla, Label Studio's SDK."""

from __future__ import annotations

import json
import math
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchanged import pair, preference, rating, read, write

from redraft.feedback.exchange.rows import Row
from tests.conftest import missing_input

PAIRS = [pair((1.0, 0.0), number=1), pair((0.5, 0.5), number=2, rater=""), pair((0.0, 1.0), number=3, rater="17")]


def kinds() -> dict[str, list[Row]]:
    return {
        "pair": [row for row in PAIRS for _ in range(1)],
        "choice": [preference("choice", (0.0, 1.0, 0.0))],
        "ranks": [preference("ranks", (1.0, 2.0, 2.0))],
        "stars": [preference("stars", (5.0, 1.0))],
        "thumbs": [preference("thumbs", (1.0, 0.0))],
        "rating": [rating(quality=4, detail=10)],
    }


@pytest.mark.parametrize("format", ["jsonl", "hpdv2", "image-reward"])
def test_datasets_reads_json(tmp_path: Path, format: str) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: pip install -e '.[dev]'")
    write(PAIRS, tmp_path / "out.json", format)
    found = datasets.load_dataset("json", data_files=str(tmp_path / "out.json"), cache_dir=str(tmp_path), split="train")
    assert found["prompt"] == [row.judgement.prompt for row in PAIRS]
    key, expected = {
        "jsonl": ("answer", [[1, 0], [0.5, 0.5], [0, 1]]), "hpdv2": ("human_preference", [[1, 0], [0.5, 0.5], [0, 1]]),
        "image-reward": ("ranking", [[1, 2], [1, 1], [2, 1]]),
    }[format]  # fmt: skip
    assert found[key] == expected


def test_datasets_and_pandas_read_pick_a_pic(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: pip install -e '.[dev]'")
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: pip install -e '.[dev]'")
    write(PAIRS, tmp_path / "out.parquet", "pick-a-pic")
    found = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "out.parquet"), cache_dir=str(tmp_path), split="train"
    )
    assert found["label_0"] == [1.0, 0.5, 0.0]
    assert found["image_1_uid"] == ["1b.png", "2b.png", "3b.png"]
    frame = pandas.read_parquet(tmp_path / "out.parquet")
    assert list(frame["best_image_uid"]) == ["1a.png", "tie", "3b.png"]
    assert math.isnan(frame["user_id"][0])
    assert frame["user_id"][2] == 17


def test_pandas_reads_the_crowds_answers_and_the_checklist(test_data: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: pip install -e '.[dev]'")
    rows, _ = read(test_data / "geneval/annotations/annotations_clip.csv", "geneval-crowd")
    write(rows, tmp_path / "out.csv", "geneval-crowd")
    assert pandas.read_csv(tmp_path / "out.csv")["Answer.task-quality"].mean() == pytest.approx(3.1035)
    entry = {"prompt": "p", "url": "u", "annotation": {"face": -3, "hands": None}}
    (tmp_path / "in.jsonl").write_text(json.dumps(entry))
    rows, _ = read(tmp_path / "in.jsonl", "vision-reward")
    write(rows, tmp_path / "out.parquet", "vision-reward")
    assert pandas.read_parquet(tmp_path / "out.parquet")["annotation"][0]["face"] == -3


@pytest.mark.parametrize("kind", kinds())
def test_argilla_reads_and_writes_our_records(tmp_path: Path, kind: str) -> None:
    argilla = pytest.importorskip("argilla", reason="argilla is not installed: pip install -e '.[dev]'")
    rows = [replace(row, item=f"{n}", format="elsewhere") for n, row in enumerate(kinds()[kind])]
    write(rows, tmp_path / "out.json", "argilla")
    records = [argilla.Record.from_dict(entry) for entry in json.loads((tmp_path / "out.json").read_text())]
    assert [record.fields["prompt"] for record in records] == [row.judgement.prompt for row in rows]
    assert all(len(record.responses) for record in records)
    (tmp_path / "theirs.json").write_text(json.dumps([record.to_dict() for record in records]))
    back, faults = read(tmp_path / "theirs.json", "argilla")
    assert faults == []
    assert back == rows


@pytest.fixture(scope="session")
def label_studio_python() -> str:
    """The python of an environment with Label Studio's SDK, which asks for an older numpy than ours."""
    python = os.environ.get("REDRAFT_LABEL_STUDIO_PYTHON", "")
    if not python:
        missing_input(
            "REDRAFT_LABEL_STUDIO_PYTHON is unset: make an environment with label-studio-sdk and set it to its python"
        )
    if not os.access(python, os.X_OK):
        pytest.fail(f"REDRAFT_LABEL_STUDIO_PYTHON={python!r} is no program: install label-studio-sdk there")
    return python


LABEL_STUDIO = """
import json, sys
from label_studio_sdk.label_interface import LabelInterface

configuration, tasks = json.load(sys.stdin)
project = LabelInterface(configuration)
project.validate()
errors, regions = [], 0
for task in tasks:
    errors += [item.value_name for item in project.objects if task["data"].get(item.value_name) is None]
    for annotation in task["annotations"]:
        for region in annotation["result"]:
            errors += project.validate_region(region, return_errors=True)
            regions += 1
json.dump({"errors": errors, "regions": regions}, sys.stdout)
"""


@pytest.mark.parametrize("kind", kinds())
def test_label_studio_accepts_our_tasks_with_their_configuration(
    tmp_path: Path, label_studio_python: str, kind: str
) -> None:
    beside, _ = write(kinds()[kind], tmp_path / "out.json", "label-studio")
    tasks = json.loads((tmp_path / "out.json").read_text())
    found = checked_by_label_studio(label_studio_python, beside, tasks)
    assert found["errors"] == []
    assert found["regions"] == sum(len(said["result"]) for task in tasks for said in task["annotations"]) > 0


def test_label_studio_refuses_what_its_configuration_does_not_know(tmp_path: Path, label_studio_python: str) -> None:
    """So that the test above can fail."""
    beside, _ = write(kinds()["rating"], tmp_path / "out.json", "label-studio")
    (task,) = json.loads((tmp_path / "out.json").read_text())
    task["annotations"][0]["result"][0]["from_name"] = "no such field"
    assert checked_by_label_studio(label_studio_python, beside, [task])["errors"] != []


def checked_by_label_studio(python: str, configuration: str, tasks: Any) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-c", LABEL_STUDIO], input=json.dumps([configuration, tasks]), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
