"""Tests of chains, tested: what they answer and expect, what becomes of them, and of a run."""
