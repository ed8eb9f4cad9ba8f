"""The drivers by the kind of connection in a profile. A new kind is one small file and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from harness.drivers.base import Device, DeviceInfo, DeviceState
from harness.drivers.discovery import describe_or_say_why
from harness.errors import HarnessError, UnknownNameError, UsageError
from harness.profiles import EMULATORS, ConnectionKind, Profile, list_profiles
from harness.workspace import Workspace

DRIVERS: dict[ConnectionKind, str] = {
    # kind    module:class
    "local": "harness.drivers.local:LocalDevice",
    "fake": "harness.drivers.fake:FakeDevice",
    "adb": "harness.drivers.adb.device:AdbDevice",
    "ssh": "harness.drivers.ssh.device:SshDevice",
    "coral": "harness.drivers.coral.device:CoralDevice",
    "emulator": "harness.drivers.emulator:EmulatorDevice",
}


KEEPING: frozenset[ConnectionKind] = frozenset({"adb", "ssh"})
"""Drivers that keep files on the device."""


def open_device(profile: Profile, keep_bytes: int | None = None) -> Device:
    """Open the device that a profile describes.

    Args:
        profile: How it is reached.
        keep_bytes: Most bytes of files to keep there; None for the driver's own limit.

    Raises:
        DeviceError: It cannot be reached.
    """
    kind = profile.data.connection.kind
    if kind not in DRIVERS:
        raise UnknownNameError("connection kind", kind, DRIVERS)
    module, _, name = DRIVERS[kind].partition(":")
    factory: Any = getattr(import_module(module), name)
    settings = profile.data.connection.settings()
    if keep_bytes is not None and kind in KEEPING:
        settings["keep_bytes"] = keep_bytes
    if kind in EMULATORS:
        settings["devices"] = profile.origin.parent  # a table of chips lies beside the profiles
    device: Device = factory(profile.name, **settings)
    return device


def find_device(text: str, workspace: Workspace) -> tuple[Profile, Device]:
    """Find and open the device that a user names.

    Raises:
        UsageError: It means several devices, or none.
    """
    found = find_devices(text, workspace)
    if len(found) != 1:
        names = ", ".join(profile.name for profile, _ in found)
        raise UsageError(f"device {text!r} means several ({names}); name one of them")
    return found[0]


def find_devices(
    text: str, workspace: Workspace, keep_bytes: int | None = None
) -> list[tuple[Profile, Device]]:
    """Find and open the devices that a user names: one for a name or serial, several for `all-android`."""
    from harness.drivers.names import resolve_devices

    return [(profile, open_device(profile, keep_bytes)) for profile in resolve_devices(text, workspace)]


def list_devices(workspace: Workspace) -> list[DeviceInfo]:
    """Describe every device: the profiles', and the phones that are attached.

    One that cannot be reached is listed with its state and the remedy as the reason.
    """
    from harness.drivers.adb.discovery import list_android
    from harness.drivers.coral.discovery import list_coral
    from harness.drivers.ssh.discovery import list_boards

    apart = {"adb", "ssh", "coral"}
    others = [profile for profile in list_profiles(workspace) if profile.data.connection.kind not in apart]
    here = [*map(_describe, others), *list_coral(workspace)]
    return [*here, *list_boards(workspace), *list_android(workspace)]


def _describe(profile: Profile) -> DeviceInfo:
    kind = profile.data.connection.kind
    try:
        device = open_device(profile)
    except HarnessError as error:
        return DeviceInfo(profile.name, kind, state=DeviceState.UNREACHABLE, reason=str(error))
    return describe_or_say_why(device, kind, "", _unreachable)


def _unreachable(error: HarnessError) -> tuple[str, str]:
    return DeviceState.UNREACHABLE, str(error)
