"""What survives a run: its journal and the records made from it."""
