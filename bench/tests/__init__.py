"""Tests of the harness: arithmetic that a wrong figure would come from."""
