"""The drivers: a contract for all of them, and what the embedded one does to files and processes."""
