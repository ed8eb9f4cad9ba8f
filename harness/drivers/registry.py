"""The drivers by the kind of connection in a profile. A new kind is one small file and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from harness.drivers.base import Device, DeviceInfo
from harness.errors import HarnessError, UnknownNameError
from harness.profiles import Profile, find_profile, list_profiles
from harness.workspace import Workspace

DRIVERS = {
    # kind    module:class
    "local": "harness.drivers.local:LocalDevice",
    "fake": "harness.drivers.fake:FakeDevice",
}


def open_device(profile: Profile) -> Device:
    """Open the device that a profile describes.

    Raises:
        DeviceError: It cannot be reached.
    """
    kind = profile.data.connection.kind
    if kind not in DRIVERS:
        raise UnknownNameError("connection kind", kind, DRIVERS)
    module, _, name = DRIVERS[kind].partition(":")
    factory: Any = getattr(import_module(module), name)
    device: Device = factory(profile.name)
    return device


def find_device(text: str, workspace: Workspace) -> tuple[Profile, Device]:
    """Find and open what a user means by DEVICE."""
    profile = find_profile(text, workspace)
    return profile, open_device(profile)


def find_devices(text: str, workspace: Workspace) -> list[tuple[Profile, Device]]:
    """Find and open all devices that a user means: one for a name, several for `all-…`."""
    return [find_device(text, workspace)]


def list_devices(workspace: Workspace) -> list[DeviceInfo]:
    """Describe every device there is a profile for; one that cannot be reached is listed with the reason."""
    return [_describe(profile) for profile in list_profiles(workspace)]


def _describe(profile: Profile) -> DeviceInfo:
    kind = profile.data.connection.kind
    try:
        device = open_device(profile)
    except HarnessError as error:
        return DeviceInfo(profile.name, kind, state="unreachable", reason=str(error))
    try:
        return device.describe()
    except HarnessError as error:
        return DeviceInfo(profile.name, kind, state="unreachable", reason=str(error))
    finally:
        device.close()
