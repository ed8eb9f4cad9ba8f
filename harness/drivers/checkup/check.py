"""One thing that a run needs, looked at: the result, and the limits it is held to."""

from __future__ import annotations

from dataclasses import dataclass

from harness.drivers.base import DeviceInfo
from harness.vocabulary import Word


class State(Word):
    """What was found of a thing that a run needs."""

    OK = "ok"
    WARNING = "warning"
    """A run works, but its numbers may suffer."""
    FAILED = "failed"
    """A run does not work."""


ROOM_MB = 200


HOT_C = 37.0


LOW_PERCENT = 20


HOST = "this computer"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        device: What it was looked at on.
        check: What was looked at.
        state: Whether all is well with it.
        found: What was found.
        reason: What to do; empty when all is well.
        info: What the device told of itself; None before it told anything and for this computer.
    """

    device: str
    check: str
    state: State
    found: str
    reason: str = ""
    info: DeviceInfo | None = None


def number_in(info: DeviceInfo, key: str) -> float | None:
    """Return a fact of a device as a number; None where it told none."""
    value = info.facts.get(key)
    return float(value) if isinstance(value, (int, float)) else None
