"""What carries a run's commands out: one folder per home of a chain.

The drivers do not know each other. May import `kernel`, `chains`, `runtime`,
`facts` and `db`.
"""
