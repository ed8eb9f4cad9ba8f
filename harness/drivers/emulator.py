"""A vendor's emulator of a chip, on this computer: `emulator:qualcomm-SM8650`. It has an accuracy and no latency."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.delegates import NPU
from harness.drivers.base import DeviceInfo
from harness.drivers.discovery import EMULATOR
from harness.drivers.local import LocalDevice
from harness.errors import DeviceError, UsageError
from harness.npu.license import is_accepted, require_acceptance
from harness.npu.socs import Soc, find_soc
from harness.npu.vendor import find_vendor, why_missing
from harness.profiles import Connection, DeviceProfile, Profile
from harness.workspace import Workspace, find_workspace

MAKER = "qualcomm-"
EXPECTED = f"{EMULATOR}{MAKER}SOC, such as {EMULATOR}{MAKER}SM8650"


def profile_of(text: str, workspace: Workspace) -> Profile:
    """Return the profile of an emulator.

    Raises:
        UsageError: It is misspelt.
        UnknownNameError: There is no such chip; near misses are listed.
    """
    serial = text.removeprefix(EMULATOR)
    if not serial.startswith(MAKER):
        raise UsageError(f"device {text!r}: expected the form {EXPECTED}")
    soc = find_soc(serial.removeprefix(MAKER), workspace)
    connection = Connection(kind="emulator", serial=f"{MAKER}{soc.name}")
    name = f"{EMULATOR}{connection.serial}"
    data = DeviceProfile(name=name, connection=connection, delegates=(NPU,), repetitions=1)
    return Profile(data, workspace.devices / "socs")


class EmulatorDevice(LocalDevice):
    """Runs commands on this computer, which computes in the chip's place.

    Args:
        name: How the user names it.
        serial: The chip: `qualcomm-SM8650`.
        devices: The folder of profiles whose table of chips counts; None for the one of the place where we are.

    Raises:
        UsageError: The chip is not known.
    """

    def __init__(self, name: str, serial: str, devices: Path | None = None) -> None:
        super().__init__(name, delegates=(NPU,))
        workspace = find_workspace(None) if devices is None else Workspace(devices.parent)
        self.soc: Soc = find_soc(serial.removeprefix(MAKER), workspace)

    def describe(self) -> DeviceInfo:
        """Return the chip that is emulated, and what emulates it.

        Raises:
            DeviceError: The vendor's libraries are not here, or their licence was not accepted.
        """
        missing = why_missing()
        if missing is not None:
            raise DeviceError(self.name, missing)
        vendor = find_vendor()
        if not is_accepted(vendor):
            try:
                require_acceptance(vendor)
            except UsageError as error:
                raise DeviceError(
                    self.name, f"{error} (or once `harness npu … --accept-vendor-license`)"
                ) from error
        host = super().describe()
        facts = {**host.facts, "emulator": str(vendor), "floats": self.soc.floats}
        return replace(host, kind="emulator", model=self.soc.marketing, soc=self.soc.name, facts=facts)
