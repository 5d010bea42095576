"""Drives the machine: clock, timers, executors, sinks."""
