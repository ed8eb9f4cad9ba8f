"""The operator profile where it was printed: as a table, or as what the tool calls CSV.

`ProfileSummaryDefaultFormatter` and `ProfileSummaryCSVFormatter` of tflite/profiling/profile_summary_formatter.cc. The
CSV is none: banners stand between three sections, and the first column holds unescaped ", ", so lines are split from
the right. In the last column the commas are tabs.
"""

from __future__ import annotations

from harness.drivers.benchmark_tool.facts import OpRow
from harness.drivers.benchmark_tool.lines import nanoseconds, number, whole

_SECTION = "Operator-wise Profiling Info for Regular Benchmark Runs"
_ORDER = " Run Order "
_NUMBERS = 6


def parse_profile(text: str) -> tuple[OpRow, ...]:
    """Read the operators of the measured phase in the order they ran; none where no profile was printed."""
    rows: list[OpRow] = []
    inside = wanted = False
    for line in text.splitlines():
        if _SECTION in line:
            inside = True
        elif inside and line.startswith("====="):
            wanted = _ORDER in line
        elif inside and wanted:
            row = _row(line)
            rows += [row] if row else []
    return tuple(rows)


def _row(line: str) -> OpRow | None:
    """Read node type, first, mean, %, cumulative %, memory, times called, name; None for headings."""
    parts = line.strip("\t").split("\t") if line.startswith("\t") else line.rsplit(", ", _NUMBERS + 1)
    if len(parts) != _NUMBERS + 2:
        return None
    node_type, _, mean, _, _, memory, called, name = (part.strip() for part in parts)
    mean_ns, times, memory_kb = nanoseconds(mean, 1e6), whole(called), number(memory)
    if mean_ns is None or times is None or memory_kb is None:
        return None
    return OpRow(node_type, name.replace("\t", ","), mean_ns, times, memory_kb)
