"""What a call of a database connector costs over its bare driver, on a server that is there."""
