"""Connectors to what keeps files."""
