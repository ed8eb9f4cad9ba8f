"""Samples of a phone's battery while it works: what its fuel gauge says, from sysfs or from `dumpsys battery`.

A shell on a phone prints `at SECONDS` (of uptime) and then either the files of Linux' power supply class, `NAME VALUE`
(Documentation/ABI/testing/sysfs-class-power: µA, µV, µAh), or the text of Android's battery service (mV, µAh).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from harness.records.telemetry import PowerSample

_SYSFS = {"voltage_now": "voltage_uv", "charge_counter": "charge_uah", "current_now": "current_ua"}
_DISCHARGING = ("discharging", "3")
"""Linux' word, and Android's BATTERY_STATUS_DISCHARGING. Any other means that a cable gives power, or nobody knows."""
_WHOLE = re.compile(r"-?\d{1,12}")


def read_battery_log(text: str) -> tuple[PowerSample, ...]:
    """Read samples; one that says no time or nothing of the battery is passed over."""
    samples = []
    for at, body in _samples(text):
        said = {key.strip().lower(): value.strip() for key, value in map(_parted, body) if value.strip()}
        if "updates stopped" in " ".join(body).lower():  # set by hand: `dumpsys battery set`
            continue
        facts = _from_sysfs(said) if said.keys() & {*_SYSFS} else _from_service(said)
        if facts.keys() & {"voltage_uv", "charge_uah", "current_ua"}:
            discharging = said.get("status", "").lower() in _DISCHARGING and not _is_powered(said)
            samples.append(PowerSample(at_s=at, discharging=discharging, **facts))
    return tuple(samples)


def _samples(text: str) -> Iterator[tuple[float, list[str]]]:
    at: float | None = None
    body: list[str] = []
    for line in text.splitlines():
        found = re.fullmatch(r"at (\d{1,12}(?:\.\d{1,3})?)", line.strip())
        if found is None:
            body.append(line)
            continue
        if at is not None:
            yield at, body
        at, body = float(found[1]), []
    if at is not None:
        yield at, body


def _parted(line: str) -> tuple[str, str]:
    key, colon, value = line.partition(":")
    if not colon:
        key, _, value = line.strip().partition(" ")
    return key, value


def _from_sysfs(said: Mapping[str, str]) -> dict[str, int]:
    return {name: int(said[key]) for key, name in _SYSFS.items() if _WHOLE.fullmatch(said.get(key, ""))}


def _from_service(said: Mapping[str, str]) -> dict[str, int]:
    """Return what the battery service says; a counter of 0 or less means that there is none."""
    facts = {}
    if _WHOLE.fullmatch(said.get("voltage", "")) and int(said["voltage"]) > 0:
        facts["voltage_uv"] = int(said["voltage"]) * 1000
    if _WHOLE.fullmatch(said.get("charge counter", "")) and int(said["charge counter"]) > 0:
        facts["charge_uah"] = int(said["charge counter"])
    return facts


def _is_powered(said: Mapping[str, str]) -> bool:
    return any(said.get(f"{kind} powered") == "true" for kind in ("ac", "usb", "wireless", "dock"))
