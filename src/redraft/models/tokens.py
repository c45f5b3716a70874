"""Soft tokens: a few learned vectors in the text stream of a frozen denoiser, by layer and by timestep.

Not their training (`methods.soft_tokens`). Shapes and places as in SoftREPA (2503.08250) and AGSM (2605.30038): a bank
of K vectors for each layer (two banks: true and false captions), and a table of one vector for each layer and bucket of
timesteps, which both banks share and which is added to all K. A bank of zeros is no bank: then the denoiser runs as if
nothing were attached, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import torch

from redraft.core.errors import UsageError, nearest
from redraft.core.keys import Key
from redraft.core.tensors import NEGATIVE_BANK, POSITIVE_BANK, Parameters
from redraft.models.weights import DenoiserWeights, GuidanceBank

MODULE = "soft_tokens"
TIME_TABLE = f"{MODULE}.time"
BANK_OF_ROW = "soft_token_bank"
"""Entry of a conditioning: which bank each row reads, an index into `BANKS`; absent means the positive one."""

BANKS: tuple[GuidanceBank, ...] = get_args(GuidanceBank)
LAST_TIMESTEP = 999
_SPREAD = 0.02


@dataclass(frozen=True, kw_only=True)
class TokenOptions:
    """Which soft tokens a denoiser has.

    count: K, tokens of a layer. targets: names of the blocks that read them, or beginnings of names. buckets: of
    timesteps, 0 for no time table. banks: 2, or 1 without that for false captions. guidance_bank: what negative texts
    read when pictures are painted with guidance.
    """

    count: int
    targets: tuple[str, ...]
    buckets: int
    banks: int
    guidance_bank: GuidanceBank

    def __post_init__(self) -> None:
        if self.count < 0 or self.buckets < 0 or self.banks not in (1, 2):
            raise UsageError(
                f"soft tokens with count={self.count}, buckets={self.buckets}, banks={self.banks}: count and buckets "
                "must be at least 0 and banks 1 or 2"
            )
        if self.guidance_bank not in BANKS or (self.guidance_bank == "negative" and self.banks == 1):
            raise UsageError(
                f"guidance_bank={self.guidance_bank!r} with {self.banks} banks: it must be 'positive', 'none', or, "
                "with two banks, 'negative'"
            )


@dataclass(frozen=True, kw_only=True)
class TextStream:
    """How a denoiser reads its text, as far as soft tokens must know.

    blocks: those that read text, by name, in order. width: of the text there. keyword: the argument of the denoiser
    that it hands on to these blocks. arguments: the blocks' leading arguments, when given by position. before: text
    positions that stand before the tokens, None for all. shared: all blocks read one layer of tokens, else each its
    own. initial: the vector (width) that tokens begin as, None for random ones. default: the blocks that read tokens
    unless others are named.
    """

    blocks: Mapping[str, torch.nn.Module]
    width: int
    keyword: str
    arguments: tuple[str, ...]
    before: int | None
    shared: bool
    initial: torch.Tensor | None
    default: tuple[str, ...]


class SoftTokens(torch.nn.Module):
    """The tables: banks L,K,W and time N,L,W, all float32, for L layers, K tokens, N buckets, width W."""

    def __init__(self, *, layers: int, count: int, width: int, buckets: int, banks: int) -> None:
        super().__init__()
        self.positive = torch.nn.Parameter(torch.zeros(layers, count, width))
        if banks == 2:
            self.negative = torch.nn.Parameter(torch.zeros(layers, count, width))
        if buckets:
            self.time = torch.nn.Parameter(torch.zeros(buckets, layers, width))

    def forward(self, timesteps: torch.Tensor) -> torch.Tensor | None:
        """Tokens B,L,K,W at timesteps B; None where the positive bank is zero."""
        if not bool(self.positive.any()):
            return None
        tokens = self.positive.expand(len(timesteps), -1, -1, -1)
        if "time" in self._parameters:
            tokens = tokens + self.time[bucket_of(timesteps, buckets=len(self.time))][:, :, None]
        return tokens


def bucket_of(timesteps: torch.Tensor, *, buckets: int) -> torch.Tensor:
    """The bucket of each real timestep in 0..1000, int64: equal parts of 0..1000; 1000 itself counts as 999."""
    return (timesteps.clamp(0, LAST_TIMESTEP) * (buckets / 1000)).floor().long()


def attach(denoiser: torch.nn.Module, stream: TextStream, *, options: TokenOptions, key: Key) -> None:
    """Put fresh soft tokens into the text stream of a denoiser; the module `soft_tokens` of it holds their tables.

    Tables are normal with deviation 0.02, drawn from `key` and their names, but for tokens that begin as
    `stream.initial`. Raises UsageError for a target that no block has.
    """
    chosen = _chosen(stream, options.targets)
    tables = SoftTokens(
        layers=1 if stream.shared else len(chosen),
        count=options.count,
        width=stream.width,
        buckets=options.buckets,
        banks=options.banks,
    )
    with torch.no_grad():
        for name, table in tables.named_parameters():
            if name != "time" and stream.initial is not None:
                table.copy_(stream.initial.expand(table.shape))
            else:
                table.copy_(_SPREAD * key.child(name).normal(table.shape))
    denoiser.add_module(MODULE, tables.to(next(denoiser.parameters()).device))
    handles = [denoiser.register_forward_pre_hook(_opening(stream), with_kwargs=True)]
    for name, block in stream.blocks.items():
        layer = None if name not in chosen else 0 if stream.shared else chosen.index(name)
        handles.append(block.register_forward_pre_hook(_joining(stream, layer), with_kwargs=True))
    tables.handles = handles  # type: ignore[assignment]


def detach(denoiser: torch.nn.Module) -> None:
    """Take soft tokens off, if there are any."""
    tables: Any = getattr(denoiser, MODULE, None)
    if tables is not None:
        for handle in tables.handles:
            handle.remove()
        delattr(denoiser, MODULE)


def options_of(weights: DenoiserWeights) -> TokenOptions:
    """The options that saved soft tokens were made with."""
    names = weights.parameters
    return TokenOptions(
        count=int(names[POSITIVE_BANK].shape[1]),
        targets=weights.targets,
        buckets=len(names[TIME_TABLE]) if TIME_TABLE in names else 0,
        banks=2 if NEGATIVE_BANK in names else 1,
        guidance_bank=weights.guidance_bank,
    )


def reading(parameters: Parameters, bank: GuidanceBank) -> Parameters:
    """The same parameters with another bank, or none, in the positive one's place."""
    if bank == "positive":
        return parameters
    value = parameters[NEGATIVE_BANK] if bank == "negative" else torch.zeros_like(parameters[POSITIVE_BANK])
    return {**parameters, POSITIVE_BANK: value}


def rows_of_bank(codes: torch.Tensor) -> list[tuple[GuidanceBank, torch.Tensor]]:
    """Of codes B (indices into `BANKS`): each bank that occurs, with its rows."""
    found = [(bank, (codes == index).nonzero().flatten()) for index, bank in enumerate(BANKS)]
    return [(bank, rows) for bank, rows in found if len(rows)]


def _chosen(stream: TextStream, targets: Sequence[str]) -> list[str]:
    for target in targets:
        if not any(_begins(name, target) for name in stream.blocks):
            close = nearest(target, stream.blocks) or tuple(stream.blocks)
            raise UsageError(
                f"soft token target {target!r}: no block that reads text has this name or begins with it; try "
                f"{', '.join(repr(name) for name in close)}"
            )
    chosen = [name for name in stream.blocks if any(_begins(name, target) for target in targets)]
    if not chosen:
        raise UsageError("soft tokens without a target: name at least one block that reads text")
    return chosen


def _begins(name: str, target: str) -> bool:
    return name == target or name.startswith(f"{target}.")


@dataclass(frozen=True, kw_only=True)
class _Passenger:
    """What travels through one call: tokens B,L,K,W and the number of text positions."""

    tokens: torch.Tensor
    length: int


def _opening(stream: TextStream) -> Any:
    """The hook on the denoiser: look the tokens up once, and send them along with the call.

    They travel as an argument and not as a state, so that blocks which are recomputed in the backward pass get the
    tokens of their own call.
    """

    def hook(denoiser: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        text = named["encoder_hidden_states"]
        tokens = denoiser.get_submodule(MODULE)(named["timestep"])
        if tokens is None:
            return None
        passenger = _Passenger(tokens=tokens.to(text.dtype), length=text.shape[1])
        return arguments, {**named, stream.keyword: {**(named.get(stream.keyword) or {}), MODULE: passenger}}

    return hook


def _joining(stream: TextStream, layer: int | None) -> Any:
    """The hook on a block: cut off what an earlier block was given, and join this block's own tokens to the text."""

    def hook(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        given = {**dict(zip(stream.arguments, arguments, strict=False)), **named}
        carried = dict(given.get(stream.keyword) or {})
        passenger: _Passenger | None = carried.pop(MODULE, None)
        if passenger is None:
            return None
        text = given["encoder_hidden_states"][:, : passenger.length]
        if layer is not None:
            before = passenger.length if stream.before is None else stream.before
            text = torch.cat([text[:, :before], passenger.tokens[:, layer], text[:, before:]], dim=1)
        return (), {**given, "encoder_hidden_states": text, stream.keyword: carried or None}

    return hook
