"""Checks of what a run on a phone needs, each with a remedy."""

from __future__ import annotations

from collections.abc import Iterator

from harness import cards
from harness.drivers.base import DeviceInfo
from harness.drivers.checkup.check import Check, State, check_room
from harness.drivers.checkup.own_worker import check_own_worker
from harness.paths import is_file
from harness.profiles import Profile

HOT_C = 37.0
LOW_PERCENT = 20


def check_phone(info: DeviceInfo, profile: Profile | None = None) -> Iterator[Check]:
    """Check a phone by its facts: room, cores, battery, heat and screen; and the tools for it."""
    yield check_room(info, number_in(info, "free_mb"))
    yield _cores(info)
    yield check_own_worker(info, profile)
    yield _tool(info, profile)
    yield _battery(info)
    yield _heat(info)
    yield _screen(info)


def _cores(info: DeviceInfo) -> Check:
    mask, tools = info.facts.get("big_core_mask"), str(info.facts.get("tools", "")).split()
    if mask is None or "taskset" not in tools:
        found = "unknown" if mask is None else f"mask {mask}, but no taskset"
        reason = "CPU latencies may mix big and little cores; give the mask with --cpu-mask if you know it"
        return Check(info.name, "big cores", State.WARNING, found, reason, info)
    return Check(info.name, "big cores", State.OK, f"{info.facts.get('cpu_clusters')}: mask {mask}", "", info)


def _tool(info: DeviceInfo, profile: Profile | None) -> Check:
    if profile is not None and profile.data.benchmark_binary:
        path = profile.origin.parent / profile.data.benchmark_binary
        if is_file(path):
            return Check(info.name, "benchmark_model", State.OK, str(path), "", info)
        reason = f"{profile.origin}: key 'benchmark_binary' names a file that does not exist"
        return Check(info.name, "benchmark_model", State.FAILED, str(path), reason, info)
    fetched = sorted((cards.cache_folder() / "tools").glob(f"benchmark_model-*-{info.abi}/tool*"))
    if fetched:
        return Check(info.name, "benchmark_model", State.OK, str(fetched[0]), "", info)
    reason = "the first run fetches it and pins its hash; without internet give your own with --benchmark-binary PATH"
    return Check(info.name, "benchmark_model", State.WARNING, f"none here for {info.abi}", reason, info)


def _battery(info: DeviceInfo) -> Check:
    level = number_in(info, "battery_percent")
    if level is None:
        return Check(info.name, "battery", State.OK, "none, or it does not say", "", info)
    charging = str(info.facts.get("charging", "unknown"))
    found = f"{level:.0f} %, charging: {charging}"
    if level < LOW_PERCENT:
        reason = f"charge it to {LOW_PERCENT} %: below, many phones slow themselves down"
        return Check(info.name, "battery", State.WARNING, found, reason, info)
    return Check(info.name, "battery", State.OK, found, "", info)


def _heat(info: DeviceInfo) -> Check:
    status = info.facts.get("thermal_status")
    celsius = number_in(info, "battery_temperature_c")
    words = (
        f"status {status}" if status else "",
        f"battery {celsius:.1f} °C" if celsius is not None else "",
    )
    found = ", ".join(filter(None, words))
    if status not in {None, "none"} or (celsius is not None and celsius > HOT_C):
        reason = f"let it cool below {HOT_C:.0f} °C (away from the charger and the sun), or wait with --max-start-temp"
        return Check(info.name, "temperature", State.WARNING, found, reason, info)
    return Check(info.name, "temperature", State.OK, found or "unknown", "", info)


def _screen(info: DeviceInfo) -> Check:
    if info.facts.get("screen_on") == "yes":
        return Check(
            info.name, "screen", State.WARNING, "on", "switch it off: it takes GPU time and heats", info
        )
    return Check(
        info.name, "screen", State.OK, "off" if info.facts.get("screen_on") == "no" else "unknown", "", info
    )


def number_in(info: DeviceInfo, key: str) -> float | None:
    """Return a fact of a device as a number; None where it has none."""
    value = info.facts.get(key)
    return float(value) if isinstance(value, (int, float)) else None
