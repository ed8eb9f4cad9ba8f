"""Checks of devices: whether they are reached, files and commands work, and what a run on their kind needs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from harness.drivers.adb.discovery import list_android
from harness.drivers.base import Device, DeviceInfo, DeviceState
from harness.drivers.checkup.board import check_board
from harness.drivers.checkup.check import Check, State
from harness.drivers.checkup.phone import check_phone
from harness.drivers.names import resolve_devices
from harness.drivers.registry import open_device
from harness.drivers.ssh.device import SshDevice
from harness.errors import HarnessError
from harness.profiles import Profile
from harness.workspace import Workspace


def check_phones(workspace: Workspace) -> Iterator[Check]:
    """Check every phone that is attached; a kind of phone that is not is nothing to complain of."""
    for info in list_android(workspace):
        if info.state == DeviceState.READY:
            yield from check_device(info.address, workspace)
        else:
            yield Check(info.name, "reachable", State.FAILED, info.state, info.reason, info)


def check_device(text: str, workspace: Workspace) -> Iterator[Check]:
    """Check the devices that a user means by a name.

    Raises:
        UsageError: There is no such device.
    """
    try:
        profiles = resolve_devices(text, workspace)
    except HarnessError as error:
        if error.exit_status == 2:
            raise
        yield Check(text, "reachable", State.FAILED, "no answer", str(error))
        return
    for profile in profiles:
        yield from _check_profile(profile)


def _check_profile(profile: Profile) -> Iterator[Check]:
    with closing(open_device(profile)) as device:
        try:
            info = device.describe()
        except HarnessError as error:
            yield Check(profile.name, "reachable", State.FAILED, "no answer", str(error))
            return
        words = filter(None, (info.model, info.soc, info.os, info.abi))
        yield Check(info.name, "reachable", State.OK, ", ".join(words), "", info)
        yield _round_trip(device, info)
        if info.is_phone:
            yield from check_phone(info, profile)
        if isinstance(device, SshDevice):
            yield from check_board(info, device.facts(), profile)


def _round_trip(device: Device, info: DeviceInfo) -> Check:
    """Push a small file, run a program on it, and pull it back."""
    with tempfile.TemporaryDirectory() as folder:
        here, back = Path(folder) / "harness-doctor.txt", Path(folder) / "back.txt"
        here.write_text("harness doctor\n")
        try:
            (there,) = device.push([here])
            printed = device.run(["cat", there], timeout_s=20).stdout
            device.pull(there, back)
        except HarnessError as error:
            return Check(info.name, "push, run, pull", State.FAILED, "no", str(error), info)
        if printed != back.read_text() or printed != here.read_text():
            return Check(info.name, "push, run, pull", State.FAILED, "a file came back changed", "", info)
    return Check(
        info.name, "push, run, pull", State.OK, "a file went there, was read and came back", "", info
    )
