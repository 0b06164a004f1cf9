"""Random chains live random lives in a random world, and an oracle of its own judges each.

`blueprints` draws the chains, `world` answers, fails, crashes and repeats
itself, `oracle` says from the document and the history alone what should have
happened, and `mutants` plants the bugs that all this must find. `crowds` are many
runs of random chains at once, in the simulated engine, before the same guards.
"""
