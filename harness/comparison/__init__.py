"""Records → comparison → decision: two runs held against each other, and a gate that knows when it cannot tell."""
