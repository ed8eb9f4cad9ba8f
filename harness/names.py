"""Names that are safe as names of files, of cards and of what comes from outside."""

from __future__ import annotations

import re


def safe_name(stem: str) -> str:
    """Return a card name: letters, digits, dot, underscore and hyphen only."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.") or "model"


def safe_file_name(name: str) -> str:
    """Return a file name that needs no quoting anywhere; at most 100 characters, the ending is kept."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)[-100:]
    return plain if plain.strip(".") else f"_{plain}"  # `.` and `..` are folders
