"""The rules of the house that machines can hold. CONTRIBUTING.md gives them in words, docs/architecture.md the reasons.

What import-linter can say stands in pyproject.toml; this file runs it, and says what it cannot.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "redraft"
ROOFS = ("cli", "client", "testing")
FLOOR_4 = ("loop", "studio")
LONGEST_FILE = 350
LONGEST_FUNCTION = 60

# Packages that a room may import besides the standard library and pydantic: at the top of a file, or inside functions
# only, so that the light rooms and `redraft --help` stay fast. Rooms that are not named here are free.
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "core": ({"torch"}, set()),
    "diffusion": ({"torch"}, set()),
    "world": ({"numpy", "PIL", "scipy"}, set()),
    "feedback": (set(), {"pyarrow"}),
    "store": ({"sqlalchemy", "alembic", "fsspec", "obstore", "safetensors"}, set()),
    "methods": ({"torch"}, {"accelerate"}),
    "models": ({"torch", "safetensors"}, {"diffusers", "transformers", "peft"}),
    "rewards": ({"torch", "numpy", "safetensors"}, {"transformers", "PIL"}),
    "prompts": (set(), {"numpy", "sklearn", "transformers", "pyarrow"}),
    "evaluation": (
        {"numpy", "scipy"},
        {"torch", "transformers", "matplotlib", "jinja2", "markupsafe", "PIL", "safetensors"},
    ),
    "loop": ({"torch", "numpy", "scipy"}, {"safetensors", "ray", "PIL"}),
    "studio": (
        # Torch is for files of the engine that its own process imports; that no other loads it is held below.
        {"fastapi", "starlette", "uvicorn", "prometheus_client", "limits", "argon2", "torch"},
        {"PIL", "numpy", "httpx", "joserfc"},
    ),
    "client": ({"httpx"}, set()),
    "cli": ({"typer", "rich"}, {"torch", "diffusers", "transformers", "peft", "numpy", "PIL"}),
}
# The only files that change weights; methods give them a loss.
TRAINING_FILES = (
    "src/redraft/methods/fit.py", "src/redraft/rewards/fit.py", "src/redraft/rewards/preference_fit.py",
    "src/redraft/rewards/facets_training.py",
    "scripts/builtin_models/",
)  # fmt: skip
SEEDED_NUMPY = {"default_rng", "Generator", "SeedSequence", "BitGenerator", "PCG64"}
DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "poisson"}
DRAWS |= {"rand_like", "randn_like", "randint_like"}
DRAWS_IN_PLACE = {"normal_", "uniform_", "bernoulli_", "random_", "exponential_", "kaiming_uniform_", "kaiming_normal_"}
DRAWS_IN_PLACE |= {"xavier_uniform_", "xavier_normal_", "trunc_normal_", "orthogonal_"}


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found, f"no Python file in {folders}: is this a whole checkout?"
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def below_floor_4() -> list[Path]:
    return [path for path in sources("src") if room_of(path) not in (*ROOFS, *FLOOR_4)]


def dotted(node: ast.expr) -> str:
    """`torch.nn.init.normal_` for such an expression; what stands before a call or an index is left out."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else node.attr
    return node.id if isinstance(node, ast.Name) else ""


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """(full name, line, at the top) of everything imported; what only type checkers import is left out."""

    def walk(node: ast.AST, top: bool) -> Iterator[tuple[str, int, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, child.lineno, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.level == 0 and child.module:
                yield from ((f"{child.module}.{alias.name}", child.lineno, top) for alias in child.names)
            elif isinstance(child, ast.If) and dotted(child.test).endswith("TYPE_CHECKING"):
                continue
            else:
                yield from walk(child, top and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))

    return walk(tree(path), True)


def run(*command: str) -> None:
    """Run a tool in the project and fail with what it printed."""
    done = subprocess.run([*command], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"`{' '.join(command[1:])}` found faults:\n{done.stdout}\n{done.stderr}", pytrace=False)


def none(faults: list[str], rule: str) -> None:
    if faults:
        pytest.fail(f"{rule}:\n  " + "\n  ".join(faults), pytrace=False)


# --- the tools that `make check` runs --------------------------------------------------------------------------------


def test_the_sources_are_formatted() -> None:
    run(sys.executable, "-m", "ruff", "format", "--check", ".")


def test_the_sources_pass_the_linter() -> None:
    run(sys.executable, "-m", "ruff", "check", "--output-format", "concise", ".")


@pytest.mark.slow
def test_the_types_are_strict() -> None:
    run(sys.executable, "-m", "mypy")


def test_the_walls_of_the_house_hold() -> None:
    run(sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")


# --- who may import what ---------------------------------------------------------------------------------------------


def test_each_room_imports_only_its_packages() -> None:
    faults = []
    for path in sources("src"):
        if room_of(path) not in ALLOWED:
            continue
        at_top, inside = ALLOWED[room_of(path)]
        for name, line, top in imports(path):
            package = name.split(".")[0]
            if package in sys.stdlib_module_names or package in ("redraft", "pydantic") or package in at_top:
                continue
            if package not in inside:
                faults.append(f"{name_of(path)}:{line} imports {package}")
            elif top:
                faults.append(f"{name_of(path)}:{line} imports {package} at the top: only inside functions")
    none(faults, "a room imports a package that is not its own (docs/architecture.md has the table)")


def test_a_method_imports_no_other_method() -> None:
    methods = {path.stem for path in (ROOT / "docs" / "methods").glob("*.md")}
    faults = [
        f"{name_of(path)}:{line} imports {name}"
        for path in sources("src/redraft/methods")
        for name, line, _ in imports(path)
        if name.startswith("redraft.methods.") and name.split(".")[2] in methods - {path.stem}
    ]
    none(faults, "a method's file knows another method: move what both need to a file that names it")


def test_torchvision_is_nowhere() -> None:
    faults = [
        f"{name_of(path)}:{line}"
        for path in sources("src", "scripts", "tests")
        for name, line, _ in imports(path)
        if name.split(".")[0] == "torchvision"
    ]
    none(faults, "torchvision is imported; next to a CPU torch it breaks transformers and diffusers")
    assert find_spec("torchvision") is None, "torchvision is installed here: uninstall it (docs/dependencies.md)"


@pytest.mark.parametrize(
    "module",
    [
        "redraft.cli.main",
        "redraft.store",
        "redraft.feedback",
        "redraft.studio.app",
        "redraft.studio.identity",
        "redraft.studio.routes",
        "redraft.core.records",
        "redraft.core.feedback",
        "redraft.loop.config",
    ],
)
def test_light_rooms_do_not_load_torch(module: str) -> None:
    """Every submodule of a package too: `redraft --help` and the web layer must not wait for torch."""
    program = (
        "import importlib, pkgutil, sys\n"
        f"module = importlib.import_module({module!r})\n"
        "for found in pkgutil.walk_packages(getattr(module, '__path__', []), module.__name__ + '.'):\n"
        "    if '.migrations' not in found.name:\n"  # those run inside Alembic only
        "        importlib.import_module(found.name)\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'peft', 'accelerate', 'matplotlib'} & sys.modules.keys()\n"
        "sys.exit(f'{module.__name__} loads {sorted(heavy)}' if heavy else 0)\n"
    )
    run(sys.executable, "-c", program)


# --- effects: training, clock, randomness ----------------------------------------------------------------------------


def test_only_the_training_loops_change_weights() -> None:
    faults = []
    for path in sources("src", "scripts"):
        if name_of(path).startswith(TRAINING_FILES):
            continue
        for name, call in calls(path):
            *before, last = name.split(".")
            if last == "backward" or (last == "step" and before and "optimizer" in before[-1]):
                faults.append(f"{name_of(path)}:{call.lineno} calls {name}()")
    none(faults, "weights are trained outside the training loops: give methods/fit.py or a fit of rewards/ a loss")


def test_no_clock_below_floor_4() -> None:
    faults = []
    for path in below_floor_4():
        for name, line, _ in imports(path):
            if name == "time" or name.startswith("time."):
                faults.append(f"{name_of(path)}:{line} imports {name}")
        for name, call in calls(path):
            if name.split(".")[-1] in ("now", "utcnow", "today") or name.endswith("perf_counter"):
                faults.append(f"{name_of(path)}:{call.lineno} calls {name}()")
    none(faults, "a clock is read below floor 4: take the time as an argument")


def test_no_global_randomness() -> None:
    faults = []
    for path in sources("src"):
        if room_of(path) == "testing":  # it reads the global generators to catch plug-ins that use them
            continue
        for name, line, _ in imports(path):
            if name == "random" or name.startswith("random."):
                faults.append(f"{name_of(path)}:{line} imports {name}")
        for name, call in calls(path):
            if _draws_globally(name, {keyword.arg for keyword in call.keywords}):
                faults.append(f"{name_of(path)}:{call.lineno} calls {name}()")
            if name == "torch.Generator" and name_of(path) != "src/redraft/core/keys.py":
                faults.append(f"{name_of(path)}:{call.lineno} makes a torch.Generator")
    none(faults, "randomness that no Key names: draw from a Key, or from a numpy generator that was handed in")


def _draws_globally(name: str, keywords: set[str | None]) -> bool:
    first, last = name.split(".")[0], name.split(".")[-1]
    if name == "torch.random.fork_rng":  # it puts the global state back: for packages that cannot be told a generator
        return False
    if name in ("torch.manual_seed", "torch.seed", "torch.cuda.manual_seed_all") or name.startswith("torch.random."):
        return True
    if name.startswith(("np.random.", "numpy.random.")):
        return last not in SEEDED_NUMPY
    return "generator" not in keywords and (
        (first == "torch" and name.count(".") == 1 and last in DRAWS) or last in DRAWS_IN_PLACE
    )


# --- shape of the sources --------------------------------------------------------------------------------------------


def test_files_and_functions_are_short() -> None:
    faults = []
    for path in sources("src"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_FILE:
            faults.append(f"{name_of(path)} has {lines} lines, more than {LONGEST_FILE}")
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    faults.append(f"{name_of(path)}:{node.lineno} {node.name} has {length} lines")
    none(faults, "too long to be read at once: split it by what it says")


def test_every_file_says_what_it_is() -> None:
    faults = [name_of(path) for path in sources("src", "scripts", "tests") if not _says_what_it_is(path)]
    none(faults, "a file opens with a docstring: what it is, and what it is not")


def _says_what_it_is(path: Path) -> bool:
    return bool(ast.get_docstring(tree(path))) or not path.read_text(encoding="utf-8").strip()


def test_no_room_for_odds_and_ends() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "base", "misc"}
    faults = [name_of(path) for path in sources("src") if {path.stem, *path.relative_to(SOURCE).parts} & vague]
    none(faults, "a name that says nothing: what two rooms need moves down a floor, under its own name")
