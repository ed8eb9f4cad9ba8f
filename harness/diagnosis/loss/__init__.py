"""How much accuracy is lost, and of what the loss consists."""
