"""Compare two runs and decide by a gate, which knows when the data cannot decide."""
