"""What to do about a cause."""
