"""The state of the machine around a measurement. Standard library only; unknown is None.

Read before the first inference and after the last one, never between two: a fixed piece of arithmetic is timed (a clock
that has been turned down shows there whatever the system says), and frequency, temperature, governor, power supply and
the time other programs took are read where Linux gives them (sysfs and proc(5)).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from harness.firmware import read_flags
from harness.worker.results import MachineReading, MachineReadings

PROBE_ROUNDS = 7
_PROBE_DATA = bytes(range(256)) * 2048
SYS = Path("/sys")
PROC_STAT = Path("/proc/stat")


def cpu_probe_ns() -> int:
    """Time a fixed piece of work (SHA-256 of 512 KiB) and return the shortest of `PROBE_ROUNDS` times in ns.

    The shortest time is the one that was disturbed least, so it follows the clock and not the load (as the throttle
    detection of Jetpack Microbenchmark does).
    """
    times = []
    for _ in range(PROBE_ROUNDS):
        begin = time.perf_counter_ns()
        hashlib.sha256(_PROBE_DATA).digest()
        times.append(time.perf_counter_ns() - begin)
    return min(times)


class TelemetryReader:
    """Made before the first inference; `read` is called after the last."""

    def __init__(self) -> None:
        self._before = _state()
        self._busy, self._own, self._begin = _busy_s(), _own_s(), time.monotonic()

    def read(self) -> MachineReadings:
        """Return what is known of the machine, before and after."""
        other_load = self._other_load()
        return MachineReadings(
            before=self._before,
            after=_state(),
            other_load=other_load,
            governor=_text(SYS / "devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            on_battery=_on_battery(),
        )

    def _other_load(self) -> float | None:
        span = time.monotonic() - self._begin
        busy, own = _busy_s(), _own_s()
        if self._busy is None or busy is None or span <= 0.1:
            return None
        # Ticks of 10 ms: the difference can fall slightly below zero.
        return max(0.0, (busy - self._busy - (own - self._own)) / span)


def _state() -> MachineReading:
    probe_ns = cpu_probe_ns()
    frequencies = _numbers(SYS / "devices/system/cpu", "cpu[0-9]*/cpufreq/scaling_cur_freq")
    temperatures = [t for t in _numbers(SYS / "class/thermal", "thermal_zone*/temp") if 0 < t < 150_000]
    return MachineReading(
        probe_ns=probe_ns,
        mhz=max(frequencies) / 1e3 if frequencies else None,
        celsius=max(temperatures) / 1e3 if temperatures else None,
        firmware_flags=read_flags(),
    )


def _on_battery() -> bool | None:
    """Whether the machine runs on its battery; None where there is none or nothing is known."""
    supplies = list((SYS / "class/power_supply").glob("*"))
    states = [_text(supply / "status") for supply in supplies if _text(supply / "type") == "Battery"]
    return "Discharging" in states if states else None


def _busy_s() -> float | None:
    """Seconds that all CPUs together were busy since boot: /proc/stat's first line without idle and iowait."""
    text = _text(PROC_STAT)
    if text is None:
        return None
    with contextlib.suppress(ValueError, IndexError):
        ticks = [int(word) for word in text.splitlines()[0].split()[1:9]]
        return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
    return None


def _own_s() -> float:
    times = os.times()
    return times.user + times.system


def _numbers(folder: Path, pattern: str) -> list[float]:
    found = []
    for path in folder.glob(pattern):
        with contextlib.suppress(ValueError):
            found.append(float(_text(path) or ""))
    return found


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
