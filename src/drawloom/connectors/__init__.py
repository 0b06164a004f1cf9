"""One folder a connector; adding one touches no other file.

A connector imports `drawloom.sdk` and `drawloom.errors`, nothing else of ours.
"""
