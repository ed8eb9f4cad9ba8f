"""Whom we let ourselves be let in by, and whom we believe to be the board: host keys, user keys, and what is said."""

import os
import socket
import subprocess
import time

import pytest

from harness.drivers.ssh.device import SshDevice
from harness.errors import DeviceError, DeviceLostError
from tests.support.later import NOTICED_S


def error_of(device: SshDevice) -> str:
    with pytest.raises(DeviceError) as caught:
        device.run(["true"], timeout_s=60)
    device.close()
    return str(caught.value)


def works(device: SshDevice) -> bool:
    try:
        return device.run(["echo", "in"], timeout_s=60).stdout == "in\n"
    finally:
        device.close()


def reconfigure(sshd, old: str, new: str) -> None:
    text = sshd.config.read_text()
    assert old in text
    sshd.config.write_text(text.replace(old, new))


# The board's key


def test_an_unknown_host_key_is_refused_with_its_fingerprint_and_what_to_do(sshd):
    sshd.known_hosts.write_text("")
    text = error_of(sshd.device())
    assert text.startswith("board: the host key of [127.0.0.1]:")
    assert f"its fingerprint is ssh-ed25519 {sshd.fingerprint()}" in text
    assert f"`ssh-keyscan -p {sshd.port} 127.0.0.1 >> ~/.ssh/known_hosts`" in text
    assert sshd.known_hosts.read_text() == "", "nothing is accepted in silence"


def test_an_unknown_host_key_is_refused_whatever_the_user_s_configuration_says(sshd):
    sshd.known_hosts.write_text("")
    sshd.config.write_text("Host *\n  StrictHostKeyChecking no\n" + sshd.config.read_text())
    assert "is not known" in error_of(sshd.device())
    assert sshd.known_hosts.read_text() == ""


def test_what_the_error_says_to_do_helps(sshd):
    sshd.known_hosts.write_text("")
    command = error_of(sshd.device()).rpartition("add it: `")[2].partition(" >> ")[0]
    scanned = subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout
    sshd.known_hosts.write_text(scanned)
    assert works(sshd.device())


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
def test_a_changed_host_key_is_refused_with_both_fingerprints(sshd, sshd_module, hashed):
    sshd_module.make_key(sshd.folder / "other_key")
    sshd.know(sshd.folder / "other_key.pub")
    if hashed:
        subprocess.run(["ssh-keygen", "-H", "-f", str(sshd.known_hosts)], check=True, capture_output=True)
    text = error_of(sshd.device())
    assert "has changed" in text
    assert f"found ssh-ed25519 {sshd.fingerprint()}" in text
    assert f"known is ED25519 {sshd.fingerprint('other_key.pub')} ({sshd.known_hosts}, line 1)" in text


def test_a_host_that_is_known_by_its_hash_is_known(sshd):
    subprocess.run(["ssh-keygen", "-H", "-f", str(sshd.known_hosts)], check=True, capture_output=True)
    assert "127.0.0.1" not in sshd.known_hosts.read_text()
    assert works(sshd.device())


# The user's key


def test_a_wrong_key_is_named_with_its_fingerprint_and_what_to_do(sshd, sshd_module):
    sshd_module.make_key(sshd.folder / "stranger")
    reconfigure(sshd, str(sshd.key), str(sshd.folder / "stranger"))
    text = error_of(sshd.device())
    assert "does not let us in: it refused" in text
    assert str(sshd.folder / "stranger") in text and sshd.fingerprint("stranger.pub") in text
    assert "it takes publickey" in text
    assert "ssh-copy-id" in text


def test_a_key_that_is_not_there_is_named(sshd):
    reconfigure(sshd, str(sshd.key), str(sshd.folder / "absent"))
    text = error_of(sshd.device())
    assert "no key was offered" in text
    assert str(sshd.folder / "absent") in text


def test_a_key_that_others_may_read_is_named_with_the_reason(sshd):
    sshd.key.chmod(0o644)
    text = error_of(sshd.device())
    assert "0644" in text and "too open" in text


def test_the_identity_of_a_profile_comes_before_the_configuration_s(sshd, sshd_module):
    sshd_module.make_key(sshd.folder / "mine")
    (sshd.folder / "authorized_keys").write_text((sshd.folder / "mine.pub").read_text())
    assert works(sshd.device(identity=str(sshd.folder / "mine")))
    assert "does not let us in" in error_of(sshd.device())


def test_a_key_with_a_passphrase_is_never_asked_for_and_works_through_the_agent(
    sshd, sshd_module, tmp_path, monkeypatch
):
    sshd_module.make_key(sshd.folder / "locked", "secret")
    (sshd.folder / "authorized_keys").write_text((sshd.folder / "locked.pub").read_text())
    reconfigure(sshd, str(sshd.key), str(sshd.folder / "locked"))
    begin = time.monotonic()
    assert "where it has a passphrase" in error_of(sshd.device())
    assert time.monotonic() - begin < NOTICED_S
    path = f"/tmp/harness-agent-{os.getpid()}"
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL) as agent:
        try:
            monkeypatch.setenv("SSH_AUTH_SOCK", path)
            say = tmp_path / "say"
            say.write_text("#!/bin/sh\necho secret\n")
            say.chmod(0o755)
            deadline = time.monotonic() + 60
            while not os.path.exists(path) and time.monotonic() < deadline:  # noqa: PTH110
                time.sleep(0.02)
            asked = {**os.environ, "SSH_ASKPASS": str(say), "SSH_ASKPASS_REQUIRE": "force"}
            subprocess.run(
                ["ssh-add", "-q", str(sshd.folder / "locked")],
                env=asked,
                check=True,
                stdin=subprocess.DEVNULL,
            )
            reconfigure(sshd, "IdentityAgent none", "IdentityAgent SSH_AUTH_SOCK")
            assert works(sshd.device())
        finally:
            agent.terminate()


def test_a_password_is_never_asked_for(sshd):
    sshd.kill()
    sshd.configure(["PasswordAuthentication yes", "KbdInteractiveAuthentication yes"])
    sshd.start()
    (sshd.folder / "authorized_keys").write_text("")
    begin = time.monotonic()
    assert "passwords are never asked for" in error_of(sshd.device())
    assert time.monotonic() - begin < NOTICED_S


def test_certificates_are_taken_as_ssh_takes_them(sshd, sshd_module):
    sshd_module.make_key(sshd.folder / "authority")
    subprocess.run(
        [
            "ssh-keygen",
            "-q",
            "-s",
            str(sshd.folder / "authority"),
            "-I",
            "me",
            "-n",
            sshd.user,
            str(sshd.key) + ".pub",
        ],
        check=True,
        capture_output=True,
    )
    (sshd.folder / "authorized_keys").write_text("")
    assert "does not let us in" in error_of(sshd.device())
    sshd.kill()
    sshd.configure([f"TrustedUserCAKeys {sshd.folder / 'authority.pub'}"])
    sshd.start()
    assert works(sshd.device())


# The way there


def test_a_host_of_the_configuration_needs_neither_port_nor_user(sshd):
    assert works(SshDevice("b", host="board"))


def test_a_board_is_reached_through_a_jump_host(sshd, sshd_module, tmp_path):
    inner = sshd_module.Sshd(tmp_path / "inner")
    try:
        sshd.known_hosts.write_text(sshd.known_hosts.read_text() + inner.known_hosts.read_text())
        (inner.folder / "authorized_keys").write_text(sshd.key.with_suffix(".pub").read_text())
        device = inner.device(jump=f"{sshd.user}@127.0.0.1:{sshd.port}")
        assert works(device)
        assert "Accepted publickey" in (sshd.folder / "sshd.log").read_text()
        sshd.known_hosts.write_text(sshd.known_hosts.read_text().splitlines()[0] + "\n")
        text = error_of(inner.device(jump=f"{sshd.user}@127.0.0.1:{sshd.port}"))
        assert inner.fingerprint() in text and sshd.fingerprint() not in text
    finally:
        inner.kill()


def test_nobody_at_the_address_is_said_at_once(sshd, sshd_module):
    begin = time.monotonic()
    device = SshDevice("board", host="127.0.0.1", port=sshd_module.free_port(), user="x")
    with pytest.raises(DeviceLostError, match=r"cannot connect to x@127\.0\.0\.1:.*Connection refused"):
        device.describe()
    assert time.monotonic() - begin < NOTICED_S


def test_a_name_that_nobody_knows_is_said(sshd):
    assert "Could not resolve hostname" in error_of(SshDevice("board", host="no-such-board.invalid"))


def test_something_that_is_no_sshd_is_said(sshd, monkeypatch):
    monkeypatch.setattr("harness.drivers.ssh.target.CONNECT_S", 1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0)
        device = SshDevice("board", host="127.0.0.1", port=listener.getsockname()[1], user="x")
        text = error_of(device)
    assert "cannot connect" in text and "timed out" in text


def test_a_board_that_allows_no_second_session_says_what_to_change(sshd):
    sshd.kill()
    sshd.configure(["MaxSessions 1"])
    sshd.start()
    assert "MaxSessions" in error_of(sshd.device())


def test_ssh_that_is_not_installed_is_said(sshd, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install the package openssh-client" in error_of(sshd.device())
