"""A denoiser with weights to train: LoRA factors, soft tokens or all; their reference, saving, loading and merging.

Not the training (`methods.fit`) and not a file format: `weights` and `load_weights` exchange records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.tensors import Parameters
from redraft.models import lora, tokens
from redraft.models.folder import fingerprint
from redraft.models.weights import DenoiserWeights, GuidanceBank


class TrainableDenoiser:
    """The half of a backbone that holds weights. There are none to train before one of the three train_ calls.

    denoiser: the UNet or transformer. base: name of the pipeline. part: its folder with the denoiser's own files.
    base_fingerprint: hash of those files; weights trained on one base fit no other.
    Not for two threads at once: `merged` and `parameters` exchange weights in place.
    """

    lora_targets: ClassVar[tuple[str, ...]]

    def __init__(self, denoiser: Any, *, base: str, part: Path) -> None:
        self.denoiser, self.base, self._part = denoiser, base, part
        self.base_fingerprint = fingerprint(part)
        self.compute_dtype: torch.dtype = denoiser.dtype
        self._trainable: dict[str, torch.nn.Parameter] = {}
        self._reference: dict[str, torch.Tensor] = {}
        self._lora: tuple[int, float, tuple[str, ...]] | None = None
        self._tokens: tokens.TokenOptions | None = None
        self._merged = False

    def call(self, arguments: Mapping[str, Any], *, parameters: Parameters | None = None) -> torch.Tensor:
        """The first output of the denoiser, with other trainable weights for this call if `parameters` are given.

        Their names are not checked here.
        """
        if parameters is None:
            return self.denoiser(**arguments)[0]  # type: ignore[no-any-return]
        # functional_call writes into its mapping, hence the copy; no weights of these networks are tied.
        return torch.func.functional_call(self.denoiser, dict(parameters), (), arguments, tie_weights=False)[0]  # type: ignore

    def train_lora(self, *, rank: int, alpha: float, seed_key: Key, targets: Sequence[str] | None = None) -> None:
        """Make a fresh LoRA the weights to train (any earlier adapter is taken off); it equals the base exactly.

        `targets`: endings of layer names, by default the family's attention projections. See `lora.attach`.
        """
        chosen = self.lora_targets if targets is None else tuple(targets)
        self._take_off()
        lora.attach(self.denoiser, rank=rank, alpha=alpha, targets=chosen, key=seed_key)
        self._lora = (rank, float(alpha), chosen)
        self._set_trainable({n: p for n, p in self.denoiser.named_parameters() if ".lora_" in n})

    def train_soft_tokens(
        self,
        *,
        count: int = 4,
        seed_key: Key,
        targets: Sequence[str] | None = None,
        buckets: int = 100,
        banks: int = 2,
        guidance_bank: GuidanceBank = "positive",
    ) -> None:
        """Make fresh soft tokens the weights to train (any earlier adapter is taken off); see `models.tokens`.

        Unlike a fresh LoRA they change the pictures at once; `reference()`, banks of zeros, is the base exactly.
        `targets`: names of blocks that read text, by default the family's. `buckets` of timesteps: 0 for no time table.
        `guidance_bank`: what negative texts read; prompts must be encoded after this call. Raises UsageError for a
        family without access to its text stream, after train_full, and as TokenOptions and `tokens.attach` do.
        """
        stream = self._text_stream()
        chosen = stream.default if targets is None else tuple(targets)
        options = tokens.TokenOptions(
            count=count, targets=chosen, buckets=buckets, banks=banks, guidance_bank=guidance_bank
        )
        self._take_off()
        tokens.attach(self.denoiser, stream, options=options, key=seed_key)
        self._tokens = options
        self._set_trainable({n: p for n, p in self.denoiser.named_parameters() if n.startswith(f"{tokens.MODULE}.")})
        self._reference = {name: torch.zeros_like(value) for name, value in self._reference.items()}

    def _text_stream(self) -> tokens.TextStream:
        """How this family's denoiser reads text."""
        raise UsageError(
            f"{type(self).__name__} gives no access to the text stream of its {type(self.denoiser).__name__}, which "
            "soft tokens need: train a LoRA, or use a StableDiffusionPipeline or StableDiffusion3Pipeline model"
        )

    def train_full(self) -> None:
        """Make every weight of the denoiser trainable, in float32; the reference is a copy of them as they are now."""
        self._refuse_merged()
        if not self._full:
            self._take_off()
        self.denoiser.float()
        self.compute_dtype = torch.float32
        self._set_trainable(dict(self.denoiser.named_parameters()))

    @property
    def _full(self) -> bool:
        return bool(self._trainable) and self._lora is None and self._tokens is None

    def _take_off(self) -> None:
        """Take any adapter off, so that the denoiser is the base."""
        self._refuse_merged()
        if self._full:
            raise UsageError(
                f"the denoiser of {self.base!r} was prepared for full training, so its weights may no longer be the "
                "base's: open the model again to train or load an adapter of the base"
            )
        lora.detach(self.denoiser)
        tokens.detach(self.denoiser)
        self._lora, self._tokens, self._trainable, self._reference = None, None, {}, {}

    def _set_trainable(self, parameters: dict[str, torch.nn.Parameter]) -> None:
        self._trainable = parameters
        self._reference = {name: value.detach().clone() for name, value in parameters.items()}
        for value in parameters.values():
            value.requires_grad_(True)

    def trainable(self) -> Mapping[str, torch.nn.Parameter]:
        """The parameters to train, by name; empty before train_lora, train_soft_tokens or train_full."""
        return self._trainable

    def reference(self) -> Parameters:
        """Weights that give the model without training: LoRA with B = 0, no tokens, or the copy made by train_full."""
        return self._reference

    @torch.no_grad()
    def load_parameters(self, parameters: Parameters) -> None:
        """Copy values into the trainable weights. Raises UsageError when names or shapes differ."""
        self._refuse_merged()
        expected = {name: tuple(value.shape) for name, value in self._trainable.items()}
        found = {name: tuple(value.shape) for name, value in parameters.items()}
        if expected != found:
            wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
            raise UsageError(
                f"{len(wrong)} parameters do not fit the trainable ones of {self.base!r}, the first {wrong[0]!r} "
                f"(here {expected.get(wrong[0], 'absent')}, given {found.get(wrong[0], 'absent')}): prepare the "
                "backbone with the same kind, rank and targets (load_weights does)"
            )
        for name, value in self._trainable.items():
            value.copy_(parameters[name])

    @property
    def part_name(self) -> str:
        """The denoiser's name in its pipeline: unet or transformer."""
        return self._part.name

    def weights(self, parameters: Parameters | None = None) -> DenoiserWeights:
        """A copy on the CPU of the trainable weights, or of `parameters` of the same names, as a record to save."""
        if not self._trainable:
            raise UsageError(f"the model {self.base!r} has nothing to save: call train_lora or train_full first")
        if parameters is not None:
            self._require_names(parameters)
        values = self._trainable if parameters is None else parameters
        rank, alpha, targets = self._lora or (0, 0.0, self._tokens.targets if self._tokens else ())
        return DenoiserWeights(
            kind="lora" if self._lora else "tokens" if self._tokens else "full",
            parameters={name: value.detach().cpu().clone().contiguous() for name, value in values.items()},
            base=self.base,
            base_fingerprint=self.base_fingerprint,
            rank=rank,
            alpha=alpha,
            targets=targets,
            guidance_bank=self._tokens.guidance_bank if self._tokens else "positive",
        )

    def load_weights(self, weights: DenoiserWeights) -> None:
        """Take over saved weights: prepare an adapter of the same shape, or full training, unless there; copy them.

        Raises UsageError, naming both bases, for weights of another base.
        """
        weights.require_base(self.base, self.base_fingerprint)
        if weights.kind == "full":
            if not self._full:
                self.train_full()
        elif weights.kind == "tokens":
            options = tokens.options_of(weights)
            if self._tokens != options:
                # Their initial values are overwritten at once, so this key decides nothing.
                self.train_soft_tokens(**asdict(options), seed_key=Key(seed=0))
        elif self._lora != (weights.rank, weights.alpha, weights.targets):
            # The initial A is overwritten at once, so this key decides nothing.
            self.train_lora(rank=weights.rank, alpha=weights.alpha, targets=weights.targets, seed_key=Key(seed=0))
        self.load_parameters(weights.parameters)

    @contextmanager
    def merged(self, parameters: Parameters | None = None) -> Iterator[None]:
        """Within: the denoiser holds dense weights (its own, or `parameters`), fast and for gradient-free use only.

        Afterwards the very tensors of before are back. Raises UsageError when nested.
        """
        self._refuse_merged()
        if parameters is not None:
            self._require_names(parameters)
        values: Parameters = self._trainable if parameters is None else parameters
        self._merged = True
        try:
            with torch.no_grad():
                context = lora.merged(self.denoiser, values) if self._lora else self._exchanged(values)
                with context:
                    yield
        finally:
            self._merged = False

    @contextmanager
    def _exchanged(self, values: Parameters) -> Iterator[None]:
        originals = {name: parameter.data for name, parameter in self._trainable.items()}
        try:
            for name, parameter in self._trainable.items():
                parameter.data = values[name].detach().to(parameter.device, parameter.dtype)
            yield
        finally:
            for name, parameter in self._trainable.items():
                parameter.data = originals[name]

    def _refuse_merged(self) -> None:
        if self._merged:
            raise UsageError(f"the weights of {self.base!r} are merged: leave the merged() block first")

    def _require_names(self, parameters: Parameters) -> None:
        self._refuse_merged()
        if parameters.keys() != self._trainable.keys():
            wrong = sorted(parameters.keys() ^ self._trainable.keys())
            raise UsageError(
                f"{len(wrong)} parameter names differ from the trainable ones of {self.base!r}, the first "
                f"{wrong[0]!r}: give a value for each trainable name, and none besides"
            )
