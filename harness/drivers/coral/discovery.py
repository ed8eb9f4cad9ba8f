"""Edge TPUs of this computer as a list, and the profile of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import msgspec

from harness.drivers.base import DeviceInfo
from harness.drivers.coral.attached import NONE_ATTACHED, Tpu, attached_tpus
from harness.drivers.coral.device import describe_tpu
from harness.errors import UsageError
from harness.profiles import Profile, list_profiles
from harness.workspace import Workspace


def list_coral(workspace: Workspace, root: Path | None = None) -> list[DeviceInfo]:
    """Describe every TPU that is plugged in."""
    profiles = list_profiles(workspace)
    return [describe_tpu(tpu, _name(tpu, profiles), root) for tpu in attached_tpus(root)]


def _name(tpu: Tpu, profiles: Iterable[Profile]) -> str:
    kind = next((p.name for p in profiles if _is_for(p, tpu.bus)), f"coral-{tpu.bus}")
    return f"{kind}:{tpu.index}"


def _is_for(profile: Profile, bus: str) -> bool:
    """Return whether a profile is of a kind of TPU: its connection says the bus, and no number."""
    return profile.data.connection.kind == "coral" and profile.data.connection.serial == bus


def resolve_tpu(text: str, profiles: Iterable[Profile]) -> list[Profile] | None:
    """Turn `coral-usb`, `coral-usb:1` or `all-coral` into profiles tied to a TPU each; None where no TPU is meant.

    Raises:
        UsageError: None of that kind is plugged in, or several are and it is not said which.
    """
    kinds = [profile for profile in profiles if profile.data.connection.kind == "coral"]
    if text == "all-coral":
        found = [
            _tie(p, f"{tpu.bus}:{tpu.index}") for tpu in attached_tpus() for p in kinds if _is_for(p, tpu.bus)
        ]
        return found or _none(text)
    name, _, index = text.partition(":")
    profile = next(
        (profile for profile in kinds if profile.name == (name if index.isdecimal() else text)), None
    )
    if profile is None:
        return None
    bus, _, fixed = profile.data.connection.serial.partition(":")
    if fixed or index.isdecimal():
        return [_tie(profile, f"{bus}:{int(index or fixed)}", named=bool(fixed))]
    indices = [tpu.index for tpu in attached_tpus() if tpu.bus == bus]
    if len(indices) > 1:
        names = ", ".join(f"{name}:{index}" for index in indices)
        raise UsageError(f"device {text!r} means several ({names}); name one of them, or all-coral")
    return [_tie(profile, f"{bus}:{indices[0]}")] if indices else _none(text)


def _none(text: str) -> list[Profile]:
    raise UsageError(f"device {text!r}: {NONE_ATTACHED}")


def _tie(profile: Profile, port: str, named: bool = False) -> Profile:
    """Tie a profile of a kind of TPU to one of them."""
    connection = msgspec.structs.replace(profile.data.connection, serial=port)
    name = profile.name if named else f"{profile.name}:{port.partition(':')[2]}"
    return replace(profile, data=msgspec.structs.replace(profile.data, name=name, connection=connection))
