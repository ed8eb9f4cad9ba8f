"""Android phones over ADB: TCP, USB, or an adb server that runs already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from harness.drivers import orphans
from harness.drivers.adb import facts as phone
from harness.drivers.adb import sync as adb_sync
from harness.drivers.adb.connect import Address, connect
from harness.drivers.adb.conversation import AdbConversation
from harness.drivers.adb.describe import describe_phone
from harness.drivers.adb.errors import translated
from harness.drivers.adb.execution import AdbExecution, Command
from harness.drivers.adb.link import AdbLink, ServiceRefusedError
from harness.drivers.adb.transport import is_timeout
from harness.drivers.base import DeviceInfo, OnLine
from harness.drivers.content import LIMIT_BYTES
from harness.drivers.local_file import replaced
from harness.drivers.shell_device import OWN, ShellDevice
from harness.errors import MissingExtraError

ROOT = "/data/local/tmp/ondevice-harness"
"""The folder that adb may write to, and run programs from, on every phone."""
DESCRIBE_S = 20.0


class AdbDevice(ShellDevice[AdbLink]):
    """A phone behind the device protocol.

    Args:
        name: How the user names it.
        serial: Serial of a phone on USB or at an adb server.
        host: Host of an adbd that listens on TCP (instead of a serial).
        port: Its port.
        root: Folder on the device for everything that is pushed.
        keys: RSA signers; None for the user's own key.
        auth_timeout_s: How long somebody may take to tap "Allow".
        open_link: How to connect; for tests.
        keep_bytes: Most bytes of files to keep there.
    """

    def __init__(
        self,
        name: str,
        *,
        serial: str = "",
        host: str = "",
        port: int = 5555,
        root: str = ROOT,
        keys: Sequence[Any] | None = None,
        auth_timeout_s: float = 30.0,
        open_link: Callable[[], AdbLink] | None = None,
        keep_bytes: int = LIMIT_BYTES,
    ) -> None:
        super().__init__(name, keep_bytes)
        self.address = Address(serial, host, port)
        self._root = root
        self._was_there = False
        self._open_link = open_link or (lambda: connect(self.address, keys, auth_timeout_s))

    @property
    def spelling(self) -> str:
        """How `--device` takes it."""
        return str(self.address)

    @property
    def root(self) -> str:
        """The folder for everything that is pushed."""
        return self._root

    def describe(self) -> DeviceInfo:
        """Return the phone's facts, in one round trip.

        Raises:
            DeviceError: It cannot be reached.
        """
        return describe_phone(self.name, str(self.address), self.facts())

    def facts(self) -> phone.PhoneFacts:
        """Ask the phone for its facts.

        Raises:
            DeviceError: It cannot be reached.
        """
        return phone.parse(self.shell(phone.SCRIPT, DESCRIBE_S))

    def pull(self, remote: str, local: Path) -> None:
        """Copy a file from the device; `local` is either whole or untouched.

        Raises:
            DeviceError: There is no such file, or it cannot be read or written.
        """
        with replaced(self.name, local) as target, self._lock, self._using("pull") as link:
            adb_sync.receive(link, remote, target)

    def send(self, files: Sequence[tuple[Path, str]]) -> None:
        """Copy files to paths on the device, in one round trip.

        Raises:
            DeviceError: The device's reason.
        """
        with self._lock, self._using("push") as link:
            adb_sync.send(link, files)

    def _connect(self) -> AdbLink:
        try:
            link = self._open_link()
        except MissingExtraError as error:
            if not self._was_there:
                raise
            raise ConnectionError("no adb server knows it any more") from error
        self._was_there = True
        return link

    def _start(
        self,
        link: AdbLink,
        marker: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> AdbExecution:
        return AdbExecution(link, Command(argv, env, marker, self.root, watched=marker != OWN), on_line)

    def _speak(
        self, link: AdbLink, marker: str, argv: Sequence[str], env: Mapping[str, str] | None
    ) -> AdbConversation:
        if "shell_v2" not in link.features:
            raise ServiceRefusedError("commands that are written to need Android 7 or later")
        return AdbConversation(link, Command(argv, env, marker, self.root, watched=False))

    def _running(self, link: AdbLink) -> Sequence[str]:
        return orphans.parse_list(self._script(orphans.LIST_SCRIPT))

    def _translated(self, what: str, argv: Sequence[str]) -> AbstractContextManager[None]:
        return translated(self.name, what, argv)

    def _is_lost(self, error: BaseException) -> bool:
        return isinstance(error, OSError) or is_timeout(error)
