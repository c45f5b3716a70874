"""Stages that run once: what a finished stage left is used again after a crash, checked against the ledger's hashes.

Not the stages themselves. A stage is a name, inputs by hash, and a function that makes bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from redraft.core.errors import UsageError
from redraft.store.workspace import Workspace

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What a stage hands on: named tensors and a JSON-able mapping."""

    tensors: Mapping[str, torch.Tensor]
    facts: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """Safetensors with the facts as metadata."""
        from safetensors.torch import save

        tensors = {name: value.detach().cpu().contiguous() for name, value in self.tensors.items()}
        return bytes(save(tensors, metadata={"facts": json.dumps(self.facts, sort_keys=True)}))

    @classmethod
    def from_bytes(cls, content: bytes) -> Packed:
        """The exact inverse of `to_bytes`."""
        from safetensors.torch import load

        length = int.from_bytes(content[:8], "little")
        facts = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["facts"])
        return cls(tensors=load(content), facts=facts)


@dataclass(frozen=True, kw_only=True)
class Journal:
    """The stages of one run in the order they happen."""

    workspace: Workspace
    run: str
    seed: int
    clock: Clock

    def stage(self, name: str, make: Callable[[], Packed], *, inputs: Mapping[str, str]) -> tuple[Packed, str]:
        """What stage `name` gives, and the hash of it: from an earlier attempt with the same inputs, or made now.

        Raises DamagedError when the file of a finished stage is not as the ledger says.
        """
        done = self.workspace.ledger.last_finished(self.run, stage=name)
        file = f"{name}.safetensors"
        if done is not None and dict(done.inputs) == dict(inputs):
            content = self.workspace.stage_files.load(self.run, file, expected=done.outputs[file])
            return Packed.from_bytes(content), done.outputs[file]
        self._enter(name, "started", inputs, {})
        content = make().to_bytes()
        digest = self.workspace.stage_files.save(self.run, file, content)
        self._enter(name, "finished", inputs, {file: digest})
        return Packed.from_bytes(content), digest

    def recall(self, name: str) -> Packed:
        """What the finished stage `name` gave. Raises UsageError when it has not finished, DamagedError as `stage`."""
        done = self.workspace.ledger.last_finished(self.run, stage=name)
        if done is None:
            raise UsageError(f"run {self.run!r} has no finished stage {name!r}: resume the run, or begin a new one")
        file = f"{name}.safetensors"
        return Packed.from_bytes(self.workspace.stage_files.load(self.run, file, expected=done.outputs[file]))

    def save_state(self, name: str, packed: Packed) -> None:
        """Replace the intermediate state `name` of the stage in progress."""
        self.workspace.stage_files.save(self.run, f"{name}.safetensors", packed.to_bytes())

    def load_state(self, name: str) -> Packed | None:
        """The intermediate state `name`, or None when there is none."""
        file = f"{name}.safetensors"
        if file not in self.workspace.stage_files.names(self.run):
            return None
        return Packed.from_bytes(self.workspace.stage_files.load(self.run, file))

    def _enter(self, name: str, status: Any, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        self.workspace.ledger.append(
            self.run, name, status=status, inputs=inputs, outputs=outputs, seed=self.seed, at=self.clock()
        )


def digest_of(value: Any) -> str:
    """Hash of a JSON-able value: how configurations and prompts enter the ledger."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
