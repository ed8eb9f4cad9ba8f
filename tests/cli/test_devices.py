"""`harness devices`."""

import json
import shutil

import pytest
from click.testing import CliRunner

from harness.cli.devices import COLUMNS, command
from harness.drivers import registry
from harness.drivers.base import DeviceInfo

DEVICES = [
    DeviceInfo(
        "local", "local", model="vm", soc="EPYC", os="Linux", abi="x86_64", delegates=("cpu", "cpu-reference")
    ),
    DeviceInfo("pixel", "adb", address="0A1B", state="unauthorized", reason="accept the key on its screen"),
]


@pytest.fixture
def devices(monkeypatch):
    monkeypatch.setattr(registry, "list_devices", lambda workspace: DEVICES)


def test_json_is_one_flat_object_a_device_with_the_public_names(devices):
    done = CliRunner().invoke(command, ["--format", "json"], catch_exceptions=False)
    rows = json.loads(done.stdout)
    assert [tuple(row) for row in rows] == [COLUMNS, COLUMNS]
    assert rows[0]["delegates"] == ["cpu", "cpu-reference"]
    assert rows[1]["model"] is None
    assert rows[1]["reason"] == "accept the key on its screen"


@pytest.mark.parametrize("format_", ["table", "csv", "markdown"])
def test_every_format_says_why_a_device_is_not_ready(devices, format_):
    done = CliRunner().invoke(command, ["--format", format_], catch_exceptions=False)
    text = " ".join(done.stdout.split())
    assert "unauthorized" in text
    assert "accept the key" in text


def test_this_computer_is_listed_from_its_profile(repository, tmp_path):
    for folder in ("devices", "models"):
        (tmp_path / folder).mkdir()
    shutil.copy(repository / "devices" / "local.toml", tmp_path / "devices")
    done = CliRunner().invoke(command, ["--format", "json"], obj=str(tmp_path), catch_exceptions=False)
    assert "local" in {row["name"] for row in json.loads(done.stdout)}


def test_what_is_not_there_is_said_beside_the_table(repository, tmp_path):
    for folder in ("devices", "models"):
        (tmp_path / folder).mkdir()
    for name in ("local", "coral-usb"):
        shutil.copy(repository / "devices" / f"{name}.toml", tmp_path / "devices")
    done = CliRunner().invoke(command, [], obj=str(tmp_path), catch_exceptions=False)
    assert "no phone:" in done.stderr or "adb" in done.stdout
    assert "no Edge TPU:" in done.stderr or "coral" in done.stdout
