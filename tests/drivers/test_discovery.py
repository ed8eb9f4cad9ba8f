"""Which phones there are, what is wrong with them, and what a name means."""

import json
import shutil

import pytest
from click.testing import CliRunner

from harness.cli.doctor import command as doctor
from harness.drivers import registry
from harness.drivers.adb import discovery
from harness.drivers.adb import facts as phone
from harness.drivers.adb.discovery import Attached, best_profile, fits, resolve_devices
from harness.drivers.adb.server import ServerPhone, _parse_phone
from harness.drivers.adb.usb_list import UsbPhone, usb_phones
from harness.errors import DeviceError, SchemaError, UnknownNameError, UsageError
from harness.profiles import Match, list_profiles, load_profile
from harness.workspace import Workspace


@pytest.fixture
def workspace(tmp_path, repository):
    for name in ("devices", "models"):
        (tmp_path / "w" / name).mkdir(parents=True)
    for path in (repository / "devices").glob("*.toml"):
        shutil.copy(path, tmp_path / "w" / "devices")
    return Workspace(tmp_path / "w")


@pytest.fixture
def nothing_attached(monkeypatch):
    monkeypatch.setattr(discovery, "server_phones", list)
    monkeypatch.setattr(discovery, "usb_phones", list)


def facts(**known):
    return phone.PhoneFacts(**{"api_level": 33, "manufacturer": "Google", "model": "Pixel 4", **known})


def usb_tree(folder, name, **files):
    interface = folder / "sys" / f"{name}:1.1"
    interface.mkdir(parents=True)
    device = folder / "sys" / name
    device.mkdir()
    defaults = {"busnum": "1", "devnum": "7", "serial": "0A1B", "product": "Pixel 4"}
    for key, value in {**defaults, **files}.items():
        (device / key).write_text(value + "\n")
    for key, value in zip(("Class", "SubClass", "Protocol"), ("ff", "42", "01"), strict=True):
        (interface / f"bInterface{key}").write_text(value + "\n")


def test_phones_on_usb_are_found_in_the_kernel_s_tables_with_their_permission(tmp_path):
    usb_tree(tmp_path, "1-2")
    (tmp_path / "sys" / "usb1").mkdir()
    assert usb_phones(tmp_path / "sys", tmp_path / "dev") == [
        UsbPhone("0A1B", "Pixel 4", "usb:1-2", permitted=False)
    ]
    (tmp_path / "dev" / "001").mkdir(parents=True)
    (tmp_path / "dev" / "001" / "007").touch()
    assert usb_phones(tmp_path / "sys", tmp_path / "dev")[0].permitted


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
    assert _parse_phone(line) == expected


def test_every_state_of_a_phone_is_listed_with_its_remedy(workspace, monkeypatch):
    states = ["unauthorized", "offline", "no permissions", "recovery", "authorizing"]
    monkeypatch.setattr(discovery, "server_phones", lambda: [ServerPhone(s[:4], s, "X") for s in states])
    monkeypatch.setattr(discovery, "usb_phones", lambda: [UsbPhone("0A1B", None, "usb:1-2", permitted=False)])
    rows = {info.address: info for info in registry.list_devices(workspace) if info.kind == "adb"}
    assert [rows[s[:4]].state for s in states] == states
    assert "tap “Allow”" in rows["unau"].reason
    assert "udev" in rows["0A1B"].reason
    assert all(info.reason and not info.delegates for info in rows.values())


def test_a_phone_that_usb_and_the_server_both_show_is_one(monkeypatch):
    monkeypatch.setattr(discovery, "server_phones", lambda: [ServerPhone("0A1B", "device", "X")])
    monkeypatch.setattr(discovery, "usb_phones", lambda: [UsbPhone("0A1B", None, "usb:1-2", permitted=True)])
    assert discovery.attached() == [Attached("0A1B", "ready", "X")]


def test_without_phones_only_what_there_is_is_listed(workspace, nothing_attached):
    assert [info.name for info in registry.list_devices(workspace)] == ["local"]


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


def test_facts_of_bundled_profiles_have_a_source(workspace):
    facts = [fact for profile in list_profiles(workspace) for fact in profile.data.facts]
    assert facts
    assert all(fact.source.startswith("https://") for fact in facts)


@pytest.mark.parametrize("text", ["adb:", "adb:host:port", "adb:host:99999", "adb:host:0"])
def test_an_address_that_is_none_is_refused_with_the_form(workspace, text):
    with pytest.raises(UsageError, match="expected the form adb:HOST:PORT"):
        resolve_devices(text, workspace)


def test_an_unknown_device_names_profiles_and_serials(workspace, monkeypatch):
    monkeypatch.setattr(discovery, "server_phones", lambda: [ServerPhone("0A1B2C", "device", None)])
    monkeypatch.setattr(discovery, "usb_phones", list)
    with pytest.raises(UnknownNameError, match="Did you mean 0A1B2C"):
        resolve_devices("0A1B2D", workspace)


def test_a_kind_of_phone_that_is_not_attached_says_what_to_do(workspace, nothing_attached):
    with pytest.raises(UsageError, match=r"0 attached phones fit this profile; .*USB debugging"):
        resolve_devices("pixel-4", workspace)
    with pytest.raises(UsageError, match=r"all-android.*USB debugging"):
        resolve_devices("all-android", workspace)


def test_a_phone_that_is_not_ready_is_an_error_with_the_remedy(workspace, monkeypatch):
    monkeypatch.setattr(discovery, "server_phones", lambda: [ServerPhone("0A1B", "unauthorized", None)])
    monkeypatch.setattr(discovery, "usb_phones", list)
    with pytest.raises(DeviceError, match="tap “Allow”"):
        resolve_devices("0A1B", workspace)


def test_a_profile_that_names_serial_and_host_is_refused(tmp_path):
    path = tmp_path / "x.toml"
    text = 'name = "x"\n[connection]\nkind = "adb"\n'
    for more, complaint in (
        ('serial = "a"\nhost = "b"\n', "found both serial and host"),
        ("port = 0\n", "connection.port': found 0"),
        ('root = "/"\n', "connection.root': found '/'"),
        ('root = "relative/x"\n', "connection.root': found 'relative/x'"),
    ):
        path.write_text(text + more)
        with pytest.raises(SchemaError, match=complaint):
            load_profile(path)


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
        assert device.run(["echo", "x"], timeout_s=10).stdout == "x\n"
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


def invoke(workspace, *arguments):
    return CliRunner().invoke(doctor, list(arguments), obj=str(workspace.root), catch_exceptions=False)


def test_the_doctor_finds_a_healthy_device_healthy(workspace, adbd, nothing_attached):
    (workspace.devices / "board.toml").write_text(
        f'name = "board"\n[connection]\nkind = "adb"\nhost = "127.0.0.1"\nport = {adbd.port}\nroot = "{adbd.root}"\n'
    )
    done = invoke(workspace, "--device", "board", "--format", "json")
    rows = {(row["name"], row["check"]): row for row in json.loads(done.stdout)}
    assert done.exit_code == 0, done.stdout
    assert rows["this computer", "runtime"]["state"] == "ok"
    assert rows["this computer", "results"]["state"] == "ok"
    assert rows["board", "push, run, pull"]["state"] == "ok"
    assert rows["board", "reachable"]["abi"]
    assert rows["board", "benchmark_model"]["reason"] or rows["board", "benchmark_model"]["state"] == "ok"
    assert all(row["reason"] for row in rows.values() if row["state"] != "ok")


def test_the_doctor_fails_and_says_what_to_do_when_a_device_does_not_answer(
    workspace, network, nothing_attached
):
    (workspace.devices / "board.toml").write_text(
        'name = "board"\n[connection]\nkind = "adb"\nhost = "127.0.0.1"\nport = 1\n'
    )
    done = invoke(workspace, "--format", "json")
    row = json.loads(done.stdout)[-1]
    assert done.exit_code == 1
    assert (row["name"], row["state"]) == ("board", "failed")
    assert "USB debugging" in row["reason"]


def test_the_doctor_warns_of_heat_a_low_battery_and_a_lit_screen():
    from harness.drivers.base import DeviceInfo
    from harness.drivers.checkup.checkup import _check_phone

    told = {
        "battery_percent": 9,
        "battery_temperature_c": 41.5,
        "thermal_status": "moderate",
        "screen_on": "yes",
        "free_mb": 50,
    }
    states = {check.check: check for check in _check_phone(DeviceInfo("x", "adb", facts=told))}
    assert {name: check.state for name, check in states.items() if name != "benchmark_model"} == {
        "space": "failed", "big cores": "warning", "battery": "warning", "temperature": "warning", "screen": "warning",
    }  # fmt: skip
    assert all(check.reason for check in states.values() if check.state != "ok")
