"""Make the table that people make by hand: models down, device × delegate across, latency and mAP in each cell.

One block a value of the column that is grouped by. Nothing is hidden in a number: a cell that fell back, failed or gave
wrong outputs shows that word and is not ranked; nor is a published figure, which has a column of its own. In each
block the fastest and the most accurate of your own cells are marked, and the Pareto-optimal ones of each device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import units
from harness.report import plain
from harness.rows import pareto
from harness.rows.columns import check_names
from harness.rows.pareto import HOLLOW, STAR
from harness.rows.published import PUBLISHED
from harness.text import clean
from harness.vocabulary import MEASURED, Status, Verdict

Row = Mapping[str, Any]

FASTEST, BEST, DOUBT = "↓", "↑", "~"
LEGEND = (
    f"each cell: median ms, mAP · {STAR} Pareto-optimal on its device, {HOLLOW} not shown · {FASTEST} fastest and "
    f"{BEST} most accurate of the block · {DOUBT} not trusted without reading on: see harness report"
)


@dataclass(frozen=True)
class Block:
    """One table.

    Attributes:
        title: The value that its rows share.
        columns: Headings, that of the models first.
        rows: A text for each column, by heading.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]


def make_blocks(
    rows: Sequence[Row], by: str, is_shown: pareto.MoreAccurate = pareto.more_accurate
) -> list[Block]:
    """Make one block a value of a column, in the order of the rows.

    Args:
        rows: Rows with the public columns.
        by: A public column. By `device` the delegates are across, by `delegate_requested` the devices, by any other
            both.
        is_shown: Tells of two rows whether the first is shown to be the more accurate one.

    Raises:
        UnknownNameError: No such column; near misses are listed.
    """
    check_names([by])
    shown = _newest([row for row in rows if row["status"] != PUBLISHED or _has_figures(row)], by)
    marks = dict(zip(map(id, shown), pareto.marks(shown, is_shown), strict=True))
    groups: dict[str, list[Row]] = {}
    for row in shown:
        groups.setdefault(_title(row, by), []).append(row)
    return [_block(title, group, by, marks) for title, group in groups.items()]


def grouped(rows: Sequence[Row], by: str) -> list[Row]:
    """Return the rows with equal values of a column one after the other, otherwise in their order.

    Raises:
        UnknownNameError: No such column; near misses are listed.
    """
    check_names([by])
    order = {value: place for place, value in enumerate(dict.fromkeys(_title(row, by) for row in rows))}
    return sorted(rows, key=lambda row: order[_title(row, by)])


def passed_over(rows: Sequence[Row], by: str) -> int:
    """Count the rows that a newer one of the same model, device and delegate hides."""
    return len(rows) - len(_newest(rows, by))


def _newest(rows: Sequence[Row], by: str) -> list[Row]:
    """Return the newest row of each place in the tables, in the order in which the places first occur."""
    found = {(_title(row, by), *_place(row)): row for row in rows}
    found.update({(_title(row, by), *_place(row)): row for row in sorted(rows, key=_age)})
    return list(found.values())


def to_markdown(blocks: Iterable[Block], by: str) -> str:
    """Return the blocks as GitHub tables, a heading above each."""
    parts = []
    for block in blocks:
        title = plain.to_markdown([{"": block.title}], [""]).splitlines()[2].strip("| ")
        parts.append(f"### {by}: {title}\n\n{plain.to_markdown(block.rows, block.columns)}")
    return "\n".join([*parts, f"{LEGEND}\n"])


def _block(title: str, rows: Sequence[Row], by: str, marks: Mapping[int, str]) -> Block:
    names = _names(rows)
    across = list(dict.fromkeys(_heading(row, by) for row in rows))
    fastest, best = _leaders(rows)
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        line = found.setdefault(names[id(row)], {"model": names[id(row)]})
        leads = {"fastest": id(row) in fastest, "best": id(row) in best}
        line[_heading(row, by)] = _cell(row, marks[id(row)], **leads)
    return Block(title, ("model", *across), tuple(found.values()))


def _has_figures(row: Row) -> bool:
    """Whether a published row has one of the figures that a cell shows."""
    return row["latency_mean_ms"] is not None or row["map"] is not None


def _title(row: Row, by: str) -> str:
    value = row[by]
    if isinstance(value, list):
        return "; ".join(value) or units.MISSING
    return units.MISSING if value is None else clean(value)


def _heading(row: Row, by: str) -> str:
    """Return the heading of a row's column, without what the block's title already states."""
    parts = [row[name] for name in ("device", "delegate_requested") if name != by]
    text = " ".join(clean(part) for part in parts if part) or units.MISSING
    return f"{text} ({PUBLISHED})" if row["status"] == PUBLISHED else text


def _names(rows: Sequence[Row]) -> dict[int, str]:
    """Name each row by its model, with the quantization where a model has several."""
    kinds: dict[str, set[str]] = {}
    for row in rows:
        kinds.setdefault(row["model"], set()).add(row["quantization"] or "")
    return {
        id(row): clean(
            f"{row['model']} {row['quantization'] or ''}" if len(kinds[row["model"]]) > 1 else row["model"]
        )
        for row in rows
    }


def _place(row: Row) -> tuple[Any, ...]:
    """Return the key of rows of which the newest is shown; a published one only hides published ones."""
    names = ("model", "quantization", "device", "delegate_requested")
    return (*(row[name] for name in names), row["status"] == PUBLISHED)


def _age(row: Row) -> str:
    return row["started_at"] or ""


def _leaders(rows: Sequence[Row]) -> tuple[set[int], set[int]]:
    """Return the ids of the fastest and the most accurate rows; accuracy is ranked where all was measured alike."""
    ranked = [row for row in rows if row["status"] == Status.OK]
    timed = [row for row in ranked if row["latency_median_ms"] is not None]
    judged = [row for row in ranked if row["map"] is not None]
    alike = len({(row["dataset"], row["n_images"]) for row in judged}) == 1
    fastest = min((row["latency_median_ms"] for row in timed), default=None)
    best = max((row["map"] for row in judged), default=None) if alike else None
    return (
        {id(row) for row in timed if row["latency_median_ms"] == fastest},
        {id(row) for row in judged if row["map"] == best},
    )


def _cell(row: Row, mark: str, *, fastest: bool, best: bool) -> str:
    if row["status"] == PUBLISHED:
        return _figures(row["latency_mean_ms"], row["map"])
    if row["status"] not in MEASURED:
        return clean(row["status"])
    doubt = DOUBT if row["verdict"] not in {Verdict.TRUSTED, None} else ""
    text = _figures(
        row["latency_median_ms"], row["map"], doubt, FASTEST if fastest else "", BEST if best else ""
    )
    word = f" {row['status']}" if row["status"] != Status.OK else ""
    return f"{mark + ' ' if mark else ''}{text}{word}"


def _figures(
    latency: float | None, accuracy: float | None, doubt: str = "", fastest: str = "", best: str = ""
) -> str:
    return f"{doubt}{units.milliseconds(latency)}{fastest}, {units.metric(accuracy)}{best}"
