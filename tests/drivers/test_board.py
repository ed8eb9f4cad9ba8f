"""What a Linux board tells of itself: read where it can be understood, unknown where not, never an error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import firmware
from harness.drivers.checkup.board import check_board
from harness.drivers.checkup.check import Check
from harness.drivers.device_python import DevicePython
from harness.drivers.ssh import facts as board
from harness.firmware import describe_flags, parse_flags

PI = """@@uname
Linux 6.6.51+rpt-rpi-2712 aarch64
@@release
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
@@memory
MemTotal:        8257728 kB
@@cpuinfo
@@tools
taskset
sha256sum
@@cpu
0 2400000 1500000 ondemand
1 2400000 1500000 ondemand
2 2400000 2400000 ondemand
3 2400000 2400000 ondemand
@@tree
Raspberry Pi 5 Model B Rev 1.0

@@compatible
raspberrypi,5-model-b
brcm,bcm2712

@@bits
64
@@celsius
61850
55000
0
@@firmware
throttled=0x50000
@@edgetpu
usb
@@room
5000000 4096
@@python
{"version": [3, 11, 2], "packages": {"ai-edge-litert": "2.3.0", "numpy": "2.1.0", "msgspec": "0.19", "pillow": "11"}}
@@end
"""


def test_a_raspberry_pi_is_read():
    info = board.info("pi", "pi@raspberrypi", board.parse(PI))
    assert (info.kind, info.state, info.reason) == ("ssh", "ready", "")
    assert info.model == "Raspberry Pi 5 Model B Rev 1.0"
    assert info.soc == "brcm,bcm2712"
    assert (info.os, info.abi) == ("Debian GNU/Linux 12 (bookworm)", "aarch64")
    assert info.delegates == ("cpu", "cpu-reference", "edgetpu")
    assert info.facts == {
        "kernel": "Linux 6.6.51+rpt-rpi-2712",
        "cores": 4,
        "cpu_clusters": "4x2400 MHz",
        "big_cores": 4,
        "big_core_mask": "f",
        "memory_mb": 8456,
        "free_mb": 20480,
        "tools": "taskset sha256sum",
        "hottest_c": 61.85,
        "governor": "ondemand",
        "firmware_flags": "0x50000",
        "firmware_says": "its voltage was too low at some time since it was started; "
        "it was throttled at some time since it was started",
        "edgetpus": "usb",
        "python": "3.11.2",
        "python_runtime": "ai-edge-litert 2.3.0",
        "python_packages": "ai-edge-litert 2.3.0, numpy 2.1.0, msgspec 0.19, pillow 11",
    }


def test_a_32_bit_system_under_a_64_bit_kernel_takes_32_bit_programs():
    assert board.parse(PI.replace("@@bits\n64", "@@bits\n32")).abi == "armv7l"


def test_what_is_not_told_is_unknown():
    info = board.info("x", "x", board.parse(""))
    assert (info.model, info.soc, info.os, info.abi, dict(info.facts)) == (None, None, None, None, {})
    assert info.reason == "measured with benchmark_model: no Python was found"


@given(st.text())
def test_no_answer_is_an_error(text):
    for name in ("tree", "compatible", "bits", "celsius", "firmware", "edgetpu", "room", "python", "cpu"):
        board.info("x", "x", board.parse(f"@@{name}\n{text}\n@@end\n"))


def test_names_that_steer_a_terminal_are_made_harmless():
    facts = board.parse(
        '@@tree\n\x1b[31mPi\x07\n@@python\n{"version": [3, 11], "packages": {"numpy": "\\u001b[2J1"}}\n'
    )
    assert facts.tree == "Pi"
    assert facts.python.packages == {"numpy": "1"}


ALL = {"ai-edge-litert": "2.3", "numpy": "2", "msgspec": "1", "pillow": "11"}


@pytest.mark.parametrize(
    ("version", "lacks", "accuracy", "reason"),
    [
        ((3, 11, 2), (), True, None),
        ((3, 10, 0), (), False, None),
        ((3, 9, 9), (), False, "its Python is 3.9.9, 3.10 or later is needed"),
        (None, (), False, "no Python was found"),
        ((3, 12), ("ai-edge-litert",), False, "its Python lacks ai-edge-litert (or tflite-runtime)"),
        ((3, 12), ("pillow",), False, None),
        ((3, 12), ("pillow", "numpy"), True, "its Python lacks numpy, pillow"),
    ],
)
def test_a_python_that_cannot_run_our_worker_says_what_it_lacks(version, lacks, accuracy, reason):
    python = DevicePython(version, {name: v for name, v in ALL.items() if name not in lacks})
    assert python.why_not(accuracy=accuracy) == reason


def test_a_board_that_answers_is_read_in_one_round_trip(sshd, ssh_device):
    sshd.offer_python()
    sshd.offer("vcgencmd", "echo throttled=0x50005")
    ssh_device.run(["true"], timeout_s=5)
    ssh_device.root  # noqa: B018 - known from the connection
    before = ssh_device.round_trips
    info = ssh_device.describe()
    assert ssh_device.round_trips - before == 1
    assert info.facts["firmware_flags"] == "0x50005"
    assert info.facts["free_mb"] > 0
    assert ssh_device.describe().python.why_not(accuracy=True) is None


def test_a_python_below_the_home_there_is_found_and_its_folder_too(sshd):
    script = sshd.offer_python()
    (sshd.home / "v").mkdir()
    script.rename(sshd.home / "v" / "python")
    device = sshd.device(python="~/v/python", root="~/kept here")
    assert device.python == f"{sshd.home}/v/python" and device.root == f"{sshd.home}/kept here"
    assert device.describe().python.why_not() is None
    (there,) = device.push([sshd.config])
    assert there.startswith(f"{sshd.home}/kept here/")
    assert device.run(["cat", there], timeout_s=5).stdout == sshd.config.read_text()
    device.close()


# The firmware of the Raspberry Pi; meanings from its documentation of `vcgencmd get_throttled`


@pytest.mark.parametrize(
    ("text", "flags"),
    [("throttled=0x50005\n", 0x50005), ("throttled=0x0\n", 0), ("50005\n", 0x50005), ("", None), ("error=1", None),
     ("VCHI initialization failed", None), ("throttled=0x1ffffffff", None)],
)  # fmt: skip
def test_flags_are_read_as_the_tool_and_the_file_give_them(text, flags):
    assert parse_flags(text) == flags


@given(st.text())
def test_flags_of_anything_are_a_number_or_unknown(text):
    flags = parse_flags(text)
    assert flags is None or 0 <= flags <= 0xFFFFFFFF


def test_flags_say_what_is_now_and_what_was():
    assert describe_flags(0) == ()
    assert describe_flags(0x50005) == ("its voltage was too low", "it was throttled")
    assert describe_flags(0x80002) == (
        "its clock was capped",
        "its soft temperature limit was reached at some time since it was started",
    )


def test_a_machine_without_such_a_firmware_has_no_flags(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(firmware, "_FILE", tmp_path / "get_throttled")
    assert firmware.read_flags() is None
    (tmp_path / "get_throttled").write_text("50000\n")
    assert firmware.read_flags() == 0x50000
    tool = tmp_path / "vcgencmd"
    tool.write_text("#!/bin/sh\necho throttled=0x4\n")
    tool.chmod(0o755)
    assert firmware.read_flags() == 4


# The check-up


def checks(text: str) -> dict[str, Check]:
    facts = board.parse(text)
    return {check.check: check for check in check_board(board.info("pi", "pi", facts), facts)}


def test_a_healthy_board_passes_every_check():
    found = checks(PI.replace("ondemand", "performance").replace("0x50000", "0x0"))
    assert {check.state for check in found.values()} == {"ok"}
    assert found["python"].found == "3.11.2 with ai-edge-litert 2.3.0"


@pytest.mark.parametrize(
    ("change", "check", "state", "reason"),
    [
        (("", ""), "governor", "warning", "scaling_governor"),
        (("", ""), "firmware", "warning", "power supply"),
        (("0x50000", "0x50005"), "firmware", "warning", "lowers the clock now"),
        (("61850", "82000"), "temperature", "warning", "let it cool"),
        (("5000000 4096", "5 4096"), "space", "failed", "free at least 200 MB"),
        (("5000000 4096", ""), "space", "warning", "200 MB"),
        (('"pillow": "11"', '"x": "1"'), "python", "warning", "no accuracy"),
        (("ai-edge-litert", "tensorflow"), "python", "warning", "pip install ai-edge-litert"),
    ],
)
def test_what_is_wrong_with_a_board_is_said_with_what_to_do(change, check, state, reason):
    found = checks(PI.replace(*change))[check]
    assert found.state == state
    assert reason in found.reason


def test_the_doctor_looks_at_a_board(sshd, tmp_path):
    from click.testing import CliRunner

    from harness.cli.main import cli

    sshd.offer_python()
    done = CliRunner().invoke(cli, ["doctor", "--device", sshd.url, "--format", "json"])
    rows = {row["check"]: row for row in json.loads(done.stdout) if row["name"].startswith("127.0.0.1")}
    assert rows["push, run, pull"]["state"] == "ok"
    assert rows["python"]["state"] == "ok"
    assert rows["reachable"]["kind"] == "ssh"
