"""The formats by name. Each is one file of this folder."""

from __future__ import annotations

from redraft.core.errors import unknown_name
from redraft.feedback.exchange import (
    argilla,
    geneval_crowd,
    hpdv2,
    image_reward,
    jsonl,
    label_studio,
    pick_a_pic,
    rich_hf,
    vision_reward,
)
from redraft.feedback.exchange.formats import Format

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        Format(name=jsonl.NAME, title="our own rows", decode=jsonl.decode, encode=jsonl.encode, container="lines"),
        Format(
            name=hpdv2.NAME, title="HPD v2, choices and ranks", decode=hpdv2.decode, encode=hpdv2.encode,
            container="list", grouped=("ranks",),
        ),
        Format(
            name=pick_a_pic.NAME, title="Pick-a-Pic v2, pairs in parquet", decode=pick_a_pic.decode,
            encode=pick_a_pic.encode, container="parquet", schema=pick_a_pic.schema, heavy=pick_a_pic.HEAVY,
            embeds=True,
        ),
        Format(
            name=image_reward.NAME, title="ImageReward, ranks with ties", decode=image_reward.decode,
            encode=image_reward.encode, container="list", heavy=image_reward.HEAVY,
        ),
        Format(
            name=vision_reward.NAME, title="VisionReward, an eighteen-question checklist",
            decode=vision_reward.decode, encode=vision_reward.encode, container="parquet",
            schema=vision_reward.schema, heavy=vision_reward.HEAVY,
        ),
        Format(
            name=rich_hf.NAME, title="ratings as RichHF-18K has them", decode=rich_hf.decode, encode=rich_hf.encode,
            container="lines",
        ),
        Format(
            name=geneval_crowd.NAME, title="the crowd's answers to GenEval", decode=geneval_crowd.decode,
            encode=geneval_crowd.encode, container="csv", columns=geneval_crowd.COLUMNS,
        ),
        Format(
            name=label_studio.NAME, title="Label Studio tasks with annotations", decode=label_studio.decode,
            encode=label_studio.encode, container="list", grouped=label_studio.KINDS, companion=label_studio.COMPANION,
        ),
        Format(
            name=argilla.NAME, title="Argilla records with responses", decode=argilla.decode, encode=argilla.encode,
            container="list", grouped=argilla.KINDS,
        ),
    )
}  # fmt: skip


def format_named(name: str) -> Format:
    """The format called `name`. Raises UnknownNameError."""
    if name not in FORMATS:
        raise unknown_name("format", name, FORMATS)
    return FORMATS[name]
