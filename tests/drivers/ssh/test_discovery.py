"""Boards as a list, and the profile of each."""

import pytest

from harness.drivers.registry import find_device
from harness.drivers.ssh import facts as board
from harness.drivers.ssh.discovery import fits, list_boards, profile_at
from harness.errors import UsageError
from harness.profiles import Match
from harness.workspace import Workspace

PROFILE = 'name = "{name}"\ndelegates = ["cpu:2"]\n[connection]\nkind = "ssh"\n{more}\n'


@pytest.fixture
def workspace(tmp_path):
    for folder in ("devices", "models"):
        (tmp_path / "w" / folder).mkdir(parents=True)
    return Workspace(tmp_path / "w")


def profile(workspace, name, more=""):
    (workspace.devices / f"{name}.toml").write_text(PROFILE.format(name=name, more=more))


def test_the_boards_of_profiles_are_listed_with_why_one_cannot_be_used(sshd, sshd_module, workspace):
    profile(workspace, "good", 'host = "board"')
    profile(workspace, "off", f'host = "127.0.0.1"\nport = {sshd_module.free_port()}')
    profile(workspace, "kind", '[match]\nmodel = "Raspberry Pi 5*"')
    found = {info.name: info for info in list_boards(workspace)}
    assert {name: info.state for name, info in found.items()} == {"good": "ready", "off": "offline"}
    assert "Connection refused" in found["off"].reason
    assert found["good"].address == "board"
    sshd.known_hosts.write_text("")
    (info, _) = list_boards(workspace)
    assert info.state == "host key" and sshd.fingerprint() in info.reason


def test_an_address_gets_the_profile_that_names_it_or_that_of_its_kind(sshd, workspace):
    profile(workspace, "any", "[match]")
    profile(workspace, "this-processor", '[match]\nsoc = "*e*"')
    profile(workspace, "pi", '[match]\nmodel = "Raspberry*"')
    found = profile_at(sshd.url, workspace)
    assert found.name == f"127.0.0.1-{sshd.port}"
    assert found.origin.stem == "this-processor"
    connection = found.data.connection
    assert (connection.host, connection.port, connection.user) == ("127.0.0.1", sshd.port, sshd.user)
    profile(workspace, "mine", f'host = "127.0.0.1"\nport = {sshd.port}\nuser = "{sshd.user}"\nroot = "~/x"')
    assert profile_at(sshd.url, workspace).name == "mine"


def test_a_profile_of_a_kind_of_board_says_how_to_name_a_host(workspace):
    profile(workspace, "pi", '[match]\nmodel = "Raspberry*"')
    with pytest.raises(UsageError, match=r"names no host: use --device ssh://USER@HOST"):
        find_device("pi", workspace)


def test_a_board_is_told_by_its_device_tree():
    pi = board.parse(
        "@@tree\nRaspberry Pi 5 Model B Rev 1.0\n\n@@compatible\nraspberrypi,5-model-b\nbrcm,bcm2712\n"
    )
    assert fits(pi, Match(model="Raspberry Pi 5*"))
    assert fits(pi, Match(soc="*bcm2712"))
    assert not fits(pi, Match(model="Raspberry Pi 4*"))
    assert not fits(board.parse(""), Match(model="Raspberry Pi*"))
