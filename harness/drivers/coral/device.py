"""A Coral Edge TPU on this computer, as a device of its own: several of them are measured at the same time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.delegates import EDGETPU
from harness.drivers.base import DeviceInfo, DeviceState
from harness.drivers.coral import attached as coral_list
from harness.drivers.coral.attached import NO_LIBRARY, NONE_ATTACHED, Tpu
from harness.drivers.local import LocalDevice
from harness.errors import DeviceError

MARKETING_NAMES = {"usb": "Coral USB Accelerator", "pci": "Coral PCIe Accelerator"}


class CoralDevice(LocalDevice):
    """Runs commands on this computer, for one Edge TPU of it.

    Args:
        name: How the user names it.
        serial: The TPU, `usb:N` or `pci:N`.
        root: Of the file system that is looked at.
    """

    def __init__(self, name: str, serial: str = "usb:0", root: Path | None = None) -> None:
        super().__init__(name, delegates=(EDGETPU,))
        self.port, self._root = serial, root

    def describe(self) -> DeviceInfo:
        """Return the TPU with the computer that it is plugged into.

        Raises:
            DeviceError: It is not plugged in.
        """
        tpus = coral_list.attached_tpus(self._root)
        tpu = next((tpu for tpu in tpus if tpu.port == self.port), None)
        if tpu is None:
            raise DeviceError(self.name, NONE_ATTACHED)
        host = super().describe()
        return replace(
            describe_tpu(tpu, self.name, self._root),
            os=host.os,
            abi=host.abi,
            facts={**host.facts, **self._facts(tpu)},
        )

    def _facts(self, tpu: Tpu) -> dict[str, str]:
        library = coral_list.find_library(self._root)
        facts = {"edgetpu_port": tpu.port, "edgetpu_clock": clock_in_words(library)}
        return facts if library is None else {**facts, "edgetpu_library": str(library.path)}


def clock_in_words(library: coral_list.Library | None) -> str:
    """Return `standard`, `max` or `unknown`."""
    return (library.clock if library else None) or "unknown"


def describe_tpu(tpu: Tpu, name: str, root: Path | None = None) -> DeviceInfo:
    """Describe a TPU for a list: its state, and the remedy where it cannot be used."""
    library = coral_list.find_library(root)
    state, reason = tpu.state, tpu.reason
    if state == DeviceState.READY and library is None:
        state, reason = DeviceState.NO_LIBRARY, NO_LIBRARY
    return DeviceInfo(
        name,
        "coral",
        tpu.where,
        state,
        MARKETING_NAMES[tpu.bus],
        "Edge TPU",
        delegates=(f"{EDGETPU}:{tpu.port}",) if state == DeviceState.READY else (),
        reason=reason,
    )
