"""Edge TPUs as a list, and what a name of one means."""

import pytest

from harness.drivers.coral.device import CoralDevice
from harness.drivers.coral.discovery import list_coral, resolve_tpu
from harness.errors import DeviceError, UsageError
from harness.profiles import list_profiles


def test_without_the_library_a_stick_is_listed_with_what_to_install(computer, workspace):
    computer.usb("2-1")
    (info,) = list_coral(workspace)
    assert (info.name, info.kind, info.state, info.address) == (
        "coral-usb:0",
        "coral",
        "no library",
        "usb:2-1",
    )
    assert "libedgetpu1-std" in info.reason and info.delegates == ()


def test_each_stick_and_card_is_a_device_of_its_own(computer, workspace):
    computer.library("libedgetpu1-max")
    computer.usb("2-1", number=5)
    computer.usb("2-2", number=6)
    computer.pci("0000:01:00.0", "apex_0")
    found = list_coral(workspace)
    assert [info.name for info in found] == ["coral-usb:0", "coral-usb:1", "coral-pcie:0"]
    assert [info.delegates for info in found] == [("edgetpu:usb:0",), ("edgetpu:usb:1",), ("edgetpu:pci:0",)]
    described = CoralDevice("coral-usb:1", "usb:1").describe()
    assert described.state == "ready" and described.facts["edgetpu_clock"] == "max"


def test_a_kind_means_the_only_one_that_is_plugged_in(computer, workspace):
    profiles = list_profiles(workspace)
    with pytest.raises(UsageError, match="no Edge TPU is attached"):
        resolve_tpu("coral-usb", profiles)
    computer.usb("2-1", number=5)
    assert [p.name for p in resolve_tpu("coral-usb", profiles)] == ["coral-usb:0"]
    computer.usb("2-2", number=6)
    with pytest.raises(UsageError, match="coral-usb:0, coral-usb:1"):
        resolve_tpu("coral-usb", profiles)
    assert [p.data.connection.serial for p in resolve_tpu("coral-usb:1", profiles)] == ["usb:1"]
    assert [p.name for p in resolve_tpu("all-coral", profiles)] == ["coral-usb:0", "coral-usb:1"]
    assert resolve_tpu("local", profiles) is None and resolve_tpu("pixel-4", profiles) is None


def test_a_device_that_was_pulled_out_says_so(computer):
    with pytest.raises(DeviceError, match="no Edge TPU is attached"):
        CoralDevice("coral-usb:0", "usb:0").describe()
