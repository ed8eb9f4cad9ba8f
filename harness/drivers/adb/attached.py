"""Attached phones: their states, and what to do where one cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

from harness.drivers.adb import errors as adb_errors
from harness.drivers.adb.server import server_phones
from harness.drivers.adb.usb_list import UsbPhone, usb_phones
from harness.drivers.base import DeviceState
from harness.drivers.discovery import device_name
from harness.errors import DeviceError, HarnessError

REMEDIES: dict[str, str] = {
    DeviceState.UNAUTHORIZED: adb_errors.UNAUTHORIZED,
    DeviceState.AUTHORIZING: adb_errors.UNAUTHORIZED,
    DeviceState.OFFLINE: "it does not answer: unlock it, plug it in again, or turn USB debugging off and on",
    DeviceState.NO_PERMISSIONS: adb_errors.UDEV,
    DeviceState.BUSY: adb_errors.BUSY,
    DeviceState.RECOVERY: "it is in recovery mode: restart it",
    DeviceState.SIDELOAD: "it is in sideload mode: restart it",
    DeviceState.BOOTLOADER: "it is in the bootloader: restart it",
}
"""What to do about a state other than `ready`."""
NONE_FITS = "no phone that fits is attached: plug it in, and turn on USB debugging in its developer options"


@dataclass(frozen=True)
class AttachedPhone:
    """A phone that is attached, described or not."""

    serial: str
    state: str
    model: str | None = None

    @property
    def name(self) -> str:
        """Its serial as a name."""
        return device_name(self.serial, "phone")

    @property
    def remedy(self) -> str:
        """What to do so that it can be used."""
        return REMEDIES.get(self.state, f"it is {self.state}")


def attached_phones() -> list[AttachedPhone]:
    """Return the phones of a running adb server and those on USB; nothing is opened."""
    held = [
        AttachedPhone(p.serial, DeviceState.READY if p.state == "device" else p.state, p.model)
        for p in server_phones()
    ]
    known = {found.serial for found in held}
    return [*held, *(_on_usb(found) for found in usb_phones() if (found.serial or found.where) not in known)]


def _on_usb(found: UsbPhone) -> AttachedPhone:
    state = DeviceState.READY if found.permitted else DeviceState.NO_PERMISSIONS
    return AttachedPhone(found.serial or found.where, state, found.model)


def state_of(error: HarnessError) -> str:
    """Name the state of a device that raised `error`."""
    text = str(error)
    for state in (DeviceState.UNAUTHORIZED, DeviceState.NO_PERMISSIONS, DeviceState.BUSY):
        if REMEDIES[state] in text:
            return state
    if any(word in text for word in (DeviceState.UNAUTHORIZED, DeviceState.AUTHORIZING)):
        return DeviceState.UNAUTHORIZED
    return DeviceState.OFFLINE if isinstance(error, DeviceError) else DeviceState.UNREACHABLE


def explain(error: HarnessError) -> tuple[str, str]:
    """Return the state of a device that raised `error`, and what to do about it."""
    state = state_of(error)
    return state, REMEDIES.get(state, str(error))
