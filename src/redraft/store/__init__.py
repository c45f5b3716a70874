"""Floor 2: all persistence: database, pictures, checkpoints, ledger, lease. Bytes and rows only: no rules, no torch, no clock."""
