"""Render records and rows: table, file, page. Nothing here measures or computes figures."""
