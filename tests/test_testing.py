"""The conformance checks: what keeps its contract passes, and each planted fault is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from redraft.core.errors import UsageError
from redraft.core.protocols import LossContext, MethodContext
from redraft.core.records import NoiseLevel, Prediction, Prompt, Recipe
from redraft.core.tensors import Conditioning, Examples, Images, Loss, Parameters, PromptBatch, Scored, Scores
from redraft.diffusion.exact import PARAMETERS, ExactBackbone, Mixture
from redraft.methods.draft import Draft, DraftConfig
from redraft.methods.nft import Nft, NftConfig
from redraft.methods.sft import Sft, SftConfig
from redraft.testing import ConformanceError, check_backbone, check_method, check_scorer


class Exact(ExactBackbone):
    """A backbone that keeps its contract; the faulty ones below are made of it."""

    def __init__(self, prediction: Prediction = "epsilon", *, trains: Sequence[str] = PARAMETERS) -> None:
        super().__init__(
            Mixture(means=(-1.0, 1.0), variances=(0.2, 0.1), weights=(0.5, 0.5)),
            prediction=prediction,
            latent_shape=(3, 4, 4),
            prompt_means={"a red star": 0.5, "two circles": -0.5},
            trains=trains,
            dtype=torch.float32,
        )


class Brightness:
    """A scorer that keeps its contract: mean of all pixels, and of the red ones."""

    name = "brightness"
    heads = ("all", "red")
    fingerprint = "brightness-1"
    differentiable = True

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        values = torch.stack([self.score_pixels(images.pixels, prompts), images.pixels[:, 0].mean(dim=(1, 2))], dim=1)
        return Scores(
            values=values,
            names=self.heads,
            fingerprints=(self.fingerprint, self.fingerprint),
            mask=torch.ones_like(values, dtype=torch.bool),
        )

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        assert len(pixels) == len(prompts)
        return pixels.mean(dim=(1, 2, 3))


class BlackBox(Brightness):
    """A scorer without gradients that says so."""

    differentiable = False

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        brightness = Brightness()
        return brightness.score(images, prompts)

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        raise UsageError("no gradients: choose another scorer")


def method_context(backbone: ExactBackbone) -> MethodContext:
    return MethodContext(recipe=Recipe(levels=backbone.levels(4)), reward=Brightness())


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
def test_a_backbone_that_keeps_its_contract_passes(prediction: Prediction) -> None:
    check_backbone(Exact(prediction))


def test_scorers_that_keep_their_contract_pass() -> None:
    check_scorer(Brightness())
    check_scorer(BlackBox())


@pytest.mark.parametrize("prediction", ["epsilon", "flow"])
def test_the_built_in_methods_keep_their_contract(prediction: Prediction) -> None:
    backbone = Exact(prediction)
    context = method_context(backbone)
    check_method(Nft.build(NftConfig(), context), backbone)
    check_method(Sft.build(SftConfig(), context), backbone)
    check_method(Draft.build(DraftConfig(last=2, kl_coefficient=0.1), context), backbone)
    check_method(Draft.build(DraftConfig(lv_draws=2), context), backbone)


# --- planted faults in a backbone -----------------------------------------------------------------------------------


class WithoutDecode:
    prediction: Prediction = "epsilon"
    latent_shape = (1, 1, 1)


class UnknownPrediction(Exact):
    def __init__(self) -> None:
        super().__init__()
        self.prediction = "noise"  # type: ignore[assignment]


class LosesAPrompt(Exact):
    def encode(self, prompts: Sequence[Prompt]) -> Conditioning:
        return super().encode(prompts[:-1])


class MixesPrompts(Exact):
    def encode(self, prompts: Sequence[Prompt]) -> Conditioning:
        encoded = super().encode(prompts)
        mean = encoded.positive["mean"]
        return Conditioning(positive={"mean": mean - mean[:1]}, negative=encoded.negative)


class Dropout(Exact):
    def predict(self, latents: torch.Tensor, *arguments: object, **named: object) -> torch.Tensor:
        return torch.nn.functional.dropout(super().predict(latents, *arguments, **named), 0.5)  # type: ignore[arg-type]


class MixesPictures(Exact):
    def predict(self, latents: torch.Tensor, *arguments: object, **named: object) -> torch.Tensor:
        prediction = super().predict(latents, *arguments, **named)  # type: ignore[arg-type]
        return prediction - prediction.mean(dim=0)


class Overwrites(Exact):
    def predict(self, latents: torch.Tensor, *arguments: object, **named: object) -> torch.Tensor:
        prediction = super().predict(latents, *arguments, **named)  # type: ignore[arg-type]
        with torch.no_grad():
            latents.mul_(2)
        return prediction


class CutsTheGraph(Exact):
    def predict(self, latents: torch.Tensor, *arguments: object, **named: object) -> torch.Tensor:
        return super().predict(latents, *arguments, **named).detach()  # type: ignore[arg-type]


class KeepsParameters(Exact):
    def _with(self, parameters: Parameters | None) -> Parameters:
        if parameters is not None:
            with torch.no_grad():
                for name, value in parameters.items():
                    self._trainable[name].copy_(value)
        return super()._with(parameters)


class IgnoresParameters(Exact):
    def _with(self, parameters: Parameters | None) -> Parameters:
        return super()._with(None)


class DecodesToSignedRange(Exact):
    def decode(self, latents: torch.Tensor) -> Images:
        return Images(pixels=super().decode(latents).pixels * 2 - 1)


class RoundsPixels(Exact):
    def decode(self, latents: torch.Tensor) -> Images:
        with torch.no_grad():
            return Images(pixels=(super().decode(latents).pixels * 255).round() / 255)


class DrawsLatents(Exact):
    def encode_images(self, images: Images) -> torch.Tensor:
        mean = super().encode_images(images)
        return mean + 0.1 * torch.randn_like(mean)


class StopsEarly(Exact):
    def levels(self, steps: int) -> tuple[NoiseLevel, ...]:
        levels = super().levels(steps)
        return (*levels[:-1], NoiseLevel(alpha=0.999, sigma=0.045, timestep=1.0))


class TellsAnotherTime(Exact):
    def levels(self, steps: int) -> tuple[NoiseLevel, ...]:
        return tuple(
            NoiseLevel(alpha=level.alpha, sigma=level.sigma, timestep=level.timestep / 2)
            for level in super().levels(steps)
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (WithoutDecode, "has no encode, predict, decode, encode_images"),
        (UnknownPrediction, "prediction is 'noise': it must be one of epsilon, v, flow"),
        (LosesAPrompt, "for 3 prompts: every tensor needs one row a prompt"),
        (MixesPrompts, "another row alone than among others"),
        (Dropout, "two answers to one question: set it to eval mode"),
        (Dropout, "predict draws from global randomness"),
        (MixesPictures, "depends on its neighbours in the batch"),
        (CutsTheGraph, "predict gives no gradient in the latents"),
        (KeepsParameters, "changes the backbone beyond that call"),
        (IgnoresParameters, "predict ignores its parameters"),
        (DecodesToSignedRange, "they must lie in 0..1"),
        (RoundsPixels, "decode gives no gradient in the latents"),
        (DrawsLatents, "encode_images is random: give the mean"),
        (StopsEarly, "they must fall and end at 0"),
        (TellsAnotherTime, "tell the network different things at one timestep"),
        (lambda: Exact(trains=()), "trainable is empty: prepare the backbone for training"),
    ],
)
def test_a_fault_of_a_backbone_is_named(make: Callable[[], ExactBackbone], message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_backbone(make())


def test_a_backbone_that_writes_into_its_latents_is_named() -> None:
    with pytest.raises(ConformanceError, match=r"predict changes the latents it is given|predict raised"):
        check_backbone(Overwrites())


def test_sampling_alone_asks_for_nothing_to_train() -> None:
    check_backbone(Exact(trains=()), trainable=False)


# --- planted faults in a scorer -------------------------------------------------------------------------------------


class Repeats(Brightness):
    heads = ("all", "all")


class Nan(Brightness):
    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        return super().score_pixels(pixels, prompts) * float("nan")


class KeepsTheGraph(Brightness):
    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        return super().score(Images(pixels=images.pixels.requires_grad_(True)), prompts)


class ComparesWithNeighbours(Brightness):
    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        value = super().score_pixels(pixels, prompts)
        return value - value[:1]


class Quantizes(Brightness):
    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        return super().score_pixels(pixels, prompts).round()


class AnotherScale(Brightness):
    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        scores = super().score(images, prompts)
        return Scores(
            values=scores.values * 100, names=scores.names, fingerprints=scores.fingerprints, mask=scores.mask
        )


class SecretlyDifferentiable(Brightness):
    differentiable = False


class RaisesTheWrongError(BlackBox):
    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        raise NotImplementedError


class OneFingerprint(Brightness):
    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        scores = super().score(images, prompts)
        return Scores(values=scores.values, names=scores.names, fingerprints=("one",), mask=scores.mask)


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (Repeats(), "at least one name, none twice"),
        (Nan(), "score gave numbers that are not finite"),
        (KeepsTheGraph(), "score has a graph: wrap it in no_grad"),
        (ComparesWithNeighbours(), "depends on its neighbours or on chance"),
        (Quantizes(), "gradient of score_pixels in the pixels is zero"),
        (AnotherScale(), "score_pixels and the first head of score differ"),
        (SecretlyDifferentiable(), "answers although differentiable is False"),
        (RaisesTheWrongError(), "it must raise UsageError without gradients"),
        (OneFingerprint(), "with 1 fingerprints for the heads"),
    ],
)
def test_a_fault_of_a_scorer_is_named(scorer: Brightness, message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_scorer(scorer)


# --- planted faults in a method -------------------------------------------------------------------------------------


class Descends:
    """A method that keeps its contract: the mean squared prediction at one noise level."""

    needs = "prompts"

    def prepare(self, scored: Scored, *, key: object) -> Examples:
        raise AssertionError("a method that needs prompts only is never asked to prepare")

    def loss(self, examples: Examples, *, context: LossContext, key: object) -> Loss:
        assert isinstance(examples, PromptBatch)
        backbone = context.backbone
        latents = torch.ones(len(examples), *backbone.latent_shape)
        times = torch.full((len(examples),), 500.0)
        prediction = backbone.predict(latents, times, text=examples.conditioning.positive)
        value = prediction.square().mean()
        return Loss(value=value, parts={"size": value.item()})


class NeedsTheMoon(Descends):
    needs = "moon"


class Ascends(Descends):
    """Trains by itself."""

    def loss(self, examples: Examples, *, context: LossContext, key: object) -> Loss:
        loss = super().loss(examples, context=context, key=key)
        loss.value.backward(retain_graph=True)
        return loss


class Writes(Descends):
    def loss(self, examples: Examples, *, context: LossContext, key: object) -> Loss:
        loss = super().loss(examples, context=context, key=key)
        with torch.no_grad():
            next(iter(context.backbone.trainable().values())).add_(1.0)
        return loss


class Gambles(Descends):
    def loss(self, examples: Examples, *, context: LossContext, key: object) -> Loss:
        loss = super().loss(examples, context=context, key=key)
        return Loss(value=loss.value * torch.rand(()), parts=loss.parts)


class Detaches(Descends):
    def loss(self, examples: Examples, *, context: LossContext, key: object) -> Loss:
        loss = super().loss(examples, context=context, key=key)
        return Loss(value=loss.value.detach(), parts=loss.parts)


class LogsTensors(Descends):
    def loss(self, examples: Examples, *, context: LossContext, key: object) -> Loss:
        loss = super().loss(examples, context=context, key=key)
        return Loss(value=loss.value, parts={"size": loss.value.detach()})  # type: ignore[dict-item]


class PreparesNothing(Descends):
    needs = "logged"

    def prepare(self, scored: Scored, *, key: object) -> Examples:
        return scored.reward  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (NeedsTheMoon(), "needs is 'moon': it must be one of prompts, scored, logged"),
        (Ascends(), r"the loss calls backward\(\)"),
        (Writes(), "the loss changes weights"),
        (Gambles(), "loss draws from global randomness"),
        (Gambles(), "for one key"),
        (Detaches(), "the loss has no graph: nothing would be trained"),
        (LogsTensors(), "the parts size of the loss are not finite floats"),
        (PreparesNothing(), "prepare gave Tensor, no kind of Examples"),
    ],
)
def test_a_fault_of_a_method_is_named(method: Descends, message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_method(method, Exact())  # type: ignore[arg-type]


def test_a_method_that_keeps_its_contract_passes() -> None:
    check_method(Descends(), Exact())  # type: ignore[arg-type]


def test_all_broken_rules_are_listed_together() -> None:
    with pytest.raises(ConformanceError) as caught:
        check_backbone(DecodesToSignedRange(trains=()))
    assert "DecodesToSignedRange breaks 2 rules of its protocol:" in str(caught.value)
    assert "must lie in 0..1" in str(caught.value)
    assert "trainable is empty" in str(caught.value)
