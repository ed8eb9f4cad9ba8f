"""Phones as a list, and the profile of each."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from harness.drivers.adb.attached import NONE_FITS, REMEDIES, AttachedPhone, attached_phones, explain
from harness.drivers.adb.connect import Address
from harness.drivers.adb.describe import describe_phone
from harness.drivers.adb.device import AdbDevice
from harness.drivers.adb.expectations import refusals
from harness.drivers.adb.facts import PhoneFacts
from harness.drivers.base import DeviceInfo, DeviceState
from harness.drivers.discovery import (
    ALL_ANDROID,
    best_fit,
    describe_all,
    describe_or_say_why,
    device_name,
    fits_patterns,
    profiles_of,
)
from harness.errors import DeviceError, HarnessError, UsageError
from harness.profiles import Connection, DeviceProfile, Fact, Match, Profile
from harness.workspace import Workspace

_LOG = logging.getLogger(__name__)
LISTING_S = 2.0
"""A list does not wait for somebody to tap "Allow"; the question appears on the phone all the same."""
_ADB = re.compile(r"adb:(?P<host>\[[^\]]+\]|[^:]+)(:(?P<port>\d+))?")


def list_android(workspace: Workspace) -> list[DeviceInfo]:
    """Describe every phone: the attached ones, and those that profiles name; all at the same time."""
    profiles = profiles_of("adb", workspace)
    addressed = [profile for profile in profiles if profile.data.connection.names_one]
    named = {profile.data.connection.serial for profile in addressed}
    phones = [found for found in attached_phones() if found.serial not in named]
    jobs: list[Callable[[], DeviceInfo]] = [partial(_describe_profile, profile) for profile in addressed]
    jobs += [partial(_describe_attached, found, profiles) for found in phones]
    return describe_all(jobs)


def _describe_profile(profile: Profile) -> DeviceInfo:
    device = _device(profile)
    described = describe_or_say_why(device, "adb", str(device.address), explain)
    return _with_facts(described, profile.data.facts)


def _describe_attached(found: AttachedPhone, profiles: Iterable[Profile]) -> DeviceInfo:
    state, reason = found.state, found.remedy
    if state == DeviceState.READY:
        device = AdbDevice(found.name, serial=found.serial, auth_timeout_s=LISTING_S)
        try:
            facts = _facts_of(device)
        except HarnessError as error:
            state, reason = explain(error)
        else:
            best = best_profile(facts, profiles)
            return _with_facts(
                describe_phone(found.name, found.serial, facts), best.data.facts if best else ()
            )
    return DeviceInfo(found.name, "adb", found.serial, state, found.model, reason=reason)


def _with_facts(device: DeviceInfo, facts: Iterable[Fact]) -> DeviceInfo:
    """Take away the delegates that the profile refuses, and say why."""
    refused = {fact.delegate: fact.reason for fact in facts if not fact.works}
    reasons = [
        device.reason,
        *(f"no {kind}: {reason}" for kind, reason in refused.items() if kind in device.delegates),
    ]
    delegates = tuple(kind for kind in device.delegates if kind not in refused)
    return replace(device, delegates=delegates, reason="; ".join(filter(None, reasons)))


def _facts_of(device: AdbDevice) -> PhoneFacts:
    with closing(device):
        return device.facts()


def profile_of(found: AttachedPhone, profiles: Iterable[Profile]) -> Profile:
    """Return the profile that fits an attached phone best, tied to it.

    Raises:
        DeviceError: It cannot be used; says what to do.
    """
    if found.state != DeviceState.READY:
        raise DeviceError(found.serial, found.remedy)
    facts = _facts_of(AdbDevice(found.serial, serial=found.serial))
    known = tuple(Fact(delegate=r.delegate, works=False, reason=r.reason) for r in refusals(facts))
    return _tie(best_profile(facts, profiles) or _plain(), found.serial, found.name, known)


def tie_to_attached(profile: Profile) -> Profile:
    """Tie a profile of a kind of phone to the one phone that is meant; one that names a phone is as it was.

    Raises:
        UsageError: No attached phone fits, or several do.
    """
    if profile.data.connection.names_one:
        return profile
    fitting = [found for found in attached_phones() if _fits(found, profile)]
    if len(fitting) != 1:
        names = ", ".join(found.serial for found in fitting)
        raise UsageError(
            f"device {profile.name!r}: {len(fitting)} attached phones fit this profile"
            + (f" ({names}); name one by its serial" if fitting else f"; {NONE_FITS}")
        )
    return _tie(profile, fitting[0].serial, profile.name, ())


def _fits(found: AttachedPhone, profile: Profile) -> bool:
    if found.state != DeviceState.READY:
        return False
    try:
        facts = _facts_of(AdbDevice(found.serial, serial=found.serial))
    except HarnessError as error:
        _LOG.warning("%s", error)
        return False
    return fits(facts, profile.data.match or Match())


def profile_at(text: str, workspace: Workspace) -> Profile:
    """Return a profile for `adb:HOST:PORT`: the one that names this host, or that of its kind of phone.

    Raises:
        UsageError: It does not have this form.
        DeviceError: The phone cannot be reached.
    """
    match = _ADB.fullmatch(text)
    if not match or not 0 < int(match["port"] or 5555) < 65536:
        raise UsageError(f"device {text!r}: expected the form adb:HOST:PORT")
    host, port = match["host"].strip("[]"), int(match["port"] or 5555)
    profiles = profiles_of("adb", workspace)
    for profile in profiles:
        if _address(profile.data.connection) == Address(host=host, port=port):
            return profile
    best = best_profile(_facts_of(AdbDevice(text, host=host, port=port)), profiles) or _plain()
    name, connection = device_name(f"{host}-{port}", "phone"), Connection(kind="adb", host=host, port=port)
    data = msgspec.structs.replace(best.data, name=name, connection=connection, match=None)
    return replace(best, data=data)


def find_all_android(workspace: Workspace) -> list[Profile]:
    """Return a profile for every phone that can be used: the attached ones, and those that profiles name.

    Raises:
        UsageError: There is none.
    """
    profiles = profiles_of("adb", workspace)
    reached = [profile for profile in profiles if profile.data.connection.names_one and _answers(profile)]
    serials = {profile.data.connection.serial for profile in reached}
    phones = [found for found in attached_phones() if found.serial not in serials]
    for found in phones:
        if found.state != DeviceState.READY:
            _LOG.warning("%s is left out: %s", found.serial, REMEDIES.get(found.state, found.state))
    reached += [profile_of(found, profiles) for found in phones if found.state == DeviceState.READY]
    if not reached:
        raise UsageError(f"device {ALL_ANDROID!r}: {NONE_FITS}")
    return reached


def _answers(profile: Profile) -> bool:
    with closing(_device(profile)) as device:
        try:
            device.shell("exit 0", 10.0)
        except HarnessError as error:
            _LOG.warning("left out: %s", error)
            return False
    return True


def fits(facts: PhoneFacts, match: Match) -> bool:
    """Return whether a phone is one of those that a profile is for."""
    if not facts.is_android or not match.min_api <= (facts.api_level or 0) <= match.max_api:
        return False
    return fits_patterns(
        (facts.manufacturer, match.manufacturer), (facts.model, match.model), (facts.soc, match.soc)
    )


def best_profile(facts: PhoneFacts, profiles: Iterable[Profile]) -> Profile | None:
    """Return the profile of a kind of phone that fits and says most."""
    phones = [profile for profile in profiles if profile.data.connection.kind == "adb"]
    return best_fit(phones, partial(fits, facts))


def _address(connection: Connection) -> Address:
    port = {} if connection.port is None else {"port": connection.port}
    return Address(connection.serial, connection.host, **port)


def _device(profile: Profile) -> AdbDevice:
    """Make the device of a profile, for a list: it does not wait for somebody to tap "Allow"."""
    settings: dict[str, Any] = profile.data.connection.settings()
    return AdbDevice(profile.name, **settings, auth_timeout_s=LISTING_S)


def _plain() -> Profile:
    data = DeviceProfile(name="android", connection=Connection(kind="adb"), delegates=("cpu:4",))
    return Profile(data, Path("android"))


def _tie(profile: Profile, serial: str, name: str, known: tuple[Fact, ...]) -> Profile:
    """Give a profile of a kind of phone the serial of one; its own facts go before those of the phone."""
    said = {fact.delegate for fact in profile.data.facts}
    facts = (*profile.data.facts, *(fact for fact in known if fact.delegate not in said))
    connection = msgspec.structs.replace(profile.data.connection, serial=serial)
    return replace(
        profile, data=msgspec.structs.replace(profile.data, name=name, connection=connection, facts=facts)
    )
