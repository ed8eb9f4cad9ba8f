"""Turn records into rows of results."""
