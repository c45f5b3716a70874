"""The oracle of the picture world as a scorer: accuracy and the six true facets. Not a learned reward, no gradient."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import ClassVar

import torch
from pydantic import BaseModel

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import FACETS, Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.fingerprints import fingerprint_of
from redraft.rewards.pixels import check_pictures
from redraft.world import Request, facets, parse, read, verify_reading

_MODULES = ("facets", "grammar", "lettering", "oracle", "requests", "shapes", "templates", "verify")


class OracleConfig(Config):
    """The scorer `oracle` has no options."""


class OracleScorer:
    """Heads: accuracy (1 when every clause of the prompt holds, else 0), then the FACETS in core order, each 0..1.

    Pictures are read as 8-bit values, as they are stored. Not differentiable.
    """

    Config: ClassVar[type[BaseModel]] = OracleConfig
    differentiable = False

    def __init__(self) -> None:
        self.name = "oracle"
        self.heads = ("accuracy", *FACETS)
        self.fingerprint = fingerprint_of("oracle", world_version())

    @classmethod
    def build(cls, config: OracleConfig, context: ModelContext) -> OracleScorer:  # noqa: ARG003
        """Needs neither options nor a folder."""
        return cls()

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """Verify each picture against its prompt; where the prompt is not of the world's grammar, mask False and NaN.

        Raises UsageError when no prompt at all can be verified, and for pictures that are not 64 x 64.
        """
        check_pictures(images.pixels, prompts, scorer=self.name)
        requests = [_request(prompt.text) for prompt in prompts]
        if prompts and all(request is None for request in requests):
            raise UsageError(_cannot(prompts, prompts))
        pictures = (
            (images.pixels.detach().permute(0, 2, 3, 1) * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
        )
        values = torch.full((len(prompts), len(self.heads)), float("nan"))
        for row, (picture, request) in enumerate(zip(pictures, requests, strict=True)):
            if request is not None:
                reading = read(picture)
                seen = facets(picture, request, reading)
                correct = float(verify_reading(reading, request).correct)
                values[row] = torch.tensor([correct, *(seen[name] for name in FACETS)])
        known = torch.tensor([request is not None for request in requests], dtype=torch.bool)
        return Scores(
            values=values,
            names=self.heads,
            fingerprints=(self.fingerprint,) * len(self.heads),
            mask=known[:, None].expand(-1, len(self.heads)).clone(),
        )

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:  # noqa: ARG002
        """Always raises UsageError."""
        raise UsageError(
            "scorer 'oracle' reads pictures by rules and has no gradient: use a method that needs scores only (nft, "
            "sft), or a differentiable reward, such as one fitted to the oracle's ratings with redraft.rewards.fit"
        )


def unverifiable(prompts: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """The prompts that are not of the world's grammar."""
    return tuple(prompt for prompt in prompts if _request(prompt.text) is None)


def require_verifiable(prompts: Sequence[Prompt]) -> None:
    """Raise UsageError, with how many of how many and the first one, unless the oracle can verify every prompt."""
    bad = unverifiable(prompts)
    if bad:
        raise UsageError(_cannot(bad, prompts))


@lru_cache(maxsize=1)
def world_version() -> str:
    """Hash of the sources of the rules that decide a score: another world, another version."""
    sources = [inspect.getsource(import_module(f"redraft.world.{name}")) for name in _MODULES]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16]


@lru_cache(maxsize=50_000)
def _request(text: str) -> Request | None:
    try:
        return parse(text)
    except UsageError:
        return None


def _cannot(bad: Sequence[Prompt], prompts: Sequence[Prompt]) -> str:
    return (
        f"{len(bad)} of {len(prompts)} prompts cannot be verified by the oracle, the first is {bad[0].text[:80]!r}: it "
        "knows only texts of the picture world, like 'a red star left of a circle'; leave them out, or score them "
        "with another reward such as clip"
    )
