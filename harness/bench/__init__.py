"""Plan, measure, keep: from cells to records."""
