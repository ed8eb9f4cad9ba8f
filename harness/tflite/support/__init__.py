"""Which operators each delegate documents as supported: one table a delegate, each with its source."""
