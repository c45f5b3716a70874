"""Soft tokens in real pipelines: exactly off, where they stand, their gradients, saving, and the method on top.

C16 of the oracles: switched off they leave the denoiser bit-identical.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext
from redraft.core.records import Prompt
from redraft.core.tensors import NEGATIVE_BANK, POSITIVE_BANK, Captioned, Images, Parameters
from redraft.diffusion.guidance import guided_prediction
from redraft.diffusion.sample import sample
from redraft.methods.fit import FitConfig, OldPolicy, fit
from redraft.methods.presets import PRESETS
from redraft.methods.soft_tokens import SoftTokens, SoftTokensConfig
from redraft.models import checkpoints, tokens
from redraft.models.backbone import PipelineBackbone
from redraft.models.denoiser import TrainableDenoiser
from redraft.models.export import export_lora, export_pipeline
from redraft.models.load import open_backbone
from redraft.testing import check_backbone, check_method
from redraft.world import draw_request, render, text_of
from redraft.world.negatives import hard_negatives

KEY = Key(seed=31)
PROMPTS = [Prompt(text="a red circle"), Prompt(text="two hats")]
TIMES = torch.tensor([801.0, 303.0])


def prediction(backbone: PipelineBackbone, parameters: Parameters | None = None) -> torch.Tensor:
    latents = KEY.child("latents").normal((2, *backbone.latent_shape))
    return backbone.predict(latents, TIMES, text=backbone.encode(PROMPTS).positive, parameters=parameters)


def pictures(backbone: PipelineBackbone, **options: object) -> torch.Tensor:
    recipe = backbone.default_recipe(steps=3, guidance_scale=2.0)
    return sample(backbone, backbone.encode(PROMPTS), recipe=recipe, key=KEY, **options).latents  # type: ignore[arg-type]


def trained(backbone: PipelineBackbone, **options: int | str) -> Parameters:
    """Tokens of size 1, as long training would leave them."""
    backbone.train_soft_tokens(seed_key=KEY, **options)  # type: ignore[arg-type]
    backbone.load_parameters(
        {name: KEY.child(name).normal(value.shape) for name, value in backbone.trainable().items()}
    )
    return dict(backbone.trainable())


# --- off is off -----------------------------------------------------------------------------------------------------


def test_off_is_the_base_bit_for_bit(backbone: PipelineBackbone) -> None:
    base, painted = prediction(backbone), pictures(backbone)
    backbone.train_soft_tokens(seed_key=KEY)
    assert not torch.equal(prediction(backbone), base)
    assert torch.equal(prediction(backbone, backbone.reference()), base)
    own = trained(backbone)
    assert (pictures(backbone) - painted).abs().max() > 1e-3
    assert torch.equal(pictures(backbone, parameters=backbone.reference()), painted)
    # the bank decides, whatever the time table holds
    assert torch.equal(prediction(backbone, tokens.reading(own, "none")), base)
    with backbone.merged(backbone.reference()):
        assert torch.equal(prediction(backbone), base)
    backbone.train_soft_tokens(count=0, seed_key=KEY)
    assert torch.equal(prediction(backbone), base)
    backbone.train_lora(rank=2, alpha=2, seed_key=KEY)
    assert torch.equal(prediction(backbone), base)
    assert not any(tokens.MODULE in name for name in backbone.denoiser.state_dict())
    trained(backbone)
    backbone.train_full()
    assert torch.equal(prediction(backbone), base)
    assert not any(tokens.MODULE in name for name in backbone.trainable())


def test_merged_is_the_same_with_tokens(backbone: PipelineBackbone) -> None:
    own = trained(backbone)
    other = {name: value.detach() * 0.5 for name, value in own.items()}
    expected = prediction(backbone, other)
    with backbone.merged(other):
        torch.testing.assert_close(prediction(backbone), expected)
    assert all(backbone.trainable()[name] is value for name, value in own.items())


# --- where tokens stand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timestep", "bucket"), [(0.0, 0), (9.99, 0), (10.0, 1), (290.0, 29), (995.5, 99), (999.0, 99), (1000.0, 99)]
)
def test_buckets(timestep: float, bucket: int) -> None:
    assert tokens.bucket_of(torch.tensor([timestep]), buckets=100).item() == bucket
    every = tokens.bucket_of(torch.arange(1001.0), buckets=100)
    assert torch.equal(every[:1000], torch.arange(1000) // 10)


@pytest.mark.parametrize(
    ("layers", "width", "banks", "parameters"),
    [(1, 768, 1, 79_872), (5, 1536, 1, 798_720), (1, 768, 2, 82_944), (5, 1536, 2, 829_440)],
    ids=["softrepa-sd15", "softrepa-sd3", "agsm-sd15", "agsm-sd3"],
)
def test_published_sizes(layers: int, width: int, banks: int, parameters: int) -> None:
    tables = tokens.SoftTokens(layers=layers, count=4, width=width, buckets=100, banks=banks)
    assert sum(value.numel() for value in tables.parameters()) == parameters


def test_tokens_are_bank_plus_bucket() -> None:
    tables = tokens.SoftTokens(layers=2, count=3, width=4, buckets=10, banks=2)
    with torch.no_grad():
        for name, value in tables.named_parameters():
            value.copy_(KEY.child(name).normal(value.shape))
    found = tables(torch.tensor([950.0, 20.0]))
    for row, bucket in enumerate((9, 0)):
        for layer in range(2):
            torch.testing.assert_close(found[row, layer], tables.positive[layer] + tables.time[bucket, layer])


def sequences(backbone: PipelineBackbone, blocks: list[str]) -> dict[str, torch.Tensor]:
    """What text each block reads in one call."""
    seen: dict[str, torch.Tensor] = {}

    def watch(name: str):  # type: ignore[no-untyped-def]
        def hook(_: object, arguments: tuple[torch.Tensor, ...], named: dict[str, torch.Tensor]) -> None:
            seen[name] = named["encoder_hidden_states"].detach()

        return hook

    handles = [
        backbone.denoiser.get_submodule(name).register_forward_pre_hook(watch(name), with_kwargs=True)
        for name in blocks
    ]
    with torch.no_grad():
        prediction(backbone)
    for handle in handles:
        handle.remove()
    return seen


def test_unet_stages_read_tokens_after_the_first_text_token(folders: dict[str, Path]) -> None:
    backbone = open_backbone(str(folders["sd"]))
    blocks = ["down_blocks.1", "mid_block", "up_blocks.0"]
    states = backbone.encode(PROMPTS).positive["states"]
    backbone.train_soft_tokens(seed_key=KEY)
    first = backbone.encode([Prompt(text="")]).positive["states"][0, 0]
    assert all(torch.equal(token, first) for token in backbone.trainable()[POSITIVE_BANK][0])
    own = trained(backbone, count=3)
    expected = own[POSITIVE_BANK][0] + own[tokens.TIME_TABLE][[80, 30], 0][:, None]
    seen = sequences(backbone, blocks)
    for name in blocks[:2]:
        torch.testing.assert_close(seen[name], torch.cat([states[:, :1], expected, states[:, 1:]], dim=1))
    assert torch.equal(seen["up_blocks.0"], states)
    # SoftREPA's places
    trained(backbone, targets=("down_blocks",))  # type: ignore[arg-type]
    assert [seen.shape[1] - states.shape[1] for seen in sequences(backbone, blocks).values()] == [4, 0, 0]


def test_joint_blocks_read_their_own_tokens_and_give_them_up(folders: dict[str, Path]) -> None:
    backbone = open_backbone(str(folders["sd3"]))
    blocks = ["transformer_blocks.0", "transformer_blocks.1"]
    plain = sequences(backbone, blocks)
    length = plain[blocks[0]].shape[1]
    own = trained(backbone, count=3)
    seen = sequences(backbone, blocks)
    assert torch.equal(seen[blocks[0]][:, :length], plain[blocks[0]])
    assert not torch.equal(seen[blocks[1]][:, :length], plain[blocks[1]])
    for layer, name in enumerate(blocks):
        expected = own[POSITIVE_BANK][layer] + own[tokens.TIME_TABLE][[80, 30], layer][:, None]
        torch.testing.assert_close(seen[name][:, length:], expected)
    trained(backbone, count=3, targets=blocks[:1])  # type: ignore[arg-type]
    assert [text.shape[1] - length for text in sequences(backbone, blocks).values()] == [3, 0]


def test_initial_tables_come_from_the_key_alone(backbone: PipelineBackbone) -> None:
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        backbone.train_soft_tokens(seed_key=KEY)
        assert torch.equal(torch.get_rng_state(), state)
        drawn.append({name: value.detach().clone() for name, value in backbone.trainable().items()})
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])
    # at least 1,600 draws: their deviation is within 10 % of 0.02 (5 standard errors)
    assert float(drawn[0][tokens.TIME_TABLE].std()) == pytest.approx(0.02, rel=0.1)
    assert {value.dtype for value in drawn[0].values()} == {torch.float32}


# --- gradients ------------------------------------------------------------------------------------------------------


def test_gradients_reach_the_tables_alone(backbone: PipelineBackbone) -> None:
    trained(backbone)
    prediction(backbone).square().sum().backward()
    touched = {name for name, value in backbone.denoiser.named_parameters() if value.grad is not None}
    assert touched == {POSITIVE_BANK, tokens.TIME_TABLE}
    time = backbone.trainable()[tokens.TIME_TABLE].grad
    assert time is not None
    assert time.flatten(1).any(dim=1).nonzero().flatten().tolist() == [30, 80]


def test_another_bank_is_read_through_parameters(backbone: PipelineBackbone) -> None:
    own = trained(backbone)
    swapped = {**own, POSITIVE_BANK: own[NEGATIVE_BANK]}
    answer = prediction(backbone, swapped)
    assert not torch.equal(answer, prediction(backbone))
    answer.sum().backward()
    assert own[NEGATIVE_BANK].grad is not None
    assert own[POSITIVE_BANK].grad is None
    backbone.load_parameters(swapped)
    torch.testing.assert_close(prediction(backbone), answer)


def test_recomputed_blocks_get_the_tokens_of_their_own_call(folders: dict[str, Path]) -> None:
    """Gradient checkpointing runs blocks again in the backward pass, when other calls have come between."""
    for name in ("sd", "sd3"):
        found = []
        for checkpointing in (False, True):
            backbone = open_backbone(str(folders[name]), gradient_checkpointing=checkpointing)
            own = trained(backbone)
            swapped = {**own, POSITIVE_BANK: own[NEGATIVE_BANK]}
            loss = prediction(backbone).square().sum() + 2 * prediction(backbone, swapped).square().sum()
            with torch.no_grad():
                backbone.predict(
                    torch.ones(1, *backbone.latent_shape), TIMES[:1], text=backbone.encode(PROMPTS[:1]).positive
                )
            loss.backward()
            found.append({key: value.grad for key, value in own.items()})
        for key, value in found[0].items():
            torch.testing.assert_close(found[1][key], value)


# --- guidance, saving, refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bank", ["positive", "negative", "none"])
def test_negative_texts_read_the_bank_they_are_told(backbone: PipelineBackbone, bank: str) -> None:
    own = trained(backbone, guidance_bank=bank)
    latents, conditioning = KEY.normal((2, *backbone.latent_shape)), backbone.encode(PROMPTS)
    text = {name: value for name, value in conditioning.negative.items() if name != tokens.BANK_OF_ROW}
    with torch.no_grad():
        found = guided_prediction(backbone, latents, timestep=500.0, conditioning=conditioning, scale=3.0)
        times = torch.full((2,), 500.0)
        positive = backbone.predict(latents, times, text=conditioning.positive)
        negative = backbone.predict(latents, times, text=text, parameters=tokens.reading(own, bank))  # type: ignore[arg-type]
        torch.testing.assert_close(found, negative + 3 * (positive - negative), atol=1e-4, rtol=1e-4)
        with backbone.merged():
            again = guided_prediction(backbone, latents, timestep=500.0, conditioning=conditioning, scale=3.0)
        torch.testing.assert_close(again, found)


def test_checkpoints_keep_everything(backbone: PipelineBackbone) -> None:
    trained(backbone, count=2, buckets=20, guidance_bank="negative")
    weights, painted = backbone.weights(), pictures(backbone)
    content = checkpoints.encode(weights)
    assert content == checkpoints.encode(backbone.weights())
    found = checkpoints.decode(content)
    assert (found.kind, found.targets, found.guidance_bank) == ("tokens", weights.targets, "negative")
    fresh = open_backbone(backbone.base)
    fresh.load_weights(found)
    assert torch.equal(pictures(fresh), painted)
    fresh.train_soft_tokens(seed_key=KEY)
    fresh.load_weights(found)
    assert torch.equal(pictures(fresh), painted)
    fresh.train_lora(rank=2, alpha=2, seed_key=KEY)
    lora = fresh.weights()
    fresh.load_weights(found)
    assert torch.equal(pictures(fresh), painted)
    fresh.load_weights(lora)
    assert torch.equal(prediction(fresh), prediction(open_backbone(backbone.base)))


def test_half_precision_networks_take_float32_tokens(folders: dict[str, Path]) -> None:
    for name in ("sd", "sd3"):
        backbone = open_backbone(str(folders[name]), dtype="bfloat16")
        trained(backbone)
        prediction(backbone).sum().backward()
        gradient = backbone.trainable()[POSITIVE_BANK].grad
        assert gradient is not None
        assert gradient.dtype == torch.float32
        assert bool(torch.isfinite(gradient).all())


def test_wrong_uses_say_what_to_do(backbone: PipelineBackbone, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"soft token target 'up': no block that reads text .* try '"):
        backbone.train_soft_tokens(seed_key=KEY, targets=("up",))
    with pytest.raises(UsageError, match="soft tokens without a target"):
        backbone.train_soft_tokens(seed_key=KEY, targets=())
    with pytest.raises(UsageError, match="count=-1, buckets=100, banks=2: count and buckets must be at least 0"):
        backbone.train_soft_tokens(seed_key=KEY, count=-1)
    with pytest.raises(UsageError, match="guidance_bank='negative' with 1 banks"):
        backbone.train_soft_tokens(seed_key=KEY, banks=1, guidance_bank="negative")
    with pytest.raises(UsageError, match=r"gives no access to the text stream of its .*train a LoRA"):
        TrainableDenoiser.train_soft_tokens(WithoutStream(backbone), seed_key=KEY)
    backbone.train_soft_tokens(seed_key=KEY)
    for export in (export_lora, export_pipeline):
        with pytest.raises(UsageError, match="are soft tokens, which no pipeline of diffusers reads"):
            export(backbone, tmp_path / "out")
    backbone.train_full()
    with pytest.raises(UsageError, match=r"was prepared for full training.*open the model again"):
        backbone.train_soft_tokens(seed_key=KEY)


class WithoutStream(TrainableDenoiser):
    def __init__(self, backbone: PipelineBackbone) -> None:
        self.__dict__ |= backbone.__dict__


# --- the method on real pipelines -----------------------------------------------------------------------------------


def test_backbone_and_method_keep_their_contracts(backbone: PipelineBackbone) -> None:
    backbone.train_soft_tokens(seed_key=KEY)
    check_backbone(backbone, prompts=PROMPTS)
    context = MethodContext(recipe=backbone.default_recipe(steps=4), reward=None)
    for name in ("softrepa", "agsm", "agsm-published"):
        check_method(SoftTokens.build(SoftTokensConfig(**PRESETS[name][1]), context), backbone, prompts=PROMPTS)
    for objective in ("plain", "cfg_target"):
        check_method(SoftTokens.build(SoftTokensConfig(objective=objective), context), backbone, prompts=PROMPTS)


def captioned(backbone: PipelineBackbone, count: int = 4) -> Captioned:
    prompts = [Prompt(text=f"{number} hats") for number in range(count)]
    false = [Prompt(text=f"{number + 4} hats") for number in range(2 * count)]
    return Captioned(
        latents=KEY.child("pictures").normal((count, *backbone.latent_shape)),
        conditioning=backbone.encode(prompts),
        negatives=backbone.encode(false),
    )


@pytest.mark.parametrize("objective", ["agsm", "softrepa"])
def test_rows_at_once_changes_memory_only(backbone: PipelineBackbone, objective: str) -> None:
    backbone.train_soft_tokens(seed_key=KEY)
    old = {name: 1.1 * value.detach() for name, value in backbone.trainable().items()}
    context = LossContext(backbone=backbone, reference=backbone.reference(), old=old, step=0)
    examples, found = captioned(backbone), []
    for rows in (None, 3):
        method = SoftTokens(config=SoftTokensConfig(objective=objective, rows_at_once=rows))
        loss = method.loss(examples, context=context, key=KEY).value
        found.append([loss, *torch.autograd.grad(loss, list(backbone.trainable().values()), allow_unused=True)])
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("model", ["builtin:sd", "builtin:sd3"])
@pytest.mark.parametrize("objective", ["agsm", "softrepa", "cfg_target", "plain"])
def test_gradients_descend_on_built_in_models(model: str, objective: str) -> None:
    """A step of length 0.3 against the gradient lowers the loss, at the same noise and slow tokens."""
    backbone = open_backbone(model)
    backbone.train_soft_tokens(seed_key=KEY)
    start = {name: value.detach().clone() for name, value in backbone.trainable().items()}
    context = LossContext(backbone=backbone, reference=backbone.reference(), old=start, step=0)
    examples, method = renders(backbone, count=4), SoftTokens(config=SoftTokensConfig(objective=objective))
    before = method.loss(examples, context=context, key=KEY).value
    before.backward()
    slopes = {name: value.grad for name, value in backbone.trainable().items() if value.grad is not None}
    assert (NEGATIVE_BANK in slopes) is (objective == "agsm")
    length = torch.cat([slope.flatten() for slope in slopes.values()]).norm()
    backbone.load_parameters({n: v - 0.3 * slopes[n] / length if n in slopes else v for n, v in start.items()})
    with torch.no_grad():
        after = method.loss(examples, context=context, key=KEY).value
    assert after < before


def test_the_loop_moves_both_banks_and_their_slow_copies(backbone: PipelineBackbone) -> None:
    backbone.train_soft_tokens(seed_key=KEY)
    base = {name: value.clone() for name, value in backbone.denoiser.state_dict().items() if tokens.MODULE not in name}
    start = {name: value.detach().clone() for name, value in backbone.trainable().items()}
    config = FitConfig(
        steps=3, batch_size=2, learning_rate=1e-2, old_policy=OldPolicy(follows="step", slope=1.0, maximum=0.9)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fit(SoftTokens(config=SoftTokensConfig()), backbone, captioned(backbone), config=config, key=KEY)
    for weights in (result.state.policy, result.state.old):
        assert all(not torch.equal(weights[name], value) for name, value in start.items())
    assert all(torch.equal(backbone.denoiser.state_dict()[name], value) for name, value in base.items())


def renders(backbone: PipelineBackbone, *, count: int) -> Captioned:
    """Pictures of the world with true captions and three hard false ones each."""
    rng = np.random.default_rng(KEY.entropy)
    requests = [draw_request(rng) for _ in range(count)]
    pixels = torch.from_numpy(np.stack([render(request, rng) for request in requests])).permute(0, 3, 1, 2)
    false = [text_of(each) for request in requests for each in hard_negatives(request, rng, count=3)]
    return Captioned(
        latents=backbone.encode_images(Images(pixels=pixels.float() / 255)),
        conditioning=backbone.encode([Prompt(text=text_of(request)) for request in requests]),
        negatives=backbone.encode([Prompt(text=text) for text in false]),
    )
