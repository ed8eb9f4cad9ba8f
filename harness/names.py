"""Names that are safe as names of files."""

from __future__ import annotations

import re


def safe_name(stem: str) -> str:
    """Return a card name: letters, digits, dot, underscore and hyphen only."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.") or "model"
