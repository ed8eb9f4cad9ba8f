"""Which boards there are, and what a user means by `ssh://USER@HOST[:PORT]`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from harness.drivers.base import DeviceInfo
from harness.drivers.ssh import facts as board
from harness.drivers.ssh.device import SshDevice
from harness.drivers.ssh.target import parse_target
from harness.errors import HarnessError, UsageError
from harness.profiles import Connection, DeviceProfile, Match, Profile, list_profiles
from harness.workspace import Workspace

_STATES = (("the host key of", "host key"), ("does not let us in", "unauthorized"))
"""What an error says, and the state that it means."""


def list_boards(workspace: Workspace) -> list[DeviceInfo]:
    """Describe every board that a profile names a host of, all at the same time."""
    named = [profile for profile in _boards(workspace) if profile.data.connection.host]
    if not named:
        return []
    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(_describe, named))


def _describe(profile: Profile) -> DeviceInfo:
    device = _device(profile)
    with closing(device):
        try:
            return device.describe()
        except HarnessError as error:
            text = str(error).removeprefix(f"{profile.name}: ")
            state = next((state for said, state in _STATES if said in text), "offline")
            return DeviceInfo(profile.name, "ssh", str(device.address), state, reason=text)


def at_board(text: str, workspace: Workspace) -> Profile:
    """Return a profile for `ssh://USER@HOST[:PORT]`: the one that names this host, or that of its kind of board.

    Raises:
        UsageError: It does not have this form.
        DeviceError: The board cannot be reached.
    """
    target = parse_target(text)
    connection = Connection(kind="ssh", host=target.host, port=target.port, user=target.user)
    profiles = _boards(workspace)
    for profile in profiles:
        known = profile.data.connection
        if (known.host, known.port, known.user) == (connection.host, connection.port, connection.user):
            return profile
    name = re.sub(r"[^A-Za-z0-9._-]", "-", str(target).rpartition("@")[2]).lstrip("._-") or "board"
    best = _kind_of(SshDevice(name, host=target.host, port=target.port, user=target.user), profiles)
    # Python and folder of the kind stay; how this one is reached is what the user said.
    kept = {k: v for k, v in best.data.connection.settings().items() if k in {"root", "python"}}
    connection = msgspec.structs.replace(connection, **kept)
    return replace(
        best, data=msgspec.structs.replace(best.data, name=name, connection=connection, match=None)
    )


def _kind_of(device: SshDevice, profiles: Iterable[Profile]) -> Profile:
    with closing(device):
        facts = device.facts()
    kinds = [p for p in profiles if p.data.match is not None and not p.data.connection.host]
    fitting = [p for p in kinds if p.data.match is not None and fits(facts, p.data.match)]
    return max(fitting, key=lambda p: _length(p.data.match), default=_plain())


def fits(facts: board.BoardFacts, match: Match) -> bool:
    """Whether a board is one of those that a profile is for: by its device tree's name and its processor."""
    pairs = ((facts.tree, match.model), (facts.soc, match.soc))
    return all(fnmatchcase((value or "").lower(), pattern.lower()) for value, pattern in pairs)


def check_host(profile: Profile) -> None:
    """Refuse a profile of a kind of board, which names no host.

    Raises:
        UsageError: Says how to name one.
    """
    if not profile.data.connection.host:
        raise UsageError(
            f"device {profile.name!r} is a kind of board and names no host: use --device ssh://USER@HOST, which takes "
            f"this profile where the board is one, or copy {profile.origin.name} and add `host` to its [connection]"
        )


def _boards(workspace: Workspace) -> list[Profile]:
    return [profile for profile in list_profiles(workspace) if profile.data.connection.kind == "ssh"]


def _device(profile: Profile) -> SshDevice:
    return SshDevice(profile.name, **profile.data.connection.settings())  # type: ignore[arg-type]


def _length(match: Match | None) -> int:
    return 0 if match is None else len(match.model.replace("*", "")) + len(match.soc.replace("*", ""))


def _plain() -> Profile:
    data = DeviceProfile(name="board", connection=Connection(kind="ssh"), delegates=("cpu:1", "cpu:4"))
    return Profile(data, Path("board"))
