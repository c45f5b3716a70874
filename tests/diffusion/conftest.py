"""A small real network as a Backbone: convolutions, nonlinear in latents, time and text; weights from a Key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch

from redraft.core.keys import Key
from redraft.core.records import Prediction, Prompt
from redraft.core.tensors import Conditioning, Images, Parameters

LATENT_SHAPE = (4, 8, 8)


class ConvolutionBackbone:
    """tanh(conv(conv(latents) + time + text)); runs in the dtype of the latents. Counts its calls."""

    def __init__(self, prediction: Prediction) -> None:
        self.prediction: Prediction = prediction
        self.latent_shape = LATENT_SHAPE
        key = Key(seed=11, path=("network",))
        self.weights = {
            "first": torch.nn.Parameter(key.child("first").normal((8, 4, 3, 3)) * 0.2),
            "second": torch.nn.Parameter(key.child("second").normal((4, 8, 3, 3)) * 0.2),
            "text": torch.nn.Parameter(key.child("text").normal((8, 5)) * 0.5),
        }
        self.calls: list[tuple[int, torch.dtype]] = []

    def encode(self, prompts: Sequence[Prompt]) -> Conditioning:
        def rows(texts: list[str]) -> dict[str, torch.Tensor]:
            return {"states": torch.stack([Key(seed=3).child(text).normal((5,)) for text in texts])}

        return Conditioning(
            positive=rows([prompt.text for prompt in prompts]),
            negative=rows([prompt.negative_text for prompt in prompts]),
        )

    def predict(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        *,
        text: Mapping[str, torch.Tensor],
        parameters: Parameters | None = None,
    ) -> torch.Tensor:
        self.calls.append((len(latents), latents.dtype))
        named = self.weights if parameters is None else parameters
        weights = {name: value.to(latents.dtype) for name, value in named.items()}
        time = torch.sin(timesteps / 150).to(latents.dtype).reshape(-1, 1, 1, 1)
        words = (text["states"].to(latents.dtype) @ weights["text"].T)[..., None, None]
        hidden = torch.tanh(torch.nn.functional.conv2d(latents, weights["first"], padding=1) + time + words)
        return torch.nn.functional.conv2d(hidden, weights["second"], padding=1)

    def decode(self, latents: torch.Tensor) -> Images:
        return Images(pixels=torch.sigmoid(latents[:, :3]))

    def encode_images(self, images: Images) -> torch.Tensor:
        return torch.logit(images.pixels).repeat(1, 2, 1, 1)[:, :4]


@pytest.fixture
def epsilon_network() -> ConvolutionBackbone:
    return ConvolutionBackbone("epsilon")


@pytest.fixture
def v_network() -> ConvolutionBackbone:
    return ConvolutionBackbone("v")


@pytest.fixture
def flow_network() -> ConvolutionBackbone:
    return ConvolutionBackbone("flow")
