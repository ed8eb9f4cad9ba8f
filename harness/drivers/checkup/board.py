"""Checks of what a run on a board needs, each with a remedy."""

from __future__ import annotations

from collections.abc import Iterator

from harness.drivers.base import DeviceInfo
from harness.drivers.checkup.check import Check, State, check_room
from harness.drivers.checkup.own_worker import check_own_worker
from harness.drivers.ssh.facts import BoardFacts
from harness.firmware import NOW, describe_flags
from harness.profiles import Profile

HOT_C = 70.0
"""A Raspberry Pi lowers its clock step by step from 80 °C on (its documentation, "Frequency management")."""
GOVERNORS = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
WAY_TO_A_RUNTIME = (
    "python3 -m venv ~/harness && ~/harness/bin/pip install ai-edge-litert numpy msgspec pillow, and "
    'python = "~/harness/bin/python" in the [connection] of its profile'
)


def check_board(info: DeviceInfo, facts: BoardFacts, profile: Profile | None = None) -> Iterator[Check]:
    """Check a board by its facts: room, Python, governor, heat, and its firmware's flags."""
    yield check_room(info, facts.free_mb)
    yield _python(info, facts)
    if facts.python.why_unusable() is not None:
        yield check_own_worker(info, profile)
    yield _governor(info, facts)
    yield _heat(info, facts)
    if facts.flags is not None:
        yield _firmware(info, facts.flags)


def _python(info: DeviceInfo, facts: BoardFacts) -> Check:
    python = facts.python
    version = ".".join(map(str, python.version)) if python.version else "none"
    for accuracy in (False, True):
        problem = python.why_unusable(accuracy=accuracy)
        if problem is not None:
            found = f"{version}: {problem}"
            without = "no accuracy" if accuracy else "our worker in C is used, or benchmark_model"
            return Check(
                info.name, "python", State.WARNING, found, f"{without}; for it: {WAY_TO_A_RUNTIME}", info
            )
    return Check(info.name, "python", State.OK, f"{version} with {python.runtime}", "", info)


def _governor(info: DeviceInfo, facts: BoardFacts) -> Check:
    governor = facts.linux.governor
    if governor not in {None, "performance"}:
        reason = f"figures repeat better with performance: echo performance | sudo tee {GOVERNORS}"
        return Check(info.name, "governor", State.WARNING, str(governor), reason, info)
    return Check(info.name, "governor", State.OK, governor or "unknown", "", info)


def _heat(info: DeviceInfo, facts: BoardFacts) -> Check:
    if facts.hottest_c is None:
        return Check(info.name, "temperature", State.OK, "unknown", "", info)
    found = f"{facts.hottest_c:.0f} °C"
    if facts.hottest_c >= HOT_C:
        reason = "let it cool, or give it a heat sink or a fan: it will lower its clock"
        return Check(info.name, "temperature", State.WARNING, found, reason, info)
    return Check(info.name, "temperature", State.OK, found, "", info)


def _firmware(info: DeviceInfo, flags: int) -> Check:
    found = f"{flags:#x}: {'; '.join(describe_flags(flags)) or 'nothing to say'}"
    if not flags:
        return Check(info.name, "firmware", State.OK, found, "", info)
    now = "it lowers the clock now" if flags & NOW else "it may happen again while something is measured"
    reason = f"{now}: use the power supply made for the board and cool it; a restart clears what was"
    return Check(info.name, "firmware", State.WARNING, found, reason, info)
