"""Records become rows."""
