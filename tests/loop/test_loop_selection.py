"""A person's choice in self-training: the file, the page that writes it, and a run that waits for it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from small_cycles import config_for, improve

from redraft.core.errors import UsageError
from redraft.evaluation.selection_page import Candidate, render_selection
from redraft.loop.selection import read_selection, require_selectable
from redraft.methods.nft import Nft
from redraft.methods.rsi import Rsi

COLLECTION = "3f9a61c02b7d4e58"
SELECTED = {"method": "rsi", "reward": {"clip": 1.0}, "methods": {"rsi": {"keep": 2}}, "tripwires": {"most_drift": 100}}


def line(picture: object, collection: object = COLLECTION) -> str:
    return json.dumps({"collection": collection, "picture": picture, "prompt": "a red star"}) + "\n"


def page(count: int = 3) -> str:
    rng = np.random.default_rng(0)
    cards = [
        Candidate(
            picture=10 * place, prompt=f'a "red" <star> {place}', scores={"reward": 0.5 - place / 10},
            pixels=rng.integers(0, 255, (8, 8, 3), dtype=np.uint8),
        )
        for place in range(count)
    ]  # fmt: skip
    return render_selection(cards, collection=COLLECTION, file="kept.jsonl")


def test_the_file_keeps_candidates_in_their_order_and_leaves_other_collections_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    assert read_selection(path, collection=COLLECTION, candidates=(7, 3, 9)) == ()
    path.write_text(line(9) + "\n" + line(4, "another") + line(7))
    assert read_selection(path, collection=COLLECTION, candidates=(7, 3, 9)) == (7, 9)
    assert read_selection(path, collection="0" * 16, candidates=(7, 3, 9)) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (line(8), r"line 1: picture 8 is none of the 3 candidates of 3f9a61c02b7d4e58: choose on the page"),
        (line(7) + line(3) + line(7), r"line 3: picture 7 stands in line 1 too: name it once"),
        ("{", r"line 1 is no JSON .*: give the file that the page saves"),
        ("[7]\n", r"line 1: a line must be an object with `collection`, a text, and `picture`, a whole number"),
        (line(True), r"line 1: a line must be an object"),
        (line(7, 1), r"line 1: a line must be an object"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"kept\.jsonl {message}"):
        read_selection(path, collection=COLLECTION, candidates=(7, 3, 9))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"selection '.*kept\.jsonl' cannot be read"):
        read_selection(path, collection=COLLECTION, candidates=(7,))


def test_only_methods_with_candidates_can_be_chosen_from() -> None:
    require_selectable(Rsi, name="rsi")
    with pytest.raises(UsageError, match=r"--selection with nft: its pictures are not chosen by hand; use rsi"):
        require_selectable(Nft, name="nft")


def test_the_page_is_one_file_that_asks_nothing_of_the_network() -> None:
    text = page()
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "default-src 'none'" in text
    assert "a &#34;red&#34; &lt;star&gt; 2" in text
    assert text.count("<img") == 3
    assert text.count("</script>") == 1


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_the_page_in_a_browser_saves_what_the_loop_reads(tmp_path: Path) -> None:
    """The script runs under the page's own policy, which allows no other: a probe in the page could not.

    So the page's one script is run as it is, in a page whose policy allows the probe beside it.
    """
    probe = """<script>
      document.querySelectorAll("button.card")[2].click();
      document.querySelectorAll("button.card")[1].click();
      document.querySelectorAll("button.card")[1].click();
      document.querySelectorAll("button.card")[0].click();
      document.body.dataset.saved = lines();
      document.getElementById("number").value = "2";
      document.getElementById("first").requestSubmit();
      document.body.dataset.first = lines();
      document.body.dataset.count = document.getElementById("count").textContent;
    </script>"""
    policy = re.search(r"script-src 'sha256-[^']+'", page())
    assert policy is not None
    strict = tmp_path / "strict.html"
    strict.write_text(page())
    loose = tmp_path / "loose.html"
    loose.write_text(page().replace(policy[0], "script-src 'unsafe-inline'").replace("</body>", probe + "</body>"))

    def dom(path: Path) -> str:
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        done = subprocess.run(
            [*command, "--dump-dom", path.as_uri()], check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout

    # Under the page's own policy the script ran: it filled in the count.
    assert "0 of 3 kept" in dom(strict)
    seen = dom(loose)
    attributes = dict(re.findall(r'data-(saved|first|count)="([^"]*)"', seen))
    kept = tmp_path / "kept.jsonl"
    kept.write_text(attributes["saved"].replace("&quot;", '"'))
    assert [json.loads(row)["picture"] for row in kept.read_text().splitlines()] == [0, 20]
    assert read_selection(kept, collection=COLLECTION, candidates=(20, 10, 0)) == (20, 0)
    assert attributes["count"] == "2 of 3 kept"
    assert attributes["first"].count("picture") == 2


def test_a_run_waits_for_the_choice_and_goes_on_with_it(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    config = config_for(model, **SELECTED, selection=str(file))
    with pytest.raises(UsageError) as waiting:
        improve(tmp_path / "space", config)
    message = str(waiting.value)
    found = re.fullmatch(
        r"round 1 waits for your choice among 4 pictures: open (\S+selection-round-1\.html), choose, save the file as "
        r"(\S+) and go on with `redraft runs resume improve-0001`",
        message,
    )
    assert found is not None, message
    text = Path(found[1]).read_text(encoding="utf-8")
    collection = re.search(r'data-collection="(\w+)"', text)
    assert collection is not None
    offered = [int(row) for row in re.findall(r'data-picture="(\d+)"', text)]
    assert len(offered) == 4
    assert Path(found[2]) == file
    file.write_text(line(offered[3], collection[1]) + line(offered[1], collection[1]))
    outcome = improve(tmp_path / "space", None)
    assert len(outcome.rounds) == 1
    # The file has served: the run kept the choice by itself.
    file.unlink()


def test_the_methods_own_selection_is_not_asked_when_a_person_chooses(model: Path, tmp_path: Path) -> None:
    """All four candidates kept by hand: twice what the method would keep by itself."""
    file = tmp_path / "kept.jsonl"
    config = config_for(model, **SELECTED, selection=str(file))
    with pytest.raises(UsageError, match=r"round 1 waits"):
        improve(tmp_path / "space", config)
    text = (tmp_path / "space" / "runs" / "improve-0001" / "selection-round-1.html").read_text(encoding="utf-8")
    collection = re.findall(r'data-collection="(\w+)"', text)[0]
    file.write_text("".join(line(int(row), collection) for row in re.findall(r'data-picture="(\d+)"', text)))
    seen: list[str] = []

    class Listening:
        def __getattr__(self, name: str):
            return (lambda text: seen.append(text)) if name == "note" else (lambda *_: None)

    improve(tmp_path / "space", None, observer=Listening())
    assert "round 1: 4 pictures were chosen by hand" in seen
