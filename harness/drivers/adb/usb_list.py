"""Phones on USB, without opening any: from the kernel's tables on Linux, through libusb elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import MissingExtraError

SYSFS = Path("/sys/bus/usb/devices")
NODES = Path("/dev/bus/usb")
INTERFACE = ("ff", "42", "01")


@dataclass(frozen=True)
class UsbPhone:
    """A device with an ADB interface.

    Attributes:
        serial: Its serial; empty when it may not be asked.
        model: What it calls itself.
        where: Its place on the bus, such as `usb:1-2`.
        permitted: Whether this user may open it.
    """

    serial: str
    model: str | None
    where: str
    permitted: bool


def usb_phones(sysfs: Path = SYSFS, nodes: Path = NODES) -> list[UsbPhone]:
    """Return the phones on USB."""
    if sysfs.is_dir():
        return list(_from_sysfs(sysfs, nodes))
    with suppress(MissingExtraError):
        return list(_from_libusb())
    return []


def _from_sysfs(sysfs: Path, nodes: Path) -> Iterator[UsbPhone]:
    for interface in sorted(sysfs.glob("*:*")):
        names = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
        if tuple(_read(interface / name) for name in names) == INTERFACE:
            device = sysfs / interface.name.partition(":")[0]
            bus, number = _read(device / "busnum"), _read(device / "devnum")
            node = nodes / bus.zfill(3) / number.zfill(3)
            yield UsbPhone(
                serial=_read(device / "serial"),
                model=_read(device / "product") or None,
                where=f"usb:{device.name}",
                permitted=os.access(node, os.R_OK | os.W_OK),
            )


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _from_libusb() -> Iterator[UsbPhone]:
    from harness.drivers.adb.usb import settings, usb1

    library = usb1()
    with library.USBContext() as context:
        for device, _ in settings(context):
            where = f"usb:{device.getBusNumber()}-{'.'.join(map(str, device.getPortNumberList()))}"
            try:
                yield UsbPhone(device.getSerialNumber(), device.getProduct(), where, permitted=True)
            except library.USBError:
                yield UsbPhone("", None, where, permitted=False)
