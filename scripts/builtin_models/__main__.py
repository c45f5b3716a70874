"""Command line of the training script: one stage a call. Not installed with the package."""

from __future__ import annotations

import argparse
from pathlib import Path

PICTURES = 60_000
STAGES = (
    "corpus", "autoencoder", "latents", "clip", "clip-heldout", "sd", "sd3", "clip-layout", "readouts",
    "heads", "ship", "calibrate",
)  # fmt: skip


def main() -> None:
    """Run one stage."""
    parser = argparse.ArgumentParser(prog="python -m scripts.builtin_models", description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--work", type=Path, required=True, help="folder for the corpus, states and results")
    parser.add_argument(
        "--steps",
        type=int,
        help="optimiser steps of this stage (default: those of the shipped models); batches of readouts",
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--from-shipped", action="store_true", help="begin with the weights that ship, not from nothing"
    )
    parser.add_argument("--begin", type=Path, help="clip-layout: weights that an earlier run of this stage left")
    parser.add_argument("--lock-texts", action="store_true", help="clip-layout: the text tower learns no more")
    parser.add_argument("--rate", type=float, help="clip-layout: highest learning rate")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    from scripts.builtin_models import autoencoder, corpus

    work = arguments.work
    match arguments.stage:
        case "corpus":
            corpus.build(work / "corpus", count=PICTURES, seed=11)
        case "autoencoder" if arguments.from_shipped:
            from scripts.builtin_models import shipped

            shipped.restore_autoencoder(work)
        case "autoencoder":
            autoencoder.train(work, steps=arguments.steps or 2000)
        case "latents":
            autoencoder.encode_corpus(work)
        case "clip" | "clip-heldout":
            from scripts.builtin_models import clip

            clip.train(work, held_out=arguments.stage == "clip-heldout", steps=arguments.steps or 4000)
        case "clip-layout":
            from scripts.builtin_models import clip_layout

            clip_layout.train(
                work, steps=arguments.steps or 9500, from_shipped=arguments.from_shipped, begin=arguments.begin,
                lock_texts=arguments.lock_texts, rate=arguments.rate or clip_layout.RATE,
            )  # fmt: skip
        case "readouts":
            from scripts.builtin_models import readouts

            readouts.fit(work, batches=arguments.steps or readouts.BATCHES)
        case "sd" | "sd3":
            from scripts.builtin_models import denoiser

            denoiser.train(
                work, family=arguments.stage, steps=arguments.steps or 5000, from_shipped=arguments.from_shipped
            )
        case "heads":
            from scripts.builtin_models import heads

            heads.fit(work)
        case "ship":
            from scripts.builtin_models import ship

            ship.ship(work)
        case "calibrate":
            from scripts.builtin_models import calibration

            for family in ("sd", "sd3"):
                calibration.calibrate(family)


if __name__ == "__main__":
    main()
