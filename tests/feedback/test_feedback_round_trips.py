"""What goes out comes back: foreign files unchanged, our rows with everything they say, by each format."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from exchanged import pair, preference, rating, read, write
from pyarrow import parquet

from redraft.core.feedback import Preference, Rating
from redraft.core.keys import Key
from redraft.feedback.exchange.formats import Writing
from redraft.feedback.exchange.pairs import with_drawn_sides
from redraft.feedback.exchange.registry import FORMATS, format_named
from redraft.feedback.exchange.rows import Row, Sides

COMPARISONS = [
    pair((1.0, 0.0), number=1),
    pair((0.0, 1.0), number=2, rater=""),
    replace(pair((0.5, 0.5), number=3), sides=Sides(seed=7, number=3, swapped=True)),
    replace(pair(number=4), judgement=replace(pair(number=4).judgement, weight=2.5)),
    replace(pair(number=5), format="elsewhere", item="x", details={"kept": {"deep": [1, None, "ü"]}}),
]
ALL_KINDS = {
    "pair": COMPARISONS,
    "choice": [preference("choice", (0.0, 1.0, 0.0)), preference("choice", (1.0, 0.0, 0.0), rater="ben")],
    "ranks": [preference("ranks", (1.0, 3.0, 2.0, 2.0)), preference("ranks", (2.0, 1.0), rater="", weight=0.5)],
    "stars": [preference("stars", (5.0,)), preference("stars", (1.0, 4.0))],
    "thumbs": [preference("thumbs", (1.0,)), preference("thumbs", (0.0, 1.0), weight=3.0)],
    "rating": [rating(quality=4, detail=7), rating("", quality=0, detail=10)],
}
HOLDS = {
    "jsonl": tuple(ALL_KINDS),
    "hpdv2": ("pair", "choice", "ranks"),
    "pick-a-pic": ("pair",),
    "image-reward": ("pair", "ranks"),
    "label-studio": tuple(ALL_KINDS),
    "argilla": tuple(ALL_KINDS),
}


def said(row: Row) -> tuple[Any, ...]:
    """What must survive any trip: the judgement, its generators, the record of its sides."""
    return row.judgement, row.models, row.sides


@pytest.mark.parametrize(("format", "kind"), [(name, kind) for name, kinds in HOLDS.items() for kind in kinds])
def test_our_rows_come_back_from_every_format_that_holds_them(tmp_path: Path, format: str, kind: str) -> None:
    rows = ALL_KINDS[kind]
    beside, faults = write(rows, tmp_path / "out", format)
    assert faults == []
    back, faults = read(tmp_path / "out", format, labeling=beside)
    assert faults == []
    assert [said(row) for row in back] == [said(row) for row in rows]


def test_a_pair_of_image_reward_that_became_a_ranking_of_three_is_told(tmp_path: Path) -> None:
    write([pair()], tmp_path / "out.json", "image-reward")
    (entry,) = json.loads((tmp_path / "out.json").read_text())
    more = {"generations": ["a", "b", "c"], "ranking": [1, 2, 3]}
    (tmp_path / "in.json").write_text(json.dumps([entry | more]))
    rows, (fault,) = read(tmp_path / "in.json", "image-reward")
    assert rows == []
    assert "(ranks of 3 pictures as 'pair'): leave it as it was written" in fault.message


@pytest.mark.parametrize("format", HOLDS)
def test_where_a_row_came_from_survives(tmp_path: Path, format: str) -> None:
    foreign = COMPARISONS[-1]
    beside, _ = write([foreign], tmp_path / "out", format)
    back, _ = read(tmp_path / "out", format, labeling=beside)
    assert back == [foreign]


@pytest.mark.parametrize("format", ["label-studio", "argilla"])
def test_several_people_on_one_item_are_one_entry(tmp_path: Path, format: str) -> None:
    rows = [replace(pair(rater=name), item="7", format="elsewhere") for name in ("anna", "ben", "")]
    beside, _ = write(rows, tmp_path / "out.json", format)
    assert len(json.loads((tmp_path / "out.json").read_text())) == 1
    back, _ = read(tmp_path / "out.json", format, labeling=beside)
    assert back == rows


def test_nameless_people_of_one_item_are_not_taken_for_one(tmp_path: Path) -> None:
    rows = [replace(rating("", quality=mark), item="HIT", format="elsewhere") for mark in (1, 2, 3, 4, 5)]
    _, faults = write(rows, tmp_path / "out.json", "argilla")
    assert faults == []
    assert read(tmp_path / "out.json", "argilla")[0] == rows


HPD_TRAIN = [
    {"human_preference": [1, 0], "prompt": "a cat", "file_path": ["a.jpg", "b.jpg"]},
    {"human_preference": [0, 1], "prompt": "a dog", "file_path": ["c.jpg", "d.jpg"], "extra": {"kept": 1}},
]
HPD_TEST = [
    {
        "prompt": "a cat",
        "image_path": ["a.jpg", "b.jpg", "c.jpg"],
        "rank": [1.5, 1.5, 3],
        "raw_annotations": [
            {"rank": [1, 2, 3], "user_hash": "x"},
            {"rank": [2, 1, 3], "user_hash": "y", "seconds": 4},
        ],
    },
    {"prompt": "none named", "image_path": ["a.jpg", "b.jpg"], "rank": [2, 1], "raw_annotations": []},
    {
        "prompt": "from zero",
        "image_path": ["a.jpg", "b.jpg"],
        "rank": [0, 1],
        "raw_annotations": [{"rank": [0, 1], "user_hash": "z"}],
    },
]


@pytest.mark.parametrize("entries", [HPD_TRAIN, HPD_TEST])
def test_hpd_entries_come_back_as_they_were(tmp_path: Path, entries: list[dict[str, Any]]) -> None:
    (tmp_path / "in.json").write_text(json.dumps(entries))
    rows, faults = read(tmp_path / "in.json", "hpdv2")
    assert faults == []
    write(rows, tmp_path / "out.json", "hpdv2")
    assert json.loads((tmp_path / "out.json").read_text()) == entries


def test_hpd_test_gives_one_row_a_person() -> None:
    people = [entry["raw_annotations"] for entry in HPD_TEST]
    assert [len(found) for found in people] == [2, 0, 1]  # of which the second has its averaged rank alone


def test_hpd_ranks_from_zero_become_ranks_from_one(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps(HPD_TEST))
    rows, _ = read(tmp_path / "in.json", "hpdv2")
    assert [(row.judgement.rater, row.judgement.answer) for row in rows if isinstance(row.judgement, Preference)] == [
        ("x", (1.0, 2.0, 3.0)), ("y", (2.0, 1.0, 3.0)), ("", (2.0, 1.0)), ("z", (1.0, 2.0)),
    ]  # fmt: skip


def test_hpd_version_1_is_a_choice_among_several(tmp_path: Path) -> None:
    entry = {"human_preference": 2, "prompt": "p", "file_path": ["a", "b", "c"], "user_hash": "u", "id": 9}
    (tmp_path / "in.json").write_text(json.dumps([entry]))
    (row,), _ = read(tmp_path / "in.json", "hpdv2")
    assert isinstance(row.judgement, Preference)
    assert (row.judgement.kind, row.judgement.answer, row.judgement.rater) == ("choice", (0.0, 0.0, 1.0), "u")


def pick_a_pic_table() -> pyarrow.Table:
    """Two labelled rows, a tie among them, and one that nobody labelled, in the published columns."""
    at = datetime(2023, 4, 5, 6, 7, 8, 901, tzinfo=UTC).replace(tzinfo=None)
    rows = [
        {
            "are_different": True, "best_image_uid": f"u{n}" if label != 0.5 else "tie", "caption": f"p{n}",
            "created_at": at, "has_label": n < 2, "image_0_uid": f"u{n}", "image_0_url": f"https://x/{n}",
            "image_1_uid": f"v{n}", "image_1_url": f"https://y/{n}",
            "jpg_0": b"\xff\xd8\xff0", "jpg_1": b"\xff\xd8\xff1", "label_0": label,
            "label_1": 1 - label, "model_0": "sd", "model_1": "xl", "ranking_id": 10 + n,
            "user_id": 100 + n, "num_example_per_prompt": 3, "__index_level_0__": n,
        }
        for n, label in enumerate((1.0, 0.5, 0.0))
    ]  # fmt: skip
    kinds = {field.name: field.type for field in FORMATS["pick-a-pic"].schema()}  # type: ignore[misc]
    return pyarrow.Table.from_pylist(rows, schema=pyarrow.schema([(name, kinds[name]) for name in rows[0]]))


def test_pick_a_pic_columns_come_back_as_they_were(tmp_path: Path) -> None:
    parquet.write_table(pick_a_pic_table(), tmp_path / "in.parquet")
    rows, faults = read(tmp_path / "in.parquet", "pick-a-pic")
    assert [str(fault).split(":")[0] for fault in faults] == ["row 3"]  # nobody chose there
    assert "nobody chose" in faults[0].message
    assert [row.models for row in rows] == [("sd", "xl")] * 2
    write(rows, tmp_path / "out.parquet", "pick-a-pic")
    source = parquet.read_table(tmp_path / "in.parquet").slice(0, 2).drop_columns(["jpg_0", "jpg_1"])
    back = parquet.read_table(tmp_path / "out.parquet")
    assert back.column("redraft").null_count == 2
    assert back.select(source.column_names).equals(source)


def test_pictures_of_parquet_files_are_taken_out_and_put_back(tmp_path: Path) -> None:
    parquet.write_table(pick_a_pic_table(), tmp_path / "in.parquet")
    kept: dict[str, bytes] = {}

    def keep(data: bytes) -> str:
        name = f"pictures/{len(kept)}.jpg"
        kept[name] = data
        return name

    rows, _ = read(tmp_path / "in.parquet", "pick-a-pic", keep=keep)
    assert rows[1].pictures == ("pictures/2.jpg", "pictures/3.jpg")
    write(rows, tmp_path / "out.parquet", "pick-a-pic", writing=Writing(embed=kept.get))
    source = parquet.read_table(tmp_path / "in.parquet").slice(0, 2)
    back = parquet.read_table(tmp_path / "out.parquet")
    assert back.select(source.column_names).equals(source)
    again, _ = read(tmp_path / "out.parquet", "pick-a-pic")
    assert again == rows


def test_pictures_as_datasets_keeps_them_are_taken_out(tmp_path: Path) -> None:
    table = pick_a_pic_table()
    for name in ("jpg_0", "jpg_1"):
        parts = [{"bytes": data, "path": f"{name}.jpg"} for data in table.column(name).to_pylist()]
        table = table.set_column(table.schema.get_field_index(name), name, pyarrow.array(parts))
    parquet.write_table(table, tmp_path / "in.parquet")
    rows, _ = read(tmp_path / "in.parquet", "pick-a-pic", keep=lambda data: f"kept {data[3:].decode()}")
    assert [row.pictures for row in rows] == [("kept 0", "kept 1")] * 2
    assert read(tmp_path / "in.parquet", "pick-a-pic")[0][0].pictures == ("u0", "v0")


def test_whole_numbers_that_pandas_made_floats_are_read_as_such(tmp_path: Path) -> None:
    table = pick_a_pic_table().slice(0, 2)
    for name, values in {"ranking_id": [10.0, None], "user_id": [100.0, float("nan")]}.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pyarrow.array(values, pyarrow.float64()))
    parquet.write_table(table, tmp_path / "in.parquet")
    rows, faults = read(tmp_path / "in.parquet", "pick-a-pic")
    assert faults == []
    assert [row.judgement.rater for row in rows] == ["100", ""]
    assert [row.details.get("ranking_id") for row in rows] == [10, None]
    _, faults = write(rows, tmp_path / "out.parquet", "pick-a-pic")
    assert faults == []
    back = parquet.read_table(tmp_path / "out.parquet")
    assert back.column("user_id").to_pylist() == [100, None]
    assert back.column("ranking_id").to_pylist() == [10, None]


def test_image_reward_pairs_do_not_keep_the_winner_first(tmp_path: Path) -> None:
    entries = [
        {"prompt": f"p{n}", "prompt_id": str(n), "img_better": f"{n}w", "img_worse": f"{n}l"} for n in range(400)
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, entries)))
    rows, faults = read(tmp_path / "in.jsonl", "image-reward", seed=3)
    assert faults == []
    for number, row in enumerate(rows, 1):
        assert isinstance(row.judgement, Preference)
        winner = row.judgement.pictures[row.judgement.answer.index(1.0)]
        assert winner.endswith("w")
        assert row.sides == Sides(seed=3, number=number, swapped=row.judgement.pictures[0].endswith("l"))
    swapped = sum(row.sides is not None and row.sides.swapped for row in rows)
    assert abs(swapped - 200) < 50  # five standard deviations of 400 fair coins; the seed is fixed
    assert rows == read(tmp_path / "in.jsonl", "image-reward", seed=3)[0]
    assert rows != read(tmp_path / "in.jsonl", "image-reward", seed=4)[0]


@pytest.mark.parametrize("indent", [None, 2])
def test_each_pair_of_a_list_has_a_coin_of_its_own_however_it_is_broken_into_lines(
    tmp_path: Path, indent: int | None
) -> None:
    entries = [{"prompt": f"p{n}", "img_better": f"{n}w", "img_worse": f"{n}l"} for n in range(40)]
    (tmp_path / "in.json").write_text(json.dumps(entries, indent=indent))
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, entries)))
    rows, faults = read(tmp_path / "in.json", "image-reward")
    assert faults == []
    assert [row.sides.number for row in rows if row.sides is not None] == list(range(1, 41))
    assert 8 <= sum(row.sides is not None and row.sides.swapped for row in rows) <= 32
    assert rows == read(tmp_path / "in.jsonl", "image-reward")[0]


def test_a_drawn_side_can_be_recomputed_from_its_record() -> None:
    row = with_drawn_sides(pair(), Key(seed=11), number=42)
    assert row.sides is not None
    assert row.sides.swapped == bool(Key(seed=row.sides.seed).child("sides", row.sides.number).entropy & 1)


def test_image_reward_single_pictures_are_ratings(tmp_path: Path) -> None:
    entry = {
        "image": {"bytes": b"\x89PNG", "path": "a.webp"}, "prompt": "p", "prompt_id": "1", "rank": 2,
        "overall_rating": 6, "image_text_alignment_rating": 7, "fidelity_rating": 5,
    }  # fmt: skip
    parquet.write_table(pyarrow.Table.from_pylist([entry]), tmp_path / "in.parquet")
    (row,), _ = read(tmp_path / "in.parquet", "image-reward", keep=lambda data: f"kept {len(data)}")
    assert isinstance(row.judgement, Rating)
    assert row.judgement.values == {"overall_rating": 6, "image_text_alignment_rating": 7, "fidelity_rating": 5}
    assert set(row.judgement.scales.values()) == {(1.0, 7.0)}
    assert row.pictures == ("kept 4",)


def test_the_checklist_of_vision_reward_comes_back(tmp_path: Path) -> None:
    entry = {
        "internal_id": "i1", "url": "https://x/1.png", "image": None, "prompt": "p", "meta_result": [1, 0],
        "meta_mask": [1, 1],
        "annotation": {"symmetry": -1, "richness": 2, "hands": None, "detail refinement": -4, "unsafe type": 3},
    }  # fmt: skip
    (tmp_path / "in.jsonl").write_text(json.dumps(entry))
    rows, faults = read(tmp_path / "in.jsonl", "vision-reward")
    assert faults == []
    assert isinstance(rows[0].judgement, Rating)
    assert rows[0].judgement.values == {"symmetry": -1, "richness": 2, "detail refinement": -4, "unsafe type": 3}
    assert rows[0].judgement.scales["hands"] == (-4.0, 1.0)
    write(rows, tmp_path / "out.parquet", "vision-reward")
    back, faults = read(tmp_path / "out.parquet", "vision-reward")
    assert faults == []
    assert isinstance(back[0].judgement, Rating)
    assert back[0].judgement == rows[0].judgement  # of eighteen columns, the five questions that were asked
    assert back[0].details == rows[0].details


def test_one_question_in_two_spellings_is_one_fault(tmp_path: Path) -> None:
    twice = {"color_aesthetic": 1, "color aesthetic": -1}
    message = (
        "has answers to 'color_aesthetic' and 'color aesthetic', one question: only one can be meant, remove the other"
    )
    (tmp_path / "in.jsonl").write_text(json.dumps({"prompt": "p", "url": "u", "annotation": twice}))
    rows, (fault,) = read(tmp_path / "in.jsonl", "vision-reward")
    assert (rows, str(fault)) == ([], f"line 1: {message}")
    said = Rating(prompt="p", picture="a.png", values=twice, scales=dict.fromkeys(twice, (-1.0, 1.0)))
    _, (fault,) = write([Row(judgement=said)], tmp_path / "out.parquet", "vision-reward")
    assert fault.message == message
    unasked = {"prompt": "p", "url": "u", "annotation": {**twice, "color_aesthetic": None}}
    (tmp_path / "in.jsonl").write_text(json.dumps(unasked))
    rows, faults = read(tmp_path / "in.jsonl", "vision-reward")
    assert faults == []
    assert [getattr(row.judgement, "values", None) for row in rows] == [{"color aesthetic": -1.0}]
    _, faults = write(rows, tmp_path / "out.parquet", "vision-reward")
    assert faults == []
    assert read(tmp_path / "out.parquet", "vision-reward")[1] == []


def test_a_checklist_whose_picture_is_a_path_comes_back_from_parquet(tmp_path: Path) -> None:
    scales = {"symmetry": (-1.0, 1.0), "hands": (-4.0, 1.0)}
    said = Rating(prompt="p", picture="folder/a.png", values={"symmetry": 1.0}, scales=scales, rater="anna")
    _, faults = write([Row(judgement=said)], tmp_path / "out.parquet", "vision-reward")
    assert faults == []
    back, faults = read(tmp_path / "out.parquet", "vision-reward")
    assert faults == []
    assert [row.judgement for row in back] == [said]
    off = replace(said, scales={"symmetry": (-2.0, 2.0)})
    _, (fault,) = write([Row(judgement=off)], tmp_path / "off.parquet", "vision-reward")
    assert "'symmetry' on its scale is no question of VisionReward's checklist" in fault.message


def test_paths_in_columns_of_pictures_are_read_without_taking_pictures_out(tmp_path: Path) -> None:
    pair_entry: dict[str, Any] = {"prompt": "p", "img_better": "w.png", "img_worse": "l.png"}
    for picture in ("a.png", {"bytes": b"\x89PNG", "path": "a.png"}):
        single = {"prompt": "p", "image": picture, "overall_rating": 5}
        parquet.write_table(pyarrow.Table.from_pylist([single]), tmp_path / "single.parquet")
        rows, faults = read(tmp_path / "single.parquet", "image-reward")
        assert faults == []
        assert [row.pictures for row in rows] == [("a.png",)]
    parquet.write_table(pyarrow.Table.from_pylist([pair_entry]), tmp_path / "pair.parquet")
    rows, faults = read(tmp_path / "pair.parquet", "image-reward")
    assert faults == []
    assert set(rows[0].pictures) == {"w.png", "l.png"}


@pytest.mark.parametrize("picture", [b"\x89PNG", {"bytes": b"\x89PNG", "path": None}])
def test_a_picture_without_a_path_asks_for_a_folder(tmp_path: Path, picture: object) -> None:
    single = {"prompt": "p", "image": picture, "overall_rating": 5}
    schema = pyarrow.schema([
        ("prompt", pyarrow.string()), ("overall_rating", pyarrow.int64()),
        ("image", pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
         if isinstance(picture, dict) else pyarrow.binary()),
    ])  # fmt: skip
    parquet.write_table(pyarrow.Table.from_pylist([single], schema=schema), tmp_path / "in.parquet")
    _, (fault,) = read(tmp_path / "in.parquet", "image-reward")
    assert fault.message == "image has no path: take pictures that the file holds out with --pictures FOLDER"
    rows, faults = read(tmp_path / "in.parquet", "image-reward", keep=lambda data: f"kept {len(data)}")
    assert faults == []
    assert rows[0].pictures == ("kept 4",)


def test_ratings_as_rich_hf_has_them_come_back(tmp_path: Path) -> None:
    entry = {
        "filename": "a.png", "aesthetics_score": 0.25, "artifact_score": 1.0, "misalignment_score": None,
        "overall_score": 0.0, "prompt_misalignment_label": "1 0 1",
    }  # fmt: skip
    (tmp_path / "in.jsonl").write_text(json.dumps(entry))
    rows, faults = read(tmp_path / "in.jsonl", "rich-hf")
    assert faults == []
    write(rows, tmp_path / "out.jsonl", "rich-hf")
    assert json.loads((tmp_path / "out.jsonl").read_text()) == entry


def test_rich_hf_is_read_from_csv_as_well(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("filename,overall_score,artifact_score\na.png,0.5,\n")
    (row,), _ = read(tmp_path / "in.csv", "rich-hf")
    assert isinstance(row.judgement, Rating)
    assert row.judgement.values == {"overall_score": 0.5}


def test_foreign_label_studio_projects_are_read_by_their_configuration(tmp_path: Path) -> None:
    labeling = """<View><Text name="t" value="$caption"/><Image name="l" value="$one"/><Image name="r" value="$two"/>
    <Pairwise name="better" toName="l,r"/></View>"""
    result = {"from_name": "better", "to_name": "l,r", "type": "pairwise", "value": {"selected": "right"}}
    task = {
        "id": 5, "data": {"caption": "a cat", "one": "1.png", "two": "2.png", "source": "mine"},
        "annotations": [
            {"id": 9, "completed_by": {"id": 3, "email": "a@b.c"}, "lead_time": 2.5, "result": [result]},
            {"id": 10, "completed_by": 4, "was_cancelled": True, "result": []},
        ],
    }  # fmt: skip
    (tmp_path / "in.json").write_text(json.dumps([task]))
    (row,), (fault,) = read(tmp_path / "in.json", "label-studio", labeling=labeling)
    assert row.judgement == Preference(
        prompt="a cat", pictures=("1.png", "2.png"), kind="pair", answer=(0.0, 1.0), rater="3"
    )
    assert row.details["annotation"]["lead_time"] == 2.5
    assert row.details["data"] == {"source": "mine"}
    assert (
        str(fault) == "line 1, entry 1, annotation 2: was skipped by the person: there is nothing in it to learn from"
    )


def test_no_e_mail_address_of_a_label_studio_file_is_kept(tmp_path: Path) -> None:
    result = {"from_name": "choice", "to_name": "picture_0", "type": "pairwise", "value": {"selected": "left"}}
    people: list[Any] = [
        "Bob@X.org", {"email": "bob@x.org", "first_name": "Bob"}, {"id": 7, "email": "eve@x.org"}, 8, "ben",
        "root@localhost",
    ]  # fmt: skip
    tasks = [
        {
            "data": {"prompt": "p", "picture_0": "1.png", "picture_1": "2.png"},
            "comment_authors": [{"id": 7, "email": "eve@x.org"}], "updated_by": "mail eve@x.org",
            "annotations": [
                {"completed_by": person, "created_username": " bob@x.org, 1", "lead_time": 2.5, "result": [result]}
                for person in people
            ],
        }
    ]  # fmt: skip
    (tmp_path / "in.json").write_text(json.dumps(tasks))
    rows, faults = read(tmp_path / "in.json", "label-studio")
    assert faults == []
    bob, eve = "person-b752a9a4f7b86f6b", "person-1bc2def73d06e6f4"
    root = "person-0a44f8735cbc275f"
    assert [row.judgement.rater for row in rows] == [bob, bob, "7", "8", "ben", root]
    assert [row.details["annotation"] for row in rows] == [
        {"completed_by": person, "lead_time": 2.5} for person in (bob, bob, {"id": 7}, 8, "ben", root)
    ]
    assert rows[0].details["task"] == {"comment_authors": [{"id": 7}], "updated_by": f"mail {eve}"}
    beside, _ = write(rows, tmp_path / "out.json", "label-studio")
    assert "@" not in (tmp_path / "out.json").read_text()
    assert read(tmp_path / "out.json", "label-studio", labeling=beside)[0] == rows


def test_a_submitted_response_survives_a_draft_beside_it(tmp_path: Path) -> None:
    record = {
        "id": "1", "fields": {"prompt": "p", "picture_0": "a", "picture_1": "b"}, "metadata": {},
        "responses": {"choice": [
            {"value": "second", "user_id": None, "status": "submitted"},
            {"value": "first", "user_id": "b2a7c9a4-0a4b-4f0e-9d2c-1f4f5cf1f0a7", "status": "draft"},
        ]},
    }  # fmt: skip
    (tmp_path / "in.json").write_text(json.dumps([record]))
    (row,), (fault,) = read(tmp_path / "in.json", "argilla")
    assert isinstance(row.judgement, Preference)
    assert row.judgement.answer == (0.0, 1.0)
    assert "line 1, entry 1, response to choice: is draft" in str(fault)


def test_what_a_format_cannot_say_is_told_and_the_others_are_written(tmp_path: Path) -> None:
    rows = [pair((0.7, 0.3)), pair(number=2), rating(quality=3)]
    for format, refused in {"image-reward": 2, "argilla": 1, "label-studio": 2, "pick-a-pic": 1, "hpdv2": 1}.items():
        out = tmp_path / format
        beside, faults = write(rows, out, format)
        assert len(faults) == refused, format
        assert all("export" in fault.message for fault in faults)
        assert len(read(out, format, labeling=beside)[0]) == 3 - refused


def test_a_cell_that_a_spreadsheet_would_run_is_refused(test_data: Path, tmp_path: Path) -> None:
    rows, _ = read(test_data / "geneval/annotations/annotations_clip.csv", "geneval-crowd")
    bad = replace(rows[0], details={**rows[0].details, "Answer.task-objects": '=HYPERLINK("x")'})
    _, (fault,) = write([bad, rows[1]], tmp_path / "out.csv", "geneval-crowd")
    assert "a spreadsheet would run as a formula: use jsonl" in fault.message
    assert len(read(tmp_path / "out.csv", "geneval-crowd")[0]) == 1


def test_an_unknown_format_names_its_neighbour() -> None:
    with pytest.raises(Exception, match="did you mean 'pick-a-pic'"):
        format_named("pickapic")
