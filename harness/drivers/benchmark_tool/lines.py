"""One line of a tool's log: its level, apart from what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

Level = Literal["", "INFO", "WARN", "ERROR"]

# TFLITE_LOG writes `INFO: `, `WARN: `, `ERROR: ` or `FATAL: ` (tflite/tools/logging.h); versions before 2021 nothing.
# The runtime's minimal logger writes `VERBOSE: ` and `WARNING: ` too, on Android also to logcat as `I/tflite`; LiteRT
# adds `[file.cc:36] `; absl writes `E0000 00:00:1795300576.255482 21456 file.cc:144] `; Python `date time INFO name: `.
_LOGGER = re.compile(r"(INFO|VERBOSE|DEBUG|WARN|WARNING|ERROR|FATAL):(?: |$)(?:\[[\w./-]+:[0-9]+\] ?)?")
_LOGCAT = re.compile(r"([VDIWEF])/[\w.]+ *(?:\( *[0-9]+\))?: ")
_ABSL = re.compile(r"([IWEF])[0-9]{4} [0-9:.]+ +[0-9]+ [\w./-]+:[0-9]+\] ?")
_PYTHON = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:,.]+ (INFO|DEBUG|WARNING|ERROR|CRITICAL) [\w.]+: ")
_LEVELS: dict[str, Level] = {"W": "WARN", "E": "ERROR", "F": "ERROR", "C": "ERROR"}
_NUMBER = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?(?:e[+-]?[0-9]{1,2})?")


def split(text: str) -> Iterator[tuple[Level, str]]:
    """Yield the level and the words of every line; "" where the line has no prefix."""
    for line in text.splitlines():
        for form in (_LOGGER, _LOGCAT, _ABSL, _PYTHON):
            match = form.match(line)
            if match:
                yield _LEVELS.get(match[1][0], "INFO"), line[match.end() :]
                break
        else:
            yield "", line


def number(text: str | None) -> float | None:
    """Read a plain number that is not negative and of a size that can be true; None for anything else."""
    if text is None or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if value < 1e15 else None


def signed(text: str | None) -> float | None:
    """Read a number that may be negative."""
    value = number(text.removeprefix("-")) if text is not None else None
    return -value if value is not None and text is not None and text.startswith("-") else value


def nanoseconds(text: str | None, unit_ns: float = 1000.0) -> int | None:
    """Read a time; the unit is µs unless another is given."""
    value = number(text)
    return None if value is None else round(value * unit_ns)


def whole(text: str | None) -> int | None:
    """Read a count."""
    value = number(text)
    return int(value) if value is not None and value == int(value) else None
