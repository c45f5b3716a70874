"""Floor 4: one cycle of improvement as resumable stages. Orchestration only: no mathematics of its own."""
