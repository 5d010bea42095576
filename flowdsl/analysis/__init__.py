"""Events to DataFrames."""
