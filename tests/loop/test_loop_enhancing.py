"""What composes the methods at inference: names, and batches of any size."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from redraft.cli.factory import PluginFactory
from redraft.core.errors import UnknownNameError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.loop.enhancing import CONFIGS, enhancer, paint_enhanced
from redraft.loop.painting import paint


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match=r"enhancement 'noise_serch' is unknown: did you mean 'noise_search'\?"):
        enhancer("noise_serch", reward=PluginFactory().scorer("clip"), options={}, source="test")


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_batches_change_nothing_and_score_before_is_that_of_the_plain_picture(name: str, model: Path) -> None:
    factory = PluginFactory()
    backbone, reward = factory.backbone(str(model)), factory.scorer("clip")
    small = {"noise_search": {"rounds": 1}, "self_critique": {"threshold": 2.0, "attempts": 1}}
    method = enhancer(name, reward=reward, options=small.get(name, {}), source="test")
    prompts = [Prompt(text=text) for text in ("a red star", "my cat", "two dogs")]
    recipe = backbone.default_recipe(steps=2, guidance_scale=1.5)  # type: ignore[attr-defined]
    seen: list[tuple[int, int]] = []
    whole, parts = (
        paint_enhanced(
            backbone,  # type: ignore[arg-type]
            prompts, method=method, recipe=recipe, key=Key(seed=3), batch=size,
            on_batch=lambda done, total: seen.append((done, total)),
        )
        for size in (3, 2)
    )  # fmt: skip
    assert seen == [(3, 3), (2, 3), (3, 3)]
    # Adam moves an element whose slope is mere rounding by as much as any other: single ones differ (noise_search).
    apart = (parts.painted.latents - whole.painted.latents).abs() > 1e-3
    assert apart.float().mean() < 1e-3
    torch.testing.assert_close(parts.after, whole.after, rtol=1e-3, atol=1e-3)
    assert torch.equal(parts.network_calls, whole.network_calls)
    plain = paint(backbone, prompts, recipe=recipe, key=Key(seed=3), batch=3)  # type: ignore[arg-type]
    # The picture of a score was not rounded to 8 bits yet.
    by_hand = reward.score(plain.images(0, 3), prompts).values[:, 0]
    torch.testing.assert_close(whole.before, by_hand, rtol=0, atol=5e-3)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_the_page_has_every_option_with_its_default(name: str) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "at-inference.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", page.split(f"\n## `{name}`\n")[1], flags=re.MULTILINE)[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", section, flags=re.MULTILINE))
    assert rows == {option: json.dumps(field.default) for option, field in CONFIGS[name].model_fields.items()}
