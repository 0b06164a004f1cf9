"""Databases: one folder each. They see `drawloom.sdk` and `drawloom.errors`, and not each other."""
