"""Drawloom."""
