"""What a call of a database connector costs over its bare driver, one module per database.

python -m bench.databases [postgresql mysql mongodb redis]
"""
