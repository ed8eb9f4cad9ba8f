"""The devices of a run, reached, and what those that are parts of one computer do to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.bench.plan import Cell
from harness.bench.request import Request
from harness.drivers.base import Device, DeviceInfo
from harness.drivers.registry import find_devices
from harness.errors import UsageError
from harness.profiles import Profile
from harness.workspace import Workspace


@dataclass(frozen=True)
class Station:
    """A device that was reached; `far` where it is part of another computer."""

    profile: Profile
    device: Device
    info: DeviceInfo
    far: bool = False


def reach_stations(request: Request, workspace: Workspace) -> tuple[Station, ...]:
    """Reach the devices that a request names.

    Raises:
        UsageError: No such device, one that is named twice, or one that cannot be used.
        DeviceError: One that does not answer.
    """
    found: dict[str, Station] = {}
    for text in request.devices:
        for profile, device in find_devices(text, workspace, request.keep):
            if device.name in found:
                raise UsageError(f"device {device.name!r} is named twice")
            found[device.name] = Station(profile, device, device.describe())
    return tuple(found.values())


def shared_computer(stations: Sequence[Station], cells: Sequence[Cell]) -> list[str]:
    """Say what devices that are parts of this computer do to each other.

    Raises:
        UsageError: Two of them would use one Edge TPU at the same time, which one process alone can hold.
    """
    here = {station.device.name for station in stations if station.info.on_host_hardware}
    users: dict[str, str] = {}
    for cell in cells:
        if not cell.delegate.traits.plugged_in or cell.device not in here or not cell.is_tried:
            continue
        port = cell.delegate.library_options.get("device", "usb:0")
        if users.setdefault(port, cell.device) != cell.device:
            raise UsageError(
                f"{users[port]} and {cell.device} are measured at the same time and would share the Edge TPU {port}: "
                "name one of them, or another TPU for the other"
            )
    if len(here) < 2 or all(cell.delegate.traits.plugged_in for cell in cells if cell.device in here):
        return []
    return [
        f"{' and '.join(sorted(here))} are parts of one computer and are measured at the same time, which disturbs the "
        "figures of its CPU: for those that repeat, measure the CPU in a run of its own"
    ]
