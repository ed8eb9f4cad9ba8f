"""The description of a phone, made from its facts."""

from __future__ import annotations

from collections.abc import Mapping

from harness.drivers.adb.expectations import expect, refusals, remarks
from harness.drivers.adb.facts import PhoneFacts
from harness.drivers.base import DeviceInfo
from harness.drivers.linux_facts import core_facts, known_only


def describe_phone(name: str, address: str, facts: PhoneFacts) -> DeviceInfo:
    """Describe a phone by its facts."""
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
        facts=known_only(_facts(facts)),
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


def _facts(facts: PhoneFacts) -> Mapping[str, str | int | float | None]:
    health = facts.health
    return {
        "serial": facts.serial,
        "android": facts.android,
        "api_level": facts.api_level,
        "build": facts.build,
        **core_facts(facts),
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
        "governor": facts.governor,
    }
