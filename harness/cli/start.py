"""Where the command `harness` begins: its front page of help and its version are ready, all else is `harness.cli.main`.

Rich-click's import alone takes five times as long as Python's own start. The pages are what it draws, kept by
`HARNESS_WRITE_GOLDEN=1 pytest tests/golden`; that test fails where they differ. Nothing of weight is imported here that
Python has not loaded at its start.
"""

from __future__ import annotations

import gc
import os
import sys

from harness.version import __version__

WIDTH_ASKED, COLOURS_ASKED = ("COLUMNS", "TERMINAL_WIDTH"), ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS")
DRAW_OTHERWISE = (*WIDTH_ASKED, *COLOURS_ASKED, "TTY_COMPATIBLE", "PYTHONIOENCODING", "_HARNESS_COMPLETE")
"""Where one of these variables is set, rich-click draws: they may change the width, the colours or the question."""
OBJECTS_A_COLLECTION = 100_000
"""Python looks for circles after 700 new objects; what is loaded at a start is many thousands, which all stay."""
BLAS_PATIENCE = "OPENBLAS_THREAD_TIMEOUT", "16"
"""Threads of NumPy's OpenBLAS sleep when they had no work for 2^16 cycles. By default it is 2^26, so that each program
that loads NumPy spends 20 ms of CPU on them before they have done anything."""
WIDTH, WIDEST = 80, 160
"""Those of the kept pages: where no terminal says otherwise, and what wider terminals get as well."""


def main() -> None:
    """Show the help that is kept, or the version, or run the command line."""
    page = _page()
    if page is None or not _written(page):
        gc.set_threshold(OBJECTS_A_COLLECTION)
        os.environ.setdefault(*BLAS_PATIENCE)
        try:
            from harness.cli.main import main as run

            run()
        finally:
            # At its end Python looks for circles several times more, in what the system takes back anyway.
            gc.freeze()


def _page() -> str | None:
    """Return what is asked for, where it needs no command line."""
    asked = sys.argv[1:]
    if asked == ["--version"] and "_HARNESS_COMPLETE" not in os.environ:
        return f"harness {__version__}\n"
    return page_here() if asked in (["--help"], ["-h"]) else None


def page_here() -> str | None:
    """Return the help as rich-click would draw it here, None where no such page is kept."""
    width = min(width_here(), WIDEST)
    coloured = os.isatty(1)
    without = os.environ.get("NO_COLOR") or os.environ.get("TERM", "").lower() in {"dumb", "unknown"}
    otherwise = (coloured and without) or any(name in os.environ for name in DRAW_OTHERWISE)
    if width not in {WIDTH, WIDEST} or otherwise:
        return None
    page = _kept(width)
    return page if coloured else without_colours(page)


def width_here() -> int:
    """The width of the terminal that any of the streams leads to, as rich asks for it."""
    for number in range(3):
        try:
            return os.get_terminal_size(number).columns or WIDTH
        except OSError:
            continue
    return WIDTH


def _kept(width: int) -> str:
    with open(f"{os.path.dirname(__file__)}/help-{width}.txt", encoding="ascii") as file:  # noqa: PTH120, PTH123
        return file.read()


def without_colours(page: str) -> str:
    """Leave out what sets colours: ESC, [, numbers and m."""
    first, *rest = page.split("\x1b[")
    return first + "".join(part.partition("m")[2] for part in rest)


def _written(page: str) -> bool:
    """Write to stdout; where that cannot be done in one go, the command line says why."""
    data = page.encode("ascii")
    try:
        return os.write(1, data) == len(data)
    except OSError:
        return False
