"""The flags of the Raspberry Pi's firmware: whether it has lowered the clock, and why. Standard library only.

`vcgencmd get_throttled` prints `throttled=0x50005`: bits 0 to 3 say what is now, bits 16 to 19 the same of any time
since the board was started (Raspberry Pi documentation, "vcgencmd", get_throttled).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

FLAGS = (
    (0, "its voltage was too low"),
    (1, "its clock was capped"),
    (2, "it was throttled"),
    (3, "its soft temperature limit was reached"),
)
"""Bit and what it says; the same 16 bits higher says it of any time since the start."""
SINCE_START = 16
UNDER_VOLTAGE = 1 << 0
NOW = 0xF
FLAGS_FILE = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
READ_FLAGS = f"vcgencmd get_throttled 2>/dev/null || cat {FLAGS_FILE} 2>/dev/null"
"""For a shell: prints the flags where there are any."""
_PATTERN = re.compile(r"^(?:throttled=)?(?:0x)?([0-9a-fA-F]{1,8})$")


def parse_flags(text: str) -> int | None:
    """Return the flags from what the tool (`throttled=0x50005`) or the file (`50005`) gives; None for anything else."""
    match = _PATTERN.match(text.strip())
    return int(match[1], 16) if match else None


def describe_flags(flags: int) -> tuple[str, ...]:
    """Say in words what flags mean: what is now, then what was at some time since the start and is no more."""
    now = [text for bit, text in FLAGS if flags >> bit & 1]
    past = [
        f"{text} at some time since it was started"
        for bit, text in FLAGS
        if flags >> (bit + SINCE_START) & 1 and not flags >> bit & 1
    ]
    return (*now, *past)


def read_flags() -> int | None:
    """Return the flags of this board; None where there is no such firmware."""
    tool = shutil.which("vcgencmd")
    try:
        if tool is not None:
            done = subprocess.run(
                [tool, "get_throttled"], capture_output=True, text=True, timeout=5, check=False
            )
            return parse_flags(done.stdout)
        return parse_flags(FLAGS_FILE.read_text())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
