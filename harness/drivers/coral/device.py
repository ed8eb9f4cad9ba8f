"""A Coral Edge TPU on this computer, as a device of its own: several of them are measured at the same time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import msgspec

from harness.delegates import Delegate
from harness.drivers.base import DeviceInfo
from harness.drivers.coral import attached as coral_list
from harness.drivers.coral.attached import NO_LIBRARY, NONE_ATTACHED, Tpu
from harness.drivers.local import LocalDevice
from harness.errors import DeviceError, UsageError
from harness.profiles import Connection, Profile, list_profiles
from harness.workspace import Workspace

SHOP_NAMES = {"usb": "Coral USB Accelerator", "pci": "Coral PCIe Accelerator"}
COMPILED_WITH = "edgetpu_compiler"


class CoralDevice(LocalDevice):
    """Runs commands on this computer, for one Edge TPU of it.

    Args:
        name: How the user names it.
        serial: The TPU, `usb:N` or `pci:N`.
        root: Of the file system that is looked at.
    """

    def __init__(self, name: str, serial: str = "usb:0", root: Path | None = None) -> None:
        super().__init__(name, delegates=("edgetpu",))
        self.port, self._root = serial, root

    def describe(self) -> DeviceInfo:
        """Return the TPU with the computer that it is plugged into.

        Raises:
            DeviceError: It is not plugged in.
        """
        tpus = coral_list.attached(self._root)
        tpu = next((tpu for tpu in tpus if tpu.port == self.port), None)
        if tpu is None:
            raise DeviceError(self.name, NONE_ATTACHED)
        host = super().describe()
        return replace(
            info_of(tpu, self.name, self._root),
            os=host.os,
            abi=host.abi,
            facts={**host.facts, **self._facts(tpu)},
        )

    def _facts(self, tpu: Tpu) -> dict[str, str]:
        library = coral_list.find_library(self._root)
        told = {"edgetpu_port": tpu.port, "edgetpu_clock": clock_in_words(library)}
        return told if library is None else {**told, "edgetpu_library": str(library.path)}


def clock_in_words(library: coral_list.Library | None) -> str:
    """`standard`, `max` or `unknown`."""
    return (library.clock if library else None) or "unknown"


def info_of(tpu: Tpu, name: str, root: Path | None = None) -> DeviceInfo:
    """Describe a TPU for a list: its state, and the remedy where it cannot be used."""
    library = coral_list.find_library(root)
    state, reason = tpu.state, tpu.reason
    if state == "ready" and library is None:
        state, reason = "no library", NO_LIBRARY
    return DeviceInfo(
        name,
        "coral",
        tpu.where,
        state,
        SHOP_NAMES[tpu.bus],
        "Edge TPU",
        delegates=(f"edgetpu:{tpu.port}",) if state == "ready" else (),
        reason=reason,
    )


def list_coral(workspace: Workspace, root: Path | None = None) -> list[DeviceInfo]:
    """Describe every TPU that is plugged in."""
    profiles = list_profiles(workspace)
    return [info_of(tpu, _name(tpu, profiles), root) for tpu in coral_list.attached(root)]


def _name(tpu: Tpu, profiles: Iterable[Profile]) -> str:
    kind = next((p.name for p in profiles if _is_for(p, tpu.bus)), f"coral-{tpu.bus}")
    return f"{kind}:{tpu.index}"


def _is_for(profile: Profile, bus: str) -> bool:
    """Whether a profile is of a kind of TPU: its connection says the bus, and no number."""
    return profile.data.connection.kind == "coral" and profile.data.connection.serial == bus


def resolve(text: str, profiles: Iterable[Profile]) -> list[Profile] | None:
    """Turn `coral-usb`, `coral-usb:1` or `all-coral` into profiles tied to a TPU each; None where no TPU is meant.

    Raises:
        UsageError: None of that kind is plugged in, or several are and it is not said which.
    """
    kinds = [profile for profile in profiles if profile.data.connection.kind == "coral"]
    if text == "all-coral":
        found = [
            _tie(p, f"{tpu.bus}:{tpu.index}")
            for tpu in coral_list.attached()
            for p in kinds
            if _is_for(p, tpu.bus)
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
    indices = [tpu.index for tpu in coral_list.attached() if tpu.bus == bus]
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


def bind(delegate: Delegate, connection: Connection) -> Delegate:
    """Say on which TPU a bare `edgetpu` is to run: the one of the device, where that is a TPU."""
    said = delegate.option("usb") or delegate.option("pci")
    if connection.kind != "coral" or delegate.kind != "edgetpu" or said:
        return delegate
    bus, _, index = connection.serial.partition(":")
    return replace(delegate, options=((bus, index), *delegate.options))


def why_not(delegate: Delegate, root: Path | None = None) -> str | None:
    """Say why `edgetpu` is known not to work on this computer; None where nothing is in the way."""
    if coral_list.find_library(root) is None:
        return NO_LIBRARY
    tpus = coral_list.attached(root)
    if not tpus:
        return NONE_ATTACHED
    wanted = [f"{key}:{value}" for key, value in delegate.options if key in {"usb", "pci"}]
    meant = [tpu for tpu in tpus if tpu.port in wanted or not wanted]
    if not meant:
        ports = ", ".join(tpu.port for tpu in tpus)
        return f"there is no Edge TPU {wanted[0]}, only {ports}"
    return None if any(tpu.state == "ready" for tpu in meant) else f"{meant[0].where}: {meant[0].reason}"


def why_not_model(name: str, compiled: bool, delegate: Delegate) -> str | None:
    """Say why a model and a delegate are known not to go together; None where they may.

    Args:
        name: The model's file.
        compiled: Whether it was compiled for the Edge TPU.
        delegate: What shall run it.
    """
    if delegate.kind == "edgetpu" and not compiled:
        return (
            f"{name} is not compiled for the Edge TPU, so all of it would run on the CPU: `harness edgetpu compile "
            f"{name}` makes the file to run"
        )
    if compiled and delegate.is_cpu:
        return (
            f"{name} is compiled for the Edge TPU, which {delegate} cannot run: use the file it was made from"
        )
    return None
