"""Connectors that speak the web's own protocols."""
