"""Tests of the picture world."""
