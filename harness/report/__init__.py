"""Records → DataFrame → table, file, page. Nothing here measures; only `frame` computes."""
