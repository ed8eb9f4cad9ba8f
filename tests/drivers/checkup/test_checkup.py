"""The doctor looks at devices."""

import json

from click.testing import CliRunner

from harness.cli.doctor import command as doctor
from harness.drivers.checkup.checkup import check_device


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


def test_doctor_looks_at_one_stick(computer, workspace):
    computer.library()
    computer.usb("2-1")
    checks = list(check_device("coral-usb", workspace))
    assert [(check.device, check.check, check.state) for check in checks] == [
        ("coral-usb:0", "reachable", "ok"),
        ("coral-usb:0", "push, run, pull", "ok"),
    ]
    assert "Edge TPU" in checks[0].found
