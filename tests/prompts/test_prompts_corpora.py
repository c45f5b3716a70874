"""Reading prompt files: real files, real bad ones, messages asserted."""

from __future__ import annotations

from pathlib import Path

import pytest

from redraft.core.errors import UsageError
from redraft.prompts.corpora import read_prompts


def _write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_text_keeps_order_and_drops_repeats(tmp_path: Path) -> None:
    path = _write(tmp_path, "a.txt", b"a star\n\n  a circle \na star\n")
    assert [prompt.text for prompt in read_prompts(path)] == ["a star", "a circle"]
    assert read_prompts(path)[0].source == "a.txt"


def test_byte_order_mark_is_no_part_of_the_prompt(tmp_path: Path) -> None:
    assert read_prompts(_write(tmp_path, "a.txt", b"\xef\xbb\xbfa star\n"))[0].text == "a star"


def test_jsonl_reads_prompt_text_string_and_tags(tmp_path: Path) -> None:
    path = _write(tmp_path, "a.jsonl", b'{"prompt": "a star", "tags": ["x:y"]}\n{"text": "a ring"}\n"a moon"\n')
    prompts = read_prompts(path)
    assert [prompt.text for prompt in prompts] == ["a star", "a ring", "a moon"]
    assert prompts[0].tags == ("x:y",)


def test_partiprompts_are_read_in_full(test_data: Path) -> None:
    prompts = read_prompts(test_data / "partiprompts" / "PartiPrompts.tsv")
    assert len(prompts) == 1632
    assert any(tag.startswith("category:") for tag in prompts[0].tags)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", b"\n  \n", "holds no prompt: give a file with at least one"),
        ("latin.txt", b"a star\ncaf\xe9\n", "line 2 is not UTF-8 (byte 0xe9)"),
        ("long.txt", b"a star\n" + b"x" * 10_000, "line 2 has 10,000 characters: a prompt has at most 2,000"),
        ("bad.jsonl", b'{"prompt": 3}\n', "line 1 has no prompt"),
        ("broken.jsonl", b'"a star"\n{"prompt"\n', "line 2 is not JSON"),
        ("other.tsv", b"a\tb\n1\t2\n", "needs a column 'Prompt'"),
    ],
)
def test_bad_files_are_refused_with_line_rule_and_way_out(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read_prompts(_write(tmp_path, name, content))
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_prompts(tmp_path / "none.txt")
