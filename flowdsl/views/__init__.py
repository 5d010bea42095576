"""A graph and a snapshot to pictures."""
