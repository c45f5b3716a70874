"""Benchmarks: prompts, a judge, and rows with intervals. One contract (`benchmark`), one runner, one file each.

They paint nothing: pictures come from a painter that the runner is given.
"""
