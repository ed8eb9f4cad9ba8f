"""Connections to phones, made from their addresses."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adb_shell.exceptions import DeviceAuthError

from harness.drivers.adb.keys import Keys
from harness.drivers.adb.link import AdbLink, DirectLink
from harness.drivers.adb.server import ServerLink, server_phones
from harness.drivers.adb.transport import TcpConnection, Transport

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Address:
    """Address of a phone: a host and port, or a serial at an adb server or on USB.

    Attributes:
        serial: Serial of a phone; empty when a host is given.
        host: Host of an adbd that listens on TCP; empty when a serial is given.
        port: Its port.
    """

    serial: str = ""
    host: str = ""
    port: int = 5555

    def __str__(self) -> str:
        """Return the form that `--device` takes."""
        return f"adb:{self.host}:{self.port}" if self.host else self.serial


def connect(address: Address, keys: Sequence[Any] | None = None, auth_timeout_s: float = 30.0) -> AdbLink:
    """Connect; a running adb server comes first because it holds its phones.

    Raises:
        OSError: Nobody answers.
        DeviceAuthError: The phone does not trust this computer.
    """
    if address.host:
        return _direct(TcpConnection(address.host, address.port), address, keys, auth_timeout_s)
    if any(phone.serial == address.serial for phone in server_phones()):
        return ServerLink(address.serial)
    from harness.drivers.adb.usb import find_phone

    return _direct(find_phone(address.serial), address, keys, auth_timeout_s)


def _direct(
    transport: Transport, address: Address, keys: Sequence[Any] | None, auth_timeout_s: float
) -> DirectLink:
    asked: list[bool] = []

    def on_auth() -> None:
        asked.append(True)
        _LOG.warning("%s: unlock the phone and tap “Allow”; waiting %.0f s for it", address, auth_timeout_s)

    try:
        return DirectLink(transport, Keys() if keys is None else keys, auth_timeout_s, on_auth)
    except BaseException as error:
        transport.close()
        if asked and isinstance(error, Exception):
            raise DeviceAuthError("nobody tapped Allow") from error
        raise
