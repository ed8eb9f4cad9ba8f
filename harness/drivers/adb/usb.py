"""Phones on USB, through libusb (the optional extra `usb`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

from adb_shell.exceptions import UsbReadFailedError, UsbWriteFailedError
from adb_shell.transport.base_transport import BaseTransport

from harness.errors import MissingExtraError

INTERFACE = (0xFF, 0x42, 0x01)
"""Class, subclass and protocol of the ADB interface."""
SLICE_S = 0.5
"""libusb does not let Python see Ctrl-C while it waits, so it waits in slices."""
MAX_READ = 1 << 20


def usb1() -> Any:
    """Return the library.

    Raises:
        MissingExtraError: Says what to install.
    """
    try:
        return import_module("usb1")
    except (ImportError, OSError) as error:
        raise MissingExtraError("a phone on USB without an adb server", "usb") from error


def settings(context: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (device, setting) of every ADB interface on USB."""
    for device in context.getDeviceIterator(skip_on_error=True):
        for setting in device.iterSettings():
            if (setting.getClass(), setting.getSubClass(), setting.getProtocol()) == INTERFACE:
                yield device, setting
                break


def find_phone(serial: str) -> UsbConnection:
    """Find the phone of this serial.

    Raises:
        MissingExtraError: libusb1 is not installed.
        ConnectionError: It is not attached, or it may not be opened and so does not tell its serial.
    """
    library = usb1()
    context = library.USBContext()
    context.open()
    refused: Exception | None = None
    for device, setting in settings(context):
        try:
            if device.getSerialNumber() == serial:
                return UsbConnection(device, setting, context)
        except library.USBError as error:
            refused = error
    context.close()
    if refused is not None:
        raise UsbReadFailedError(f"no phone {serial} could be opened", refused)
    raise ConnectionError(f"no phone of serial {serial} is attached (and no adb server knows it)")


class UsbConnection(BaseTransport):  # type: ignore[misc]
    """Bulk transfers to one phone, claimed exclusively.

    Args:
        device: The libusb device.
        setting: Its ADB interface.
        context: The libusb context, closed with the connection.
    """

    def __init__(self, device: Any, setting: Any, context: Any = None) -> None:
        self._device, self._setting, self._context = device, setting, context
        self._handle: Any = None
        self._library = usb1()
        self._in = self._out = 0
        self._packet = 512

    def connect(self, transport_timeout_s: float | None) -> None:
        """Open the phone and claim its interface.

        Raises:
            UsbReadFailedError: No permission, or another program holds it.
        """
        for endpoint in self._setting.iterEndpoints():
            if endpoint.getAddress() & 0x80:
                self._in = endpoint.getAddress()
            else:
                self._out, self._packet = endpoint.getAddress(), endpoint.getMaxPacketSize()
        try:
            self._handle = self._device.open()
            self._claim(self._setting.getNumber())
        except self._library.USBError as error:
            self.close()
            raise UsbReadFailedError("the phone cannot be claimed", error) from error

    def _claim(self, number: int) -> None:
        with suppress(self._library.USBErrorNotSupported, self._library.USBErrorNotFound):
            if self._handle.kernelDriverActive(number):
                self._handle.detachKernelDriver(number)
        self._handle.claimInterface(number)
        self._drain()

    def _drain(self) -> None:
        """Take out what a former connection left on its way; a phone says nothing before it is spoken to."""
        with suppress(self._library.USBErrorTimeout):
            for _ in range(256):
                self._handle.bulkRead(self._in, 16 * 1024, timeout=20)

    def close(self) -> None:
        """Release the interface."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(self._library.USBError):
                handle.releaseInterface(self._setting.getNumber())
            with suppress(self._library.USBError):
                handle.close()
        if self._context is not None:
            self._context.close()

    def bulk_read(self, numbytes: int, transport_timeout_s: float | None) -> bytes:
        """Receive some bytes.

        Raises:
            UsbReadFailedError: Nothing came in time, or the phone was unplugged.
        """
        left = transport_timeout_s if transport_timeout_s is not None else float("inf")
        while True:
            data, error = self._read_slice(min(numbytes, MAX_READ), min(left, SLICE_S))
            if data:
                return data
            left -= SLICE_S
            if error is not None and left <= 0:
                raise UsbReadFailedError(f"nothing came within {transport_timeout_s} s", error)

    def _read_slice(self, size: int, seconds: float) -> tuple[bytes, Exception | None]:
        try:
            return bytes(self._open_handle().bulkRead(self._in, size, timeout=_milliseconds(seconds))), None
        except self._library.USBErrorTimeout as error:
            return bytes(getattr(error, "received", b"")), error
        except self._library.USBError as error:
            raise UsbReadFailedError("the phone cannot be read", error) from error

    def bulk_write(self, data: bytes, transport_timeout_s: float | None) -> int:
        """Send all of `data`, and the empty packet that ends a transfer of full packets.

        Raises:
            UsbWriteFailedError: The phone was unplugged, or did not take the data in time.
        """
        timeout = 0 if transport_timeout_s is None else _milliseconds(transport_timeout_s)
        handle = self._open_handle()
        try:
            view, sent = memoryview(data), 0
            while sent < len(data):
                sent += handle.bulkWrite(self._out, bytes(view[sent : sent + MAX_READ]), timeout=timeout)
            if data and len(data) % self._packet == 0:
                handle.bulkWrite(self._out, b"", timeout=timeout)
        except self._library.USBErrorTimeout as error:
            raise UsbReadFailedError("the phone takes no data", error) from error
        except self._library.USBError as error:
            raise UsbWriteFailedError(f"the phone cannot be written to ({error})") from error
        return len(data)

    def gone(self) -> bool:
        """Return whether it was closed; a phone that was unplugged is noticed when it is used."""
        return self._handle is None

    def _open_handle(self) -> Any:
        if self._handle is None:
            raise ConnectionError("the connection is closed")
        return self._handle


def _milliseconds(seconds: float) -> int:
    """Return milliseconds, at least 1: libusb takes 0 for "for ever"."""
    return max(1, int(seconds * 1000))
