"""Floor 3: is the new model really better? Suites, metrics, paired comparison, tripwires, gate and report.

Works on records and numpy arrays only: it loads no model and no scorer.
"""
