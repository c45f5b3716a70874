"""Parts for the tests of the methods at inference: enhancers on the exact backbone, and a backbone that counts."""

from __future__ import annotations

from dataclasses import replace

import torch
from exact_parts import recipe_of

from redraft.core.keys import Key
from redraft.core.records import Kernel, Prompt, Recipe
from redraft.core.tensors import PromptBatch
from redraft.diffusion.exact import ExactBackbone, Mixture

KINDS = ("epsilon", "v", "flow")


class Counting(ExactBackbone):
    """Counts the pictures that the network was asked for, and those with a graph."""

    asked = 0
    asked_with_graph = 0

    def predict(self, latents, timesteps, *, text, parameters=None):
        self.asked += len(latents)
        self.asked_with_graph += len(latents) if latents.requires_grad else 0
        return super().predict(latents, timesteps, text=text, parameters=parameters)


def two_modes(kind: str, *, shape: tuple[int, int, int] = (1, 2, 2)) -> tuple[ExactBackbone, PromptBatch]:
    """A backbone where nothing is linear, with three prompts that mean something."""
    backbone = Counting(
        Mixture(means=(-1.0, 1.5), variances=(0.2, 0.4), weights=(0.4, 0.6)),
        prediction=kind,
        latent_shape=shape,
        prompt_means={"left": -0.5, "right": 0.7},
    )
    prompts = tuple(Prompt(text=text) for text in ("left", "right", "middle"))
    return backbone, PromptBatch(prompts=prompts, conditioning=backbone.encode(prompts))


def stochastic(backbone: ExactBackbone, steps: int, *, guidance_scale: float = 1.0) -> Recipe:
    """A recipe whose steps draw noise."""
    name = "flow_sde" if backbone.prediction == "flow" else "ddim_eta"
    recipe = recipe_of(backbone, steps, guidance_scale=guidance_scale)
    return replace(recipe, kernel=Kernel(name=name, strength=0.5))


def without_pure_noise(recipe: Recipe) -> Recipe:
    """The recipe without a first level of alpha 0, where no method can see the picture."""
    return recipe if recipe.levels[0].alpha > 0 else replace(recipe, levels=recipe.levels[1:])


def check_batches_change_nothing(method, *, kind: str, steps: int = 6) -> None:
    """The same key and indices give the same pictures alone, together and again; another key gives others."""
    backbone, prompts = two_modes(kind)
    recipe, key = stochastic(backbone, steps, guidance_scale=1.5), Key(seed=4)

    def made(rows: list[int], key: Key = key):
        return method.enhance(backbone, prompts.take(rows), recipe=recipe, key=key, indices=[7 + row for row in rows])

    random_state = torch.get_rng_state()
    whole = made([0, 1, 2])
    again = made([0, 1, 2])
    assert torch.equal(whole.latents, again.latents)
    assert torch.equal(whole.scores.nan_to_num(), again.scores.nan_to_num())
    for row in range(3):
        alone = made([row])
        torch.testing.assert_close(alone.latents[0], whole.latents[row], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(alone.scores[0], whole.scores[row], rtol=1e-9, atol=1e-9, equal_nan=True)
        assert alone.chosen[0] == whole.chosen[row]
        assert alone.network_calls[0] == whole.network_calls[row]
    assert not torch.equal(made([0, 1, 2], Key(seed=5)).latents, whole.latents)
    assert torch.equal(torch.get_rng_state(), random_state)


def check_record(made, method_score, prompts: PromptBatch, backbone: ExactBackbone) -> None:
    """Latents, pictures and scores of a result belong together."""
    assert torch.equal(backbone.decode(made.latents).pixels, made.images.pixels)
    torch.testing.assert_close(method_score(made.images, prompts.prompts), made.after, rtol=1e-9, atol=1e-9)
    assert not made.latents.requires_grad
    assert not made.scores.requires_grad
    assert made.network_calls.shape == made.backward_calls.shape == made.chosen.shape == (len(prompts),)
