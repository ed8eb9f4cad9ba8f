"""Errors of adb-shell, libusb and sockets, turned into ours in one place."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from adb_shell import exceptions as theirs

from harness.drivers.adb.link import ServiceRefusedError
from harness.drivers.adb.sync import RefusedError
from harness.drivers.adb.transport import is_timeout
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError, HarnessError

UNAUTHORIZED = (
    "the phone does not trust this computer yet: unlock it, tap “Allow” (and “Always allow from this computer”) in "
    "the question it shows, and try again"
)
UDEV = (
    "no permission to open it: install the package `android-sdk-platform-tools-common` (udev rules) or add a rule with "
    'SUBSYSTEM=="usb", ATTR{idVendor}=="VENDOR", MODE="0660", GROUP="plugdev", join that group and plug the phone in '
    "again"
)
BUSY = (
    "another program holds it, most likely an adb server that does not answer here: run `adb kill-server`, or start "
    "it again so that the phone can be used through it"
)
_AWAY = ("not found", "offline")
"""What an adb server says of a phone that has gone away, and may come back."""
_LOWER = (
    OSError,
    EOFError,
    ValueError,
    struct.error,
    theirs.AdbCommandFailureException,
    theirs.AdbConnectionError,
    theirs.AdbTimeoutError,
    theirs.DeviceAuthError,
    theirs.DevicePathInvalidError,
    theirs.InvalidChecksumError,
    theirs.InvalidCommandError,
    theirs.InvalidResponseError,
    theirs.InvalidTransportError,
    theirs.PushFailedError,
    theirs.TcpTimeoutException,
    theirs.UsbDeviceNotFoundError,
    theirs.UsbReadFailedError,
    theirs.UsbWriteFailedError,
    ServiceRefusedError,
    RefusedError,
)


@contextmanager
def translated(device: str, what: str, argv: Sequence[str] = ()) -> Iterator[None]:
    """Raise whatever goes wrong inside as a DeviceError that names the device and what was being done."""
    try:
        yield
    except HarnessError:
        raise
    except _LOWER as error:
        raise translate(device, what, argv, error) from error


def translate(device: str, what: str, argv: Sequence[str], error: Exception) -> DeviceError:
    """Choose the error of ours for an error of a lower library."""
    if isinstance(error, RefusedError):
        return DeviceError(device, f"{error.path}: {error.reason}", argv)
    if isinstance(error, ServiceRefusedError) and not any(word in str(error) for word in _AWAY):
        return DeviceError(device, f"{what}: the device refuses the service ({error})", argv)
    if isinstance(error, theirs.DeviceAuthError):
        return DeviceError(device, UNAUTHORIZED, argv)
    if is_timeout(error):
        return DeviceTimeoutError(device, f"{what}: the device does not answer ({error})", argv)
    if isinstance(error, OSError) and error.filename is not None:
        return DeviceError(device, f"{what}: {error.filename}: {error.strerror}", argv)
    return DeviceLostError(device, f"{what}: {_usb_reason(error) or error}", argv)


def _usb_reason(error: Exception) -> str:
    names = {type(cause).__name__ for cause in (error, error.__cause__, getattr(error, "usb_error", None))}
    if "USBErrorBusy" in names:
        return BUSY
    if "USBErrorAccess" in names:
        return UDEV
    if names & {"USBErrorNoDevice", "USBErrorIO", "USBErrorPipe"}:
        return "the phone was unplugged"
    return ""
