"""Policies: pure functions, so properties hold for every input."""
