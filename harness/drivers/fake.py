"""A fake device: it works on this computer in a folder of its own, with faults that are injected."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copyfile, rmtree
from typing import Literal

from harness.delegates import CPU, CPU_REFERENCE
from harness.drivers.base import Completed, DeviceInfo, OnLine
from harness.drivers.content import ContentStore
from harness.drivers.conversation import Conversation
from harness.drivers.local import LocalDevice
from harness.drivers.shell import shell_output
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError

Action = Literal["describe", "push", "run", "pull"]


@dataclass(frozen=True)
class Fault:
    """A fault to inject, and when.

    Attributes:
        kind: `lost` (the device goes away), `no-space`, `refused` (the command cannot be started), `slow` (a second
            later), `hang` (no answer until the time is up).
        action: During what.
        at: At which call of it, counted from 1.
        calls: For how many calls from then on; 0 for ever.
        seconds: How long `slow` takes, and `hang` where there is no timeout.
    """

    kind: Literal["lost", "no-space", "refused", "slow", "hang"]
    action: Action = "run"
    at: int = 1
    calls: int = 1
    seconds: float = 1.0

    def due(self, action: Action, call: int) -> bool:
        """Return whether it happens at this call."""
        return action == self.action and self.at <= call and (self.calls == 0 or call < self.at + self.calls)


class FakeDevice:
    """Does real work on this computer: files are pushed by content into a folder, commands are really run.

    Args:
        name: How the user names it.
        folder: Its storage; None for a temporary one that is removed on `close`.
        faults: The faults to inject.
        delegates: The delegates that it offers.
    """

    def __init__(
        self,
        name: str = "fake",
        *,
        folder: Path | None = None,
        faults: Sequence[Fault] = (),
        delegates: Sequence[str] = (CPU, CPU_REFERENCE),
    ) -> None:
        self.name = name
        self.faults = tuple(faults)
        self.calls: Counter[Action] = Counter()
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="harness-fake-")) if folder is None else folder
        self._local = LocalDevice(name, delegates)
        self._store = ContentStore(self, str(self.folder.resolve()))

    @property
    def spelling(self) -> str:
        """How `--device` takes it."""
        return self.name

    def describe(self) -> DeviceInfo:
        """Return this computer's facts under the name of a fake.

        Raises:
            DeviceError: As its faults say.
        """
        self._fault("describe", ())
        return replace(self._local.describe(), kind="fake", address=str(self.folder))

    def push(self, files: Sequence[Path], room: int = 0) -> tuple[str, ...]:
        """Copy files into the folder by content.

        Raises:
            DeviceError: A file does not exist, or as its faults say.
        """
        self._fault("push", ())
        return self._store.push(files, room)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        on_line: OnLine | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command on this computer.

        Raises:
            DeviceError: It could not be started, or as its faults say.
        """
        if self._fault("run", argv, timeout_s):
            time.sleep(timeout_s)
            return Completed(tuple(argv), -9, "", "", timeout_s, timed_out=True)
        return self._local.run(argv, timeout_s=timeout_s, on_line=on_line, env=env)

    def converse(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Conversation]:
        """Start a command on this computer that is written to while it is heard.

        Raises:
            DeviceError: It could not be started, or as its faults say.
        """
        self._fault("run", argv)
        return self._local.converse(argv, env=env)

    def pull(self, remote: str, local: Path) -> None:
        """Copy a file.

        Raises:
            DeviceError: There is no such file, or as its faults say.
        """
        self._fault("pull", ())
        self._local.pull(remote, local)

    def forget(self) -> None:
        """Remove everything that was pushed."""
        self._store.forget()

    def close(self) -> None:
        """Remove the folder if it was a temporary one."""
        if self._temporary:
            rmtree(self.folder, ignore_errors=True)

    def shell(self, script: str, timeout_s: float) -> str:
        """Run a script, for the store.

        Raises:
            DeviceError: It failed.
        """
        return shell_output(self._local, script, timeout_s)

    def send(self, files: Sequence[tuple[Path, str]]) -> None:
        """Copy files, for the store.

        Raises:
            DeviceError: A file cannot be copied.
        """
        for local, remote in files:
            try:
                copyfile(local, remote)
            except OSError as error:
                raise DeviceError(self.name, f"{remote}: {error.strerror or error}") from error

    def _fault(self, action: Action, argv: Sequence[str], timeout_s: float | None = None) -> bool:
        """Inject the fault that is due; return True when the caller shall hang until its time is up."""
        self.calls[action] += 1
        for fault in self.faults:
            if fault.due(action, self.calls[action]):
                if fault.kind == "hang" and timeout_s is not None:
                    return True
                self._fail(fault, argv)
        return False

    def _fail(self, fault: Fault, argv: Sequence[str]) -> None:
        if fault.kind == "lost":
            raise DeviceLostError(self.name, f"went away ({fault.action})", argv)
        if fault.kind == "no-space":
            raise DeviceError(self.name, "no space left on device", argv)
        if fault.kind == "refused":
            raise DeviceError(self.name, f"refuses to {fault.action}", argv)
        time.sleep(fault.seconds)
        if fault.kind == "hang":
            raise DeviceTimeoutError(self.name, f"gave no answer for {fault.seconds} s", argv)
