"""Readers of named corpora: the real files, real parquet written here, real damage."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from redraft.core.errors import UnknownNameError, UsageError
from redraft.prompts.readers import (
    open_corpus,
    read_compbench,
    read_geneval,
    read_partiprompts,
    stream_parquet,
)

# The columns of DiffusionDB's metadata.parquet, as its README lists them (poloclub/diffusiondb, 015f9348).
DIFFUSIONDB = {
    "image_name": "a.png", "part_id": 1, "seed": 1, "step": 50, "cfg": 7.0, "sampler": 8, "width": 512, "height": 512,
    "user_name": "5f4dcc3b", "timestamp": "2022-08-07", "image_nsfw": 0.1,
}  # fmt: skip


def write_parquet(path: Path, rows: list[dict[str, Any]], **options: Any) -> Path:
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, **options)
    return path


def test_geneval_in_full(test_data: Path) -> None:
    prompts = read_geneval(test_data / "geneval" / "evaluation_metadata.jsonl")
    # 553 rows, as its authors count them by task.
    assert Counter(prompt.tag("task") for prompt in prompts) == {
        "single_object": 80, "two_object": 99, "counting": 80, "colors": 94, "position": 100, "color_attr": 100,
    }  # fmt: skip
    texts = (test_data / "geneval" / "generation_prompts.txt").read_text().splitlines()
    assert [prompt.text for prompt in prompts] == texts
    assert {(prompt.tag("suite"), prompt.licence) for prompt in prompts} == {("geneval", "MIT")}


@pytest.mark.parametrize(
    ("name", "task", "part", "count"),
    [
        # 1,000 lines each in full, 700 and 300 in part; two of `spatial` are there twice.
        ("numeracy", "numeracy", None, 1000), ("numeracy_val", "numeracy", "val", 300),
        ("spatial", "spatial", None, 998), ("spatial_train", "spatial", "train", 700),
    ],
)  # fmt: skip
def test_compbench_takes_task_and_part_from_the_name(
    test_data: Path, name: str, task: str, part: str | None, count: int
) -> None:
    prompts = read_compbench(test_data / "t2i-compbench" / f"{name}.txt")
    assert len(prompts) == count
    assert {(prompt.tag("suite"), prompt.tag("task"), prompt.tag("part")) for prompt in prompts} == {
        ("t2i-compbench", task, part)
    }


@pytest.mark.parametrize(
    ("name", "task", "part"),
    [
        ("3d_spatial.txt", "3d_spatial", None), ("non_spatial_val.txt", "non_spatial", "val"),
        ("color_train.txt", "color", "train"), ("complex_val_action.txt", "complex_val_action", None),
    ],
)  # fmt: skip
def test_other_names_of_compbench(tmp_path: Path, name: str, task: str, part: str | None) -> None:
    (tmp_path / name).write_text("a red cat\n")
    (prompt,) = read_compbench(tmp_path / name)
    assert (prompt.tag("task"), prompt.tag("part")) == (task, part)


def test_partiprompts_keep_category_and_challenge(test_data: Path) -> None:
    prompts = read_partiprompts(test_data / "partiprompts" / "PartiPrompts.tsv")
    assert len(prompts) == 1632
    assert len({prompt.tag("category") for prompt in prompts}) == 12
    assert len({prompt.tag("challenge") for prompt in prompts}) == 11
    assert {prompt.licence for prompt in prompts} == {"Apache-2.0"}


def test_parquet_as_diffusiondb_has_it(tmp_path: Path) -> None:
    rows = [
        {**DIFFUSIONDB, "prompt": " a cat ", "prompt_nsfw": 0.01},
        {**DIFFUSIONDB, "prompt": "a dog", "prompt_nsfw": None},
        {**DIFFUSIONDB, "prompt": "a cat", "prompt_nsfw": 0.01},
        {**DIFFUSIONDB, "prompt": None, "prompt_nsfw": float("nan")},
        {**DIFFUSIONDB, "prompt": "a nude", "prompt_nsfw": 0.987654},
    ]
    path = write_parquet(tmp_path / "metadata.parquet", rows)
    prompts = list(open_corpus(f"diffusiondb={path}"))
    assert [(prompt.text, prompt.tags) for prompt in prompts] == [
        ("a cat", ("nsfw:0.0100",)), ("a dog", ()), ("", ()), ("a nude", ("nsfw:0.9877",)),
    ]  # fmt: skip
    assert {(prompt.source, prompt.licence) for prompt in prompts} == {("metadata.parquet", "CC0-1.0")}
    # No name of a user is anywhere in what was read.
    assert "5f4dcc3b" not in repr(prompts)


@pytest.mark.parametrize(
    "kind", [pyarrow.string(), pyarrow.large_string(), pyarrow.dictionary(pyarrow.int32(), pyarrow.string())]
)
def test_parquet_texts_of_every_kind(tmp_path: Path, kind: Any) -> None:
    table = pyarrow.table({"caption": pyarrow.array(["a cat", "a dog"]).cast(kind)})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert [prompt.text for prompt in open_corpus(str(tmp_path / "a.parquet"), column="caption")] == ["a cat", "a dog"]


def test_parquet_is_a_stream(tmp_path: Path) -> None:
    """The second half is destroyed: the first comes through before anything notices."""
    rows = [{"prompt": f"prompt {number} {'x' * 100}"} for number in range(4000)]
    path = write_parquet(tmp_path / "a.parquet", rows, row_group_size=1000, compression="none", use_dictionary=False)
    group = parquet.ParquetFile(path).metadata.row_group(2).column(0)
    content = bytearray(path.read_bytes())
    start = group.data_page_offset
    content[start : start + 200] = b"\xff" * 200
    path.write_bytes(content)
    stream = stream_parquet(path, rows_at_once=100)
    first = [next(stream) for _ in range(1900)]
    assert first[1899].text.startswith("prompt 1899 ")
    with pytest.raises(UsageError, match=r"a\.parquet is damaged after 2,000 different prompts \(.*\): fetch it again"):
        list(stream)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("geneval=a.jsonl", b'{"tag": "counting", "include": []}\n', "line 1 has no prompt: GenEval's rows have tag"),
        ("geneval=a.jsonl", b'{"tag": "count", "prompt": "two cats"}\n', "line 1 has the tag 'count': GenEval's are"),
        ("geneval=a.jsonl", b"\n", "holds no prompt"),
        ("geneval=a.jsonl", b"{\n", "line 1 is not JSON"),
        ("compbench=a.txt", b"a cat\n", "has no name of T2I-CompBench"),
        ("a.parquet", b"PAR1 or so, but no parquet at all", "is no parquet file"),
        ("diffusiondb=a.parquet", b"", "is no parquet file"),
    ],
)
def test_bad_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name.partition("=")[2]).write_bytes(content) if "=" in name else (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError) as caught:
        list(open_corpus(name))
    assert message in str(caught.value)


def test_parquet_without_the_column_or_with_another_type(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [{"caption": "a cat", "seed": 3}])
    with pytest.raises(UsageError, match="has the columns caption, seed: none is called 'prompt'"):
        list(stream_parquet(path))
    with pytest.raises(UsageError, match="has int64 in the column 'seed': prompts are text"):
        list(stream_parquet(path, column="seed"))
    with pytest.raises(UsageError, match="cannot be read"):
        list(stream_parquet(tmp_path / "none.parquet"))


def test_an_unknown_kind_and_a_name_with_a_sign(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="kind of corpus 'genevil' is unknown: did you mean 'geneval'"):
        open_corpus("genevil=a.jsonl")
    path = tmp_path / "a=b.txt"
    path.write_text("a cat\n")
    assert [prompt.text for prompt in open_corpus(str(path))] == ["a cat"]


def test_a_line_separator_within_a_string_ends_no_line_of_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"prompt": "a cat\u2028on a mat", "source": "me", "licence": "CC0-1.0"}\r\n"a dog"\n'.encode())
    cat, dog = open_corpus(str(path))
    assert (cat.text, cat.source, cat.licence) == ("a cat\u2028on a mat", "me", "CC0-1.0")
    assert (dog.text, dog.source) == ("a dog", "a.jsonl")
