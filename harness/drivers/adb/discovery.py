"""Which phones there are, why one cannot be used, and what a user means by a device's name."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from harness.drivers.adb import errors as adb_errors
from harness.drivers.adb import facts as phone
from harness.drivers.adb.connect import Address
from harness.drivers.adb.describe import info
from harness.drivers.adb.device import AdbDevice
from harness.drivers.adb.expectations import refusals
from harness.drivers.adb.server import server_phones
from harness.drivers.adb.usb_list import UsbPhone, usb_phones
from harness.drivers.base import DeviceInfo
from harness.drivers.coral import device as coral
from harness.drivers.ssh.discovery import at_board, check_host
from harness.errors import DeviceError, HarnessError, UnknownNameError, UsageError
from harness.profiles import Connection, DeviceProfile, Fact, Match, Profile, list_profiles
from harness.workspace import Workspace, expand_user

_LOG = logging.getLogger(__name__)
ALL_ANDROID = "all-android"
LISTING_S = 2.0
"""A list does not wait for somebody to tap "Allow"; the question appears on the phone all the same."""
REMEDIES = {
    "unauthorized": adb_errors.UNAUTHORIZED,
    "authorizing": adb_errors.UNAUTHORIZED,
    "offline": "it does not answer: unlock it, plug it in again, or turn USB debugging off and on",
    "no permissions": adb_errors.UDEV,
    "busy": adb_errors.BUSY,
    "recovery": "it is in recovery mode: restart it",
    "sideload": "it is in sideload mode: restart it",
    "bootloader": "it is in the bootloader: restart it",
    "missing": "no phone that fits is attached: plug it in, and turn on USB debugging in its developer options",
}
_ADB = re.compile(r"adb:(?P<host>\[[^\]]+\]|[^:]+)(:(?P<port>\d+))?")


@dataclass(frozen=True)
class Attached:
    """A phone that is attached, described or not."""

    serial: str
    state: str
    model: str | None = None


def attached() -> list[Attached]:
    """Return the phones of a running adb server and those on USB; nothing is opened."""
    held = [Attached(p.serial, "ready" if p.state == "device" else p.state, p.model) for p in server_phones()]
    known = {found.serial for found in held}
    return [*held, *(_on_usb(found) for found in usb_phones() if found.serial not in known)]


def _on_usb(found: UsbPhone) -> Attached:
    return Attached(
        found.serial or found.where, "ready" if found.permitted else "no permissions", found.model
    )


def list_android(workspace: Workspace) -> list[DeviceInfo]:
    """Describe every phone: the attached ones, and those that profiles name; all at the same time."""
    profiles = [profile for profile in list_profiles(workspace) if profile.data.connection.kind == "adb"]
    addressed = [profile for profile in profiles if _address(profile)]
    named = {profile.data.connection.serial for profile in addressed}
    phones = [found for found in attached() if found.serial not in named]
    jobs: list[Callable[[], DeviceInfo]] = [partial(_describe_profile, profile) for profile in addressed]
    jobs += [partial(_describe_attached, found, profiles) for found in phones]
    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(lambda job: job(), jobs))


def _describe_profile(profile: Profile) -> DeviceInfo:
    device = _device(profile)
    with closing(device):
        try:
            return _with_facts(device.describe(), profile.data.facts)
        except HarnessError as error:
            state = state_of(error)
            return DeviceInfo(
                profile.name, "adb", str(device.address), state, reason=REMEDIES.get(state, str(error))
            )


def _describe_attached(found: Attached, profiles: Iterable[Profile]) -> DeviceInfo:
    if found.state != "ready":
        reason = REMEDIES.get(found.state, f"it is {found.state}")
        return DeviceInfo(safe(found.serial), "adb", found.serial, found.state, found.model, reason=reason)
    device = AdbDevice(safe(found.serial), serial=found.serial, auth_timeout_s=LISTING_S)
    with closing(device):
        try:
            facts = phone.parse(device.shell(phone.SCRIPT, 20.0))
        except HarnessError as error:
            state = state_of(error)
            reason = REMEDIES.get(state, str(error))
            return DeviceInfo(device.name, "adb", found.serial, state, found.model, reason=reason)
    best = best_profile(facts, profiles)
    return _with_facts(info(device.name, found.serial, facts), best.data.facts if best else ())


def _with_facts(device: DeviceInfo, facts: Iterable[Fact]) -> DeviceInfo:
    """What the profile knows is not to be had is not offered, and its reason is said."""
    refused = {fact.delegate: fact.reason for fact in facts if not fact.works}
    reasons = [
        device.reason,
        *(f"no {kind}: {reason}" for kind, reason in refused.items() if kind in device.delegates),
    ]
    delegates = tuple(kind for kind in device.delegates if kind not in refused)
    return replace(device, delegates=delegates, reason="; ".join(filter(None, reasons)))


def state_of(error: HarnessError) -> str:
    """Name the state of a device that raised `error`."""
    text = str(error)
    for state in ("unauthorized", "no permissions", "busy"):
        if REMEDIES[state] in text:
            return state
    if "unauthorized" in text or "authorizing" in text:
        return "unauthorized"
    return "offline" if isinstance(error, DeviceError) else "unreachable"


def resolve_devices(text: str, workspace: Workspace) -> list[Profile]:
    """Turn what a user calls a device into profiles that say how to reach it, ready for `open_device`.

    Args:
        text: A profile's name or path, a serial, `adb:HOST:PORT`, `ssh://USER@HOST[:PORT]`, a TPU such as
            `coral-usb:1`, `all-coral` or `all-android`.
        workspace: Where the profiles are.

    Raises:
        UnknownNameError: There is no such device; near misses are listed.
        UsageError: A kind of phone of which none or several are attached.
        DeviceError: The phone cannot be reached.
    """
    if text == ALL_ANDROID:
        return _all_android(workspace)
    if text.startswith("adb:"):
        return [_at_host(text, workspace)]
    if text.startswith("ssh:"):
        return [at_board(text, workspace)]
    profiles = list_profiles(workspace)
    tpus = coral.resolve(text, profiles)
    if tpus is not None:
        return tpus
    named = _named(text, profiles)
    if named is not None:
        return [_bound(named, profiles)]
    found = next((found for found in attached() if text in {found.serial, safe(found.serial)}), None)
    if found is None:
        _unknown(text, profiles)
    return [_profile_of(found, profiles)]


def _unknown(text: str, profiles: Iterable[Profile]) -> NoReturn:
    known = {ALL_ANDROID, *(profile.name for profile in profiles), *(found.serial for found in attached())}
    raise UnknownNameError("device", text, known, hint="`harness devices` lists what there is.")


def _named(text: str, profiles: Iterable[Profile]) -> Profile | None:
    from harness.profiles import load_profile

    if Path(text).suffix == ".toml":
        return load_profile(expand_user(text))
    return next((profile for profile in profiles if profile.name == text), None)


def _bound(profile: Profile, profiles: Iterable[Profile]) -> Profile:
    """Tie a profile of a kind of phone to the one phone that is meant."""
    if profile.data.connection.kind == "ssh":
        check_host(profile)
    if profile.data.connection.kind != "adb" or _address(profile):
        return profile
    fitting = [found for found in attached() if _fits(found, profile)]
    if len(fitting) != 1:
        names = ", ".join(found.serial for found in fitting)
        raise UsageError(
            f"device {profile.name!r}: {len(fitting)} attached phones fit this profile"
            + (f" ({names}); name one by its serial" if fitting else f"; {REMEDIES['missing']}")
        )
    return _tie(profile, fitting[0].serial, profile.name, ())


def _fits(found: Attached, profile: Profile) -> bool:
    if found.state != "ready":
        return False
    try:
        return fits(_facts_of(found), profile.data.match or Match())
    except HarnessError as error:
        _LOG.warning("%s", error)
        return False


def _facts_of(found: Attached) -> phone.PhoneFacts:
    device = AdbDevice(found.serial, serial=found.serial)
    with closing(device):
        return phone.parse(device.shell(phone.SCRIPT, 20.0))


def _profile_of(found: Attached, profiles: Iterable[Profile]) -> Profile:
    if found.state != "ready":
        raise DeviceError(found.serial, REMEDIES.get(found.state, f"it is {found.state}"))
    facts = _facts_of(found)
    known = tuple(Fact(delegate=r.delegate, works=False, reason=r.reason) for r in refusals(facts))
    return _tie(best_profile(facts, profiles) or _plain(), found.serial, safe(found.serial), known)


def _at_host(text: str, workspace: Workspace) -> Profile:
    match = _ADB.fullmatch(text)
    if not match or not 0 < int(match["port"] or 5555) < 65536:
        raise UsageError(f"device {text!r}: expected the form adb:HOST:PORT")
    host, port = match["host"].strip("[]"), int(match["port"] or 5555)
    connection = Connection(kind="adb", host=host, port=port)
    profiles = [p for p in list_profiles(workspace) if p.data.connection.kind == "adb"]
    for profile in profiles:
        address = _address(profile)
        if address is not None and (address.host, address.port) == (host, port):
            return profile
    device = AdbDevice(text, host=host, port=port)
    with closing(device):
        best = best_profile(phone.parse(device.shell(phone.SCRIPT, 20.0)), profiles) or _plain()
    data = msgspec.structs.replace(best.data, name=safe(f"{host}-{port}"), connection=connection, match=None)
    return replace(best, data=data)


def _all_android(workspace: Workspace) -> list[Profile]:
    profiles = list_profiles(workspace)
    reached = [profile for profile in profiles if profile.data.connection.kind == "adb" and _answers(profile)]
    serials = {profile.data.connection.serial for profile in reached}
    phones = [found for found in attached() if found.serial not in serials]
    for found in phones:
        if found.state != "ready":
            _LOG.warning("%s is left out: %s", found.serial, REMEDIES.get(found.state, found.state))
    reached += [_profile_of(found, profiles) for found in phones if found.state == "ready"]
    if not reached:
        raise UsageError(f"device {ALL_ANDROID!r}: {REMEDIES['missing']}")
    return reached


def _answers(profile: Profile) -> bool:
    if not _address(profile):
        return False
    device = _device(profile)
    with closing(device):
        try:
            device.shell("exit 0", 10.0)
        except HarnessError as error:
            _LOG.warning("left out: %s", error)
            return False
    return True


def fits(facts: phone.PhoneFacts, match: Match) -> bool:
    """Whether a phone is one of those that a profile is for."""
    if not facts.is_android or not match.min_api <= (facts.api_level or 0) <= match.max_api:
        return False
    pairs = ((facts.manufacturer, match.manufacturer), (facts.model, match.model), (facts.soc, match.soc))
    return all(fnmatchcase((value or "").lower(), pattern.lower()) for value, pattern in pairs)


def best_profile(facts: phone.PhoneFacts, profiles: Iterable[Profile]) -> Profile | None:
    """Return the profile of a kind of phone that fits and says most: the longest patterns win."""
    phones = [p for p in profiles if p.data.connection.kind == "adb"]
    kinds = [p for p in phones if p.data.match is not None and not _address(p)]
    fitting = [p for p in kinds if p.data.match is not None and fits(facts, p.data.match)]
    return max(fitting, key=lambda p: _length(p.data.match), default=None)


def _length(match: Match | None) -> tuple[int, int]:
    """How much a profile says: letters of its patterns, then bounds of the API level."""
    if match is None:
        return 0, 0
    letters = sum(len(text.replace("*", "")) for text in (match.manufacturer, match.model, match.soc))
    return letters, (match.min_api > 0) + (match.max_api < Match().max_api)


def _address(profile: Profile) -> Address | None:
    connection = profile.data.connection
    if not connection.serial and not connection.host:
        return None
    port = {} if connection.port is None else {"port": connection.port}
    return Address(connection.serial, connection.host, **port)


def _device(profile: Profile) -> AdbDevice:
    """The device of a profile, for a list: it does not wait for somebody to tap "Allow"."""
    settings: dict[str, Any] = profile.data.connection.settings()
    return AdbDevice(profile.name, **settings, auth_timeout_s=LISTING_S)


def _plain() -> Profile:
    data = DeviceProfile(name="android", connection=Connection(kind="adb"), delegates=("cpu:4",))
    return Profile(data, Path("android"))


def _tie(profile: Profile, serial: str, name: str, known: tuple[Fact, ...]) -> Profile:
    """Give a profile of a kind of phone the serial of one; what it knows goes before what was told by the phone."""
    said = {fact.delegate for fact in profile.data.facts}
    facts = (*profile.data.facts, *(fact for fact in known if fact.delegate not in said))
    connection = msgspec.structs.replace(profile.data.connection, serial=serial)
    return replace(
        profile, data=msgspec.structs.replace(profile.data, name=name, connection=connection, facts=facts)
    )


def safe(text: str) -> str:
    """Return a serial or address as a name that can be a file's: `192.168.1.5:5555` is `192.168.1.5-5555`."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text).lstrip("._-") or "phone"
