"""Gather the doubts about the rows of a table in few footnotes: alike ones become one, the gravest come first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.vocabulary import MEASURED, Status, Verdict

GRAVITY: tuple[str, ...] = (
    Status.PARTIAL,
    Verdict.EMULATED,
    Verdict.UNVERIFIED,
    Verdict.THROTTLED,
    Verdict.NOISY,
    Verdict.TOO_FEW_SAMPLES,
    Verdict.TRUSTED,
)
"""Labels of rows with figures, the gravest first; a label that is not here precedes them all."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Note:
    """One footnote.

    Attributes:
        label: The status or verdict that it explains.
        text: The reason as the first of its rows states it.
        rows: Indices of the rows that it is about.
        varies: Whether the reasons of the others differ, at most in their numbers.
    """

    label: str
    text: str
    rows: tuple[int, ...]
    varies: bool = False


def label(row: Mapping[str, Any]) -> str:
    """Return the word for how far a row can be trusted: its status, or its verdict where that is ok or emulated."""
    emulated = row["verdict"] == Verdict.EMULATED and row["status"] in MEASURED
    return str(row["verdict"] or "") if emulated or row["status"] == Status.OK else str(row["status"])


def gather(rows: Sequence[Mapping[str, Any]]) -> list[Note]:
    """Gather the reasons of all rows, gravest label first, then those that concern the most rows."""
    groups: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for index, row in enumerate(rows):
        for reason in row["reasons"] or ():
            groups.setdefault((label(row), _NUMBER.sub("#", reason)), []).append((index, reason))
    notes = [_note(key[0], found) for key, found in groups.items()]
    return sorted(notes, key=lambda note: (_gravity(note.label), -len(note.rows)))


def _note(name: str, found: Sequence[tuple[int, str]]) -> Note:
    texts = {reason for _, reason in found}
    return Note(name, found[0][1], tuple(dict.fromkeys(index for index, _ in found)), varies=len(texts) > 1)


def _gravity(name: str) -> int:
    return GRAVITY.index(name) if name in GRAVITY else -1
