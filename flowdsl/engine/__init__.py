"""The pure machine: numbers and names in, events and effects out; no clock, thread, file or random."""
