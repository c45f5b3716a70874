"""`redraft prompts build`: through the real entry point, and as processes that are killed or run out of room."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow
import pytest
from answers import Call
from pyarrow import parquet

SCENE = "a furry {} dog on a mossy rock in a jungle at sunset, oil painting, by greg rutkowski"
COLOURS = ("red", "green", "blue", "brown", "black", "white", "pink", "orange", "yellow", "grey", "purple", "golden")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.txt"
    path.write_text("".join(SCENE.format(colour) + "\n" for colour in COLOURS) + "a dog\na nude woman\n")
    return path


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_folder_with_everything_in_it(call: Call, mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "built"
    answer = call("prompts", "build", mine, "-o", out, "--held-out", 0.5, "--json", "--seed", 3)
    assert answer.code == 0, answer.err
    summary = answer.json()
    assert summary["folder"] == str(out)
    assert (summary["read"], summary["kept"], summary["seed"]) == (14, 12, 3)
    assert summary["dropped"]["toxic"] == summary["dropped"]["specificity"] == 1
    assert sum(summary["dropped"].values()) == 2
    assert summary["styles"] == {"painting": 12}
    assert summary["sources"] == {"mine.txt": {"read": 14, "kept": 12}}
    assert (summary["judge"], summary["embedding"], summary["config"]["held_out"]) == ("rules", "tf-idf", 0.5)
    assert sorted(path.name for path in out.iterdir()) == [
        "dropped.jsonl", "held-out.jsonl", "summary.json", "train.jsonl",
    ]  # fmt: skip
    assert {key: value for key, value in summary.items() if key != "folder"} == json.loads(
        (out / "summary.json").read_text()
    )
    for name, digest in summary["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    train, held_out = rows(out / "train.jsonl"), rows(out / "held-out.jsonl")
    assert (len(train), len(held_out)) == (summary["train"], summary["held_out"])
    assert len(train) + len(held_out) == 12
    assert {row["split"] for row in train} == {"train"}
    first = train[0]
    assert str(first["prompt"]).endswith(" dog on a mossy rock in a jungle at sunset, oil painting")
    assert first["provenance"]["removed"] == ["by greg rutkowski"]  # type: ignore[index]
    assert {row["rule"] for row in rows(out / "dropped.jsonl")} == {"toxic", "specificity"}
    # What was built can be built upon, and is read by every other command.
    again = call("prompts", "build", out / "train.jsonl", "-o", tmp_path / "again", "--json")
    assert again.json()["kept"] == len(train)


def test_in_words(call: Call, mine: Path, tmp_path: Path) -> None:
    answer = call("prompts", "build", mine, "-o", tmp_path / "built", "--keep", 4)
    assert answer.code == 0, answer.err
    assert "14 prompts read, 4 kept" in answer.out
    assert "diversity" in answer.out
    assert "styles: 4 painting" in answer.out
    assert answer.out.rstrip().endswith(f"held out are in {tmp_path / 'built'}")


def test_the_same_input_gives_the_same_bytes(call: Call, mine: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert call("prompts", "build", mine, "-o", tmp_path / name, "--keep", 5).code == 0
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_several_kinds_and_liked_prompts(call: Call, mine: Path, tmp_path: Path) -> None:
    table = pyarrow.table({"prompt": [SCENE.format("silver"), SCENE.format("ivory")], "prompt_nsfw": [0.0, 0.9]})
    parquet.write_table(table, tmp_path / "metadata.parquet")
    liked = tmp_path / "liked.jsonl"
    liked.write_text(
        json.dumps({"prompt": SCENE.format("teal"), "tags": ["consent:training"], "source": "studio"})
        + "\n"
        + json.dumps({"prompt": "my secret " + SCENE.format("navy"), "source": "studio"})
        + "\n"
    )
    (tmp_path / "toxic.txt").write_text("Golden dog\n\n")
    answer = call(
        "prompts", "build", mine, f"diffusiondb={tmp_path / 'metadata.parquet'}", "--liked", liked,
        "--toxic", tmp_path / "toxic.txt", "--no-clean", "-o", tmp_path / "built", "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    summary = answer.json()
    assert summary["sources"]["metadata.parquet"] == {"read": 2, "kept": 1}
    assert summary["sources"]["studio"] == {"read": 2, "kept": 1}
    assert (summary["dropped"]["consent"], summary["dropped"]["toxic"]) == (1, 3)
    assert "secret" not in "".join(path.read_text() for path in (tmp_path / "built").iterdir())
    kept = rows(tmp_path / "built" / "train.jsonl") + rows(tmp_path / "built" / "held-out.jsonl")
    assert all(str(row["prompt"]).endswith("by greg rutkowski") for row in kept)


def test_benchmarks_of_the_real_world(call: Call, test_data: Path, tmp_path: Path) -> None:
    answer = call(
        "prompts", "build", f"partiprompts={test_data / 'partiprompts' / 'PartiPrompts.tsv'}",
        f"geneval={test_data / 'geneval' / 'evaluation_metadata.jsonl'}",
        f"compbench={test_data / 't2i-compbench' / 'numeracy.txt'}",
        "--keep", 100, "-o", tmp_path / "built", "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    summary = answer.json()
    assert (summary["read"], summary["kept"]) == (1632 + 553 + 1000, 100)
    assert summary["dropped"]["toxic"] == 0
    kept = rows(tmp_path / "built" / "train.jsonl") + rows(tmp_path / "built" / "held-out.jsonl")
    suites = {tag for row in kept for tag in row["tags"] if str(tag).startswith("suite:")}  # type: ignore[attr-defined]
    assert suites == {"suite:partiprompts", "suite:geneval", "suite:t2i-compbench"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "no prompts were given: name at least one FILE"),
        (["none.txt"], "prompts file 'none.txt' cannot be read"),
        (["genevil=mine.txt"], "kind of corpus 'genevil' is unknown: did you mean 'geneval'"),
        (["mine.txt", "--clarity", 3], "the command line: clarity = 3.0: Input should be less than or equal to 1"),
        (["mine.txt", "--keep", 0], "keep = 0: Input should be greater than or equal to 1"),
        (["poor.txt"], "none of 2 prompts is left (1 by toxic, 1 by specificity): lower the least clarity"),
        (["mine.txt", "--liked", "none.jsonl"], "prompts file 'none.jsonl' cannot be read"),
        (["mine.txt", "--toxic", "none.txt"], "prompts file 'none.txt' cannot be read"),
        (["mine.txt", "-o", "full"], "folder 'full' is not empty: give a new one with --out"),
        (["mine.txt", "-o", "mine.txt"], "folder 'mine.txt' is not empty"),
        (["mine.txt", "--keeep", 3], "No such option"),
    ],
)
def test_bad_input_leaves_nothing(
    call: Call, mine: Path, monkeypatch: pytest.MonkeyPatch, options: list[object], message: str
) -> None:
    monkeypatch.chdir(mine.parent)
    Path("poor.txt").write_text("a dog\na nude woman\n")
    Path("full").mkdir()
    Path("full", "a").touch()
    before = sorted(Path().rglob("*"))
    answer = call("prompts", "build", *options)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert sorted(Path().rglob("*")) == before


def build_in_process(
    mine: Path, out: Path, first: str, *, under: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own, after the line `first`; `under` the command that starts it."""
    program = f"{first}\nfrom redraft.cli.main import run\nrun()"
    command = [*under, sys.executable, "-c", program, "prompts", "build", str(mine), "-o", str(out)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_full_disk_leaves_nothing(mine: Path, tmp_path: Path) -> None:
    # Beyond this size a write fails like one to a full disk (EFBIG); the signal would end the process instead.
    full = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    full += "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))"
    done = build_in_process(mine, tmp_path / "built", full)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the disk or its quota is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [mine]


def test_a_build_killed_at_its_last_moment_leaves_no_folder_and_can_be_repeated(mine: Path, tmp_path: Path) -> None:
    out = tmp_path / "built"
    die = (
        "import os, signal; replace = os.replace\n"
        f"os.replace = lambda a, b: os.kill(os.getpid(), signal.SIGKILL) if str(b) == {str(out)!r} else replace(a, b)"
    )
    assert build_in_process(mine, out, die).returncode == -signal.SIGKILL
    assert not out.exists() or not list(out.iterdir())
    assert build_in_process(mine, out, "").returncode == 0
    assert len(list(out.iterdir())) == 4
    assert sorted(tmp_path.iterdir()) == [out, mine]


def test_a_folder_that_may_not_be_written(mine: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    # Root may write everywhere, but for this capability.
    done = build_in_process(
        mine, locked / "built", "", under=("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(locked.iterdir()) == []


def test_help_and_rules_load_no_torch(mine: Path, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom redraft.cli.main import run\n"
        f"sys.argv = ['redraft', 'prompts', 'build', {str(mine)!r}, '-o', {str(tmp_path / 'built')!r}]\n"
        "try:\n    run()\nexcept SystemExit as error:\n    assert not error.code\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'pyarrow', 'numpy', 'sqlalchemy'} & sys.modules.keys()\n"
        "sys.exit(f'loaded: {sorted(heavy)}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "built" / "train.jsonl").is_file()
