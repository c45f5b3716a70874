"""Speed and memory of Redraft as ratios within one run. Not part of the installed package: run from the repository."""
