"""People, teams, tokens and the audit, on a real file."""
