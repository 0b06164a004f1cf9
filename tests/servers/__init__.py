"""Real servers for tests: found where they listen, else started, else said to be missing.

With `CI=true` a server that cannot be had fails the test instead of skipping it.
"""
