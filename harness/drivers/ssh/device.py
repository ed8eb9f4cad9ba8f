"""Linux boards over SSH, by way of OpenSSH's own client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from harness.drivers.base import DeviceInfo, OnLine
from harness.drivers.content import LIMIT_BYTES
from harness.drivers.local_file import replaced
from harness.drivers.shell import TooMuchOutputError
from harness.drivers.shell_device import KILL_S, Execution, ShellDevice
from harness.drivers.ssh import errors as ssh_errors
from harness.drivers.ssh import facts as board
from harness.drivers.ssh import files as ssh_files
from harness.drivers.ssh.conversation import SshConversation
from harness.drivers.ssh.link import SshLink
from harness.drivers.ssh.target import Target
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError
from harness.paths import expand_user

ROOT = "~/.cache/ondevice-harness"
PYTHON = "python3"
DESCRIBE_S, PULL_S = 60.0, 3600.0


class SshDevice(ShellDevice[SshLink]):
    """A board behind the device protocol.

    Args:
        name: How the user names it.
        host: A name, an address, or a `Host` of ~/.ssh/config.
        user: Who to log in as; empty for what ~/.ssh/config says.
        port: Where its sshd listens; None for what ~/.ssh/config says.
        identity: A file with the private key; empty for what ~/.ssh/config and the agent offer.
        jump: Hosts to go through, as for `ssh -J`.
        root: Folder on the board for everything that is pushed; `~/` is the home there.
        python: The Python on the board that has a TFLite runtime.
        keep_bytes: Most bytes of files to keep there.
    """

    def __init__(
        self,
        name: str,
        *,
        host: str,
        user: str = "",
        port: int | None = None,
        identity: str = "",
        jump: str = "",
        root: str = ROOT,
        python: str = PYTHON,
        keep_bytes: int = LIMIT_BYTES,
    ) -> None:
        super().__init__(name, keep_bytes)
        self.address = Target(host, user, port, str(expand_user(identity)) if identity else "", jump)
        self._root, self._python = root, python
        self._facts: board.BoardFacts | None = None

    @property
    def spelling(self) -> str:
        """How `--device` takes it."""
        return f"ssh://{self.address}"

    @property
    def root(self) -> str:
        """The folder for everything that is pushed, as an absolute path there."""
        return self._at_home(self._root)

    @property
    def python(self) -> str:
        """The Python there, as a path or a name to look for."""
        return self._at_home(self._python)

    def describe(self) -> DeviceInfo:
        """Return the board's facts, in one round trip.

        Raises:
            DeviceError: It cannot be reached.
        """
        self._facts = board.parse(self.shell(board.script(self.root, self.python), DESCRIBE_S))
        return board.describe_board(self.name, str(self.address), self._facts)

    def facts(self) -> board.BoardFacts:
        """Return the board's facts as they were when it was described last, or now.

        Raises:
            DeviceError: It cannot be reached.
        """
        if self._facts is None:
            self.describe()
        assert self._facts is not None
        return self._facts

    def pull(self, remote: str, local: Path) -> None:
        """Copy a file from the device; `local` is either whole or untouched.

        Raises:
            DeviceError: There is no such file, or it cannot be read or written.
        """
        with replaced(self.name, local) as target, self._lock:
            ended = self._copy(remote, ["cat", "--", remote], target)
            if ended.exit_code != 0:
                said = ended.output()[1].strip()
                reason = said.rpartition(": ")[2] or f"exit code {ended.exit_code}"
                raise DeviceError(self.name, f"{remote}: cannot be pulled ({reason})")

    def pull_folder(self, remote: str, names: Sequence[str], local: Path) -> None:
        """Copy some files of a folder there into a folder here, in one round trip, and remove the folder there.

        Args:
            remote: The folder there.
            names: Files in it; what is not there is not copied.
            local: The folder here.

        Raises:
            DeviceError: It could not be read or written.
        """
        argv = ["sh", "-c", ssh_files.PACK_SCRIPT, "sh", remote, *names]
        with ssh_files.unpacked(self.name, local, names) as archive, self._lock:
            ended = self._copy(remote, argv, archive)
            if ended.exit_code != 0:
                said = ended.output()[1].strip()
                raise DeviceError(self.name, f"{remote}: its files cannot be pulled ({said})")

    def _copy(self, what: str, argv: Sequence[str], target: IO[bytes]) -> Execution:
        """Write the output of a command into a file of this computer."""

        def start(link: SshLink, marker: str) -> Execution:
            return link.session(argv, None, marker, target=target)

        try:
            ended, in_time = self._execute(start, argv, time.monotonic() + PULL_S)
        except TooMuchOutputError as error:
            raise DeviceError(self.name, f"{what}: it does not end") from error
        if not in_time:
            raise DeviceTimeoutError(self.name, f"{what}: it comes too slowly, or not at all")
        return ended

    def send(self, files: Sequence[tuple[Path, str]]) -> None:
        """Copy files to paths on the device, in one round trip.

        Raises:
            DeviceError: The device's reason.
        """
        with self._lock, self._using("push") as link:
            code, said = link.unpack(lambda stream: ssh_files.write_tar(stream, files, self.name))
            if code is None:
                raise ConnectionAbortedError(said.strip() or "the connection ended during the transfer")
        if code != 0:
            raise DeviceError(self.name, self._why_unwritten(said, files))

    def _why_unwritten(self, said: str, files: Sequence[tuple[Path, str]]) -> str:
        reason = ssh_files.reason(said)
        if "Wrote only" in said:
            tried = self.run(
                ["sh", "-c", ssh_files.WRITE_TEST_SCRIPT, "sh", f"{files[0][1]}.try"], timeout_s=KILL_S
            )
            reason = ssh_files.reason(tried.stderr) if tried.exit_code != 0 else reason
        return f"{reason} (while {len(files)} file(s) were sent)"

    def _at_home(self, path: str) -> str:
        if not path.startswith("~/"):
            return path
        with self._lock, self._using("connect") as link:
            return f"{link.home.rstrip('/')}/{path[2:]}"

    def _connect(self) -> SshLink:
        return SshLink(self.name, self.address)

    def _new_marker(self, link: SshLink) -> str:
        return link.new_marker()

    def _start(
        self,
        link: SshLink,
        marker: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> Execution:
        return link.session(argv, env, marker, on_line)

    def _speak(
        self, link: SshLink, marker: str, argv: Sequence[str], env: Mapping[str, str] | None
    ) -> SshConversation:
        return link.conversation(argv, env, marker)

    def _running(self, link: SshLink) -> Sequence[str]:
        return link.running

    def _is_lost(self, error: BaseException) -> bool:
        return isinstance(error, ConnectionError)

    def _hang_up(self, link: SshLink, *, at_once: bool) -> None:
        link.close(at_once=at_once)

    @contextmanager
    def _translated(self, what: str, argv: Sequence[str]) -> Iterator[None]:
        try:
            yield
        except ConnectionError as error:
            found = self._why_lost(what, str(error), argv)
            self._drop(at_once=True)
            raise found from error

    def _why_lost(self, what: str, said: str, argv: Sequence[str]) -> DeviceError:
        if "Session open refused by peer" in said:
            return DeviceError(self.name, f"{what}: {ssh_errors.FEW_SESSIONS}", argv)
        detail, text = "", f"{what}: {ssh_errors.last_words(said.splitlines())}"
        if self._link is not None:
            with suppress(Exception):
                detail = str(self._link.why_gone()).removeprefix(f"{self.name}: ")
        return DeviceLostError(self.name, f"{text}{f' ({detail})' if detail else ''}", argv)
