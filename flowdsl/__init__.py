"""Pipelines from ordinary functions in notebook cells: run in parallel, shown live, logged as a DataFrame."""

from __future__ import annotations

__version__ = "0.1.0"
