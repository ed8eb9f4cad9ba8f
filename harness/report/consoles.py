"""The terminal that results are written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def make_console(**settings: Any) -> Console:
    """Make a console that leaves markup, emoji names and numbers in text alone."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, **settings)
