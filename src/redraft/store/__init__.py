"""Floor 2: all persistence: database, pictures, checkpoints, ledger, lease. Bytes and rows only.

No rules, no mathematics, no torch, no clock: times are arguments.
"""
