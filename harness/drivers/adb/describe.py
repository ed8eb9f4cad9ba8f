"""What a phone told of itself, in the form that every device has."""

from __future__ import annotations

from collections.abc import Mapping

from harness.drivers.adb.facts import PhoneFacts, big_cores, clusters, mask
from harness.drivers.base import DeviceInfo


def info(name: str, address: str, facts: PhoneFacts) -> DeviceInfo:
    """Put a phone's facts into the form that every device has."""
    from harness.drivers.adb.expectations import expect, refusals, remarks

    return DeviceInfo(
        name=name,
        kind="adb",
        address=address,
        model=" ".join(filter(None, _names(facts))) or None,
        soc=facts.soc,
        os=_os(facts),
        abi=facts.abi,
        delegates=expect(facts),
        reason="; ".join((*(refusal.reason for refusal in refusals(facts)), *remarks(facts))),
        facts=_flat(facts),
    )


def _names(facts: PhoneFacts) -> tuple[str | None, str | None]:
    maker, model = facts.manufacturer, facts.model
    if maker and model and model.lower().startswith(maker.lower()):
        return None, model
    return maker, model


def _os(facts: PhoneFacts) -> str | None:
    if not facts.is_android:
        return facts.system or facts.kernel
    return f"Android {facts.android or '?'} (API {facts.api_level})"


def _flat(facts: PhoneFacts) -> Mapping[str, str | int | float]:
    """Only what is known: an absent key is an unknown fact."""
    health = facts.health
    big = big_cores(facts.cores)
    everything: dict[str, str | int | float | None] = {
        "serial": facts.serial,
        "android": facts.android,
        "api_level": facts.api_level,
        "build": facts.build,
        "kernel": facts.kernel,
        "cores": len(facts.cores) or None,
        "cpu_clusters": clusters(facts.cores),
        "big_cores": len(big) or None,
        "big_core_mask": mask(big),
        "gpu": facts.gpu,
        "memory_mb": facts.memory_mb,
        "free_mb": facts.free_mb,
        "root": facts.root,
        "tools": " ".join(facts.tools) or None,
        "battery_percent": health.battery_percent,
        "battery_temperature_c": health.battery_temperature_c,
        "charging": health.charging,
        "thermal_status": health.thermal_status,
        "hottest_c": health.hottest_c,
        "screen_on": None if health.screen_on is None else ("yes" if health.screen_on else "no"),
        "governor": health.governor,
    }
    return {key: value for key, value in everything.items() if value is not None}
