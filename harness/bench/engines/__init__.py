"""What measures a cell."""
