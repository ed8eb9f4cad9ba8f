"""Where the error arises."""
