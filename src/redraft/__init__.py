"""Redraft: a text-to-image system that learns from the people who use it."""

__version__ = "0.1.0"
