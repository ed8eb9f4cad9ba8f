"""What a Linux board tells of itself: read where it can be understood, unknown where not, never an error."""

from hypothesis import given
from hypothesis import strategies as st

from harness.drivers.ssh import facts as board
from tests.support.boards import PI


def test_a_raspberry_pi_is_read():
    info = board.describe_board("pi", "pi@raspberrypi", board.parse(PI))
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
    info = board.describe_board("x", "x", board.parse(""))
    assert (info.model, info.soc, info.os, info.abi, dict(info.facts)) == (None, None, None, None, {})
    assert info.reason == "measured with benchmark_model: no Python was found"


@given(st.text())
def test_no_answer_is_an_error(text):
    for name in ("tree", "compatible", "bits", "celsius", "firmware", "edgetpu", "room", "python", "cpu"):
        board.describe_board("x", "x", board.parse(f"@@{name}\n{text}\n@@end\n"))


def test_names_that_steer_a_terminal_are_made_harmless():
    facts = board.parse(
        '@@tree\n\x1b[31mPi\x07\n@@python\n{"version": [3, 11], "packages": {"numpy": "\\u001b[2J1"}}\n'
    )
    assert facts.tree == "Pi"
    assert facts.python.packages == {"numpy": "1"}


def test_a_board_that_answers_is_read_in_one_round_trip(sshd, ssh_device):
    sshd.offer_python()
    sshd.offer("vcgencmd", "echo throttled=0x50005")
    ssh_device.run(["true"], timeout_s=60)
    ssh_device.root  # noqa: B018 - known from the connection
    before = ssh_device.round_trips
    info = ssh_device.describe()
    assert ssh_device.round_trips - before == 1
    assert info.facts["firmware_flags"] == "0x50005"
    assert info.facts["free_mb"] > 0
    assert ssh_device.describe().python.why_unusable(accuracy=True) is None


def test_a_python_below_the_home_there_is_found_and_its_folder_too(sshd):
    script = sshd.offer_python()
    (sshd.home / "v").mkdir()
    script.rename(sshd.home / "v" / "python")
    device = sshd.device(python="~/v/python", root="~/kept here")
    assert device.python == f"{sshd.home}/v/python" and device.root == f"{sshd.home}/kept here"
    assert device.describe().python.why_unusable() is None
    (there,) = device.push([sshd.config])
    assert there.startswith(f"{sshd.home}/kept here/")
    assert device.run(["cat", there], timeout_s=60).stdout == sshd.config.read_text()
    device.close()


# The firmware of the Raspberry Pi; meanings from its documentation of `vcgencmd get_throttled`


# The check-up
