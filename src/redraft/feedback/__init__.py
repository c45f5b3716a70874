"""Floor 2: the rules of asking people and of their answers, and the files that answers travel in. Keeps nothing."""
