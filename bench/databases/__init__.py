"""What a call of a database costs through the engine, over the bare driver.

python -m bench.databases.NAME
"""
