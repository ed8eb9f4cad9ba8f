"""Make the terminal that results are written to, or its width where they are written elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDTH = 100
"""Width of a table that is not written to a terminal."""


def make_console(**settings: Any) -> Console:
    """Make a console that does not interpret markup, emoji names and numbers in text."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, **settings)


def to_text(shown: RenderableType) -> str:
    """Return what rich renders as plain text."""
    console = make_console(width=WIDTH, color_system=None)
    with console.capture() as capture:
        console.print(shown, crop=False)
    return capture.get()
