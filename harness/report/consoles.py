"""Make the terminal that results are written to, or its width where they are written elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDTH = 100
"""Width of what is not written to a terminal and has to be laid out in some width."""
UNBOUNDED = 20_000
"""Width of tables in pipes and files: nothing is folded or left out there."""


def make_console(**settings: Any) -> Console:
    """Make a console that does not interpret markup, emoji names and numbers in text."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, **settings)


def to_text(shown: RenderableType, width: int = UNBOUNDED) -> str:
    """Return what rich renders as plain text: nothing is folded, and no line ends with blanks."""
    console = make_console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(shown, crop=False)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
