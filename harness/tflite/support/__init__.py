"""The operators that each delegate documents as supported: one table a delegate, each with its source."""
