"""Why a connection failed, read from whatever OpenSSH's client writes."""

from hypothesis import given
from hypothesis import strategies as st

from harness.drivers.ssh.errors import connection_error, last_words
from harness.drivers.ssh.target import Target
from harness.errors import DeviceError, DeviceLostError, DeviceTimeoutError

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
