"""The power that a phone drew in a long run, as far as its own fuel gauge can tell it.

It is that of the whole phone, screen and all, and only where nothing charged it. The charge counter goes in steps, and
the time from its first step that was seen to its last is known: up to one step more or less was drawn in it. Where it
took too few steps, the mean of the current that the gauge says stands for it, with the interval of its distinct
updates. What neither can tell stays empty, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, fmean, stdev

from harness.records.records import ProcessFacts
from harness.records.telemetry import PowerSample

LEAST_STEPS, LEAST_UPDATES = 5, 10
"""Fewer steps of the counter bound the charge to no better than ±20 %; fewer updates of the current are no sample."""
MOST_AMPERE = 15.0
"""No phone draws more: its gauge counts in another unit."""
LEAST_AMPERE = 0.02
_COULOMB_PER_UAH = 3600 / 1e6
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Power:
    """Power drawn from the battery.

    Attributes:
        watt: The mean; None where it cannot be told.
        low: Lower end of its interval.
        high: Upper end of its interval.
        seconds: The time that it is of.
        basis: What it was computed from, with its resolution; or why it is empty.
    """

    watt: float | None
    low: float | None
    high: float | None
    seconds: float
    basis: str


def power_of(processes: Sequence[ProcessFacts]) -> Power | None:
    """Return the power over a run of processes; None where no battery was watched."""
    samples = sorted((one for p in processes for one in p.telemetry.power), key=lambda one: one.at_s)
    if not samples:
        return None
    if not all(sample.discharging for sample in samples):
        return _unknown(
            "the phone was charged, or has a cable: unplug it and reach it over Wi-Fi (adb tcpip 5555)"
        )
    volts = [sample.voltage_uv / 1e6 for sample in samples if sample.voltage_uv]
    if not volts:
        return _unknown("its gauge says no voltage")
    return (
        _by_counter(samples, fmean(volts))
        or _by_current(samples, fmean(volts))
        or _unknown(_too_coarse(samples))
    )


def _unknown(why: str) -> Power:
    return Power(None, None, None, 0.0, why)


def _steps(samples: Sequence[PowerSample]) -> list[tuple[float, int]]:
    """Return when the charge counter changed, and to what."""
    known = [(one.at_s, one.charge_uah) for one in samples if one.charge_uah is not None]
    return [(at, charge) for (_, before), (at, charge) in pairwise(known) if charge != before]


def _by_counter(samples: Sequence[PowerSample], volt: float) -> Power | None:
    steps = _steps(samples)
    if len(steps) < LEAST_STEPS + 1:
        return None
    step = min(abs(after - before) for (_, before), (_, after) in pairwise(steps))
    seconds, used = steps[-1][0] - steps[0][0], steps[0][1] - steps[-1][1]
    if seconds <= 0 or used <= 0:
        return None
    ends = (used - step, used, used + step)
    low, watt, high = (charge * _COULOMB_PER_UAH * volt / seconds for charge in ends)
    return Power(watt, max(low, 0.0), high, seconds, f"charge counter, steps of {step / 1000:g} mAh")


def _by_current(samples: Sequence[PowerSample], volt: float) -> Power | None:
    """Take the mean of the current's updates; its sign is each maker's own, its unit is checked by its size."""
    known = [(one.at_s, one.current_ua) for one in samples if one.current_ua is not None]
    updates = [known[0], *(new for old, new in pairwise(known) if new[1] != old[1])] if known else []
    amperes = [abs(current) / 1e6 for _, current in updates]
    if len(updates) < LEAST_UPDATES or not LEAST_AMPERE < fmean(amperes) < MOST_AMPERE:
        return None
    if len({current > 0 for _, current in updates if current}) > 1:
        return None
    half = _Z * stdev(amperes) / len(amperes) ** 0.5
    mean, seconds = fmean(amperes), known[-1][0] - known[0][0]
    every = seconds / max(len(updates) - 1, 1)
    low, watt, high = ((mean + side) * volt for side in (-half, 0.0, half))
    return Power(
        watt, max(low, 0.0), high, seconds, f"current, {len(updates)} updates, one every {every:.1f} s"
    )


def _too_coarse(samples: Sequence[PowerSample]) -> str:
    return (
        f"its gauge is too coarse for {samples[-1].at_s - samples[0].at_s:.0f} s: {len(_steps(samples))} steps of the "
        f"charge counter, wanted {LEAST_STEPS + 1}: raise --sustained"
    )
