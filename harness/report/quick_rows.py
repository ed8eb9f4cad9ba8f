"""Render rows of a table as lines of known widths, a column at a time: in a hundredth of the time of rich's Table.

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
    from rich.text import Text


class Column(NamedTuple):
    """One column: the text of each row, its width (0: the rest of the line), its alignment and its style.

    `whole` columns begin a row, and their texts are not broken.
    """

    texts: Sequence[str]
    width: int
    right: bool = False
    style: str = ""
    whole: bool = False


class QuickRows:
    """Rows of a table, each with a style of its own.

    Args:
        columns: The columns, each with a text for every row.
        styles: The style of each row.
        gap: Blanks between columns.
    """

    def __init__(self, columns: Sequence[Column], styles: Sequence[str], gap: int) -> None:
        self._columns, self._row_styles, self._gap, self._blanks = columns, styles, gap, " " * gap
        self._wrapped: dict[tuple[str, int], list[str]] = {}
        self._styles: dict[str, Style] = {}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Render for the width of the console; wrap a text that is too long, as rich's Table does."""
        from rich.segment import Segment

        if console.color_system is None:
            yield Segment("".join(self._plain(options.max_width, console)))
            return
        for row, style in zip(self._rows(), self._row_styles, strict=True):
            yield from self._styled(row, style, options.max_width, console)

    def _rows(self) -> Iterator[tuple[str, ...]]:
        return zip(*(column.texts for column in self._columns), strict=True)

    def _plain(self, width: int, console: Console) -> Iterator[str]:
        """Yield the text of each row without styles; most stand on one line."""
        room = self._rest(width)
        *most, last = (_padded(column, room) for column in self._columns)
        ends = [None if text is None else text.rstrip() for text in last]
        for row, parts in zip(self._rows(), zip(*most, ends, strict=True), strict=True):
            if None in parts:
                yield from (part.text for part in self._styled(row, "", width, console))
            else:
                yield f"{self._blanks.join(parts)}\n"

    def _styled(self, row: Sequence[str], style: str, width: int, console: Console) -> Iterator[Segment]:
        """Yield a row in pieces, each with its style, on as many lines as it takes."""
        from rich.segment import Segment

        columns, texts = self._columns, row
        if any(
            column.whole and cells(text) > column.width for column, text in zip(columns, row, strict=True)
        ):
            for names in self._names(row, width, console):
                yield Segment(names, self._style(f"{style} {columns[0].style}".strip(), console))
                yield Segment.line()
            texts = ["" if column.whole else text for column, text in zip(columns, row, strict=True)]
        wrapped = [self._lines(*each, width, console) for each in zip(texts, columns, strict=True)]
        for line in zip_longest(*wrapped):
            parts = [
                (part or " " * column.width) + self._blanks
                for part, column in zip(line, columns, strict=True)
            ]
            parts[-1] = parts[-1].rstrip()  # blanks beyond the last column could be too many for the line
            for part, column in zip(parts, columns, strict=True):
                yield Segment(part, self._style(f"{style} {column.style}".strip(), console))
            yield Segment.line()

    def _rest(self, width: int) -> int:
        """Return the room that the other columns leave to the one that takes the rest of a line."""
        return max(width - sum(column.width + self._gap for column in self._columns) + self._gap, 1)

    def _names(self, row: Sequence[str], width: int, console: Console) -> list[str]:
        """Return the names of a row on as few lines as they fit on."""
        lines = [""]
        for column, text in zip(self._columns, row, strict=True):
            if not column.whole:
                continue
            if lines[-1].strip() and cells(lines[-1]) + cells(text) > width:
                lines.append("  ")
            lines[-1] += text + " " * (max(column.width - cells(text), 0) + self._gap)
        return [part for line in lines for part in _folded(line.rstrip(), width, console)]

    def _lines(self, text: str, column: Column, width: int, console: Console) -> list[str]:
        own_width = column.width or self._rest(width)
        length = cells(text)
        if length > own_width:
            return self._wrap(text, own_width, console)
        blanks = " " * (own_width - length) if column.width else ""
        return [blanks + text if column.right else text + blanks]

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


def _padded(column: Column, rest: int) -> list[str | None]:
    """Return the texts of a column, filled up to its width; None for one that is too long for it."""
    width, most = column.width, column.width or rest
    if _is_usual(column.texts) and max(map(len, column.texts), default=0) <= most:
        return [text.rjust(width) if column.right else text.ljust(width) for text in column.texts]
    return [
        None if length > most else _filled(text, width - length, column.right)
        for text, length in zip(column.texts, map(cells, column.texts), strict=True)
    ]


def _filled(text: str, blanks: int, right: bool) -> str:
    return " " * blanks + text if right else text + " " * blanks


def widest(texts: Sequence[str]) -> int:
    """Return how many columns of a terminal the longest text takes."""
    return max(map(len if _is_usual(texts) else cells, texts), default=0)


def _is_usual(texts: Sequence[str]) -> bool:
    """Whether each character of the texts takes one column: one look at all is quicker than one at each text."""
    together = "".join(texts)
    return together.isascii() or all(cells(character) == 1 for character in set(together))


@lru_cache(maxsize=4096)
def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    from rich.cells import cell_len

    return len(text) if text.isascii() else cell_len(text)


class QuickText:
    """A text on one line, which is left to rich only where it needs styles or more room.

    Args:
        text: The text, without line ends.
        style: Its style.
        whole: Whether it holds a path, which can be copied as it is: a terminal breaks it, and nothing else does.
    """

    def __init__(self, text: str, style: str = "", *, whole: bool = False) -> None:
        self._text, self._style, self._whole = text, style, whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment | Text]:
        """Render for the width of the console."""
        from rich.segment import Segment
        from rich.text import Text

        if console.color_system is None and (self._whole or cells(self._text) <= options.max_width):
            yield Segment(f"{self._text}\n")
        elif self._whole:
            yield Text(self._text, self._style, no_wrap=True, overflow="ignore")
        else:
            yield Text(self._text, self._style)


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
        from rich.segment import Segment

        if self._segments is None:
            self._segments = list(console.render(self._renderable, options))
            if console.color_system is None:
                self._segments = [Segment("".join(segment.text for segment in self._segments))]
        yield from self._segments
