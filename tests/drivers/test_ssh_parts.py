"""What is read from OpenSSH's client and from a board's output: whatever comes, and however it is cut."""

from hypothesis import given
from hypothesis import strategies as st

from harness.drivers.ssh.errors import connection_error, last_words
from harness.drivers.ssh.session import Begin
from harness.drivers.ssh.target import Target, client_argv, parse_target, session_argv
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError, UsageError

TARGET = Target("board", "pi", 2222)
LINES = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.sampled_from(
            [
                "debug1: Server host key: ssh-ed25519 SHA256:abc",
                "No ED25519 host key is known for [board]:2222 and you have requested strict checking.",
                "Host key for board has changed and you have requested strict checking.",
                "Offending ED25519 key in /no/such/known_hosts:1",
                "pi@board: Permission denied (publickey,password).",
                "debug1: Authenticated to board",
                "ssh: connect to host board port 22: Connection timed out",
            ]
        ),
    )
)


@given(LINES)
def test_every_log_has_an_error_that_names_the_device_and_steers_no_terminal(log):
    error = connection_error("pi", TARGET, log)
    assert isinstance(error, DeviceError)
    assert str(error).startswith("pi: ")
    assert "\x1b" not in str(error) and "\n" not in str(error)


def test_a_silence_a_loss_and_a_refusal_are_told_apart():
    timed_out = connection_error("pi", TARGET, ["ssh: connect to host board port 22: Connection timed out"])
    lost = connection_error(
        "pi", TARGET, ["debug1: Authenticated to board", "Timeout, server board not responding."]
    )
    refused = connection_error("pi", TARGET, ["pi@board: Permission denied (publickey)."])
    assert isinstance(timed_out, DeviceTimeoutError)
    assert isinstance(lost, DeviceLostError) and "lost pi@board:2222: Timeout" in str(lost)
    assert not isinstance(refused, DeviceLostError | DeviceTimeoutError)


def test_last_words_are_without_the_log_of_the_client_itself():
    log = [
        "OpenSSH_9.2p1 Debian",
        "debug1: x",
        "",
        "\x1b[31mConnection reset\r",
        "Transferred: sent 1, received 2",
    ]
    assert last_words(log) == "Connection reset"


@given(st.binary(), st.binary(), st.lists(st.integers(0, 400), max_size=8))
def test_output_begins_at_the_marker_however_it_is_cut(noise, output, cuts):
    marker = "computer:12:abc"
    data = noise + f"{marker} 77\n".encode() + output
    begin, given_on, at = Begin(marker), b"", 0
    for cut in [*sorted(cuts), len(data)]:
        given_on += begin.add(data[at:cut])
        at = max(at, cut)
    expected = data[data.index(f"{marker} ".encode()) :]
    assert begin.found and given_on == expected


@given(st.binary(max_size=300))
def test_output_without_the_marker_is_not_given_on(noise):
    begin = Begin("computer:12:abc")
    assert begin.add(noise) == b"" and not begin.found


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
    argv = client_argv(TARGET, "/tmp/x/s")
    for option in (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ForwardAgent=no",
        "ClearAllForwardings=yes",
    ):
        assert argv[argv.index(option) - 1] == "-o"
    assert "ProxyCommand=false" in session_argv("/tmp/x/s") and "none" in session_argv("/tmp/x/s")
