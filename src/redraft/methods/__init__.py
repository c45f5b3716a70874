"""Floor 3: post-training. One file an algorithm, and `fit`, the one training loop. No models, no rewards, no disk."""
