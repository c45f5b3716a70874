"""Floor 3: prompts of people. Reading of corpora for now; filters, diversity and splits come with their own files."""
