"""The Studio's server: an HTTP API over one project, its engine and its people.

A composition root beside the command line: it may import every room below. Nothing here
decides anything about a run; routes check, ask and answer.
"""
