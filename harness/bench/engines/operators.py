"""The times of a cell's operators as profilers print them: which part of the graph costs what.

They come from a process of its own, because a profiler slows down what it watches. `benchmark_model` has one for every
delegate; our worker uses that of LiteRT's compiled models, which run on the CPU.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from harness.drivers.benchmark_tool.facts import OpRow
from harness.records.records import OperatorTime
from harness.units import NS_PER_MS

IN_DELEGATE = "Delegate/"
"""What stands before an operator that ran inside a delegate: in its kind (LiteRT) or its name (benchmark_model)."""
_DELEGATE_KERNEL = re.compile(r"delegate", re.IGNORECASE)
"""A delegate that keeps its own operators to itself is one operator, such as `TfLiteGpuDelegateV2`."""
_NUMBER = r"\s+([\d.]+)"
_ROW = re.compile(rf"\s*(\S.*?){_NUMBER * 3}{_NUMBER}%{_NUMBER}%{_NUMBER}\s+(\d+)\s+(\S.*)")
"""Kind, start, first, mean (ms), %, cumulative %, memory, calls, name: ProfileSummaryDefaultFormatter."""
_SECTION = re.compile(r"=+ (.+?) =+\s*$")


def from_tool(row: OpRow) -> OperatorTime:
    """Return an operator of benchmark_model's profile."""
    return OperatorTime(
        kind=row.node_type,
        name=row.name.removeprefix(IN_DELEGATE),
        delegated=_is_delegated(row.node_type, row.name),
        time_ns=row.mean_ns * max(row.times_called, 1),
        calls=max(row.times_called, 1),
    )


def parse_summary(text: str, n_inferences: int) -> tuple[OperatorTime, ...]:
    """Read the summary of LiteRT's profiler (`LiteRtGetProfileSummary`), which knows whole µs.

    Args:
        text: What it printed; only its section "Run Order" is read.
        n_inferences: How many inferences it is of.
    """
    return tuple(_from_summary(row, n_inferences) for row in _rows(text.splitlines()))


def _rows(lines: Iterable[str]) -> Iterator[re.Match[str]]:
    wanted = False
    for line in lines:
        section = _SECTION.fullmatch(line.strip())
        if section is not None:
            wanted = section[1] == "Run Order"
        elif wanted and (row := _ROW.fullmatch(line.rstrip())) is not None:
            yield row


def _from_summary(row: re.Match[str], n_inferences: int) -> OperatorTime:
    kind, calls = row[1].removeprefix(IN_DELEGATE), int(row[8])
    return OperatorTime(
        kind=kind,
        name=row[9],
        delegated=_is_delegated(row[1], row[9]),
        time_ns=round(float(row[4]) * NS_PER_MS * calls / max(n_inferences, 1)),
        calls=max(round(calls / max(n_inferences, 1)), 1),
    )


def _is_delegated(kind: str, name: str) -> bool:
    marked = kind.startswith(IN_DELEGATE) or name.startswith(IN_DELEGATE)
    return marked or _DELEGATE_KERNEL.search(kind) is not None
