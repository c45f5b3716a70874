"""How the command starts: fast and light, and how the doctor speaks about a broken environment. True subprocesses."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 0.5
"""Seconds of processor time that `redraft --help` may take."""


def redraft(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from redraft.cli.main import run; run()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)


def processor_time() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_help_answers_in_half_a_second() -> None:
    times = []
    for _ in range(5):
        before = processor_time()
        answer = redraft("--help")
        times.append(processor_time() - before)
        assert answer.returncode == 0
        assert "improve" in answer.stdout
    assert min(times) < LIMIT, times


def test_help_and_a_wrong_configuration_import_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("roundz = 1\n")
    code = (
        "import sys\nfrom redraft.cli.main import run\nsys.argv = ['redraft', *{arguments!r}]\n"
        "try:\n    run()\nexcept SystemExit as error:\n    print(error.code, file=sys.stderr)\n"
        "heavy = {{'torch', 'diffusers', 'transformers', 'peft', 'scipy', 'matplotlib', 'sqlalchemy'}}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    for arguments, end in ((["--help"], "0"), (["improve", "--help"], "0")):
        command = [sys.executable, "-c", code.format(arguments=arguments)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert answer.stderr.splitlines() == [end, "[]"], answer.stderr


def test_a_wrong_key_as_a_process(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("roundz = 1\n")
    answer = redraft("improve", "-w", str(tmp_path / "w"), "-c", str(tmp_path / "run.toml"))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "the key 'roundz' is unknown: did you mean 'rounds'" in answer.stderr
    assert "Traceback" not in answer.stderr
    answer = redraft("--debug", "improve", "-w", str(tmp_path / "w"), "-c", str(tmp_path / "run.toml"))
    assert "Traceback" in answer.stderr


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("RuntimeError('operator torchvision::nms does not exist')", "operator torchvision::nms does not exist"),
        ("OSError('libcudart.so.12: cannot open shared object file')", "libcudart.so.12"),
        ("RuntimeError()", "RuntimeError"),
    ],
)
def test_the_doctor_names_a_torchvision_that_does_not_fit(raised: str, said: str, tmp_path: Path) -> None:
    package = tmp_path / "site" / "torchvision"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"raise {raised}\n")
    answer = redraft("doctor", "-w", str(tmp_path / "w"), "--json", PYTHONPATH=str(tmp_path / "site"))
    assert answer.returncode == 1, answer.stderr
    result = json.loads(answer.stdout)
    assert result["healthy"] is False
    (finding,) = [finding for finding in result["findings"] if finding["subject"] == "torchvision"]
    assert finding["state"] == "fault"
    assert "does not work with this torch" in finding["text"]
    assert said in finding["text"]
    assert finding["way_out"].startswith("pip uninstall torchvision")


def test_the_doctor_in_words(tmp_path: Path) -> None:
    package = tmp_path / "site" / "torchvision"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    answer = redraft("doctor", "-w", str(tmp_path / "w"), PYTHONPATH=str(tmp_path / "site"))
    assert answer.returncode == 1
    assert "BAD  torchvision: is installed but does not work" in answer.stdout
    assert "-> pip uninstall torchvision (Redraft does not need it)" in answer.stdout
    assert answer.stdout.endswith("something is wrong: see BAD above\n")


@pytest.mark.parametrize(
    ("given", "spins"),
    [({}, "2000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "0")],
)
def test_threads_of_torch_wait_briefly_for_each_other_unless_the_user_says_how(
    given: dict[str, str], spins: str
) -> None:
    """What the OpenMP that torch brings says of itself, in a process that began as the command does."""
    code = (
        "import sys\nfrom redraft.cli.main import run\nsys.argv = ['redraft', '--version']\n"
        "try:\n    run()\nexcept SystemExit:\n    import torch\n"
    )
    environment = {
        name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        env={**environment, **given, "OMP_DISPLAY_ENV": "verbose"},
    )  # fmt: skip
    if "GOMP_SPINCOUNT" not in answer.stderr:
        pytest.skip(f"this torch brings no OpenMP of GCC: {answer.stderr[:200]!r}")
    assert f"GOMP_SPINCOUNT = '{spins}'" in answer.stderr


FAULTS = """
import resource, sys
from redraft.cli.main import run
sys.argv = ["redraft", "--version"]
try:
    run()
except SystemExit:
    pass
import subprocess
work = '''
import resource, torch
def step():
    kept = [torch.ones(1_000_000) for _ in range(100)]
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, flush=True)
'''
exec(work)
subprocess.run([sys.executable, "-c", work], check=True)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the allocator of glibc is told to keep memory")
@pytest.mark.parametrize(("given", "keeps"), [({}, True), ({"MALLOC_TRIM_THRESHOLD_": "131072"}, False)])
def test_freed_memory_is_kept_for_the_next_step_unless_the_user_says_how(given: dict[str, str], keeps: bool) -> None:
    """400 MB taken again and again: no new pages where they were kept, in this process and in one that it starts."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    answer = subprocess.run(
        [sys.executable, "-c", FAULTS], capture_output=True, text=True, timeout=120, env={**environment, **given}
    )
    assert answer.returncode == 0, answer.stderr
    pages = [int(line) for line in answer.stdout.split()[-2:]]
    huge = 5 * 400_000_000 // (2 << 20)  # five steps in pages of 2 MB, where the system gives such
    assert all(count < huge / 10 for count in pages) if keeps else all(count > huge / 2 for count in pages), pages
