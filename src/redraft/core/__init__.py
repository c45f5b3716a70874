"""Floor 1: the words of the house. Standard library, torch and pydantic only; no disk, no clock."""
