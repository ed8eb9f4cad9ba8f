"""Say what kinds of devices are not there, and why, so that a short list of devices is no riddle."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

from harness.drivers.adb.server import server_address
from harness.drivers.base import DeviceInfo
from harness.profiles import list_profiles
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
    host, port = server_address()
    return f"{host}:{port}"


def _adb_server_runs() -> bool:
    try:
        socket.create_connection(server_address(), timeout=CONNECT_S).close()
    except OSError:
        return False
    return True
