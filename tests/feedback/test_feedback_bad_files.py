"""Broken files: every fault is told with its place, nothing else is lost, a file of no use is refused as a whole."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pytest
from exchanged import pair, rating, read, write
from pyarrow import parquet

from redraft.core.errors import UsageError
from redraft.feedback.exchange import json_files
from redraft.feedback.exchange.importing import Imported, import_rows
from redraft.feedback.exchange.registry import FORMATS
from redraft.feedback.exchange.rows import Fault, as_line, as_object

GOOD = [as_line(pair(number=n)) for n in range(4)]


def prompts(rows: list[Any]) -> list[str]:
    return [row.judgement.prompt for row in rows]


def line(**changed: Any) -> str:
    value = {"prompt": "p", "pictures": ["a", "b"], "kind": "pair", "answer": [1, 0]}
    return json.dumps({name: item for name, item in (value | changed).items() if item is not ...})


BROKEN_LINES = {
    "cut off": (GOOD[0][:-20].encode(), "is no JSON"),
    "not UTF-8": ('{"prompt": "caf\xe9"}'.encode("latin-1"), "is not UTF-8 (byte 0xe9)"),
    "NaN": (line().replace("1,", "NaN,").encode(), "holds NaN: numbers must be finite"),
    "a key twice": (line().replace('"answer"', '"answer": [0, 1], "answer"').encode(), "has the key 'answer' twice"),
    "a key twice within": (line(origin={"details": {"k": 1}}).replace('"k"', '"k": 2, "k"').encode(), "key 'k' twice"),
    "infinity": (line().replace("1,", "-Infinity,").encode(), "holds -Infinity"),
    "beyond floats": (line().replace("1,", "1e999,").encode(), "must be finite"),
    "a huge whole number": (line().replace("1,", "9" * 400 + ",").encode(), "too large"),
    "more digits than Python reads": (line().replace("1,", "9" * 5000 + ",").encode(), "thousands of digits"),
    "half a surrogate": (line(prompt="\ud800").encode(), "cannot be written as JSON in UTF-8"),
    "U+0000": (line(prompt="a\0b").encode(), "U+0000"),
    "too deep": (b"[" * 200_000, "nested too deeply"),
    "a list": (b"[1, 2]", "is a JSON list"),
    "a true answer": (line(answer=[True, False]).encode(), "answer must be a list of numbers"),
    "no pictures": (line(pictures=...).encode(), "lacks 'pictures'"),
    "an empty name": (line(pictures=["a", ""]).encode(), "pictures must be a list of texts"),
    "a wrong key": (line(ratr="x").encode(), "unknown key 'ratr': did you mean 'rater'?"),
    "shares that do not add up": (line(answer=[1, 1]).encode(), "add up to 1"),
    "an unknown kind": (line(kind="pear").encode(), "kind 'pear' of an answer is unknown"),
    "no weight": (line(weight=0).encode(), "weight 0"),
    "generators of other pictures": (
        line(origin={"models": ["m"]}).encode(), "origin: models names 1 generators of 2 pictures: one a picture"
    ),
    "a picture against itself": (line(pictures=["a", "a"]).encode(), "the picture 'a' stands twice"),
    "a prompt that is none": (line(prompt=3).encode(), "prompt '3' and rater '' must be texts"),
    "a wrong origin": (line(origin={"colour": 1}).encode(), "origin is"),
    "a rating off its scale": (
        line(kind="rating", pictures=["a"], answer={"q": 9}, scales={"q": [0, 5]}).encode(), "its scale of 0 to 5"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_LINES)
def test_a_broken_line_is_told_and_costs_nothing_else(tmp_path: Path, name: str) -> None:
    bad, message = BROKEN_LINES[name]
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"\n".join([GOOD[0].encode(), GOOD[1].encode(), bad, b"", GOOD[2].encode()]) + b"\n")
    rows, (fault,) = read(path, "jsonl")
    assert [as_line(row) for row in rows] == GOOD[:3]
    assert fault.where == "line 3"
    assert message in fault.message
    assert len(fault.message) < 500


def test_a_huge_line_is_skipped_in_constant_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_files, "LARGEST", 1000)
    (tmp_path / "in.jsonl").write_text(f"{GOOD[0]}\n{line(prompt='x' * 5000)}\n{GOOD[1]}\n{line(prompt='y' * 5000)}")
    rows, faults = read(tmp_path / "in.jsonl", "jsonl")
    assert [as_line(row) for row in rows] == GOOD[:2]
    assert [str(fault) for fault in faults] == [
        f"line {n}: is longer than 1,000 bytes: split or shorten it" for n in (2, 4)
    ]


@pytest.mark.parametrize("first", ["[]", "[1, 2]", "null", '"text"', "{", "PAR"])
def test_a_wrong_first_line_does_not_hide_what_kind_of_file_it_is(tmp_path: Path, first: str) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join([first, *GOOD]))
    rows, (fault,) = read(tmp_path / "in.jsonl", "jsonl")
    assert (len(rows), fault.where) == (4, "line 1")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_windows_lines_are_no_fault(tmp_path: Path, end: str) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"\xef\xbb\xbf" + end.join(GOOD).encode())
    rows, faults = read(tmp_path / "in.jsonl", "jsonl")
    assert (len(rows), faults) == (4, [])


ENTRY = {"human_preference": [1, 0], "prompt": "p", "file_path": ["a", "b"]}


def listed(*middle: str, indent: int | None = None) -> str:
    """A JSON list of three good entries with `middle` after the second."""
    good = [json.dumps({**ENTRY, "prompt": f"good {n}"}, indent=indent) for n in range(3)]
    return "[" + ",\n".join([*good[:2], *middle, good[2]]) + "]\n"


BROKEN_ENTRIES = {
    "a missing quote": '{"prompt": "p, "file_path": ["a", "b"], "human_preference": [1, 0]}',
    "an open object": '{"prompt": "p", "file_path": ["a", "b"], "human_preference": [1, 0]',
    "an open list": '{"prompt": "p", "file_path": ["a", "b", "human_preference": [1, 0]}',
    "a bare word": '{"prompt": hello}',
    "NaN": '{"prompt": "p", "file_path": ["a", "b"], "human_preference": [NaN, 0]}',
    "a key twice": '{"prompt": "p", "prompt": "q", "file_path": ["a", "b"], "human_preference": [1, 0]}',
    "a stray brace": '{"prompt": "p"}}',
    "single quotes": "{'prompt': 'p'}",
    "a control character": '{"prompt": "a\x01b"}',
    "too deep": '{"prompt": ' + "[" * 100_000,
}


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("name", BROKEN_ENTRIES)
def test_a_broken_entry_of_a_list_is_told_and_the_others_are_read(
    tmp_path: Path, name: str, indent: int | None
) -> None:
    (tmp_path / "in.json").write_text(listed(BROKEN_ENTRIES[name], indent=indent))
    rows, faults = read(tmp_path / "in.json", "hpdv2")
    assert prompts(rows) == ["good 0", "good 1", "good 2"]
    first = 3 if indent is None else 3 + 2 * json.dumps(ENTRY, indent=4).count("\n")
    assert faults
    assert faults[0].where.split(",")[0].split(" to ")[0].split()[-1] == str(first)
    assert faults[0].where.endswith(", entry 3")


def test_faults_of_a_list_on_one_line_name_their_entry(tmp_path: Path) -> None:
    bad = {**ENTRY, "human_preference": [1, 1]}
    (tmp_path / "in.json").write_text(json.dumps([ENTRY, ENTRY, bad, ENTRY, {**ENTRY, "human_preference": [1e999, 0]}]))
    rows, faults = read(tmp_path / "in.json", "hpdv2")
    assert len(rows) == 3
    assert [fault.where for fault in faults] == ["line 1, entry 3", "line 1, entry 5"]


@pytest.mark.parametrize("chunk", [64, 100, 1000])
def test_a_list_is_read_alike_in_any_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    entries = [{**ENTRY, "prompt": f'{"ü" * (n % 37)} \\ " {{ [ {n}', "n": n * 1.5} for n in range(60)]
    (tmp_path / "in.json").write_text(json.dumps(entries, ensure_ascii=False, indent=1), encoding="utf-8")
    whole = read(tmp_path / "in.json", "hpdv2")
    monkeypatch.setattr(json_files, "CHUNK", chunk)
    assert read(tmp_path / "in.json", "hpdv2") == whole
    assert prompts(whole[0]) == [entry["prompt"] for entry in entries]


def test_a_list_that_was_cut_off_says_so(tmp_path: Path) -> None:
    text = listed()
    (tmp_path / "in.json").write_text(text[: text.rindex("{") + 10])
    rows, (fault,) = read(tmp_path / "in.json", "hpdv2")
    assert prompts(rows) == ["good 0", "good 1"]
    assert fault.where.startswith("line 3")
    (tmp_path / "in.json").write_text(text.rstrip()[:-1])
    rows, (fault,) = read(tmp_path / "in.json", "hpdv2")
    assert len(rows) == 3
    assert fault.rows == 1
    assert "it was cut off, and whatever followed is lost; fetch it again" in fault.message


def test_bytes_that_are_no_utf8_spoil_their_own_entry_alone(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_bytes(listed('{"prompt": "caf\xe9"}').encode("latin-1"))
    rows, (fault,) = read(tmp_path / "in.json", "hpdv2")
    assert len(rows) == 3
    assert str(fault) == "line 3, entry 3: is not UTF-8: write the file in UTF-8"


def crowd(tmp_path: Path, test_data: Path, change: Callable[[list[bytes]], list[bytes]]) -> Path:
    """The crowd's file with its first 20 lines changed."""
    lines = (test_data / "geneval/annotations/annotations_clip.csv").read_bytes().splitlines(keepends=True)[:20]
    path = tmp_path / "in.csv"
    path.write_bytes(b"".join(change(lines)))
    return path


CSV_CHANGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "an open quote": (lambda row: row.replace(b"donut,", b'"donut,', 1), "mend its quotes and commas"),
    "a missing cell": (lambda row: row.rsplit(b",", 1)[0] + b"\n", "has 21 columns instead of 22"),
    "a cell more": (lambda row: row.rstrip() + b",x\n", "has 23 columns instead of 22"),
    "not UTF-8": (lambda row: row.replace(b"donut", b"caf\xe9", 1), "is not UTF-8"),
    "no number": (lambda row: row.replace(b",3,3.0,", b",good,3.0,"), "Answer.task-quality is 'good'"),
    "nan": (lambda row: row.replace(b",3,3.0,", b",nan,3.0,"), "must be finite"),
    "off the scale": (lambda row: row.replace(b",3,3.0,", b",7,3.0,"), "outside its scale of 1 to 4"),
}


@pytest.mark.parametrize("name", CSV_CHANGES)
def test_a_broken_row_of_csv_is_told_and_the_others_are_read(tmp_path: Path, test_data: Path, name: str) -> None:
    change, message = CSV_CHANGES[name]
    path = crowd(tmp_path, test_data, lambda lines: [lines[0], change(lines[1]), *lines[2:]])
    assert path.read_bytes().splitlines(keepends=True)[1] != b""
    rows, (fault,) = read(path, "geneval-crowd")
    assert len(rows) == 18
    assert fault.where == "line 2"
    assert message in fault.message


@pytest.mark.parametrize("before", [b"", b'"an open quote\n'])
def test_a_huge_line_of_csv_is_one_fault_and_lines_are_counted_on(
    tmp_path: Path, test_data: Path, before: bytes
) -> None:
    huge = before + b"x" * (3 * 2**20) + b"\n"
    path = crowd(tmp_path, test_data, lambda lines: [*lines[:2], huge, *lines[3:5], b"cut off\n", *lines[6:]])
    rows, faults = read(path, "geneval-crowd")
    assert len(rows) == 17
    later = 1 if before else 0
    assert [fault.where for fault in faults][-2:] == [f"line {3 + later}", f"line {6 + later}"]
    assert len(faults) == 2 + later
    assert faults[later].message == "is longer than 1,048,576 bytes: split or shorten it"


def test_a_csv_file_is_known_by_its_content_too(tmp_path: Path, test_data: Path) -> None:
    path = crowd(tmp_path, test_data, lambda lines: lines)
    rows, faults = read(path.rename(tmp_path / "answers.txt"), "geneval-crowd")
    assert faults == []
    assert len(rows) == 19


def test_a_damaged_part_of_a_parquet_file_counts_its_rows(tmp_path: Path) -> None:
    rows = [pair(number=n) for n in range(90)]
    write(rows, tmp_path / "one.parquet", "pick-a-pic")
    table = parquet.read_table(tmp_path / "one.parquet")
    path = tmp_path / "in.parquet"
    parquet.write_table(table, path, row_group_size=30, compression="zstd")
    group = parquet.ParquetFile(path).metadata.row_group(1)
    place = [group.column(n).path_in_schema for n in range(group.num_columns)].index("caption")
    content = bytearray(path.read_bytes())
    begin = group.column(place).dictionary_page_offset or group.column(place).data_page_offset
    content[begin : begin + 60] = b"\xff" * 60
    path.write_bytes(content)
    found, (fault,) = read(path, "pick-a-pic")
    assert len(found) == 60
    assert (fault.where, fault.rows) == ("rows 31 to 60", 30)
    assert "damaged" in fault.message


def test_a_row_that_does_not_fit_its_column_is_refused_alone(tmp_path: Path) -> None:
    at_odds = pair(number=1)
    bad = type(at_odds)(judgement=at_odds.judgement, format="pick-a-pic", details={"ranking_id": 2**70})
    _, (fault,) = write([pair(), bad, pair(number=2)], tmp_path / "out.parquet", "pick-a-pic")
    assert "does not fit the columns" in fault.message
    assert len(read(tmp_path / "out.parquet", "pick-a-pic")[0]) == 2


USELESS = {
    "absent": (None, "cannot be read"),
    "empty": (b"", "is empty: give a file of answers"),
    "blank": (b"\xef\xbb\xbf \n\n", "is empty"),
    "in UTF-16": ("[]".encode("utf-16"), "is in UTF-16: give a file that is unpacked and in UTF-8"),
    "in UTF-32": ("[]".encode("utf-32"), "is in UTF-32"),
    "another compressed": (bz2.compress(b"{}"), "is compressed (bzip2)"),
    "a third": (lzma.compress(b"{}"), "is compressed (xz)"),
    "compressed": (gzip.compress(b"{}"), "is compressed (gzip)"),
    "broken parquet": (b"PAR1" + b"\0" * 100, "is no parquet file that can be read"),
}


@pytest.mark.parametrize("name", USELESS)
def test_a_file_of_no_use_is_refused_as_a_whole(tmp_path: Path, name: str) -> None:
    content, message = USELESS[name]
    if content is not None:
        (tmp_path / "in").write_bytes(content)
    with pytest.raises(UsageError, match=message.replace("(", r"\(").replace(")", r"\)")):
        read(tmp_path / "in", "jsonl")


def test_a_pipe_is_refused_for_it_can_be_read_once_only(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in")
    with pytest.raises(UsageError, match="is a pipe or a device, and answers are read from a file, more than once"):
        read(tmp_path / "in", "jsonl")


def test_a_value_of_a_parquet_file_that_cannot_be_said_costs_its_own_row(tmp_path: Path) -> None:
    write([pair(number=n) for n in range(50)], tmp_path / "one.parquet", "pick-a-pic")
    table = parquet.read_table(tmp_path / "one.parquet")
    captions = [text.encode() for text in table["caption"].to_pylist()]
    captions[7] = b"caf\xe9"
    unsaid = pyarrow.array(captions, pyarrow.binary()).view(pyarrow.string())
    whole = table.set_column(table.schema.get_field_index("caption"), "caption", unsaid)
    parquet.write_table(whole, tmp_path / "text.parquet")
    found, (fault,) = read(tmp_path / "text.parquet", "pick-a-pic")
    assert len(found) == 49
    assert (fault.where, fault.rows) == ("row 8", 1)
    assert fault.message.startswith("caption cannot be read")

    times = [0] * 50
    times[30] = 32_503_680_000_000_000  # the year 3000, beyond what nanoseconds count
    late = pyarrow.array(times, pyarrow.timestamp("us"))
    whole = table.set_column(table.schema.get_field_index("created_at"), "created_at", late)
    parquet.write_table(whole, tmp_path / "time.parquet")
    found, (fault,) = read(tmp_path / "time.parquet", "pick-a-pic")
    assert len(found) == 49
    assert fault.where == "row 31"
    assert fault.message.startswith("created_at cannot be read")


def test_a_parquet_file_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    column = pyarrow.array(["a"])
    parquet.write_table(pyarrow.Table.from_arrays([column, column], names=["caption", "caption"]), tmp_path / "in")
    with pytest.raises(UsageError, match="has the column 'caption' twice"):
        read(tmp_path / "in", "pick-a-pic")


def test_what_is_null_is_absent_as_parquet_files_and_pandas_say_it(tmp_path: Path) -> None:
    plain = pair(rater="")
    asked = rating(quality=4.0)
    values = [as_object(pair(number=1)), {**as_object(plain), "rater": None, "weight": None, "scales": None}]
    values[1]["origin"] = {**values[1]["origin"], "details": None, "sides": None}
    rated = {**as_object(asked), "answer": {"quality": 4.0, "beauty": None}}
    rated["scales"] = {"quality": [0.0, 10.0], "beauty": None}
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(value) for value in [*values, rated]))
    assert read(tmp_path / "in.jsonl", "jsonl") == ([pair(number=1), plain, asked], [])
    pandas.DataFrame(values).to_parquet(tmp_path / "in.parquet")
    rows, faults = read(tmp_path / "in.parquet", "jsonl")
    assert faults == []
    assert [row.judgement.rater for row in rows] == ["anna", ""]


def test_csv_without_a_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a\nb\n")
    with pytest.raises(UsageError, match="names its columns, each once, first"):
        read(tmp_path / "in.csv", "geneval-crowd")


def test_labeling_configurations_are_read_without_entities(tmp_path: Path) -> None:
    task = {"data": {"prompt": "p", "picture_0": "a"}, "annotations": [{"result": []}]}
    (tmp_path / "in.json").write_text(json.dumps([task]))
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb">]><View/>'
    _, (fault,) = read(tmp_path / "in.json", "label-studio", labeling=bomb)
    assert "DOCTYPE or an entity" in fault.message
    _, (fault,) = read(tmp_path / "in.json", "label-studio", labeling="<View>")
    assert "is no XML" in fault.message


ODD = (
    None, True, 0, -1, 1.5, 1e308, 10**30, "", "x", "\0", "\ud800", [], ["a", "b"], [1, 0], [0.5, 0.5], [[1]], {},
    {"a": 1}, {"rank": [1, 2]}, {"bytes": 1, "path": None}, "pairwise", "left", "rank_0", "{", '{"rater": 1}', '["{}"]',
)  # fmt: skip
SEEDS: dict[str, dict[str, Any]] = {
    "jsonl": json.loads(GOOD[0]),
    "hpdv2": {
        **ENTRY, "image_path": ["a", "b"], "rank": [1, 2], "raw_annotations": [{"rank": [1, 2], "user_hash": "u"}],
        "redraft": None,
    },
    "pick-a-pic": {
        "caption": "p", "image_0_uid": "a", "image_1_uid": "b", "label_0": 1.0, "label_1": 0.0, "user_id": 3,
        "redraft": None, "jpg_0": None, "model_0": "m", "created_at": 5,
    },
    "image-reward": {
        "prompt": "p", "id": "i", "generations": ["a", "b"], "ranking": [1, 2], "img_better": "a", "img_worse": "b",
        "image": "a", "overall_rating": 3, "redraft": None,
    },
    "vision-reward": {"prompt": "p", "annotation": {"face": 1, "body": None}, "url": "u", "redraft": None},
    "rich-hf": {"filename": "f", "overall_score": 0.5, "prompt": "p", "redraft": None},
    "geneval-crowd": dict.fromkeys(FORMATS["geneval-crowd"].columns, "1"),
    "label-studio": {
        "data": {"prompt": "p", "picture_0": "a", "picture_1": "b", "redraft": None},
        "annotations": [{
            "result": [{"from_name": "choice", "to_name": "picture_0,picture_1", "type": "pairwise",
                        "value": {"selected": "left"}}],
            "completed_by": 1, "was_cancelled": False,
        }],
    },
    "argilla": {
        "id": "1", "fields": {"prompt": "p", "picture_0": "a", "picture_1": "b"}, "metadata": {"scales": None},
        "responses": {"choice": [{"value": "first", "user_id": "u", "status": "submitted"}]},
    },
}  # fmt: skip


def fault_lines(found: list[Imported | Fault]) -> set[int]:
    """Every line that a fault speaks of."""
    spans = [re.findall(r"\d+", item.where.split(",")[0]) for item in found if isinstance(item, Fault)]
    return {number for span in spans for number in range(int(span[0]), int(span[-1]) + 1)}


def damaged(value: Any, chance: random.Random) -> Any:
    """A copy in which some values are odd ones, some keys are gone, some lists are longer."""
    if chance.random() < 0.08:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {key: damaged(item, chance) for key, item in value.items() if chance.random() > 0.08}
    if isinstance(value, list):
        items = [damaged(item, chance) for item in value]
        return items + items[:1] if chance.random() < 0.1 else items
    return value


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("format", SEEDS)
def test_no_damage_stops_a_reader_or_passes_uncounted(tmp_path: Path, format: str, seed: int) -> None:
    """500 damaged entries, each between two good ones: every good one is read, every entry gives a row or a fault."""
    chance = random.Random(f"{format} {seed}")
    good = SEEDS[format]
    entries = [entry for _ in range(500) for entry in (damaged(good, chance), good)]
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(entry) for entry in entries))
    found = list(import_rows(tmp_path / "in.jsonl", format=FORMATS[format]))
    read_lines = {item.number for item in found if isinstance(item, Imported)}
    assert set(range(2, 1001, 2)) <= read_lines
    assert read_lines | fault_lines(found) == set(range(1, 1001))
    assert len(fault_lines(found)) > 40  # the damage was felt
    # The decoders foresaw it all: none was caught by the net that import_rows spreads below them.
    assert not [item for item in found if isinstance(item, Fault) and item.message.startswith("cannot be read (")]


@pytest.mark.parametrize("container", ["lines", "list"])
def test_random_bytes_in_a_file_never_stop_it(tmp_path: Path, container: str) -> None:
    """A third of 300 entries get a random byte changed; all the others are read."""
    chance = random.Random(5)
    entries = [json.dumps({**ENTRY, "prompt": f"entry {n}"}).encode() for n in range(300)]
    harmed = set(chance.sample(range(1, 299), 100))
    parts = []
    for number, entry in enumerate(entries):
        content = bytearray(entry)
        if number in harmed:
            content[chance.randrange(1, len(content) - 1)] = chance.choice(b'{}[]",:\\x\xff\x00')
        parts.append(bytes(content).replace(b"\n", b" "))
    body = b"\n".join(parts) if container == "lines" else b"[" + b",\n".join(parts) + b"]"
    (tmp_path / "in").write_bytes(body)
    found = list(import_rows(tmp_path / "in", format=FORMATS["hpdv2"]))
    read_lines = {item.number for item in found if isinstance(item, Imported)}
    assert {number + 1 for number in range(300) if number not in harmed} <= read_lines
    # Neighbours that were both harmed may be told as one span of lines; none is passed over.
    assert read_lines | fault_lines(found) == set(range(1, 301))
    assert len(fault_lines(found) - read_lines) > 40


def test_nothing_is_imported_of_pyarrow_tables_with_foreign_types(tmp_path: Path) -> None:
    uids = {"image_0_uid": ["a", None], "image_1_uid": ["b", "c"]}
    table = pyarrow.table({"caption": [1, 2], "label_0": ["x", None], "label_1": [None, 1.0], **uids})
    parquet.write_table(table, tmp_path / "in.parquet")
    rows, faults = read(tmp_path / "in.parquet", "pick-a-pic")
    assert rows == []
    assert [fault.where for fault in faults] == ["row 1", "row 2"]
