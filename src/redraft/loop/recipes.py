"""The house's recipes: which options `improve` uses for a method when the user says nothing. Measured, see docs/.

Not the methods' own defaults, which are those of their papers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Many short rounds: pictures of the policy as it is now are worth more than further steps on old ones. Half of the
# groups are all right or all wrong and say nothing. The pull to the reference (1e-4) is too weak to be worth a call.
_BLACK_BOX: Mapping[str, Any] = {
    "rounds": 5,
    "collect": {"prompts": 64, "pictures_per_prompt": 8},
    "fit": {"steps": 45, "batch_size": 32, "learning_rate": 1e-3, "ema_decay": 0.9, "save_every": 45},
    "probes": {"every": 135, "prompts": 48, "pictures_per_prompt": 2},
    "methods": {"nft": {"drop_flat_groups": True, "kl_coefficient": 0.0, "timesteps": "logit_normal"}},
}
# Pictures painted with guidance, the right ones kept: what guidance adds at twice the price, and what the oracle
# knows, goes into the weights of a model that then paints without guidance. Many prompts, few passes over them.
_SELF_TRAINING: Mapping[str, Any] = {
    "rounds": 2,
    "collect": {"prompts": 512, "pictures_per_prompt": 2, "guidance_scale": 2.0},
    "fit": {"steps": 100, "batch_size": 32, "learning_rate": 1e-3, "ema_decay": 0.98, "save_every": 50},
    "probes": {"every": 100},
    "methods": {"sft": {"choose": "correct", "threshold": 0.5, "keep": 2}},
}
# The built-in CLIP knows good pictures of a prompt from bad ones better than a head fitted to 1,536 ratings does. Many
# small steps: at twice these rates the first steps of Adam break the pictures, and the tripwires say so.
_GRADIENT: Mapping[str, Any] = {
    "rounds": 1,
    "reward": {"clip": 1.0},
    "collect": {"prompts": 384},
    "fit": {"steps": 90, "batch_size": 32, "learning_rate": 8e-4, "ema_decay": 0.95, "warmup": 5, "save_every": 20},
    "probes": {"every": 20},
}
_LAST_STEPS: Mapping[str, Any] = {
    **_GRADIENT,
    "fit": {**_GRADIENT["fit"], "steps": 40, "batch_size": 16, "learning_rate": 1e-3, "ema_decay": 0.9, "warmup": 0},
}
_ALL_STEPS: Mapping[str, Any] = {
    **_GRADIENT,
    "fit": {**_GRADIENT["fit"], "steps": 36, "batch_size": 16, "learning_rate": 5e-4, "ema_decay": 0.9},
}
_CUT_STEPS: Mapping[str, Any] = {
    **_GRADIENT,
    "fit": {**_GRADIENT["fit"], "steps": 46, "batch_size": 16, "learning_rate": 6e-4, "ema_decay": 0.9},
}
_LOW_VARIANCE: Mapping[str, Any] = {
    **_GRADIENT,
    "fit": {**_GRADIENT["fit"], "steps": 60, "batch_size": 16},
}
# Sixteen pictures of a prompt give it a mean of its own. Many updates a collection need a wider clip than the published
# 1e-4, which belongs to two; the end of the run comes before a pull to the reference would matter.
_POLICY: Mapping[str, Any] = {
    "rounds": 5,
    "collect": {"prompts": 32, "pictures_per_prompt": 16},
    "fit": {"steps": 64, "batch_size": 32, "learning_rate": 1e-3, "ema_decay": 0.9, "save_every": 64},
    "probes": {"every": 128},
    "methods": {
        "ddpo": {"clip_range": 1e-3, "kl_coefficient": 0.0},
        "grpo": {"clip_range": 1e-3, "kl_coefficient": 0.0},
    },
}
_PREFERENCES: Mapping[str, Any] = {
    "rounds": 4,
    "collect": {"prompts": 96, "pictures_per_prompt": 8},
    "fit": {"steps": 60, "batch_size": 32, "learning_rate": 1e-3, "ema_decay": 0.9, "save_every": 30},
    "probes": {"every": 120},
}
# Pairs of whole trajectories: twice the pictures a loss, so half the batch. At the published clip of 0.1 nothing of a
# mean over elements is ever cut, and 64 updates at 1e-3 broke the model.
_STEPWISE: Mapping[str, Any] = {
    **_POLICY,
    "rounds": 3,
    "collect": {"prompts": 64, "pictures_per_prompt": 8},
    "fit": {**_POLICY["fit"], "batch_size": 16, "learning_rate": 4e-4},
    "methods": {"d3po": {"smallest_noise": 0.05, "ratio_clip": 1e-3}},
}
# Every round its own prompts, and an optimizer that knows nothing of the last round (arXiv 2502.09963).
_RECURSIVE: Mapping[str, Any] = {
    "rounds": 3,
    "collect": {"prompts": 384, "pictures_per_prompt": 2, "guidance_scale": 2.0},
    "fit": {
        "steps": 120, "batch_size": 32, "learning_rate": 1e-3, "ema_decay": 0.98, "save_every": 60,
        "fresh_optimizer": True,
    },
    "probes": {"every": 120},
    "methods": {"rsi": {"keep_share": 0.3}},
}  # fmt: skip
# Many tokens and few buckets of time, or a frozen model this small is hardly moved. What guidance does is asked of
# them, by the base's own answers, which have no noise of their own. As slow tokens never follow, nothing feeds
# on itself, and gamma_plus may be large.
_TOKENS: Mapping[str, Any] = {
    "rounds": 1,
    "collect": {"prompts": 2048, "pictures_per_prompt": 1},
    "adapter": {"kind": "tokens", "tokens": 32, "token_buckets": 10},
    "fit": {
        "steps": 400, "batch_size": 16, "learning_rate": 1e-2, "ema_decay": 0.98, "save_every": 100,
        "old_policy": {"follows": "never"},
    },
    "probes": {"every": 100},
    "methods": {
        "soft_tokens": {
            "objective": "cfg_target", "negatives": "empty", "target": "reference", "shared_noise": False,
            "gamma_plus": 4.0,
        },
    },
}  # fmt: skip
# Each picture against three others, as published. Trials with false captions that differ in one thing did not gain.
_IN_BATCH: Mapping[str, Any] = {**_TOKENS, "fit": {**_TOKENS["fit"], "steps": 300, "micro_batch": 4}}
_ALIGNMENT: Mapping[str, Any] = {
    **_IN_BATCH,
    "methods": {
        "soft_tokens": {"negatives": "in_batch", "target": "reference", "shared_noise": False, "gamma_plus": 5.0}
    },
}
# At the published temperature levels with much noise, which decide what is painted, hardly count; at a higher one the
# tokens break the model under false captions and under true ones with it, unless they are held to what they denoise.
_CONTRAST: Mapping[str, Any] = {
    **_IN_BATCH,
    "methods": {"soft_tokens": {"error_temperature": 0.3, "denoise_weight": 10.0, "shared_noise": False}},
}
# As published the slow tokens are an average of the trained ones.
_FOLLOWING: Mapping[str, Any] = {"old_policy": {"follows": "step", "slope": 1.0, "maximum": 0.99, "ramp": True}}
_AS_PUBLISHED: Mapping[str, Any] = {**_IN_BATCH, "fit": {**_IN_BATCH["fit"], **_FOLLOWING}, "methods": {}}
_OF_METHOD: Mapping[str, Mapping[str, Any]] = {
    "nft": _BLACK_BOX,
    "sft": _SELF_TRAINING,
    "draft": _GRADIENT,
    "draft-5": _LAST_STEPS,
    "draft-full": _ALL_STEPS,
    "draft-lv": _LOW_VARIANCE,
    "refl": _LOW_VARIANCE,
    "alignprop": _CUT_STEPS,
    "ddpo": _POLICY,
    "grpo": _POLICY,
    "dpo": _PREFERENCES,
    "d3po": _STEPWISE,
    "rsi": _RECURSIVE,
    # These presets choose pictures in their own way, not in that of the recipe.
    "raft": {**_SELF_TRAINING, "methods": {}},
    "sft-weighted": {**_SELF_TRAINING, "methods": {}},
    "soft_tokens": _TOKENS,
    "softrepa": _CONTRAST,
    "agsm": _ALIGNMENT,
    "agsm-published": _AS_PUBLISHED,
}


# The built-in models are so small that LoRA on all their linear layers costs little and learns faster.
_LAYERS: Mapping[str, tuple[str, ...]] = {
    "builtin:sd": ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "time_emb_proj"),
    "builtin:sd3": (
        "to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "ff.net.0.proj",
        "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2",
    ),
}  # fmt: skip

# Blocks that read soft tokens, where they are not those of the family.
_TOKEN_BLOCKS: Mapping[str, tuple[str, ...]] = {"builtin:sd3": ("transformer_blocks",)}

# The built-in models paint without guidance. A guided old prediction gains the most for its seconds, and costs
# diversity: 1.05 in each of five rounds is 1.28 in the end. Models that paint with guidance need none of it.
_OLD_GUIDANCE: Mapping[str, float] = {"builtin:sd": 1.05, "builtin:sd3": 1.07}


def recipe_for(model: str, method: str) -> Mapping[str, Any]:
    """Options for a method (or a preset of one) on a model; empty for a method of a plug-in on a model of one's own."""
    family = method.split("-")[0]
    recipe = _OF_METHOD.get(method, _OF_METHOD.get(family, {}))
    if model not in _LAYERS:
        # The built-in CLIP knows nothing of other models' pictures: their reward must be named.
        return {name: value for name, value in recipe.items() if name != "reward"}
    if "adapter" in recipe:
        return {**recipe, "adapter": {**recipe["adapter"], "targets": _TOKEN_BLOCKS.get(model)}}
    recipe = {**recipe, "adapter": {"targets": _LAYERS[model]}}
    if method != "nft":
        return recipe
    options = {**recipe["methods"]["nft"], "old_guidance_scale": _OLD_GUIDANCE[model]}
    return {**recipe, "methods": {"nft": options}}
