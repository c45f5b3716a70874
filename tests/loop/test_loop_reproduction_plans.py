"""The plans of published comparisons: every arm can be configured and built, every claim judged, every chart drawn."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from redraft.cli.factory import PluginFactory
from redraft.cli.reproducing import Ended, Reproducing
from redraft.core.errors import UsageError
from redraft.core.protocols import MethodContext
from redraft.loop.config import RunConfig
from redraft.loop.reproductions.catalogue import reproduction
from redraft.loop.reproductions.charts import RoundGrid
from redraft.loop.reproductions.page import markdown
from redraft.loop.reproductions.plan import Arm, Reproduction, Row, Variation
from redraft.loop.reproductions.safety import ambiguous_prompts
from redraft.loop.reproductions.scaling import scaled
from redraft.models.load import open_backbone

PLANS = ("draft", "rsidiff", "agsm", "grpo", "dpo", "safety")


def never(arguments: Any) -> Ended:
    raise AssertionError(f"{arguments} was launched")


def quiet(text: str) -> None:
    """Says nothing."""


def reproducing(name: str, folder: Path, **changes: Any) -> Reproducing:
    values: dict[str, Any] = {"common": {}, "scale": 1.0, "preset": None, "again": False, "say": quiet}
    return Reproducing(plan=reproduction(name), folder=folder, launch=never, **{**values, **changes})


@pytest.mark.parametrize("name", PLANS)
def test_every_arm_of_every_preset_is_a_configuration(name: str, tmp_path: Path) -> None:
    for preset in reproduction(name).settings:
        for scale in (0.01, 1.0, 8.0):
            each = reproducing(name, tmp_path, preset=preset, scale=scale)
            for arm in each.plan.arms:
                assert each.config(arm)["tripwires"]["least_diversity"] == 0


@pytest.mark.parametrize("name", PLANS)
def test_every_method_of_an_arm_can_be_built(name: str, model: Path, tmp_path: Path) -> None:
    backbone: Any = open_backbone(str(model), device="cpu", dtype="float32")
    recipe = backbone.default_recipe(steps=10, guidance_scale=1.0)
    scorers: dict[str, Any] = {}
    each = reproducing(name, tmp_path)
    for arm in each.plan.arms:
        if isinstance(arm, Variation):
            continue
        config = RunConfig.model_validate(each.config(arm))
        factory = PluginFactory(methods=config.methods, scorers=config.scorers)
        rewards = list(config.reward) or ["oracle"]
        for reward in rewards:
            scorers.setdefault(reward, factory.scorer(reward))
        context = MethodContext(recipe=recipe, reward=scorers[rewards[0]], noise_level=backbone.noise_level)
        factory.method(config.method, context=context)


def test_published_settings_are_those_of_the_paper(tmp_path: Path) -> None:
    plan = reproduction("draft")
    lv = next(arm for arm in plan.arms if arm.name == "lv")
    small, large = (reproducing("draft", tmp_path, preset=f"published-{size}") for size in ("small", "large"))
    assert small.name == "draft-published-small"
    for each, (rate, batch, steps, rank) in ((small, (4e-4, 4, 2000, 8)), (large, (2e-4, 16, 10000, 32))):
        config = each.config(lv)
        assert config["fit"]["learning_rate"] == rate
        assert (config["fit"]["batch_size"], config["fit"]["steps"], config["adapter"]["rank"]) == (batch, steps, rank)
        assert (config["fit"]["weight_decay"], config["fit"]["betas"]) == (0.1, [0.9, 0.999])
        assert (config["sampling"]["steps"], config["sampling"]["guidance_scale"]) == (50, 7.5)
        assert config["methods"]["draft"]["lv_draws"] == 2
    with pytest.raises(UsageError, match="published-small"):
        reproducing("draft", tmp_path, preset="published-smal").config(lv)


def test_arms_of_rsidiff_leave_out_what_they_say(tmp_path: Path) -> None:
    each = reproducing("rsidiff", tmp_path)
    configs = {arm.name: each.config(arm) for arm in each.plan.arms}
    rsi = {name: config["methods"]["rsi"] for name, config in configs.items()}
    assert configs["full"]["prompts"] is None
    assert configs["none"]["prompts"] == configs["no-prompts"]["prompts"] == str(tmp_path / "rsidiff" / "templates.txt")
    assert rsi["none"]["rule"] == rsi["no-preference"]["rule"] == "random"
    assert rsi["none"]["weighting"] == rsi["no-weighting"]["weighting"] == "none"
    assert "rule" not in rsi["full"]
    assert rsi["keep-0.06"]["keep_share"] == 0.06
    assert configs["full"]["rounds"] == 8
    assert configs["sft"]["fit"]["steps"] == 8 * configs["full"]["fit"]["steps"]


def test_template_prompts_are_of_the_world_and_never_held_out() -> None:
    from redraft.core.keys import Key
    from redraft.evaluation.suites import WorldSuite, WorldSuiteConfig
    from redraft.loop.reproductions.rsidiff import template_prompts

    texts = set(template_prompts())
    assert len(texts) > 20
    assert all(text.startswith("a photo of a") for text in texts)
    for seed in range(3):
        held_out = {prompt.text for prompt in WorldSuite(WorldSuiteConfig()).prompts(Key(seed=seed))}
        assert not texts & held_out


def test_ambiguous_prompts_are_no_prompts_of_the_grammar() -> None:
    from redraft.core.records import Prompt
    from redraft.loop.equipment import verifiable

    texts = ambiguous_prompts()
    assert len(set(texts)) == len(texts) == 288
    assert all("skull" in text for text in texts)
    assert not any(verifiable([Prompt(text=text)]) for text in texts)


# --- pages of rows with known figures ---------------------------------------------------------------------------------


class Everything(dict[str, Any]):
    """Any metric at all, with the same gain."""

    def get(self, name: str, default: Any = None) -> Any:
        return {"incumbent": 0.3, "candidate": 0.4, "difference": 0.1, "low": 0.05, "high": 0.15, "unit": "share",
                "role": "trained"}  # fmt: skip


def full_row(arm: Arm | Variation) -> Row:
    strip = io.BytesIO()
    Image.fromarray(np.zeros((64, 128, 3), np.uint8)).save(strip, format="PNG")
    picture = base64.b64encode(strip.getvalue()).decode()
    curve = [
        {
            "step": step, "round": 1, "samples": 16 * step, "seconds": 2.0 * step,
            "effects": {name: Everything().get(name) for name in ("reward", "heldout", "oracle", "diversity")},
        }
        for step in (0, 5)
    ]  # fmt: skip
    rounds = [{"round": number, "metrics": Everything(all=1), "picture": picture} for number in range(1, 9)]
    measured = {
        "metrics": Everything(all=1), "facts": {"parameters": 960, "time_ratio": 1.01}, "curve": curve,
        "rounds": rounds, "picture": picture, "base_picture": picture,
    }  # fmt: skip
    summary = {"samples": 64, "stopped_by": None} if isinstance(arm, Arm) else {}
    return Row(arm=arm, summary=summary, seconds=61.0, peak_memory=2**30, measured=measured)


@pytest.mark.parametrize("name", PLANS)
def test_the_page_judges_every_claim_and_every_chart_is_drawn(name: str) -> None:
    plan: Reproduction = reproduction(name)
    rows = {arm.name: full_row(arm) for arm in plan.arms}
    drawn = [chart.name for chart in plan.charts if (chart.draw(rows) or b"").startswith(b"\x89PNG")]
    assert drawn == [chart.name for chart in plan.charts]
    page = markdown(plan, rows, command="redraft reproduce", hardware="x", charts=drawn)
    assert "not run" not in page
    assert "not measured" not in page
    assert f"Of {len(plan.claims)} claims {len(plan.claims)} were tested" in page
    for claim in plan.claims:
        assert claim.text in page
    for arm in plan.arms:
        assert f"| {arm.title} |" in page, arm.name


@pytest.mark.parametrize("name", PLANS)
def test_a_chart_that_compares_arms_waits_for_two_of_them(name: str) -> None:
    plan = reproduction(name)
    for chart in plan.charts:
        if isinstance(chart, RoundGrid) or len(chart.arms) < 2:
            continue
        rows = {arm.name: full_row(arm) for arm in plan.arms if arm.name in chart.arms[:2]}
        assert chart.draw({chart.arms[0]: rows[chart.arms[0]]}) is None, chart.name
        assert chart.draw(rows) is not None, chart.name


@pytest.mark.parametrize("name", PLANS)
def test_without_rows_nothing_is_claimed_or_drawn(name: str) -> None:
    plan = reproduction(name)
    assert all(chart.draw({}) is None for chart in plan.charts)
    page = markdown(plan, {}, command="redraft reproduce", hardware="x")
    assert f"Of {len(plan.claims)} claims 0 were tested: 0 hold here, 0 do not" in page
    assert page.count("| not run |  |") == len(plan.claims)


def test_disagreements_are_listed_with_what_we_saw() -> None:
    plan = reproduction("dpo")
    rows = {arm.name: full_row(arm) for arm in plan.arms}
    falls = {
        "incumbent": 0.5, "candidate": 0.3, "difference": -0.2, "low": -0.25, "high": -0.15, "unit": "share",
        "role": "unseen",
    }  # fmt: skip
    last = rows["pairs-1024"]
    rows["pairs-1024"] = Row(
        arm=last.arm, summary=last.summary, seconds=1.0, peak_memory=1,
        measured={"metrics": dict.fromkeys(("wins/clip-heldout", "wins/clip", "oracle", "diversity"), falls)},
    )  # fmt: skip
    page = markdown(plan, rows, command="redraft reproduce dpo", hardware="x")
    listed = page[page.index("## Where we disagree") :]
    assert "- It wins by the preference that made the pairs. We saw: wins/clip: pairs-1024 -20.0" in listed


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_sizes_are_multiplied_and_stay_possible() -> None:
    config = {
        "fit": {"steps": 80, "learning_rate": 1e-3, "save_every": 0}, "collect": {"prompts": 32},
        "examine": {"prompts": 384, "tail_prompts": 0}, "rounds": 8,
    }  # fmt: skip
    half = scaled(config, 0.5)
    assert half["fit"] == {"steps": 40, "learning_rate": 1e-3, "save_every": 0}
    assert (half["collect"]["prompts"], half["examine"]["prompts"], half["rounds"]) == (16, 192, 8)
    tiny = scaled(config, 0.001)
    assert (tiny["fit"]["steps"], tiny["collect"]["prompts"], tiny["examine"]["prompts"]) == (2, 4, 12)
    assert tiny["examine"]["tail_prompts"] == 0
    assert scaled(config, 0.3)["collect"]["prompts"] % 2 == 0
    assert scaled(config, 1) == config
    with pytest.raises(UsageError, match="--scale 0: give a factor above 0"):
        scaled(config, 0)


def test_a_variation_comes_after_the_arms_that_it_uses() -> None:
    arm = Arm(name="a", title="a", method="sft", config={})
    later = Variation(name="b", title="b", scales={"a": 0.5})
    values: dict[str, Any] = {"name": "x", "title": "x", "question": "?", "claims": (), "metrics": (("oracle", "o"),)}
    assert Reproduction(arms=(arm, later), **values).chosen(("b",)) == (later,)
    with pytest.raises(UsageError, match=r"variations of those before \(unknown: a\)"):
        Reproduction(arms=(later, arm), **values)


def test_a_variation_without_its_weights_says_which_arm_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"arm 'scale-0.5' paints with the weights of arm 'lv'.*--arms lv,scale-0.5"):
        reproducing("draft", tmp_path).run(("scale-0.5",))
