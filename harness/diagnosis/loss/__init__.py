"""How bad it is, and of what the loss consists."""
