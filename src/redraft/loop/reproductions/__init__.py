"""Published comparisons run again on the picture world: which runs, what was claimed, what we saw. Runs nothing."""
