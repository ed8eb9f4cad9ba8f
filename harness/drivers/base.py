"""The protocol of every kind of device: describe, push, run, pull, close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.child_process import Completed, OnLine
from harness.drivers.device_python import DevicePython
from harness.profiles import (
    ALWAYS_ATTACHED,
    COMPUTERS,
    EMULATORS,
    ON_HOST,
    ON_HOST_HARDWARE,
    PHONES,
    ConnectionKind,
)
from harness.vocabulary import Word

__all__ = ["Completed", "Device", "DeviceInfo", "DeviceState", "OnLine"]


class DeviceState(Word):
    """Whether a device can be used, or why not. A running adb server knows states beyond these."""

    READY = "ready"
    OFFLINE = "offline"
    UNREACHABLE = "unreachable"
    UNAUTHORIZED = "unauthorized"
    """It does not let this user in."""
    AUTHORIZING = "authorizing"
    """A phone asks its owner."""
    HOST_KEY = "host key"
    """A board is not known to be the one that is meant."""
    NO_PERMISSIONS = "no permissions"
    """This computer does not let the user open it."""
    NO_DRIVER = "no driver"
    NO_LIBRARY = "no library"
    BUSY = "busy"
    RECOVERY = "recovery"
    SIDELOAD = "sideload"
    BOOTLOADER = "bootloader"


@dataclass(frozen=True)
class DeviceInfo:
    """Facts about a device. Unknown is None.

    Attributes:
        name: The user's name for it.
        kind: How it is reached.
        address: Serial or host; empty for this computer.
        state: A `DeviceState`, or what an adb server calls it.
        model: Marketing name.
        soc: Its processor.
        os: Operating system and version.
        abi: `x86_64`, `arm64-v8a`, …
        delegates: The delegates that can be expected to work.
        reason: Why it is not ready, or which delegates it lacks and why; empty when all is well.
        facts: Further facts for the record (cores, memory, governor, …).
        python: A Python of its own, for our worker; None on a phone, and where commands run beside this process.
    """

    name: str
    kind: ConnectionKind
    address: str = ""
    state: str = DeviceState.READY
    model: str | None = None
    soc: str | None = None
    os: str | None = None
    abi: str | None = None
    delegates: tuple[str, ...] = ()
    reason: str = ""
    facts: Mapping[str, str | int | float] = field(default_factory=dict)
    python: DevicePython | None = None

    @property
    def on_host(self) -> bool:
        """Whether it is part of the computer that its driver runs on."""
        return self.kind in ON_HOST

    @property
    def on_host_hardware(self) -> bool:
        """Whether its figures are of that computer's hardware."""
        return self.kind in ON_HOST_HARDWARE

    @property
    def always_attached(self) -> bool:
        """Whether nobody can unplug it."""
        return self.kind in ALWAYS_ATTACHED

    @property
    def is_computer(self) -> bool:
        """Whether it is a whole computer."""
        return self.kind in COMPUTERS

    @property
    def is_phone(self) -> bool:
        """Whether it is an Android phone."""
        return self.kind in PHONES

    @property
    def is_emulated(self) -> bool:
        """Whether a program computes what it would compute."""
        return self.kind in EMULATORS

    @property
    def has_python(self) -> bool:
        """Whether there is a Python that may run our worker: this process's, or one of its own."""
        return self.on_host or self.python is not None


class Device(Protocol):
    """A device that commands run on.

    Paths on the device are strings as the device spells them. Commands are argument lists, never shell
    strings.
    """

    @property
    def name(self) -> str:
        """How the user names it."""

    def describe(self) -> DeviceInfo:
        """Return the facts about it now.

        Raises:
            DeviceError: It cannot be reached.
        """

    def push(self, files: Sequence[Path], room: int = 0) -> tuple[str, ...]:
        """Make files of this computer available there and return their paths on the device, in the same order.

        Files are compared by content: what is there already is not sent again.

        Args:
            files: Files of this computer.
            room: Bytes that must be free there beside them, for what is written to the same disk.

        Raises:
            DeviceError: The reason given by the device (no space, read-only, gone).
        """

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        on_line: OnLine | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command to its end, or kill it and all its children after `timeout_s` seconds.

        Raises:
            DeviceLostError: The device went away before the exit code was known.
            DeviceError: The command could not be started.
        """

    def pull(self, remote: str, local: Path) -> None:
        """Copy a file from the device to this computer; `local` is either whole or untouched.

        Raises:
            DeviceError: There is no such file, or it could not be read.
        """

    def close(self) -> None:
        """Let go of the device. Calling it again does nothing."""
