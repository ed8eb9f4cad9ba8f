"""What a worker answers, as typed as its job. Standard library only: boards import this too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutputCheck:
    """What the outputs of a cell gave, held against one CPU thread's of the same device (law 10).

    Attributes:
        wrong: A sentence for each thing that differs; empty where all agrees.
        remark: Why nothing could be compared; None where it was, or where there is nothing to hold it against.
    """

    wrong: tuple[str, ...] = ()
    remark: str | None = None
