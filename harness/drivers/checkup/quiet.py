"""Checks of how quiet this computer is: whatever else it does stands in every latency that is measured on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.drivers.checkup.check import Check, State

WATCHED_S = 0.5
BUSY_CORES = 0.2
"""From so much on the medians of processes move apart by more than the usual ±5 %."""
HOT_C = 80.0
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def check_quiet(host: str, governor: Path = GOVERNOR) -> Iterator[Check]:
    """Check the load by other programs, the governor of the clock and the temperature."""
    yield _load(host, *_busy_cores())
    yield _clock(host, governor)
    yield _heat(host, _hottest_c())


def _busy_cores() -> tuple[float, int]:
    """Return how many cores are busy while this program sleeps, and how many there are."""
    import psutil

    n_cores = psutil.cpu_count(logical=True) or 1
    return psutil.cpu_percent(interval=WATCHED_S) / 100 * n_cores, n_cores


def _load(host: str, busy: float, n_cores: int) -> Check:
    found = f"other programs use {busy:.1f} of {n_cores} cores"
    if busy < BUSY_CORES:
        return Check(host, "other load", State.OK, found)
    reason = (
        "latencies come out too long and their intervals wide, so rows will be noisy: close other programs"
    )
    return Check(host, "other load", State.WARNING, found, reason)


def _clock(host: str, path: Path) -> Check:
    try:
        governor = path.read_text().strip()
    except OSError:
        return Check(
            host, "governor", State.OK, "unknown: this system does not say, as most virtual machines"
        )
    if governor == "performance":
        return Check(host, "governor", State.OK, governor)
    reason = (
        "the clock follows the load, so that medians move from process to process: echo performance | sudo tee "
        f"{path.parent.parent.parent}/cpu*/cpufreq/scaling_governor"
    )
    return Check(host, "governor", State.WARNING, governor, reason)


def _hottest_c() -> float | None:
    import psutil

    read = getattr(psutil, "sensors_temperatures", None)  # Linux and FreeBSD have it
    groups = read() if read is not None else {}
    return max((one.current for group in groups.values() for one in group), default=None)


def _heat(host: str, celsius: float | None) -> Check:
    if celsius is None:
        return Check(host, "temperature", State.OK, "unknown: no sensor can be read")
    found = f"{celsius:.0f} °C"
    if celsius < HOT_C:
        return Check(host, "temperature", State.OK, found)
    reason = "it will lower its clock, and what is measured last looks slowest: let it cool first"
    return Check(host, "temperature", State.WARNING, found, reason)
