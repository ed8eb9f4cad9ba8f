"""What to do about a cause, and trying it."""
