"""The devices of a run, reached, and what those that are parts of one computer do to each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.bench.plan import Cell
from harness.bench.request import Request
from harness.drivers.absent import AbsentDevice, profile_of_absent
from harness.drivers.base import Device, DeviceInfo, DeviceState
from harness.drivers.registry import find_devices
from harness.errors import DeviceError, UsageError
from harness.profiles import Profile
from harness.workspace import Workspace


@dataclass(frozen=True)
class Station:
    """A device that was reached, or is known not to be there.

    Attributes:
        profile: What is known of its kind.
        device: The device.
        info: Its facts.
        far: Whether it is part of another computer.
        absent: Why it cannot be used; None where it can.
    """

    profile: Profile
    device: Device
    info: DeviceInfo
    far: bool = False
    absent: str | None = None


def reach_stations(
    request: Request, workspace: Workspace, *, absent_too: bool = False
) -> tuple[Station, ...]:
    """Reach the devices that a request names.

    Args:
        request: What a user asks for.
        workspace: Where the profiles are.
        absent_too: Whether one that is not there is a station with that reason, instead of an error.

    Raises:
        UsageError: No such device, one that is named twice, or one that cannot be used.
        DeviceError: One that does not answer.
    """
    found: dict[str, Station] = {}
    for text in request.devices:
        for station in _reached(text, workspace, request, absent_too=absent_too):
            if station.device.name in found:
                raise UsageError(f"device {station.device.name!r} is named twice")
            found[station.device.name] = station
    return tuple(found.values())


def _reached(text: str, workspace: Workspace, request: Request, *, absent_too: bool) -> Iterator[Station]:
    try:
        for profile, device in find_devices(text, workspace, request.keep):
            yield Station(profile, device, device.describe())
    except (UsageError, DeviceError) as error:
        if not absent_too:
            raise
        profile = profile_of_absent(text, workspace)
        info = DeviceInfo(profile.name, profile.data.connection.kind, state=DeviceState.UNREACHABLE)
        yield Station(profile, AbsentDevice(info), info, absent=str(error))


def of_this_computer(stations: Sequence[Station]) -> tuple[Station, ...]:
    """Let go of all devices but those that a model can be tried on, for a plan that is only looked at."""
    here = [one for one in stations if one.info.on_host_hardware and one.absent is None]
    for station in stations:
        if station not in here:
            station.device.close()
    return tuple(here)


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
