"""The list of an adb server."""

import pytest

from harness.drivers.adb.server import ServerPhone, parse_phone

UDEV = "no permissions (user in plugdev group; are your udev rules wrong?); see [http://x/y]"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0A1B    device usb:1-2 product:flame model:Pixel_4 device:flame", ServerPhone("0A1B", "device", "Pixel 4")),
        ("0A1B    unauthorized usb:1-2 transport_id:1", ServerPhone("0A1B", "unauthorized", None)),
        ("0A1B    no permissions (are your udev rules wrong?)", ServerPhone("0A1B", "no permissions", None)),
        ("192.168.1.5:5555 offline", ServerPhone("192.168.1.5:5555", "offline", None)),
        ("0A1B", ServerPhone("0A1B", "offline", None)),
        ("0A1B\tdevice", ServerPhone("0A1B", "device", None)),
        ("my phone    device usb:1-2 product:x model:Y_3 device:z", ServerPhone("my phone", "device", "Y 3")),
        ("my device              device usb:1-2 product:x model:Y", ServerPhone("my device", "device", "Y")),
        ("offline                offline transport_id:7", ServerPhone("offline", "offline", None)),
        (f"????????????           {UDEV} usb:1-4 transport_id:2", ServerPhone("usb:1-4", "no permissions", None)),
        ("????????????           no permissions usb:1-4", ServerPhone("usb:1-4", "no permissions", None)),
        ("(no serial number)     device usb:2-1 product:x model:Y", ServerPhone("usb:2-1", "device", "Y")),
        ("(no serial number)     unauthorized", ServerPhone("(no serial number)", "unauthorized", None)),
        ("0A1B                   connecting", ServerPhone("0A1B", "connecting", None)),
        ("0A1B                   rescue usb:1-2", ServerPhone("0A1B", "rescue", None)),
        ("0A1B something new usb:1-2", ServerPhone("0A1B something new usb:1-2", "offline", None)),
    ],
)  # fmt: skip
def test_the_adb_server_s_list_is_read(line, expected):
    assert parse_phone(line) == expected
