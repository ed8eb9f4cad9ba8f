"""What a user means by a device's name."""

import pytest

from harness.drivers.adb import attached
from harness.drivers.adb.server import ServerPhone
from harness.drivers.names import resolve_devices
from harness.errors import DeviceError, UnknownNameError, UsageError


@pytest.mark.parametrize("text", ["adb:", "adb:host:port", "adb:host:99999", "adb:host:0"])
def test_an_address_that_is_none_is_refused_with_the_form(workspace, text):
    with pytest.raises(UsageError, match="expected the form adb:HOST:PORT"):
        resolve_devices(text, workspace)


def test_an_unknown_device_names_profiles_and_serials(workspace, monkeypatch):
    monkeypatch.setattr(attached, "server_phones", lambda: [ServerPhone("0A1B2C", "device", None)])
    monkeypatch.setattr(attached, "usb_phones", list)
    with pytest.raises(UnknownNameError, match="Did you mean 0A1B2C"):
        resolve_devices("0A1B2D", workspace)


def test_a_profile_is_found_by_name_and_by_path(workspace):
    path = workspace.devices / "bench.toml"
    path.write_text('name = "bench"\n[connection]\nkind = "local"\n')
    assert [found.origin for found in resolve_devices("bench", workspace)] == [path]
    assert [found.name for found in resolve_devices(str(path), workspace)] == ["bench"]


def test_an_unknown_device_is_answered_with_near_misses(workspace, nothing_attached):
    with pytest.raises(UnknownNameError, match=r"unknown device 'locla'\. Did you mean local\?"):
        resolve_devices("locla", workspace)


def test_a_kind_of_phone_that_is_not_attached_says_what_to_do(workspace, nothing_attached):
    with pytest.raises(UsageError, match=r"0 attached phones fit this profile; .*USB debugging"):
        resolve_devices("pixel-4", workspace)
    with pytest.raises(UsageError, match=r"all-android.*USB debugging"):
        resolve_devices("all-android", workspace)


def test_a_phone_that_is_not_ready_is_an_error_with_the_remedy(workspace, monkeypatch):
    monkeypatch.setattr(attached, "server_phones", lambda: [ServerPhone("0A1B", "unauthorized", None)])
    monkeypatch.setattr(attached, "usb_phones", list)
    with pytest.raises(DeviceError, match="tap “Allow”"):
        resolve_devices("0A1B", workspace)
