"""Answers in other projects' files: one file a format, one record for all of them. Stores nothing, judges nobody."""
