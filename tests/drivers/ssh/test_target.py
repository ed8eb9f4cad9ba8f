"""Addresses of boards, and the options that OpenSSH's client is started with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.drivers.ssh.device import SshDevice
from harness.drivers.ssh.target import Target, client_argv, parse_target, session_argv
from harness.errors import UsageError


@pytest.mark.parametrize("part", ["host", "user", "jump"])
@pytest.mark.parametrize("value", ["-oProxyCommand=touch x", "a b", "a;b", "$(id)", "a\nb", "`id`"])
def test_what_ssh_would_take_for_an_option_or_a_command_is_refused(part, value):
    device = SshDevice("board", **{"host": "127.0.0.1", part: value})
    with pytest.raises(UsageError, match=f"ssh {part}"):
        device.run(["true"], timeout_s=60)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("ssh://pi@raspberrypi.local", Target("raspberrypi.local", "pi")),
        ("ssh://board", Target("board")),
        ("ssh://mendel@192.168.100.2:2222/", Target("192.168.100.2", "mendel", 2222)),
        ("ssh://root@[fe80::1%eth0]:22", Target("fe80::1%eth0", "root", 22)),
    ],
)
def test_an_address_is_read_as_it_is_written(text, target):
    assert parse_target(text) == target
    assert parse_target(f"ssh://{target}") == target


@pytest.mark.parametrize(
    "text", ["ssh://", "ssh:pi@board", "ssh://pi:secret@board", "ssh://a@b@c", "ssh://board:99999", "ssh://board:x",
             "ssh://-oProxyCommand=x", "ssh://board/path"]
)  # fmt: skip
def test_an_address_that_is_none_is_refused(text):
    with pytest.raises(UsageError):
        parse_target(text)


@given(st.text())
def test_an_address_is_a_target_that_ssh_can_take_or_wrong_use(text):
    try:
        target = parse_target(f"ssh://{text}")
    except UsageError:
        return
    argv = client_argv(target, "/tmp/x/s")
    assert argv[-2:] == ["--", target.host] and not target.host.startswith("-")
    assert not target.user.startswith("-")


def test_nothing_is_asked_forwarded_or_believed_and_a_session_makes_no_connection_of_its_own():
    argv = client_argv(Target("board", "pi", 2222), "/tmp/x/s")
    for option in (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ForwardAgent=no",
        "ClearAllForwardings=yes",
    ):
        assert argv[argv.index(option) - 1] == "-o"
    assert "ProxyCommand=false" in session_argv("/tmp/x/s") and "none" in session_argv("/tmp/x/s")
