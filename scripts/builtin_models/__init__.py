"""Trains the built-in models from nothing but the picture world. Not part of the installed package.

    python -m scripts.builtin_models STAGE --work FOLDER

with the stages, in order: corpus, autoencoder, latents, clip, clip-heldout, sd, sd3, heads, ship. Every stage can be
killed and started again: it goes on where its last saved state stands.
"""
