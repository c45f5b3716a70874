"""Which examiners see pictures by the same network as the reward that is trained: what they say is no proof.

A scorer on the reward's own features can rise with it while the pictures get no better. It may stand in the report,
marked; it may not watch over training. The oracle is none of them: it has no network.
"""

from __future__ import annotations

from typing import Any

from redraft.core.errors import UsageError
from redraft.core.protocols import Scorer


def networks_of(scorer: Scorer) -> frozenset[str]:
    """Identities of the networks that a scorer, or the parts of a blend, see pictures by; empty where none is known.

    A reward that was fitted on a CLIP and tuned its last layers counts as that CLIP, for it began as its copy.
    """
    parts: tuple[Any, ...] = getattr(scorer, "parts", (scorer,))
    found: set[str] = set()
    for part in parts:
        card, tower = getattr(part, "card", None), getattr(part, "tower", None)
        known = (getattr(card, "clip", None), getattr(card, "parent", None), getattr(tower, "identity", None))
        found |= {identity for identity in known if isinstance(identity, str) and identity}
    return frozenset(found)


def independent(examiner: Scorer, reward: Scorer | None) -> bool:
    """Whether an examiner shares neither its network nor itself with the reward (None: nothing is trained on)."""
    if reward is None:
        return True
    return examiner.fingerprint != reward.fingerprint and not networks_of(examiner) & networks_of(reward)


def require_independent_watch(heldout: Scorer, reward: Scorer) -> None:
    """Raise UsageError when the scorer that watches training sees by the network that is trained on."""
    if not independent(heldout, reward):
        raise UsageError(
            f"probes.heldout = {heldout.name!r} sees pictures by the same network as the reward {reward.name!r}: it "
            "would rise with it and warn of nothing; name another scorer under [probes] heldout, such as "
            "clip or clip-heldout, whichever is not trained on"
        )
