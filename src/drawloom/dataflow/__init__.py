"""How data flows between steps: values, references, expressions, conversion, validation.

Pure functions over I-JSON values: no clock, randomness, environment or I/O.
This room imports `errors` only.
"""
