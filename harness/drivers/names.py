"""Devices by the names that users give them.

The drivers of phones, boards and emulators are imported where one is named: adb-shell, for one, loads asyncio.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from harness.drivers.coral import discovery as coral
from harness.drivers.discovery import ALL_ANDROID, EMULATOR
from harness.errors import UnknownNameError
from harness.paths import expand_user
from harness.profiles import Profile, list_profiles, load_profile
from harness.workspace import Workspace


def resolve_devices(text: str, workspace: Workspace) -> list[Profile]:
    """Turn a user's name of a device into profiles that say how to reach it, ready for `open_device`.

    Args:
        text: A profile's name or path, a serial, `adb:HOST:PORT`, `ssh://USER@HOST[:PORT]`, a TPU such as
            `coral-usb:1`, `all-coral` or `all-android`, or an emulator of a chip: `emulator:qualcomm-SM8650`.
        workspace: Where the profiles are.

    Raises:
        UnknownNameError: There is no such device; near misses are listed.
        UsageError: A kind of phone of which none or several are attached.
        DeviceError: The phone cannot be reached.
    """
    if text == ALL_ANDROID or text.startswith("adb:"):
        return _phones(text, workspace)
    if text.startswith("ssh:"):
        from harness.drivers.ssh import discovery as boards

        return [boards.profile_at(text, workspace)]
    if text.startswith(EMULATOR):
        from harness.drivers import emulator

        return [emulator.profile_of(text, workspace)]
    profiles = list_profiles(workspace)
    tpus = coral.resolve_tpu(text, profiles)
    if tpus is not None:
        return tpus
    named = _named(text, profiles)
    return [_reachable(named) if named is not None else _by_serial(text, profiles)]


def _phones(text: str, workspace: Workspace) -> list[Profile]:
    from harness.drivers.adb import discovery as phones

    return phones.find_all_android(workspace) if text == ALL_ANDROID else [phones.profile_at(text, workspace)]


def _named(text: str, profiles: Iterable[Profile]) -> Profile | None:
    if Path(text).suffix == ".toml":
        return load_profile(expand_user(text))
    return next((profile for profile in profiles if profile.name == text), None)


def _reachable(profile: Profile) -> Profile:
    """Return a profile that says how to reach one device; one of a kind of phone is tied to the phone that is meant."""
    if profile.data.connection.kind == "ssh":
        from harness.drivers.ssh import discovery as boards

        boards.require_host(profile)
    if profile.data.connection.kind == "adb":
        from harness.drivers.adb import discovery as phones

        return phones.tie_to_attached(profile)
    return profile


def _by_serial(text: str, profiles: list[Profile]) -> Profile:
    from harness.drivers.adb import discovery as phones
    from harness.drivers.adb.attached import attached_phones

    found = next((found for found in attached_phones() if text in {found.serial, found.name}), None)
    return phones.profile_of(found, profiles) if found is not None else _unknown(text, profiles)


def _unknown(text: str, profiles: Iterable[Profile]) -> NoReturn:
    from harness.drivers.adb.attached import attached_phones

    attached = {found.serial for found in attached_phones()}
    known = {ALL_ANDROID, *attached, *(profile.name for profile in profiles)}
    raise UnknownNameError("device", text, known, hint="`harness devices` lists what there is.")
