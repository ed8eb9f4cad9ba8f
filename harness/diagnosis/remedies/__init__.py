"""What to do about a cause: commands, and the files that `--try` makes."""
