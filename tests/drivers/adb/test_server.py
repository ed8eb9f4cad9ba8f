"""The list of an adb server."""

import pytest

from harness.drivers.adb.server import ServerPhone, parse_phone


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0A1B    device usb:1-2 product:flame model:Pixel_4 device:flame", ServerPhone("0A1B", "device", "Pixel 4")),
        ("0A1B    unauthorized usb:1-2 transport_id:1", ServerPhone("0A1B", "unauthorized", None)),
        ("0A1B    no permissions (are your udev rules wrong?)", ServerPhone("0A1B", "no permissions", None)),
        ("192.168.1.5:5555 offline", ServerPhone("192.168.1.5:5555", "offline", None)),
        ("0A1B", ServerPhone("0A1B", "offline", None)),
    ],
)  # fmt: skip
def test_the_adb_server_s_list_is_read(line, expected):
    assert parse_phone(line) == expected
