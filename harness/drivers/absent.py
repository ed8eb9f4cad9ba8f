"""Say what devices are not there, and why: in a list of devices, and in a plan that is only looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from harness.drivers.base import Completed, DeviceInfo
from harness.drivers.discovery import EMULATOR
from harness.errors import DeviceError
from harness.names import safe_name
from harness.paths import expand_user, is_file
from harness.profiles import Connection, DeviceProfile, Profile, list_profiles, load_profile
from harness.workspace import Workspace

CONNECT_S = 0.5


def absences(found: Sequence[DeviceInfo]) -> Iterator[str]:
    """Yield a sentence for phones and for Edge TPUs where none is among the devices that were found."""
    kinds = {device.kind for device in found}
    if "adb" not in kinds:
        server = "the adb server has none" if _adb_server_runs() else f"no adb server answers at {_server()}"
        yield f"no phone: none is on USB, and {server} (switch on USB debugging, plug it in, `adb start-server`)"
    if "coral" not in kinds:
        yield "no Edge TPU: none is on USB or PCI Express here; one on a board is reached with ssh://USER@BOARD"


def silent_profiles(found: Sequence[DeviceInfo], workspace: Workspace) -> Iterator[str]:
    """Yield a sentence for each profile that no device answered for."""
    names = {device.name for device in found}
    for profile in list_profiles(workspace):
        if profile.name not in names:
            kind = profile.data.connection.kind
            what = (
                "its device did not answer"
                if profile.data.connection.names_one
                else "none that fits is there"
            )
            yield f"{profile.name} ({kind}): {what}"


def _server() -> str:
    return "{}:{}".format(*_server_address())


def _server_address() -> tuple[str, int]:
    from harness.drivers.adb.server import server_address  # late: adb-shell loads asyncio

    return server_address()


def _adb_server_runs() -> bool:
    import socket  # late: a plan for this computer asks for no phone

    try:
        socket.create_connection(_server_address(), timeout=CONNECT_S).close()
    except OSError:
        return False
    return True


class AbsentDevice:
    """Stands in a plan for a device that is not there; nothing can be done with it.

    Args:
        info: What is known of it.
    """

    def __init__(self, info: DeviceInfo) -> None:
        self._info = info

    @property
    def name(self) -> str:
        """How the user names it."""
        return self._info.name

    def describe(self) -> DeviceInfo:
        """Return what is known of it."""
        return self._info

    def push(self, files: Sequence[Path], room: int = 0) -> tuple[str, ...]:
        """Refuse."""
        self._refuse()

    def run(self, argv: Sequence[str], **_: object) -> Completed:
        """Refuse."""
        self._refuse()

    def pull(self, remote: str, local: Path) -> None:
        """Refuse."""
        self._refuse()

    def close(self) -> None:
        """Do nothing."""

    def _refuse(self) -> NoReturn:
        raise DeviceError(self.name, "it is not there")


def profile_of_absent(text: str, workspace: Workspace) -> Profile:
    """Return what is known of a device that cannot be reached: its profile, or a bare one of its name.

    Args:
        text: The user's text.
        workspace: Where the profiles are.

    Raises:
        UsageError: It is an emulator of a chip that is not known: none can be plugged in later.
    """
    if text.startswith(EMULATOR):
        from harness.drivers import emulator  # late: it loads what reads a vendor's packages

        return emulator.profile_of(text, workspace)
    path = expand_user(text)
    if path.suffix == ".toml" and is_file(path):
        return load_profile(path)
    known = {profile.name: profile for profile in list_profiles(workspace)}
    kind = text.partition(":")[0] if text.startswith(("adb:", "ssh:")) else ""
    bare = DeviceProfile(name=safe_name(text), connection=Connection(kind="ssh" if kind == "ssh" else "adb"))
    return known.get(text) or known.get(text.partition(":")[0]) or Profile(bare, path)
