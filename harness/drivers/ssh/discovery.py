"""Boards as a list, and the profile of `ssh://USER@HOST[:PORT]`."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from harness.drivers.base import DeviceInfo, DeviceState
from harness.drivers.discovery import (
    best_fit,
    describe_all,
    describe_or_say_why,
    device_name,
    fits_patterns,
    profiles_of,
)
from harness.drivers.ssh.device import SshDevice
from harness.drivers.ssh.facts import BoardFacts
from harness.drivers.ssh.target import parse_target
from harness.errors import HarnessError, UsageError
from harness.profiles import Connection, DeviceProfile, Match, Profile
from harness.workspace import Workspace

_STATES = (("the host key of", DeviceState.HOST_KEY), ("does not let us in", DeviceState.UNAUTHORIZED))
"""What an error says, and the state that it means."""


def list_boards(workspace: Workspace) -> list[DeviceInfo]:
    """Describe every board that a profile names a host of, all at the same time."""
    named = [profile for profile in profiles_of("ssh", workspace) if profile.data.connection.names_one]
    return describe_all([partial(_describe, profile) for profile in named])


def _describe(profile: Profile) -> DeviceInfo:
    device = SshDevice(profile.name, **profile.data.connection.settings())  # type: ignore[arg-type]
    return describe_or_say_why(device, "ssh", str(device.address), partial(_explain, profile.name))


def _explain(name: str, error: HarnessError) -> tuple[str, str]:
    text = str(error).removeprefix(f"{name}: ")
    return next((state for said, state in _STATES if said in text), DeviceState.OFFLINE), text


def profile_at(text: str, workspace: Workspace) -> Profile:
    """Return a profile for `ssh://USER@HOST[:PORT]`: the one that names this host, or that of its kind of board.

    Raises:
        UsageError: It does not have this form.
        DeviceError: The board cannot be reached.
    """
    target = parse_target(text)
    connection = Connection(kind="ssh", host=target.host, port=target.port, user=target.user)
    profiles = profiles_of("ssh", workspace)
    for profile in profiles:
        known = profile.data.connection
        if (known.host, known.port, known.user) == (connection.host, connection.port, connection.user):
            return profile
    name = device_name(str(target).rpartition("@")[2], "board")
    device = SshDevice(name, host=target.host, port=target.port, user=target.user)
    best = _best_profile(device, profiles) or _plain()
    # Python and folder of the kind stay; how this one is reached is what the user said.
    kept = {k: v for k, v in best.data.connection.settings().items() if k in {"root", "python"}}
    connection = msgspec.structs.replace(connection, **kept)
    return replace(
        best, data=msgspec.structs.replace(best.data, name=name, connection=connection, match=None)
    )


def _best_profile(device: SshDevice, profiles: Iterable[Profile]) -> Profile | None:
    """Return the profile of a kind of board that fits and says most."""
    with closing(device):
        return best_fit(profiles, partial(fits, device.facts()))


def fits(facts: BoardFacts, match: Match) -> bool:
    """Return whether a board is one of those that a profile is for: by its device tree's name and its processor."""
    return fits_patterns((facts.tree, match.model), (facts.soc, match.soc))


def require_host(profile: Profile) -> None:
    """Refuse a profile of a kind of board, which names no host.

    Raises:
        UsageError: Says how to name one.
    """
    if not profile.data.connection.names_one:
        raise UsageError(
            f"device {profile.name!r} is a kind of board and names no host: use --device ssh://USER@HOST, which takes "
            f"this profile where the board is one, or copy {profile.origin.name} and add `host` to its [connection]"
        )


def _plain() -> Profile:
    data = DeviceProfile(name="board", connection=Connection(kind="ssh"), delegates=("cpu:1", "cpu:4"))
    return Profile(data, Path("board"))
