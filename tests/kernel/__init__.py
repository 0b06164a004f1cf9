"""One run of one plan, event by event: what each construct of a chain does."""
