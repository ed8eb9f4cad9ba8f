"""Phones as a list, and the profile of each."""

import pytest

from harness.drivers import registry
from harness.drivers.adb import facts as phone
from harness.drivers.adb.discovery import best_profile, fits
from harness.drivers.names import resolve_devices
from harness.profiles import Match, list_profiles


def facts(**known):
    return phone.PhoneFacts(**{"api_level": 33, "manufacturer": "Google", "model": "Pixel 4", **known})


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ({}, "pixel-4"),
        ({"model": "Pixel 4 XL"}, "pixel-4"),
        ({"model": "Pixel 9"}, "pixel"),
        ({"model": "Pixel 4", "api_level": 35}, "pixel"),
        ({"manufacturer": "samsung", "model": "SM-G965U1"}, "galaxy-s9-plus"),
        ({"manufacturer": "samsung", "model": "SM-G965F"}, "android"),
        ({"manufacturer": "OnePlus", "model": "LE2113"}, "android"),
        ({"manufacturer": None, "model": None}, "android"),
    ],
)
def test_a_phone_gets_the_profile_that_says_most_about_it(workspace, known, name):
    assert best_profile(facts(**known), list_profiles(workspace)).name == name


def test_a_new_phone_is_not_measured_on_nnapi_unasked(workspace):
    best = best_profile(facts(manufacturer="OnePlus", model="x", api_level=35), list_profiles(workspace))
    assert "nnapi" not in best.data.delegates


def test_what_is_no_android_fits_no_profile(workspace):
    assert best_profile(phone.PhoneFacts(), list_profiles(workspace)) is None
    assert not fits(phone.PhoneFacts(), Match())


def test_a_daemon_on_the_network_is_listed_resolved_and_opened(workspace, adbd, nothing_attached):
    (workspace.devices / "board.toml").write_text(
        f'name = "board"\n[connection]\nkind = "adb"\nhost = "127.0.0.1"\nport = {adbd.port}\nroot = "{adbd.root}"\n'
    )
    rows = {info.name: info for info in registry.list_devices(workspace)}
    assert (rows["board"].state, rows["board"].address) == ("ready", f"adb:127.0.0.1:{adbd.port}")
    assert rows["board"].os.startswith("Debian")
    for text in ("board", f"adb:127.0.0.1:{adbd.port}", "all-android"):
        profile, device = registry.find_device(text, workspace)
        assert profile.name == device.name == "board"
        assert device.run(["echo", "x"], timeout_s=60).stdout == "x\n"
        device.close()
    (workspace.devices / "board.toml").unlink()
    profile, device = registry.find_device(f"adb:127.0.0.1:{adbd.port}", workspace)
    assert profile.name == f"127.0.0.1-{adbd.port}"
    device.close()
    adbd.kill()


def test_a_daemon_that_does_not_answer_is_listed_as_offline(workspace, network, nothing_attached):
    (workspace.devices / "board.toml").write_text(
        'name = "board"\n[connection]\nkind = "adb"\nhost = "127.0.0.1"\nport = 1\n'
    )
    row = next(info for info in registry.list_devices(workspace) if info.name == "board")
    assert row.state == "offline"
    assert "does not answer" in row.reason


def test_a_phone_of_the_adb_server_is_listed_and_named_by_its_serial(workspace, adb_server_device, adbd):
    serial = f"127.0.0.1:{adbd.port}"
    row = next(info for info in registry.list_devices(workspace) if info.kind == "adb")
    assert (row.address, row.state, row.name) == (serial, "ready", f"127.0.0.1-{adbd.port}")
    for text in (serial, row.name, "all-android"):
        (profile,) = resolve_devices(text, workspace)
        assert profile.data.connection.serial == serial
        assert {fact.delegate for fact in profile.data.facts if not fact.works} >= {"gpu", "nnapi"}
