"""One check of something that a run needs."""

from __future__ import annotations

from dataclasses import dataclass

from harness import units
from harness.drivers.base import DeviceInfo
from harness.vocabulary import Word


class State(Word):
    """Result of a check."""

    OK = "ok"
    WARNING = "warning"
    """A run works, but its numbers may suffer."""
    FAILED = "failed"
    """A run does not work."""


ROOM_MB = 200
"""As much must be free on a device."""


@dataclass(frozen=True)
class Check:
    """One check of something that a run needs.

    Attributes:
        device: The device, or this computer.
        check: Name of the check.
        state: The result.
        found: What was found.
        reason: What to do; empty when all is well.
        info: The device's facts; None before they are known, and for this computer.
    """

    device: str
    check: str
    state: State
    found: str
    reason: str = ""
    info: DeviceInfo | None = None


def check_room(info: DeviceInfo, free_mb: float | None) -> Check:
    """Check the room that is left on a device; None where it is unknown."""
    if free_mb is None:
        return Check(
            info.name, "space", State.WARNING, "unknown", f"make sure that {ROOM_MB} MB are free", info
        )
    found = f"{units.megabytes(free_mb)} MB free"
    if free_mb < ROOM_MB:
        return Check(info.name, "space", State.FAILED, found, f"free at least {ROOM_MB} MB", info)
    return Check(info.name, "space", State.OK, found, "", info)
