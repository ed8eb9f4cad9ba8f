"""Render rows of a table as lines of known widths, in a tenth of the time of rich's Table.

A name that is too long for its column is not broken: the names of its row stand on a line of their own, above the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.style import Style


class Piece(NamedTuple):
    """One cell: its text, the width of its column (0: the rest of the line), its alignment and its style.

    `whole` pieces begin a row and are not broken.
    """

    text: str
    width: int
    right: bool = False
    style: str = ""
    whole: bool = False


class QuickRows:
    """Rows of pieces, each row with a style of its own.

    Args:
        rows: The pieces of each row and the row's style.
        gap: Blanks between columns.
    """

    def __init__(self, rows: Sequence[tuple[Sequence[Piece], str]], gap: int) -> None:
        self._rows, self._gap, self._blanks = rows, gap, " " * gap
        self._wrapped: dict[tuple[str, int], list[str]] = {}
        self._styles: dict[str, Style] = {}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Render for the width of the console; wrap a text that is too long, as rich's Table does."""
        from rich.segment import Segment

        plain = console.color_system is None
        for row, style in self._rows:
            whole = self._on_one_line(row, options.max_width) if plain else None
            if whole is not None:
                yield Segment(whole)
                continue
            pieces = row
            if any(piece.whole and _length(piece.text) > piece.width for piece in row):
                for names in self._names(row, options.max_width, console):
                    yield Segment(names, self._style(f"{style} {row[0].style}".strip(), console))
                    yield Segment.line()
                pieces = [piece._replace(text="") if piece.whole else piece for piece in row]
            rest = self._rest(pieces, options.max_width)
            columns = [self._column(piece, piece.width or rest, console) for piece in pieces]
            for line in zip_longest(*columns):
                parts = [(part or " " * p.width) + self._blanks for part, p in zip(line, pieces, strict=True)]
                parts[-1] = parts[-1].rstrip()  # blanks beyond the last column could be too many for the line
                if plain:
                    yield Segment("".join(parts) + "\n")
                    continue
                for part, piece in zip(parts, pieces, strict=True):
                    yield Segment(part, self._style(f"{style} {piece.style}".strip(), console))
                yield Segment.line()

    def _on_one_line(self, pieces: Sequence[Piece], width: int) -> str | None:
        """Return a row that needs neither styles nor a second line, as most; None of any other."""
        parts = []
        for text, own_width, right, _, _ in pieces:
            blanks = own_width - _length(text)
            if blanks < 0 and (own_width or -blanks > self._rest(pieces, width)):
                return None
            parts.append(" " * blanks + text if right else text + " " * blanks)
        parts[-1] = parts[-1].rstrip()
        return f"{self._blanks.join(parts)}\n"

    def _rest(self, pieces: Sequence[Piece], width: int) -> int:
        """Return the room that the other pieces leave to the one that takes the rest of a line."""
        return max(width - sum(piece.width + self._gap for piece in pieces) + self._gap, 1)

    def _names(self, pieces: Sequence[Piece], width: int, console: Console) -> list[str]:
        """Return the names of a row on as few lines as they fit on."""
        lines = [""]
        for piece in (piece for piece in pieces if piece.whole):
            if lines[-1].strip() and _length(lines[-1]) + _length(piece.text) > width:
                lines.append("  ")
            lines[-1] += piece.text + " " * (max(piece.width - _length(piece.text), 0) + self._gap)
        return [part for line in lines for part in _folded(line.rstrip(), width, console)]

    def _column(self, piece: Piece, width: int, console: Console) -> list[str]:
        text = piece.text
        length = _length(text)
        if length > width:
            return self._wrap(text, width, console)
        blanks = " " * (width - length) if piece.width else ""
        return [blanks + text if piece.right else text + blanks]

    def _wrap(self, text: str, width: int, console: Console) -> list[str]:
        from rich.cells import set_cell_size

        if (text, width) not in self._wrapped:
            self._wrapped[text, width] = [
                set_cell_size(line, width) for line in _folded(text, width, console)
            ]
        return self._wrapped[text, width]

    def _style(self, name: str, console: Console) -> Style:
        if name not in self._styles:
            self._styles[name] = console.get_style(name or "none")
        return self._styles[name]


def _folded(text: str, width: int, console: Console) -> list[str]:
    """Break a text between words where it can be, in words where it must."""
    from rich.text import Text

    return [line.plain.rstrip() for line in Text(text).wrap(console, width, overflow="fold")]


@lru_cache(maxsize=4096)
def _length(text: str) -> int:
    from rich.cells import cell_len

    return len(text) if text.isascii() else cell_len(text)


class RenderedOnce:
    """A renderable that is printed again and again, such as the headings of every block, and rendered once.

    Args:
        renderable: What rich can render.
    """

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable
        self._segments: list[Segment] | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Render for the width of the first console."""
        if self._segments is None:
            self._segments = list(console.render(self._renderable, options))
        yield from self._segments
