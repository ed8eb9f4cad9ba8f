"""Parts of the search for phones and for boards: the profile of a kind that fits, and lists of descriptions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from fnmatch import fnmatchcase

from harness.drivers.base import Device, DeviceInfo
from harness.errors import HarnessError
from harness.profiles import ConnectionKind, Match, Profile, list_profiles
from harness.workspace import Workspace

ALL_ANDROID = "all-android"
"""Names every phone that can be reached."""
EMULATOR = "emulator:"
"""Begins the name of an emulator of a chip."""
AT_ONCE = 16
"""Devices that are asked at the same time."""


def profiles_of(kind: ConnectionKind, workspace: Workspace) -> list[Profile]:
    """Return the profiles of one kind of connection, sorted by name."""
    return [profile for profile in list_profiles(workspace) if profile.data.connection.kind == kind]


def fits_patterns(*pairs: tuple[str | None, str]) -> bool:
    """Return whether each value, unknown or not, fits the pattern beside it, without regard to case."""
    return all(fnmatchcase((value or "").lower(), pattern.lower()) for value, pattern in pairs)


def best_fit(profiles: Iterable[Profile], fits: Callable[[Match], bool]) -> Profile | None:
    """Return the profile of a kind of device that fits and says most: the longest patterns win.

    Args:
        profiles: Profiles; those of one device are passed over.
        fits: Whether the device is one that a profile is for.
    """
    kinds = [(p, p.data.match) for p in profiles if not p.data.connection.names_one]
    fitting = [(match, profile) for profile, match in kinds if match is not None and fits(match)]
    return max(fitting, key=lambda pair: _length(pair[0]), default=(None, None))[1]


def _length(match: Match) -> tuple[int, int]:
    """Return how much a profile says: letters of its patterns, then bounds of the API level."""
    letters = sum(len(text.replace("*", "")) for text in (match.manufacturer, match.model, match.soc))
    return letters, (match.min_api > 0) + (match.max_api < Match().max_api)


def describe_all(jobs: Sequence[Callable[[], DeviceInfo]]) -> list[DeviceInfo]:
    """Describe devices, all at the same time."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(lambda job: job(), jobs))


def describe_or_say_why(
    device: Device,
    kind: ConnectionKind,
    address: str,
    explain: Callable[[HarnessError], tuple[str, str]],
) -> DeviceInfo:
    """Describe a device and let go of it; one that cannot be reached is described by its state and the reason.

    Args:
        device: The device.
        kind: How it is reached.
        address: Its address, for where it does not say so itself.
        explain: Returns state and reason for an error.
    """
    with closing(device):
        try:
            return device.describe()
        except HarnessError as error:
            state, reason = explain(error)
            return DeviceInfo(device.name, kind, address, state, reason=reason)


def device_name(address: str, otherwise: str) -> str:
    """Return a serial or address as a name that can be a file's: `192.168.1.5:5555` is `192.168.1.5-5555`.

    Args:
        address: The serial or address.
        otherwise: The name where nothing is left of it.
    """
    return re.sub(r"[^A-Za-z0-9._-]", "-", address).lstrip("._-") or otherwise
