"""Phones that are attached, and what is said of one that cannot be used."""

from harness.drivers import registry
from harness.drivers.adb import attached
from harness.drivers.adb.attached import AttachedPhone
from harness.drivers.adb.server import ServerPhone
from harness.drivers.adb.usb_list import UsbPhone


def test_every_state_of_a_phone_is_listed_with_its_remedy(workspace, monkeypatch):
    states = ["unauthorized", "offline", "no permissions", "recovery", "authorizing"]
    monkeypatch.setattr(attached, "server_phones", lambda: [ServerPhone(s[:4], s, "X") for s in states])
    monkeypatch.setattr(attached, "usb_phones", lambda: [UsbPhone("0A1B", None, "usb:1-2", permitted=False)])
    rows = {info.address: info for info in registry.list_devices(workspace) if info.kind == "adb"}
    assert [rows[s[:4]].state for s in states] == states
    assert "tap “Allow”" in rows["unau"].reason
    assert "udev" in rows["0A1B"].reason
    assert all(info.reason and not info.delegates for info in rows.values())


def test_a_phone_that_usb_and_the_server_both_show_is_one(monkeypatch):
    monkeypatch.setattr(attached, "server_phones", lambda: [ServerPhone("0A1B", "device", "X")])
    monkeypatch.setattr(attached, "usb_phones", lambda: [UsbPhone("0A1B", None, "usb:1-2", permitted=True)])
    assert attached.attached_phones() == [AttachedPhone("0A1B", "ready", "X")]


def test_without_phones_only_what_there_is_is_listed(workspace, nothing_attached):
    assert [info.name for info in registry.list_devices(workspace)] == ["local"]
