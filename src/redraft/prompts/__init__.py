"""Floor 3: prompts of people: readers, cleaning, judges, duplicates, diversity, splits. Paints nothing."""
