"""What is registered works and is documented; what is documented is true. Not the place for tests of behaviour."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from test_house import ROOT, imports, sources

from redraft.cli.reproducing import Ended, Reproducing
from redraft.core import plugins
from redraft.core.config import build, read_toml
from redraft.loop.config import RunConfig
from redraft.loop.reproductions.catalogue import NAMES, reproduction
from redraft.methods.presets import PRESETS
from redraft.rewards.facets_config import FacetFitConfig
from redraft.rewards.preference_config import PreferenceFitConfig

KINDS: tuple[plugins.Kind, ...] = get_args(plugins.Kind)
REGISTERED = [(kind, name) for kind in KINDS for name in plugins.names(kind)]
# Import names that differ from the names of their packages.
PACKAGES = {
    "PIL": "pillow", "sklearn": "scikit-learn", "markupsafe": "jinja2", "argon2": "argon2-cffi",
    "prometheus_client": "prometheus-client",
}  # fmt: skip


def page(name: str) -> str:
    path = ROOT / "docs" / name
    assert path.is_file(), f"docs/{name} is missing"
    return path.read_text(encoding="utf-8")


def declared() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def as_toml(value: object) -> str:
    """A default as one writes it in a configuration file; TOML has no None, so a page says `unset`."""
    if value is None:
        return "unset"
    value = list(value) if isinstance(value, tuple) else value
    return json.dumps(value) if isinstance(value, str | bool | list) else str(value)


def test_every_kind_of_plug_in_has_one() -> None:
    assert {kind for kind, _ in REGISTERED} == set(KINDS)


@pytest.mark.parametrize(("kind", "name"), REGISTERED)
def test_a_plug_in_loads_and_can_be_built_from_a_typed_configuration(kind: plugins.Kind, name: str) -> None:
    plugin = plugins.load(kind, name)
    assert issubclass(plugin.Config, BaseModel)
    assert plugin.Config.model_config.get("extra") == "forbid", "unknown keys of its configuration must be errors"
    assert plugin.Config.model_config.get("frozen"), "its configuration must be frozen"
    assert callable(plugin.build)


@pytest.mark.parametrize("name", plugins.names("method"))
def test_a_method_has_a_page_with_its_options_and_their_defaults(name: str) -> None:
    text = page(f"methods/{name}.md")
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", text, flags=re.MULTILINE))
    fields = plugins.load("method", name).Config.model_fields
    assert rows == {option: as_toml(field.default) for option, field in fields.items()}


@pytest.mark.parametrize(
    ("name", "config"), [("preference-model.md", PreferenceFitConfig), ("facets.md", FacetFitConfig)]
)
def test_a_fit_of_a_reward_has_its_options_on_its_page(name: str, config: type[BaseModel]) -> None:
    rows = set(re.findall(r"^\| `(\w+)` \| `([^`]*)` \| (.*) \|$", page(name), flags=re.MULTILINE))
    wanted = {(option, as_toml(field.default), field.description) for option, field in config.model_fields.items()}
    assert wanted <= rows


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_stands_on_the_page_of_its_method(preset: str) -> None:
    method, values = PRESETS[preset]
    rows = [line for line in page(f"methods/{method}.md").splitlines() if line.startswith(f"| `{preset}` |")]
    assert len(rows) == 1
    for option, value in values.items():
        assert f"`{option} = {as_toml(value)}`" in rows[0]


@pytest.mark.parametrize("row", sorted((ROOT / "docs/reproductions/methods").glob("*.json")), ids=lambda row: row.stem)
def test_the_page_of_a_method_gives_the_gain_that_its_row_holds(row: Path) -> None:
    summary = json.loads(row.read_text(encoding="utf-8"))["summary"]
    oracle = {name: 100 * value for name, value in summary["metrics"]["oracle"].items() if isinstance(value, float)}
    gain = "{incumbent:.1f} to {candidate:.1f} %, {difference:+.1f} ({low:+.1f} to {high:+.1f})".format(**oracle)
    method, _ = PRESETS.get(row.stem, (row.stem, {}))
    assert gain in " ".join(page(f"methods/{method}.md").split())


@pytest.mark.parametrize("name", NAMES)
def test_a_page_of_a_reproduction_says_what_its_rows_hold(name: str, tmp_path: Path) -> None:
    """Which rows are of weights that no longer ship, too: rows are as they were, and the pages tell of today."""
    docs, plan = tmp_path / "docs", reproduction(name)
    folder = docs / "reproductions"
    shutil.copytree(ROOT / "docs/reproductions" / name, folder / name, ignore=shutil.ignore_patterns("work"))
    pages = [f"reproductions/{name}.md", *(["methods/README.md"] if plan.shown_in else [])]
    if plan.shown_in:
        (docs / "methods").mkdir()
        shutil.copy(ROOT / "docs/methods/README.md", docs / "methods")
    Reproducing(
        plan=plan, folder=folder, common={}, scale=1.0, preset=None, again=False, launch=nobody, say=print
    ).write(f"redraft reproduce {name}")
    for each in pages:
        assert (docs / each).read_text(encoding="utf-8") == page(each)


def nobody(arguments: Sequence[str]) -> Ended:
    """Nothing is run to write a page."""
    raise AssertionError(arguments)


@pytest.mark.parametrize("name", plugins.names("scorer"))
def test_a_scorer_is_described(name: str) -> None:
    assert re.search(rf"^## .*`{re.escape(name)}`", page("rewards.md"), flags=re.MULTILINE)


@pytest.mark.parametrize(("kind", "name"), [entry for entry in REGISTERED if entry[0] in ("backbone", "suite")])
def test_a_backbone_or_suite_is_named_in_the_architecture(kind: plugins.Kind, name: str) -> None:
    assert f"`{name}`" in page("architecture.md"), f"the {kind} {name!r} is not described"


def test_every_room_stands_in_the_architecture() -> None:
    text = page("architecture.md")
    rooms = {path.relative_to(ROOT / "src" / "redraft").parts[0].removesuffix(".py") for path in sources("src")}
    missing = [room for room in sorted(rooms - {"__init__", "__main__"}) if f"| `{room}` |" not in text]
    assert not missing, f"rooms that the table of docs/architecture.md does not have: {missing}"


def test_every_dependency_is_explained_and_every_import_declared() -> None:
    project = declared()
    needed = {re.split(r"[\[<>=;~! ]", line)[0] for line in project["dependencies"]}
    extras = {
        re.split(r"[\[<>=;~! ]", line)[0]
        for name, lines in project["optional-dependencies"].items()
        if name != "dev"
        for line in lines
    }
    tools = {re.split(r"[\[<>=;~! ]", line)[0] for line in project["optional-dependencies"]["dev"]}
    text = page("dependencies.md")
    unexplained = [name for name in sorted(needed | tools) if f"| {name} |" not in text]
    assert not unexplained, f"docs/dependencies.md does not say what these are for: {unexplained}"
    imported = {
        PACKAGES.get(package, package)
        for path in sources("src")
        for package in [name.split(".")[0] for name, _, _ in imports(path)]
        if package not in sys.stdlib_module_names and package != "redraft"
    }
    missing = sorted(imported - needed - extras)
    assert not missing, f"imported, but not among the dependencies: {missing}"


def test_links_between_the_pages_lead_somewhere() -> None:
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    ]
    broken = [
        f"{path.relative_to(ROOT)} -> {target}"
        for path in pages
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert not broken, f"links to nothing: {broken}"


def test_nothing_names_the_machine_it_was_written_on() -> None:
    """Paths of one machine mean nothing on another."""
    folders = ("/" + "work/", "/" + "root/", "/" + "home/", "/" + "opt/")
    texts = [path for path in sources("src", "scripts", "tests") if path != Path(__file__)]
    texts += [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "Makefile"]
    found = [
        f"{path.relative_to(ROOT)}: {folder}"
        for path in texts
        for folder in folders
        if re.search(rf"(?<![\w.~/])[\"'( `]?{folder}\w", path.read_text(encoding="utf-8"))
    ]
    assert not found, f"machine paths: {found}"


def test_the_example_configuration_is_one() -> None:
    """Unknown keys and wrong types would raise; so do options of its method that do not exist."""
    values = read_toml((ROOT / "examples" / "improve.toml").read_text(encoding="utf-8"), source="examples/improve.toml")
    config = build(RunConfig, values, source="examples/improve.toml")
    for name, options in config.methods.items():
        build(plugins.load("method", name).Config, options, source=f"[methods.{name}]")
